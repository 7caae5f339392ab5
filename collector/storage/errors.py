"""Errors of the storage layer.

StorageError
├── RunInAnotherTrace     an operation places a run in a trace that the stored run does not belong to
├── PlaceChanged          operations were placed by a guess that has turned out wrong: place them anew
├── UnreadableBatch       an inbox row that this version cannot decode
└── UnreadableBlock       a payload block that is damaged
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from uuid import UUID


class StorageError(Exception):
    """Something could not be stored or read back."""


class RunInAnotherTrace(StorageError):
    """The run is already stored in another trace."""

    def __init__(self, run_id: UUID) -> None:
        super().__init__(f"run {run_id} is already stored in another trace")
        self.run_id = run_id


class PlaceChanged(StorageError):
    """Provisional traces have moved, or must, before these operations can be written.

    Both mappings are from (day, trace id) to (day, trace id): `moved` is done, `moves` is to do. `guesses` are those
    targets that are guesses themselves.
    """

    def __init__(
        self,
        moved: Mapping[tuple[date, UUID], tuple[date, UUID]],
        moves: Mapping[tuple[date, UUID], tuple[date, UUID]],
        guesses: Collection[tuple[date, UUID]] = (),
    ) -> None:
        super().__init__(f"{len(moved)} traces have moved and {len(moves)} must move")
        self.moved = moved
        self.moves = moves
        self.guesses = guesses


class UnreadableBatch(StorageError):
    """An accepted batch cannot be decoded."""


class UnreadableBlock(StorageError):
    """A payload block is damaged: the payloads of one trace and drain cannot be read."""
