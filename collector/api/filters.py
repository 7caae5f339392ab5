"""Filters in the bodies of requests: what is none is answered with the place of its fault."""

from __future__ import annotations

from rest_framework.exceptions import APIException

from collector.query.errors import FilterError
from collector.query.langsmith import parse_filter
from collector.query.tree import Expression


class InvalidFilter(APIException):
    """The client wrote a filter that is none. `position` is where, from 1."""

    status_code = 400
    default_code = "invalid_filter"

    def __init__(self, name: str, error: FilterError) -> None:
        super().__init__(f"{name}: {error}")
        self.position = error.position + 1


def parse_filter_text(name: str, text: str | None) -> Expression | None:
    """Return the filter that stands in the field `name`, or None where it is empty.

    Raises:
        InvalidFilter: it is none.
    """
    if text is None or not text.strip():
        return None
    try:
        return parse_filter(text)
    except FilterError as error:
        raise InvalidFilter(name, error) from error
