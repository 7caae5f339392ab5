"""The words and icons of statuses (design: viewer.md, section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from collector.reads.types import Status


@dataclass(frozen=True, slots=True)
class StatusLook:
    """How one status is shown. The value itself is the `data-status` that colours it."""

    status: Status
    word: str
    icon: str


LOOKS: dict[Status, StatusLook] = {
    look.status: look
    for look in (
        StatusLook("success", "Success", "ok"),
        StatusLook("error", "Error", "error"),
        StatusLook("running", "Running", "running"),
        StatusLook("interrupted", "Waiting for input", "interrupted"),
        StatusLook("cancelled", "Cancelled", "cancelled"),
        StatusLook("incomplete", "Incomplete", "incomplete"),
    )
}


def describe_status(status: str) -> StatusLook:
    """Return the look of a status. Raises KeyError for a word that is none."""
    return LOOKS[cast(Status, status)]
