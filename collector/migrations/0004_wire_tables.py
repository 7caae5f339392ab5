"""What the whole wire needs of the partitioned tables: usage, costs, sub-tree totals, and terms to find runs by."""

from django.db import migrations

# Adding a column without a default rewrites nothing.
RUN = """
ALTER TABLE run
  ADD COLUMN reference_example_id uuid,
  ADD COLUMN price_id uuid,
  ADD COLUMN span_id bigint,
  ADD COLUMN subtree_prompt_tokens bigint,
  ADD COLUMN subtree_completion_tokens bigint,
  ADD COLUMN subtree_total_tokens bigint,
  ADD COLUMN subtree_prompt_cost numeric,
  ADD COLUMN subtree_completion_cost numeric,
  ADD COLUMN subtree_total_cost numeric,
  ADD COLUMN provider text,
  ADD COLUMN usage_details jsonb
"""

TRACE = """
ALTER TABLE trace
  ADD COLUMN prompt_cost numeric,
  ADD COLUMN completion_cost numeric
"""

# One row a trace: hashes of what its runs may be found by (collector/storage/terms.py).
TRACE_TERMS = """
CREATE TABLE trace_terms (
  project_id uuid NOT NULL,
  trace_id uuid NOT NULL,
  day date NOT NULL,
  terms integer[] NOT NULL,
  PRIMARY KEY (project_id, trace_id, day)
) PARTITION BY RANGE (day)
"""

# What has to be deleted still; trace_ids NULL: the whole project.
DELETION = """
CREATE TABLE deletion (
  project_id uuid NOT NULL,
  id uuid NOT NULL,
  requested_at timestamptz NOT NULL,
  run_ids uuid[],
  trace_ids uuid[],
  PRIMARY KEY (project_id, id)
)
"""


def forward(*statements: str) -> migrations.RunSQL:
    """One statement an entry: Citus refuses several in one (scale-out rule 24)."""
    return migrations.RunSQL(list(statements), migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [("collector", "0003_wire_models")]

    operations = [
        forward(RUN, TRACE, TRACE_TERMS, DELETION),
        forward(
            "ALTER TABLE feedback ADD COLUMN source_type text",
            "CREATE INDEX trace_terms_by_term ON trace_terms USING gin (terms)",
            "CREATE INDEX feedback_by_key ON feedback (project_id, key, created_at DESC)",
            "CREATE INDEX run_by_error ON run (project_id, start_time DESC, id DESC) WHERE error IS NOT NULL",
            "CREATE INDEX run_by_example ON run (project_id, reference_example_id)"
            " WHERE reference_example_id IS NOT NULL",
            "CREATE TABLE trace_terms_default PARTITION OF trace_terms DEFAULT",
        ),
    ]
