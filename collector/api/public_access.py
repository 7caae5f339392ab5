"""What all routes that need no key have in common: small bodies, few requests, and nothing for search engines."""

from __future__ import annotations

from typing import Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from collector.api.parsing import BodyTooLarge
from collector.api.rendering import AlwaysJSON


class LinkThrottle(SimpleRateThrottle):
    """So many requests a minute for each link, in each process."""

    rate = "600/min"
    scope = "link"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        link = next(iter(view.kwargs.values()), "")
        return self.cache_format % {"scope": self.scope, "ident": link}


class PublicView(APIView):
    """A route that needs no key: the link itself says what it opens."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = (LinkThrottle,)
    content_negotiation_class = AlwaysJSON

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["X-Robots-Tag"] = "noindex, nofollow"
        answer["Referrer-Policy"] = "no-referrer"
        answer.setdefault("Cache-Control", "private, no-store")
        return answer

    def read_object(self, request: Request, max_bytes: int) -> dict[str, Any]:
        """Return the JSON object that is the body.

        Raises:
            BodyTooLarge, ParseError
        """
        body = request._request.read(max_bytes + 1)  # raw: whatever the content type says
        if len(body) > max_bytes:
            raise BodyTooLarge(f"The body is larger than {max_bytes:,} bytes.")
        try:
            value = orjson.loads(body or b"{}")
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not valid JSON: {error}") from error
        if not isinstance(value, dict):
            raise ParseError("The body must be a JSON object.")
        return value
