"""What a request passes on its way to a view: pages pass all of it, the API only what it needs.

A key is no cookie and an answer of the API no page: sessions, CSRF tokens, messages, a content policy and htmx
are nothing to it, and cost a third of a request that sends one run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_API_PATH = re.compile(rf"/(?:{'|'.join(settings.API_ROOTS)})(?:/|\Z)")


def is_api_path(path: str) -> bool:
    """Whether only the API answers there. Paths that it shares with pages count as theirs."""
    return _API_PATH.match(path) is not None


class PageMiddleware:
    """`settings.PAGE_MIDDLEWARE` as one middleware, which requests to the API go past."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_api_response = get_response
        handler: Any = get_response
        self.views: list[Callable[..., HttpResponseBase | None]] = []
        for name in reversed(settings.PAGE_MIDDLEWARE):  # as Django builds its own chain
            middleware: Any = import_string(name)(handler)
            if hasattr(middleware, "process_view"):
                self.views.insert(0, middleware.process_view)
            handler = convert_exception_to_response(middleware)
        self.get_page: GetResponse = handler

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_api_path(request.path_info):
            return self.get_api_response(request)
        return self.get_page(request)

    def process_view(
        self, request: HttpRequest, view: GetResponse, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        """Let each look at the view that was found, until one of them answers."""
        if not is_api_path(request.path_info):
            for process_view in self.views:
                response = process_view(request, view, args, kwargs)
                if response is not None:
                    return response
        return None
