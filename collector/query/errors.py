"""Errors of filters."""

from __future__ import annotations

SHOWN_BEFORE, SHOWN_AFTER = 40, 60  # characters of the filter around the place of an error


class FilterError(Exception):
    """A text is no filter.

    `position` is the place of the fault, from 0, in `text`. As text the error names the place from 1,
    and shows what lies around it with ▸ before the fault.
    """

    def __init__(self, message: str, position: int, text: str) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.text = text

    def __str__(self) -> str:
        return f"{self.message}, at character {self.position + 1}: {self.excerpt}"

    @property
    def excerpt(self) -> str:
        """What lies around the fault, on one line."""
        start, end = max(self.position - SHOWN_BEFORE, 0), self.position + SHOWN_AFTER
        before, after = self.text[start : self.position], self.text[self.position : end]
        shown = f"{'…' * (start > 0)}{before}▸{after}{'…' * (end < len(self.text))}"
        return " ".join(shown.split())
