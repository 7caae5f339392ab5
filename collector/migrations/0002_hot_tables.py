"""The partitioned tables of runs, and the inbox. docs/decisions/0003-keys.md gives the reasons.

Columns of fixed width come first, so that rows have no padding. Every key starts with project_id.
The order (project_id, id, day) finds a run by id alone with one probe a partition.
"""

from django.db import migrations

RUN = """
CREATE TABLE run (
  project_id uuid NOT NULL,
  id uuid NOT NULL,
  trace_id uuid NOT NULL,
  parent_run_id uuid,
  position timestamptz,
  start_time timestamptz NOT NULL,
  end_time timestamptz,
  first_token_time timestamptz,
  day date NOT NULL,
  prompt_tokens integer,
  completion_tokens integer,
  total_tokens integer,
  prompt_cost numeric,
  completion_cost numeric,
  total_cost numeric,
  name text,
  run_type text,
  status text NOT NULL,
  model text,
  thread_id text,
  user_id text,
  tags text[],
  inputs_preview text,
  outputs_preview text,
  error text,
  versions bytea NOT NULL,
  PRIMARY KEY (project_id, id, day)
) PARTITION BY RANGE (day)
"""

TRACE = """
CREATE TABLE trace (
  project_id uuid NOT NULL,
  id uuid NOT NULL,
  start_time timestamptz NOT NULL,
  end_time timestamptz,
  first_token_time timestamptz,
  last_heard_at timestamptz NOT NULL,
  day date NOT NULL,
  has_root boolean NOT NULL DEFAULT false,
  run_count integer NOT NULL DEFAULT 0,
  ended_count integer NOT NULL DEFAULT 0,
  error_count integer NOT NULL DEFAULT 0,
  prompt_tokens bigint NOT NULL DEFAULT 0,
  completion_tokens bigint NOT NULL DEFAULT 0,
  total_tokens bigint NOT NULL DEFAULT 0,
  total_cost numeric,
  name text,
  run_type text,
  status text NOT NULL DEFAULT 'running',
  thread_id text,
  user_id text,
  tags text[],
  inputs_preview text,
  outputs_preview text,
  error text,
  PRIMARY KEY (project_id, id, day)
) PARTITION BY RANGE (day)
"""

PAYLOAD = """
CREATE TABLE payload (
  project_id uuid NOT NULL,
  trace_id uuid NOT NULL,
  id uuid NOT NULL,
  day date NOT NULL,
  run_ids uuid[] NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (project_id, trace_id, id, day)
) PARTITION BY RANGE (day)
"""

ATTACHMENT = """
CREATE TABLE attachment (
  project_id uuid NOT NULL,
  run_id uuid NOT NULL,
  trace_id uuid NOT NULL,
  day date NOT NULL,
  size_bytes integer NOT NULL,
  name text NOT NULL,
  mime_type text NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (project_id, run_id, name, day)
) PARTITION BY RANGE (day)
"""

FEEDBACK = """
CREATE TABLE feedback (
  project_id uuid NOT NULL,
  id uuid NOT NULL,
  run_id uuid,
  trace_id uuid,
  created_at timestamptz NOT NULL,
  modified_at timestamptz NOT NULL,
  score double precision,
  key text NOT NULL,
  comment text,
  value bytea,
  correction bytea,
  feedback_source bytea,
  other bytea,
  PRIMARY KEY (project_id, id)
)
"""

# One row a request and project. STORAGE EXTERNAL: the body is zstd already, pglz would gain nothing
# and cost 5 times the CPU. Autovacuum comes early: a queue's dead rows slow every claim.
INBOX = """
CREATE TABLE inbox (
  id bigint GENERATED ALWAYS AS IDENTITY,
  project_id uuid NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  not_before timestamptz,
  attempts integer NOT NULL DEFAULT 0,
  run_count integer NOT NULL,
  size_bytes integer NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY (project_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, fillfactor = 80)
"""

DEAD_LETTER = """
CREATE TABLE dead_letter (
  project_id uuid NOT NULL,
  id uuid NOT NULL,
  run_id uuid,
  received_at timestamptz NOT NULL,
  failed_at timestamptz NOT NULL,
  error text NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY (project_id, id)
)
"""

# Traces that the follow-up (sealing) has to visit: those that got a second block.
FOLLOW_UP = """
CREATE TABLE follow_up (
  project_id uuid NOT NULL,
  trace_id uuid NOT NULL,
  day date NOT NULL,
  due_at timestamptz NOT NULL,
  PRIMARY KEY (project_id, trace_id, day)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, fillfactor = 80)
"""

WORKER_HEARTBEAT = """
CREATE TABLE worker_heartbeat (
  name text PRIMARY KEY,
  seen_at timestamptz NOT NULL
)
"""

HOT_TABLES = ("run", "trace", "payload", "attachment")


def forward(*statements: str) -> migrations.RunSQL:
    """One statement an entry: Citus refuses several in one (scale-out rule 24)."""
    return migrations.RunSQL(list(statements), migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [("collector", "0001_accounts")]

    operations = [
        forward(
            RUN,
            TRACE,
            PAYLOAD,
            ATTACHMENT,
            FEEDBACK,
            INBOX,
            DEAD_LETTER,
            FOLLOW_UP,
            WORKER_HEARTBEAT,
        ),
        forward(
            # payloads and attachments are compressed before they come
            "ALTER TABLE payload ALTER data SET STORAGE EXTERNAL, ALTER run_ids SET STORAGE MAIN",
            "ALTER TABLE attachment ALTER data SET STORAGE EXTERNAL",
            "ALTER TABLE inbox ALTER body SET STORAGE EXTERNAL",
        ),
        forward(
            "CREATE INDEX run_by_trace ON run (project_id, trace_id)",
            "CREATE INDEX run_by_start ON run (project_id, start_time DESC, id DESC)",
            "CREATE INDEX trace_by_start ON trace (project_id, start_time DESC, id DESC)",
            "CREATE INDEX trace_by_thread ON trace (project_id, thread_id, start_time) WHERE thread_id IS NOT NULL",
            "CREATE INDEX feedback_by_run ON feedback (project_id, run_id)",
        ),
        forward(
            *(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT" for table in HOT_TABLES)
        ),
    ]
