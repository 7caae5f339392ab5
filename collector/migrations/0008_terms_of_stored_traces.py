"""Traces that were stored before terms were noted may say anything: filters look at them one by one."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("collector", "0007_feedback_token_workspace")]

    operations = [
        migrations.RunSQL(
            [
                "INSERT INTO trace_terms (project_id, trace_id, day, terms)"
                " SELECT project_id, id, day, '{0}' FROM trace ON CONFLICT DO NOTHING"
            ],
            migrations.RunSQL.noop,
        )
    ]
