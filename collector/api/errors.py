"""What goes wrong → status, code and words: the one table. Bodies are `{"detail": …, "code": …}`.

The status decides what a stock LangSmith client does: it drops the batch at once on any other 4xx,
retries 503 with its Retry-After, and re-uploads a 500 twelve times (reliability notes, section 0). So what
may pass is 503, and what can never succeed is 4xx.
"""

from __future__ import annotations

import logging
import traceback
from typing import Any

from django.db import InterfaceError, InternalError, OperationalError
from django.http import UnreadablePostError
from psycopg_pool import PoolTimeout
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.views import exception_handler as rest_exception_handler

from collector.api.filters import InvalidFilter
from collector.api.memory import TooManyInFlight
from collector.inbox import InboxFull
from collector.reads.errors import TooManyOfKey, TooManyStreams
from collector.reads.live import MAX_STREAMS_PER_KEY
from collector.wire.errors import (
    BodyError,
    TooLarge,
    UnsupportedEncoding,
    UnsupportedMediaType,
    WrongShape,
)
from config.uploads import BodyTooSlow

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 30  # four tries of the stock client then cover 90 s

_NEVER: tuple[tuple[type[BodyError], int], ...] = (  # other bodies that cannot be used: 400
    (TooLarge, 413),  # and no Retry-After, which would make clients upload it four times
    (UnsupportedEncoding, 415),
    (UnsupportedMediaType, 415),
    (WrongShape, 422),
)
_LATER: tuple[tuple[type[Exception], str, str], ...] = (
    (InboxFull, "inbox_full", "The workers are behind and the inbox is full. Send it again later."),
    (
        TooManyInFlight,
        "too_many_in_flight",
        "Too many large requests are being read. Send it again later.",
    ),
    (
        OperationalError,
        "database_unavailable",
        "The database does not answer. Send it again later.",
    ),
    (InterfaceError, "database_unavailable", "The database does not answer. Send it again later."),
    (
        InternalError,  # a standby after a failover refuses writes so
        "database_unavailable",
        "The database refuses to write. Send it again later.",
    ),
    (TooManyStreams, "too_many_streams", "Too many streams are open. Try again later."),
    (PoolTimeout, "database_unavailable", "No database connection is free. Send it again later."),
    (MemoryError, "too_many_in_flight", "There is no memory for it now. Send it again later."),
)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Return the answer to an error. What is not known here is a defect of ours: a 500, in the log."""
    if isinstance(error, BodyError):
        return Response({"detail": error.reason, "code": error.code}, status=_status(error))
    if isinstance(error, UnreadablePostError):
        if isinstance(error.__cause__, BodyTooSlow):
            detail = "The body did not come in time (setting RUNWOOD_BODY_SECONDS)."
            return Response({"detail": detail, "code": "body_too_slow"}, status=408)
        return Response({"detail": "The body ended early.", "code": "truncated_body"}, status=400)
    if isinstance(error, TooManyOfKey):
        detail = f"{MAX_STREAMS_PER_KEY} streams of this key are open here. Close some."
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return Response(
            {"detail": detail, "code": "too_many_streams_of_key"}, status=429, headers=headers
        )
    for kind, code, detail in _LATER:
        if isinstance(error, kind):
            logger.warning("answered 503 %s: %s", code, str(error).partition("\n")[0])
            return Response(
                {"detail": detail, "code": code},
                status=503,
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
    response = rest_exception_handler(error, context)
    if response is None:
        # where, but not the message: it may repeat what was sent
        lines = "".join(traceback.format_tb(error.__traceback__))
        logger.error("answered 500: %s\n%s", type(error).__qualname__, lines)
        detail = "Runwood has a defect; its log says where."
        return Response({"detail": detail, "code": "internal_error"}, status=500)
    if isinstance(error, APIException) and isinstance(response.data, dict):
        response.data.setdefault("code", _code(error))
    if isinstance(error, InvalidFilter) and isinstance(response.data, dict):
        response.data["position"] = error.position
    return response


def _status(error: BodyError) -> int:
    for kind, status in _NEVER:
        if isinstance(error, kind):
            return status
    return 400


def _code(error: APIException) -> str:
    codes = error.get_codes()
    return codes if isinstance(codes, str) else error.default_code
