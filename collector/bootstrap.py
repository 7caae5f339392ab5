"""What a new installation starts with: one workspace, one administrator, one project."""

from __future__ import annotations

from django.db import connection, transaction

from collector.models import Membership, Project, User, Workspace

DEFAULT_WORKSPACE = "default"
DEFAULT_PROJECT = "default"  # where the SDKs file runs when nobody names a project
DEFAULT_USER = "admin"

# Any constant will do, if nothing else in the database uses it for an advisory lock.
LOCK_NUMBER = 7_218_390_133


def ensure_first_workspace() -> Workspace:
    """Return the oldest workspace, made together with its administrator and project where there is none.

    Safe to call from any number of processes at once. What an administrator renamed or deleted later
    does not come back.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_NUMBER])
        workspace = Workspace.objects.order_by("created_at", "id").first()
        if workspace is None:
            workspace = Workspace.objects.create(name=DEFAULT_WORKSPACE)
            Project.objects.create(workspace=workspace, name=DEFAULT_PROJECT)
            user = User.objects.filter(username=DEFAULT_USER).first() or _create_administrator()
            Membership.objects.create(user=user, workspace=workspace, role=Membership.Role.ADMIN)
    return workspace


def _create_administrator() -> User:
    """Without a password: the first sign-in is by link (`manage.py login_url`)."""
    user = User(username=DEFAULT_USER)
    user.set_unusable_password()
    user.save()
    return user
