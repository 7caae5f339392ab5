"""Errors of the storage layer.

StorageError
├── RunInAnotherTrace     an operation places a run in a trace that the stored run does not belong to
├── UnreadableBatch       an inbox row that this version cannot decode
└── UnreadableBlock       a payload block that is damaged
"""

from __future__ import annotations

from uuid import UUID


class StorageError(Exception):
    """Something could not be stored or read back."""


class RunInAnotherTrace(StorageError):
    """The run is already stored in another trace."""

    def __init__(self, run_id: UUID) -> None:
        super().__init__(f"run {run_id} is already stored in another trace")
        self.run_id = run_id


class UnreadableBatch(StorageError):
    """An accepted batch cannot be decoded."""


class UnreadableBlock(StorageError):
    """A payload block is damaged: the payloads of one trace and drain cannot be read."""
