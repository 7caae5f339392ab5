"""The environment: which `RUNWOOD_…` variables the client knows, and which are misspelt."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator

from runwood.command.doctor.finding import Finding
from runwood.config import is_on

VARIABLES = (
    "RUNWOOD_ENDPOINT", "RUNWOOD_API_KEY", "RUNWOOD_PROJECT", "RUNWOOD_TRACING", "RUNWOOD_SAMPLE_RATE",
    "RUNWOOD_REDACT_SECRETS", "RUNWOOD_HIDE_INPUTS", "RUNWOOD_HIDE_OUTPUTS", "RUNWOOD_SPOOL_DIR",
    "RUNWOOD_STREAM_TOKENS",
)  # fmt: skip
SWITCHES = (
    "RUNWOOD_TRACING",
    "RUNWOOD_REDACT_SECRETS",
    "RUNWOOD_HIDE_INPUTS",
    "RUNWOOD_HIDE_OUTPUTS",
    "RUNWOOD_STREAM_TOKENS",
)
# A server may run in the same environment: these are its own, each also as …_FILE.
SERVER_VARIABLES = frozenset(
    f"RUNWOOD_{name}"
    for name in (
        "ALLOWED_HOSTS", "BODY_SECONDS", "CSRF_TRUSTED_ORIGINS", "DATA_DIR", "DB_POOL_SIZE", "HOST", "LOG_LEVEL",
        "MAX_BODY_BYTES", "MAX_DECODED_BYTES", "MAX_INBOX_BYTES", "MAX_IN_FLIGHT_BYTES", "MAX_RUNS_PER_REQUEST",
        "MAX_RUN_BYTES", "PORT", "PUBLIC_URL", "SECRET_KEY", "SECURE_COOKIES", "SUPERVISED", "TRUST_PROXY",
        "WEB_WORKERS", "WORKERS",
    )
)  # fmt: skip
_OTHER_WORDS = {  # what other clients call the same
    "URL": "RUNWOOD_ENDPOINT", "API_URL": "RUNWOOD_ENDPOINT", "BASE_URL": "RUNWOOD_ENDPOINT",
    "KEY": "RUNWOOD_API_KEY", "TOKEN": "RUNWOOD_API_KEY", "PROJECT_NAME": "RUNWOOD_PROJECT",
    "TRACING_V2": "RUNWOOD_TRACING",
}  # fmt: skip
_YES_AND_NO = frozenset({"", "0", "1", "true", "false", "yes", "no", "on", "off"})


def find_misspelt() -> Iterator[Finding]:
    """Yield the variables that nobody reads, with the one that is likely to be meant."""
    for name in sorted(os.environ):
        if not name.startswith("RUNWOOD_") or name in VARIABLES:
            continue
        if name.removesuffix("_FILE") in SERVER_VARIABLES:
            continue
        meant = _OTHER_WORDS.get(name.removeprefix("RUNWOOD_")) or next(
            iter(difflib.get_close_matches(name, VARIABLES, 1, cutoff=0.85)), ""
        )
        question = f": is {meant} meant?" if meant else ""
        yield Finding("note", name, f"neither client nor server knows this variable{question}")


def find_odd_switches() -> Iterator[Finding]:
    """Yield the switches that say neither yes nor no: they count as yes."""
    for name in SWITCHES:
        value = os.environ.get(name, "").strip()
        if value.lower() not in _YES_AND_NO:
            yield Finding("note", name, f"{value!r} counts as true: use true or false")


def look_at_tracing() -> Finding:
    """Say whether the environment alone has an app traced."""
    about = "RUNWOOD_TRACING"
    if not os.environ.get(about):
        return Finding(
            "ok", about, "not set: traced is what gets a handler, or imports runwood.auto"
        )
    if is_on(about):
        return Finding("ok", about, "on: an app that imports runwood is traced")
    return Finding("note", about, "off: neither runwood.auto nor a decorator records anything")
