"""What a deletion has to remember of itself, and a list of feedback in order of time."""

from django.db import migrations

# workspace_id: whose late operations it concerns; due_at: when it is carried out again; gone_run_ids: what
# was found and deleted. With run_ids, trace_ids and feedback_ids all NULL it is the whole project.
DELETION = """
ALTER TABLE deletion
  ADD COLUMN workspace_id uuid,
  ADD COLUMN due_at timestamptz,
  ADD COLUMN feedback_ids uuid[],
  ADD COLUMN gone_run_ids uuid[]
"""


def forward(*statements: str) -> migrations.RunSQL:
    """One statement an entry: Citus refuses several in one (scale-out rule 24)."""
    return migrations.RunSQL(list(statements), migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [("collector", "0004_wire_tables")]

    operations = [
        forward(
            DELETION,
            "CREATE INDEX feedback_by_time ON feedback (project_id, created_at DESC, id DESC)",
        ),
    ]
