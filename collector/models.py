"""The small tables: who may see what. Runs and traces live in the partitioned tables of `storage/`.

No foreign key leads from a hot table to these or back (docs/decisions/0003-keys.md).
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone


class User(AbstractUser):
    """A person who signs in."""


class Workspace(models.Model):
    """The tenant: owns projects and API keys, has members."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120, unique=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """What one user may do in one workspace."""

    class Role(models.TextChoices):
        VIEWER = "viewer"
        EDITOR = "editor"
        ADMIN = "admin"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "workspace"], name="membership_once")
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.workspace}"


class Project(models.Model):
    """What runs are filed under. LangSmith's wire calls it a session."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(max_length=512)
    description = models.TextField(blank=True, default="")
    extra = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    end_time = models.DateTimeField(null=True, blank=True)  # of an experiment
    # Datasets are to come: an experiment is a project that names the one it ran over.
    reference_dataset_id = models.UUIDField(null=True, blank=True)
    default_dataset_id = models.UUIDField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "name"], name="project_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class SavedView(models.Model):
    """A list of a project as somebody found it worth keeping: its query string, shared by all who see the project."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=120)
    query = models.TextField()  # with its `?`
    saved_by = models.CharField(max_length=150)
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name"], name="saved_view_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A key of a workspace. Only its SHA-256 is kept: a random 256-bit key needs no slow hash."""

    class Scope(models.TextChoices):
        INGEST = "ingest"
        READ = "read"
        ADMIN = "admin"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16)
    digest = models.BinaryField(max_length=32, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class SignInLink(models.Model):
    """A one-time link that signs a user in. Only the SHA-256 of its token is kept."""

    digest = models.BinaryField(primary_key=True, max_length=32)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_in_links")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"sign-in link of {self.user}"


class ModelPrice(models.Model):
    """What a workspace says a model costs. Wins over the bundled prices.

    A row is never changed but to be retired: runs that were priced by it can still show how.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="model_prices")
    name = models.CharField(max_length=120, blank=True, default="")  # for people
    model_pattern = models.CharField(max_length=256)  # RE2, searched in the model's name
    provider = models.CharField(max_length=120, blank=True, default="")  # "": any
    prices = models.JSONField(default=dict)  # unit → USD per million tokens, as decimal text
    start_date = models.DateField(null=True, blank=True)  # runs that started before are not priced
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=150, blank=True, default="")
    retired_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.provider or 'any'}/{self.model_pattern}"


class AppliedPrice(models.Model):
    """A price as it was applied to runs: never changed, so that an old cost can be explained.

    Its id is made of its content. Runs point to it by `price_id`; no foreign key (docs/decisions/0003-keys.md).
    """

    id = models.UUIDField(primary_key=True, editable=False)
    source = models.CharField(max_length=120)  # "genai-prices 0.2.3" or "price table"
    model_price_id = models.UUIDField(null=True)  # the row of the price table
    provider = models.CharField(max_length=120, blank=True, default="")
    model = models.CharField(max_length=256)
    prices = models.JSONField(default=dict)
    start_date = models.DateField(null=True)
    first_applied_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.provider}/{self.model} by {self.source}"


class SharedRun(models.Model):
    """A run that whoever has the token may read, with all that lies below it."""

    token = models.UUIDField(primary_key=True, default=uuid.uuid4)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="shared_runs")
    run_id = models.UUIDField()
    trace_id = models.UUIDField()
    day = models.DateField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "run_id"], name="shared_run_once")
        ]

    def __str__(self) -> str:
        return f"share of run {self.run_id}"


class FeedbackToken(models.Model):
    """Lets whoever has it add feedback with one key to one run, until it expires.

    The run need not be stored yet: an application makes the token while the run is at work.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="feedback_tokens"
    )
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="feedback_tokens", null=True
    )
    run_id = models.UUIDField()
    feedback_key = models.CharField(max_length=180)
    feedback_config = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["workspace", "run_id"], name="feedback_token_by_run")
        ]

    def __str__(self) -> str:
        return f"token for {self.feedback_key} on run {self.run_id}"


class FeedbackConfig(models.Model):
    """What scores of one feedback key mean in a workspace."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="feedback_configs"
    )
    feedback_key = models.CharField(max_length=180)
    feedback_config = models.JSONField(default=dict)
    is_lower_score_better = models.BooleanField(null=True, blank=True)
    is_enforced = models.BooleanField(default=False)
    modified_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "feedback_key"], name="feedback_config_once"
            )
        ]

    def __str__(self) -> str:
        return self.feedback_key
