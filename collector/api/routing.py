"""One path, several views: by method, as LangSmith has it. And what no route knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

View = Callable[..., Any]


class IdConverter:
    """A UUID in a path, with or without dashes, in either case."""

    regex = "[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"

    def to_python(self, value: str) -> UUID:
        return UUID(value)

    def to_url(self, value: UUID) -> str:
        return str(value)


class ByMethod:
    """A view that hands a request to the view of its method, and refuses other methods."""

    csrf_exempt = True  # a key is no cookie: no other site can make a browser send it

    def __init__(self, **views: View) -> None:
        class Methods(APIView):
            """Answers methods that have no view with 405, behind a key like the others."""

            required_scope = None
            http_method_names = [*(method.lower() for method in views), "options"]

        for method in views:
            setattr(Methods, method.lower(), _unreachable)
        self.views = views
        # Where drf-spectacular looks for what a route can do.
        self.cls, self.initkwargs = Methods, dict[str, Any]()
        self._refuse = Methods.as_view()

    def __call__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        method = "GET" if request.method == "HEAD" else request.method or ""
        response: HttpResponseBase = self.views.get(method, self._refuse)(request, *args, **kwargs)
        return response


def _unreachable(self: APIView, request: Request) -> Response:
    """Stand for a method that `ByMethod` never sends here: it is named in `Allow`."""
    raise NotFound


@extend_schema(exclude=True)
class NoSuchRoute(APIView):
    """Answers 404 as JSON to whoever has a key."""

    required_scope = None

    def http_method_not_allowed(
        self, request: HttpRequest | Request, *args: Any, **kwargs: Any
    ) -> Response:
        raise NotFound(f"The API has no {request.path[:200]}.")
