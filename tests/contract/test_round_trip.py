"""What the SDK sends, `read_run` and `list_runs` return: any JSON, any text, any time, as its schemas parse it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langsmith.schemas import Run

from tests.contract.support import Account, new_project, newest_covers, wait_for

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

PROJECT = new_project("round trip")
NOW = datetime.now(UTC)
BATCH = 12

# NUL may stand in a payload; lone surrogates the SDK itself cannot encode.
payload_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
plain_texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
)
integers = st.integers(-(2**80), 2**80)
scalars = (
    st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False)
    | payload_texts
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(payload_texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(payload_texts, values, max_size=4)
# Not `metadata` of the SDK's own, nor what it reads as something else.
metadata = st.dictionaries(plain_texts.map("m-{}".format), values, max_size=3)
times = st.timedeltas(timedelta(days=-2), timedelta(0)).map(lambda before: NOW + before)
runs = st.fixed_dictionaries(
    {
        "name": plain_texts,
        "run_type": st.sampled_from(["chain", "llm", "tool", "retriever", "parser", "odd"]),
        "inputs": objects,
        "outputs": objects,
        "metadata": metadata,
        "extra": st.dictionaries(plain_texts.map("x-{}".format), values, max_size=2),
        "error": st.none() | plain_texts,
        "tags": st.lists(plain_texts, max_size=3, unique=True),
        "start_time": times,
        "duration": st.timedeltas(timedelta(0), timedelta(hours=1)),
        "events": st.lists(
            st.fixed_dictionaries({"name": plain_texts, "kwargs": objects}), max_size=2
        ),
    }
)
Sent = Mapping[str, Any]


def send(account: Account, sent: Sent) -> UUID:
    """Create a run in two steps, as a tracer does: begin it, and end it."""
    run_id, start = uuid4(), sent["start_time"]
    end = start + sent["duration"]
    place: dict[str, Any] = {
        "trace_id": run_id, "dotted_order": f"{start:%Y%m%dT%H%M%S%fZ}{run_id}",
    }  # fmt: skip
    extra = {**sent["extra"], "metadata": dict(sent["metadata"])}  # the SDK adds to it
    account.client.create_run(
        sent["name"], sent["inputs"], sent["run_type"], project_name=PROJECT, id=run_id,
        start_time=start, extra=extra, tags=sent["tags"], **place,
    )  # fmt: skip
    account.client.update_run(
        run_id, outputs=sent["outputs"], error=sent["error"], end_time=end,
        events=[{**event, "time": start.isoformat()} for event in sent["events"]],
        extra=extra, tags=sent["tags"], **place,
    )  # fmt: skip
    return run_id


def text(value: Any) -> str:
    """Return JSON text: it tells 1 from 1.0 and from true, which `==` does not."""
    return json.dumps(value, sort_keys=True)


def said(run: Run) -> dict[str, Any]:
    """Return what a run says in the words of `runs`."""
    assert run.end_time is not None
    extra = dict(run.extra or {})
    sent_metadata = {
        key: value for key, value in extra.pop("metadata", {}).items() if key.startswith("m-")
    }
    return {
        "name": run.name,
        "run_type": run.run_type,
        "inputs": text(run.inputs),
        "outputs": text(run.outputs),
        "metadata": text(sent_metadata),
        "extra": text({key: value for key, value in extra.items() if key.startswith("x-")}),
        "error": run.error,
        "tags": run.tags or [],
        "start_time": run.start_time.replace(tzinfo=UTC),
        "duration": run.end_time - run.start_time,
        "events": text([{"name": e["name"], "kwargs": e["kwargs"]} for e in run.events or []]),
    }


def expected(sent: Sent) -> dict[str, Any]:
    words = dict(sent)
    for name in ("inputs", "outputs", "metadata", "extra", "events"):
        words[name] = text(words[name])
    return words


@newest_covers(what="round trip: what is sent is read back")
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batch=st.lists(runs, min_size=BATCH, max_size=BATCH))
def test_a_run_comes_back_as_it_was_sent(account: Account, batch: list[Sent]) -> None:
    sent = {send(account, run): run for run in batch}
    account.client.flush()
    listed = wait_for(
        lambda: list(account.client.list_runs(run_ids=list(sent))),
        lambda runs: len(runs) == len(sent) and all(run.end_time for run in runs),
    )
    assert {run.id: said(run) for run in listed} == {
        run_id: expected(run) for run_id, run in sent.items()
    }
    one = next(iter(sent))
    assert said(account.client.read_run(one)) == expected(sent[one])
