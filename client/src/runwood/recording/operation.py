"""What travels from a callback to the sender: one create or update of one run, as wire fields."""

from __future__ import annotations

from typing import Any

BARE_SIZE = 1500  # about what an operation takes in memory besides its payloads
EVENT_SIZE = 300  # and each of its events, besides what the app says in it
PAYLOAD_FIELDS = ("inputs", "outputs", "events", "extra", "serialized")


class Operation:
    """One create (`is_update` False) or update of a run. `size` is about its bytes in memory."""

    __slots__ = ("body", "is_update", "project", "run_id", "size")

    def __init__(
        self,
        run_id: str,
        body: dict[str, Any],
        size: int,
        project: str,
        is_update: bool,  # noqa: FBT001
    ) -> None:
        self.run_id = run_id
        self.body = body
        self.size = size
        self.project = project
        self.is_update = is_update

    def strip(self) -> None:
        """Drop the payloads and keep what shows that the run was there and how it ended."""
        for name in PAYLOAD_FIELDS:
            self.body.pop(name, None)
        self.size = BARE_SIZE

    def absorb(self, later: Operation) -> None:
        """Become this operation and a later one of the same run."""
        self.body = merge_bodies(self.body, later.body)
        self.size += later.size - BARE_SIZE


def merge_bodies(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Return one body of both, as the server would merge them: `extra` one level deep."""
    merged = {**earlier, **later}
    old, new = earlier.get("extra"), later.get("extra")
    if old and new:
        merged["extra"] = extra = {**old, **new}
        if "metadata" in old and "metadata" in new:
            extra["metadata"] = {**old["metadata"], **new["metadata"]}
    if "end_time" in later and "status" not in later:
        merged.pop("status", None)  # a real end corrects one that was concluded
    return merged
