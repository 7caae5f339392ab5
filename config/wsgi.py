"""The WSGI application: Django behind a wrapper that bounds bodies in time, and takes chunked ones.

Plain Django on WSGI limits the input to CONTENT_LENGTH, which a chunked request lacks: it reads an
empty body and would acknowledge data that it never saw. The LangSmith JS SDK chunks by default.

A chunked body that is cut short cannot be told from one that has ended: granian gives the same end of
the input for both. What came is judged by itself; JSON, multipart and compression all show their end.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_wsgi_application()

from django.conf import settings  # noqa: E402

# after Django is up: the doorbell rings through this app, which nobody else in a web process imports
import config.celery  # noqa: E402, F401
from config.uploads import BodyTooSlow, Upload, allow_many_connections  # noqa: E402

MEMORY_BYTES = (
    1 << 20
)  # a chunked body past this waits on disk: one may stall in each of hundreds of threads
KEYLESS_BYTES = 1 << 20
READ_BYTES = 64 << 10

allow_many_connections()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    environ["wsgi.input"] = Upload(environ["wsgi.input"], settings.BODY_SECONDS)
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
    Of one that shows nothing to sign in by, little is read: it will be refused whatever it sends.
    """
    # no `with`: the answer may be a stream that outlives this call; the file ends with the request
    body = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115
    limit = settings.INGEST_MAX_BODY_BYTES if _has_credentials(environ) else KEYLESS_BYTES
    source, size = environ["wsgi.input"], 0
    environ["wsgi.input"] = body
    try:
        while size <= 2 * limit and (chunk := source.read(READ_BYTES)):
            size += len(chunk)
            if size <= limit:
                body.write(chunk)
        body.seek(0)
    except BodyTooSlow:
        size += 1
        environ["wsgi.input"] = source  # whoever reads on is told the same
    environ["CONTENT_LENGTH"] = str(size)


def _has_credentials(environ: dict[str, Any]) -> bool:
    return any(name in environ for name in ("HTTP_X_API_KEY", "HTTP_AUTHORIZATION", "HTTP_COOKIE"))
