"""What waits for an absent server is bounded in memory, and not only in the length of its texts."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from uuid import uuid4

import pytest
from langchain_core.callbacks import dispatch_custom_event
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from runwood.recording import run
from runwood.recording.operation import BARE_SIZE, Operation
from runwood.sending.waiting import START_PART, WHOLE_PART, WaitingOperations
from test_process import dead_endpoint, run_script

# How the payload of run `n` looks; no two share a value.
PAYLOADS = {
    "number": lambda n: n,
    "text of 200 bytes": lambda n: f"{n:0200}",
    "text of 16 KB": lambda n: f"{n:016000}",
    "text of two bytes a character": lambda n: "é" * 2000 + str(n),
    "text of four bytes a character": lambda n: "😀" * 2000 + str(n),
    "messages": lambda n: {
        "messages": [HumanMessage(f"hello {n} " * 20), AIMessage(f"fine {n} " * 30)] * 3
    },
    "rows": lambda n: [{"id": n + i, "name": f"row {n + i}", "price": n + 0.5} for i in range(60)],
    "numbers": lambda n: [n + i + 0.25 for i in range(1500)],
    "words": lambda n: [f"w{n + i}" for i in range(500)],
    "small containers": lambda n: [{"a": [n + i]} for i in range(200)],
    "keys of its own": lambda n: {f"key{n}_{i}": i for i in range(200)},
}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_queue_counts_what_it_takes_in_memory(handler, payload):
    load = RunnableLambda(PAYLOADS[payload], name="load")
    load.invoke(1, {"callbacks": [handler]})
    waiting = handler._sender._waiting
    gc.collect()
    tracemalloc.start()
    try:
        taken, counted = tracemalloc.get_traced_memory()[0], waiting.bytes
        for number in range(60):
            load.invoke(10**7 + 10_000 * number, {"callbacks": [handler]})
        gc.collect()
        taken, counted = tracemalloc.get_traced_memory()[0] - taken, waiting.bytes - counted
    finally:
        tracemalloc.stop()
    assert 0.7 < taken / counted < 1.2


def test_what_the_app_says_in_events_is_counted(handler):
    def work(x: int) -> int:
        for number in range(20):
            dispatch_custom_event("page", {"text": f"{number:010000}"})
        return x

    RunnableLambda(work).invoke(1, {"callbacks": [handler]})
    assert handler._sender._waiting.bytes > 200_000


def test_events_that_fill_the_memory_are_left_out_and_counted(peer, handler, monkeypatch):
    monkeypatch.setattr(run, "MAX_EVENT_BYTES", 50_000)

    def work(x: int) -> int:
        for number in range(20):
            dispatch_custom_event("page", {"text": f"{number:010000}"})
        return x

    RunnableLambda(work, name="speaks").invoke(1, {"callbacks": [handler]})
    assert handler.flush()
    *said, end = peer.named("speaks")["events"]
    assert len(said) == 1 + 4
    assert end["kwargs"] == {"events_left_out": 16}


def operation(number: int, size: int, *, is_update: bool = False) -> Operation:
    ends = ("end", None, 0) if is_update else None
    started = run.OpenRun(uuid4(), None, "run", "chain", [])
    return Operation(started, {"outputs": {"n": number}}, size, ends)


def test_a_full_queue_takes_bare_starts_before_none_and_ends_after_them():
    waiting = WaitingOperations(10_000, 100 * BARE_SIZE)
    wholes = [waiting.put(operation(number, 0), None)[1] for number in range(90)]
    assert wholes == [True] * int(100 * WHOLE_PART) + [False] * 10
    taken = [waiting.put(operation(100 + number, 0), None)[0] for number in range(10)]
    assert taken.count(True) == round(100 * (START_PART - 0.9))
    taken = [
        waiting.put(operation(200 + number, 0, is_update=True), None)[0] for number in range(10)
    ]
    assert taken.count(True) == round(100 * (1 - START_PART))
    assert waiting.bytes <= waiting.max_bytes


def test_no_more_is_taken_at_once_than_a_batch_but_always_something():
    waiting = WaitingOperations(100, 100_000_000)
    for number in range(6):
        waiting.put(operation(number, 2_000_000), None)
    waiting.put(operation(6, 9_000_000), None)
    takes = []
    while operations := waiting.take(100, 5_000_000):
        takes.append(len(operations))
        waiting.settle(operations)
    assert takes == [2, 2, 2, 1]
    assert (waiting.held, waiting.bytes) == (0, 0)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")
@pytest.mark.parametrize(
    ("payload", "count"),
    [
        ("f'{n:0200}'", 13_000),
        ("f'{n:016000}'", 9_000),
        ("f'{n:01000000}'", 100),
        ("[{'id': n + i, 'name': f'row {n + i}'} for i in range(40)]", 7_000),
    ],
    ids=["200 bytes", "16 KB", "1 MB", "rows"],
)
def test_a_process_grows_by_64_mb_at_most_while_the_server_is_down(payload, count):
    script = f"""
    import resource
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 1e6
    load = RunnableLambda(lambda n: {payload} if n else n, name="load")
    for n in [0] * 20 + list(range(10**7, 10**7 + 1000 * {count}, 1000)):
        if n == 10**7:
            before = resident()
        load.invoke(n, {{"callbacks": [handler]}})
    print(resident() - before, "payloads" in handler._sender._delivery.lost.by_project().get("p", ""), flush=True)
    os._exit(0)
    """
    done, _ = run_script(script, dead_endpoint())
    grown, is_full = done.stdout.split()
    assert is_full == "True"
    assert float(grown) <= 64, done.stderr
