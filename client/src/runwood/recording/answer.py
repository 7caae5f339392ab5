"""A model's answer while it streams: what the server is told of it before the run has ended.

It is an ordinary update of the run, whose outputs are made when the sender's thread encodes it: of the text
as far as it has come by then. Until then there is no second one, so a server that is slow or away is told
less often, and what waits takes no more room. The server takes the longest of several, and the end above all.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler

PAUSE_SECONDS = 0.5  # between two updates of a run
LONGEST_PAUSE_SECONDS = 5.0
PAUSE_PART = 1 / 60  # of the time that it has streamed: each update repeats all that came before
MAX_CHARACTERS = 256_000  # past it the rest comes with the end

# The last word may be half of a secret, which nobody would recognise: it waits until it is whole.
_WHOLE = re.compile(r"(?s).*(?:\s|[^\x00-\x7f])")


class AnswerSoFar:
    """The text of one streaming run."""

    __slots__ = ("_due", "_is_waiting", "_parts", "_started", "handler", "size")

    def __init__(self, handler: BaseCallbackHandler) -> None:
        self.handler = handler  # that adds to it: another one may hear of the same tokens
        self._parts: list[str] = []
        self.size = 0
        self._started = 0  # as `_due`, by time.monotonic_ns()
        self._due = 0
        self._is_waiting = False

    def add(self, text: str, now: int) -> bool:
        """Add to the text; return whether the server is to be told now. Costs a fraction of a microsecond."""
        if self.size > MAX_CHARACTERS:
            return False
        self._parts.append(text)
        self.size += len(text)
        if self._is_waiting or now < self._due:
            return False
        self._is_waiting = True
        if not self._started:
            self._started = now
        return True

    def postpone(self) -> None:
        """Begin the pause: the server was told, or there was no room for it."""
        now = time.monotonic_ns()
        pause = max(PAUSE_SECONDS, (now - self._started) / 1e9 * PAUSE_PART)
        self._due = now + int(min(pause, LONGEST_PAUSE_SECONDS) * 1e9)
        self._is_waiting = False

    def take(self) -> dict[str, Any]:
        """Return the text as a model's outputs, and let the next update come."""
        self.postpone()
        whole = _WHOLE.match("".join(tuple(self._parts)))
        text = whole[0] if whole else ""
        message = {
            "lc": 1,
            "type": "constructor",
            "id": ["langchain", "schema", "messages", "AIMessageChunk"],
            "kwargs": {"content": text, "type": "AIMessageChunk"},
        }
        generation = {"text": text, "type": "ChatGenerationChunk", "message": message}
        return {"generations": [[generation]], "type": "LLMResult"}


def text_of_delta(event: dict[str, Any]) -> str:
    """Return the words in an event of `stream_events(version="v3")`; those of thoughts and arguments are none."""
    delta = event.get("delta")
    text = delta.get("text") if isinstance(delta, dict) else None
    return text if isinstance(text, str) else ""
