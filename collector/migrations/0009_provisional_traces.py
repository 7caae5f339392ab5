"""Traces that runs were put into because nobody knew where they belong, and where those have gone since."""

from django.db import migrations

# trace_id is the id of the run that would know: the parent, the root, or the run itself. Once it has come
# and lies elsewhere, the trace is moved there, and the row says so to operations that are on their way.
PROVISIONAL_TRACE = """
CREATE TABLE provisional_trace (
  project_id uuid NOT NULL,
  trace_id uuid NOT NULL,
  day date NOT NULL,
  moved_to_trace_id uuid,
  moved_to_day date,
  PRIMARY KEY (project_id, trace_id, day)
)
"""


class Migration(migrations.Migration):
    dependencies = [("collector", "0008_terms_of_stored_traces")]

    operations = [migrations.RunSQL([PROVISIONAL_TRACE], migrations.RunSQL.noop)]
