"""What may stand in a log line. Imports nothing of ours: logging is set up before all else."""

from __future__ import annotations

import logging
import re

# A one-time link signs in whoever has it: a request that failed before the link was used up has left it valid.
_SIGN_IN_LINK = re.compile(r"(/sign-in/)[\w%.~-]+")


def redact(text: str) -> str:
    """Return the text without the tokens of sign-in links."""
    return _SIGN_IN_LINK.sub(r"\1…", text)


class RedactingFormatter(logging.Formatter):
    """Takes secrets out of the finished line, whichever logger it came by, and out of its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))
