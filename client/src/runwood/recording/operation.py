"""What travels from a callback to the sender: one create or update of one run, as wire fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runwood.recording.dotted_order import format_time

if TYPE_CHECKING:
    from runwood.recording.run import OpenRun

BARE_SIZE = 1500  # about what an operation takes in memory besides its payloads
EVENT_SIZE = 300  # and each of its events, besides what the app says in it
PAYLOAD_FIELDS = ("inputs", "outputs", "events", "extra", "serialized")


Closing = tuple[str, str | None, int]  # the last of a run's events: its name, message, time


class Operation:
    """One create of a run, or the update that closes it. `size` is about its bytes in memory."""

    __slots__ = ("closing", "fields", "is_update", "is_waiting", "run", "size")

    def __init__(
        self, run: OpenRun, fields: dict[str, Any], size: int, closing: Closing | None
    ) -> None:
        self.run = run
        self.fields = fields  # besides the run's identity; times are results of `time.time_ns()`
        self.size = size + BARE_SIZE
        self.closing = closing
        self.is_update = closing is not None
        self.is_waiting = False  # then what follows of its run can still be added to it

    def body(self) -> dict[str, Any]:
        """Return the run as the wire has it. The sender asks: an event need not pay for words."""
        run = self.run
        body = {**run.identity, **self.fields}
        between = body.get("events", ())
        body["events"] = events = [{"name": "start", "time": body["start_time"]}]
        events += [{**event, "time": format_time(event["time"])} for event in between]
        if self.closing is not None:
            name, message, moment = self.closing
            closing: dict[str, Any] = {"name": name, "time": format_time(moment)}
            if "end_time" in body:
                body["end_time"] = closing["time"]
            if message:
                closing["message"] = message
            if run.events_lost:
                closing["kwargs"] = {"events_left_out": run.events_lost}
            events.append(closing)
        return body

    def strip(self) -> None:
        """Drop the payloads and keep what shows that the run was there and how it ended."""
        for name in PAYLOAD_FIELDS:
            self.fields.pop(name, None)
        self.size = BARE_SIZE

    def absorb(self, later: Operation) -> None:
        """Become this operation and a later one of the same run."""
        merge_fields(self.fields, later.fields)
        self.closing = later.closing or self.closing
        self.size += later.size - BARE_SIZE


def merge_fields(fields: dict[str, Any], later: dict[str, Any]) -> None:
    """Add later fields of a run to earlier ones, as the server would: `extra` one level deep."""
    old, new = fields.get("extra"), later.get("extra")
    fields.update(later)
    if old and new:
        fields["extra"] = extra = {**old, **new}
        if "metadata" in old and "metadata" in new:
            extra["metadata"] = {**old["metadata"], **new["metadata"]}
    if "end_time" in later and "status" not in later:
        fields.pop("status", None)  # a real end corrects one that was concluded
