"""Sample traces, spread over days, each brought in as a client's request is."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson

from collector.sample.scenes import SCENES, still_running
from collector.sample.telling import Telling
from collector.wire.batch import decode_batch
from collector.wire.feedback import decode_feedback
from collector.wire.limits import Limits
from collector.wire.operations import DecodedRequest
from collector.wire.runs import Reading

PROJECTS = tuple(dict.fromkeys(project for project, _, _ in SCENES))
MAX_TURNS = 4  # of one thread
TRACES_TOGETHER = 10  # in one request


def sample_requests(
    count: int, *, now: datetime, days: float, seed: int, prefix: str = ""
) -> Iterator[tuple[int, DecodedRequest]]:
    """Yield (number of traces, request) until there are `count` traces, oldest first.

    The same seed and time give the same traces. The last three run still or have died.
    """
    starts = _starts(count, now, days, seed)
    waiting: list[Telling] = []
    for number, start in enumerate(starts):
        waiting.append(_tell(number, count, start, seed, prefix))
        if len(waiting) >= TRACES_TOGETHER or number == count - 1:
            yield len(waiting), _decode(waiting, now)
            waiting = []


def _starts(count: int, now: datetime, days: float, seed: int) -> list[datetime]:
    """Return times that lie closer together by day than by night."""
    rng = random.Random(seed)
    starts: list[datetime] = []
    while len(starts) < count:
        moment = now - timedelta(days=rng.random() * days, seconds=40)
        busy = 1.0 if 8 <= moment.hour < 19 else 0.25
        if rng.random() < busy:
            starts.append(moment)
    return sorted(starts)


def _tell(number: int, count: int, start: datetime, seed: int, prefix: str) -> Telling:
    rng = random.Random(f"{seed}/{number}")
    project, scene, _ = rng.choices(SCENES, [weight for _, _, weight in SCENES])[0]
    thread = random.Random(f"{seed}/thread/{number // MAX_TURNS}/{project}")
    metadata: dict[str, Any] = {
        "user_id": f"u_{thread.randrange(400)}",
        "environment": "prod" if rng.random() < 0.85 else "staging",
        "revision_id": f"v1.{14 + number * 6 // max(count, 1)}",
    }
    if project in ("shop-support", "shop-docs"):
        metadata["thread_id"] = str(uuid.UUID(int=thread.getrandbits(128), version=4))
    if count > 20 and number >= count - 3:
        project, scene = "shop-support", still_running
    tell = Telling(rng, prefix + project, start, metadata)
    scene(tell)
    return tell


def _decode(tellings: list[Telling], now: datetime) -> DecodedRequest:
    reading = Reading(now, Limits())
    body = {"post": [run for tell in tellings for run in tell.runs]}
    decoded = decode_batch(orjson.dumps(body), reading)
    decoded.feedback += [
        decode_feedback(orjson.dumps(item), reading) for tell in tellings for item in tell.feedback
    ]
    return decoded
