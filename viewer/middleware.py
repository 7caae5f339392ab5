"""What all answers pass through."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class GzipPages(GZipMiddleware):
    """Compresses pages: a trace of 1,000 runs is 1 MB of markup that repeats itself.

    Nothing else: a live stream would wait in the compressor's buffer, and the SDKs read their answers
    over short ways. Secrets that stand next to what a reader sent can be guessed from a page's length;
    Django varies that length, and masks its own token anew in every page.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        is_page = response.get("Content-Type", "").startswith("text/html")
        if response.streaming or not is_page:
            return response
        compressed: HttpResponseBase = super().process_response(request, response)
        return compressed
