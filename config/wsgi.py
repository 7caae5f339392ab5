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

MEMORY_BYTES = 8 << 20  # a chunked body past this waits on disk


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    from django.conf import settings  # noqa: PLC0415 (settings are read when a request comes)

    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower() and not environ.get("CONTENT_LENGTH"):
        with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as body:
            size = 0
            while chunk := environ["wsgi.input"].read(65536):
                size += len(chunk)
                if size > settings.INGEST_MAX_BODY_BYTES:
                    break  # the view answers 413 from the length, with its own words
                body.write(chunk)
            body.seek(0)
            environ["wsgi.input"] = body
            environ["CONTENT_LENGTH"] = str(size)
            return list(django_application(environ, start_response))
    return django_application(environ, start_response)  # type: ignore[no-any-return]
