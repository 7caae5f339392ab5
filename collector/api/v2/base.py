"""What all routes of v2 have in common: problem+json for errors, bodies of any content type, common parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, cast
from uuid import UUID

from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from collector.access import project_ids_for_key
from collector.api.errors import exception_handler
from collector.api.filters import parse_filter_text
from collector.api.parsing import AnyJSONParser, parse_text, parse_time, parse_uuid
from collector.api.rendering import AlwaysJSON
from collector.api.runs import QueryTooBroad
from collector.auth import key_auth
from collector.query.tree import Compare, Expression
from collector.reads.errors import BadCursor, ReadTimeout

IS_ROOT = Compare("is_root", "eq", value=True)
DEFAULT_AGE = timedelta(days=1)  # what min_start_time is where it is left out

Params = Mapping[str, Any]


class StreamsOnly(APIException):
    """The client reads nothing but a stream of events."""

    status_code = 406
    default_detail = "Answers are not streamed: ask for application/json."
    default_code = "not_streamed"


class Problems(APIView):
    """Errors as RFC 9457 has them, with the words and the code of the other routes."""

    content_negotiation_class = AlwaysJSON

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        return _as_problem

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.META.get("HTTP_ACCEPT", "").strip().lower() == "text/event-stream":
            raise StreamsOnly


class V2View(Problems):
    """A route that needs a key."""

    parser_classes = [AnyJSONParser]
    required_scope = "read"


def _as_problem(error: Exception, context: dict[str, Any]) -> Response:
    response = exception_handler(error, context)
    data = response.data if isinstance(response.data, dict) else {"detail": str(response.data)}
    response.data = {
        "type": "about:blank",
        "title": HTTPStatus(response.status_code).phrase,
        "status": response.status_code,
        **data,
    }
    response.content_type = "application/problem+json"
    return response


@contextmanager
def answered_in_time() -> Iterator[None]:
    """Turn what goes wrong while reading into answers.

    Raises:
        ParseError, QueryTooBroad
    """
    try:
        yield
    except BadCursor as error:
        raise ParseError("cursor: it was not given out for this query.") from error
    except ReadTimeout as error:
        raise QueryTooBroad from error


def body_of(request: Request) -> Params:
    return cast("Params", request.data)


def find_project_id(request: Request, params: Params, name: str = "project_id") -> UUID:
    """Return the project that a parameter names.

    Raises:
        ParseError: it is missing, or no UUID.
        NotFound: the key sees no such project.
    """
    wanted = parse_uuid(name, params.get(name))
    if wanted is None:
        raise ParseError(f"{name}: it is needed.")
    if not project_ids_for_key(key_auth(request), [wanted]):
        raise NotFound(f"There is no project {wanted}.")
    return wanted


def parse_start_range(params: Params) -> tuple[datetime, datetime | None]:
    """Return min_start_time (a day ago, if left out) and max_start_time."""
    begin = parse_time("min_start_time", params.get("min_start_time"))
    end = parse_time("max_start_time", params.get("max_start_time"))
    return begin or datetime.now(UTC) - DEFAULT_AGE, end


def parse_expression(params: Params, name: str) -> Expression | None:
    return parse_filter_text(name, parse_text(name, params.get(name)))


def parse_selects(value: Any, name: str = "selects") -> frozenset[str]:
    """Return the names of fields in capitals. Those that nobody knows are ignored later."""
    if value is None:
        return frozenset()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ParseError(f"{name}: a list of field names is needed.")
    return frozenset(item.upper() for part in value for item in part.split(","))


def refuse(params: Params, names: Sequence[str]) -> None:
    """Refuse what would narrow the answer and cannot be done: to ignore it would answer another question.

    Raises:
        ParseError
    """
    for name in names:
        if params.get(name):
            raise ParseError(f"{name}: not supported.", "unsupported_filter")
