# The table is made anew: no release has written to it.

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("collector", "0006_model_price_name"),
    ]

    operations = [
        migrations.DeleteModel(name="FeedbackToken"),
        migrations.CreateModel(
            name="FeedbackToken",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("run_id", models.UUIDField()),
                ("feedback_key", models.CharField(max_length=180)),
                ("feedback_config", models.JSONField(blank=True, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                (
                    "project",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="feedback_tokens",
                        to="collector.project",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="feedback_tokens",
                        to="collector.workspace",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["workspace", "run_id"], name="feedback_token_by_run")
                ],
            },
        ),
    ]
