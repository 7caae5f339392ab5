"""The index of what runs say, and the traces that are not in it yet: docs/decisions/0010-full-text-search.md."""

from django.db import migrations

# A row for each 4,000 tokens of a trace. `day` is that of the trace's start, by which a search walks; `trace_day`
# is where the trace lies. The key begins with the trace, which is rewritten whole.
TRACE_TEXT = """
CREATE TABLE trace_text (
  project_id uuid NOT NULL,
  trace_id uuid NOT NULL,
  start_time timestamptz NOT NULL,
  day date NOT NULL,
  trace_day date NOT NULL,
  part integer NOT NULL,
  words tsvector NOT NULL,
  PRIMARY KEY (project_id, trace_id, day, part)
) PARTITION BY RANGE (day)
"""

# Traces that changed since they were indexed; due_at NULL: stored before there was an index.
TEXT_QUEUE = """
CREATE TABLE text_queue (
  project_id uuid NOT NULL,
  trace_id uuid NOT NULL,
  day date NOT NULL,
  start_time timestamptz NOT NULL,
  due_at timestamptz,
  PRIMARY KEY (project_id, trace_id, day)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, fillfactor = 80)
"""


def forward(*statements: str) -> migrations.RunSQL:
    """One statement an entry: Citus refuses several in one (scale-out rule 24)."""
    return migrations.RunSQL(list(statements), migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [("collector", "0009_provisional_traces")]

    operations = [
        forward(
            TRACE_TEXT,
            TEXT_QUEUE,
            # without a pending list an insert is dearer, and no search or insert ever waits for its clean-up
            "CREATE INDEX trace_text_words ON trace_text USING gin (words) WITH (fastupdate = off)",
            "CREATE INDEX text_queue_by_start ON text_queue (project_id, start_time DESC, trace_id DESC)",
            "CREATE INDEX text_queue_by_due ON text_queue (due_at, start_time DESC)",
            "CREATE TABLE trace_text_default PARTITION OF trace_text DEFAULT",
            "INSERT INTO text_queue (project_id, trace_id, day, start_time)"
            " SELECT project_id, id, day, start_time FROM trace",
        ),
    ]
