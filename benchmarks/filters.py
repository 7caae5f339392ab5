"""Filters to measure: those that LangSmith documents, in words that the runs of `workload.py` say."""

from __future__ import annotations

# What the whole project passes, a part of it, and nothing at all: each costs in its own way.
DOCUMENTED = (
    "eq(is_root, true)",
    'and(eq(is_root, true), neq(status, "pending"))',
    'and(eq(run_type, "chain"), gt(latency, 10), gt(total_tokens, 5000))',
    'gt(latency, "5s")',
    "neq(error, null)",
    'eq(status, "error")',
    'and(gt(start_time, "2023-07-15T12:34:56Z"), or(neq(error, null), and(eq(feedback_key, "Correctness"),'
    " eq(feedback_score, 0.0))))",
    'and(or(has(tags, "experimental"), has(tags, "refund_flow")), gt(latency, 2))',
    'and(eq(feedback_key, "star_rating"), gt(feedback_score, 4))',
    'search("statement expression")',
    'search(name, "agent")',
    'and(eq(metadata_key, "env"), eq(metadata_value, "prod"))',
    'and(eq(metadata_key, "user_id"), eq(metadata_value, "u_77"))',
    'and(eq(metadata_key, "variant"), eq(metadata_value, "prod"))',
    'and(in(metadata_key, ["session_id", "conversation_id", "thread_id"]), eq(metadata_value, "X"))',
    """has(metadata, '{"env": "prod"}')""",
    'eq(thread_id, "X")',
    'and(eq(name, "ChatOpenAI"), and(eq(input_key, "messages.kwargs.content"), like(input_value, "%object%")))',
    'in(name, ["ChatOpenAI", "ChatAnthropic"])',
    'not(has(tags, "langsmith:hidden"))',
)
