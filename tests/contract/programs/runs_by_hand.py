"""A user's program: runs created and updated by hand, through a client that sends in batches or at once.

Prints the runs' ids. It keeps to what every release of the SDK since 0.0.92 knows.
"""

from __future__ import annotations

import json
import sys
import uuid
from datetime import datetime, timedelta, timezone

from langsmith import Client

client = Client(auto_batch_tracing=sys.argv[1] == "batched")
START = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=timezone.utc)  # noqa: UP017 - as of old
ids = {
    name: str(uuid.uuid4())
    for name in ("root", "child", "bare root", "bare child", "at once", "failed", "naive")
}


def segment(name: str, start: datetime = START) -> str:
    return start.strftime("%Y%m%dT%H%M%S%fZ") + ids[name]


def placed(name: str, dotted_order: str) -> dict[str, str]:
    return {"id": ids[name], "trace_id": ids["root"], "dotted_order": dotted_order}


def end_of(name: str, dotted_order: str) -> dict[str, str]:
    return {"trace_id": ids["root"], "dotted_order": dotted_order}


# All said: where they are in their trace, too.
root_order = segment("root")
child_order = f"{root_order}.{segment('child')}"
client.create_run(
    "root", {"q": 1}, "chain", start_time=START, tags=["a"], **placed("root", root_order)
)
client.create_run(
    "child", {"prompt": ""}, "llm", start_time=START, parent_run_id=ids["root"],
    extra={"metadata": {"kept": 1}}, **placed("child", child_order),
)  # fmt: skip
client.update_run(
    ids["child"], inputs={"prompt": "why?"}, outputs={"text": "so"},
    end_time=START + timedelta(microseconds=654321), parent_run_id=ids["root"],
    events=[{"name": "new_token", "time": (START + timedelta(seconds=0.5)).isoformat()}],
    extra={"metadata": {"added": 2}}, **end_of("child", child_order),
)  # fmt: skip
client.update_run(
    ids["root"], outputs={"a": 2}, end_time=START + timedelta(seconds=1),
    **end_of("root", root_order),
)  # fmt: skip

# Nothing said but what must be: neither trace nor order.
client.create_run("bare root", {"q": 1}, "chain", id=ids["bare root"], start_time=START)
client.create_run(
    "bare child", {"q": 2}, "tool", id=ids["bare child"], parent_run_id=ids["bare root"],
    start_time=START + timedelta(seconds=1),
)  # fmt: skip
client.update_run(ids["bare child"], outputs={"a": 2}, end_time=START + timedelta(seconds=2))
client.update_run(ids["bare root"], outputs={"a": 1}, end_time=START + timedelta(seconds=3))

# Created when it was over, with an error, and with a time that has no zone.
client.create_run(
    "at once", {"q": 1}, "retriever", id=ids["at once"], start_time=START,
    end_time=START + timedelta(seconds=11), outputs={"documents": []},
)  # fmt: skip
client.create_run("failed", {"q": 1}, "tool", id=ids["failed"], start_time=START)
client.update_run(ids["failed"], error="Timeout()", end_time=START)
client.create_run(
    "naive", {"q": 1}, "parser", id=ids["naive"], start_time=START.replace(tzinfo=None),
    end_time=START.replace(tzinfo=None), outputs={},
)  # fmt: skip
sys.stdout.write(json.dumps(ids))
