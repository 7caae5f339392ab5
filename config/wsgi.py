"""The WSGI application: Django behind a wrapper that reads chunked bodies in full.

Plain Django on WSGI limits the input to CONTENT_LENGTH, which a chunked request lacks: it reads an
empty body and would acknowledge data that it never saw. The LangSmith JS SDK chunks by default.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_wsgi_application()

# after Django is up: the doorbell rings through this app, which nobody else in a web process imports
import config.celery  # noqa: E402, F401

MEMORY_BYTES = (
    1 << 20
)  # a chunked body past this waits on disk: one may stall in each of hundreds of threads
READ_BYTES = 64 << 10


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if _is_chunked(environ):
        _read_body(environ)
    return django_application(environ, start_response)


def _is_chunked(environ: dict[str, Any]) -> bool:
    encoding = environ.get("HTTP_TRANSFER_ENCODING", "")
    return "chunked" in encoding.lower() and not environ.get("CONTENT_LENGTH")


def _read_body(environ: dict[str, Any]) -> None:
    """Put the whole body, and its length, where Django looks for them.

    Past the limit nothing is kept: the view answers 413 from the length, with its own words. Reading goes
    on up to twice the limit, since a client that is still sending would see a broken connection, no answer.
    """
    from django.conf import settings

    # no `with`: the answer may be a stream that outlives this call; the file ends with the request
    body = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115
    limit = settings.INGEST_MAX_BODY_BYTES
    size = 0
    while size <= 2 * limit and (chunk := environ["wsgi.input"].read(READ_BYTES)):
        size += len(chunk)
        if size <= limit:
            body.write(chunk)
    body.seek(0)
    environ["wsgi.input"] = body
    environ["CONTENT_LENGTH"] = str(size)
