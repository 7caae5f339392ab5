from __future__ import annotations

import json
import logging
import threading
import time
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.runnables import RunnableLambda
from peer import Peer, Request
from runwood import RunwoodCallbackHandler
from runwood.config import Config
from runwood.sending import delivery
from sample_apps import sender_threads, wait_for


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(delivery, "FIRST_PAUSE_SECONDS", 0.02)


def record(handler: RunwoodCallbackHandler, count: int = 1, value: Any = 1) -> None:
    for number in range(count):
        name = f"run-{number}"
        RunnableLambda(lambda x: x).invoke(value, {"callbacks": [handler], "run_name": name})


def sizes(peer: Peer) -> list[int]:
    return [len(request.runs) for request in peer.requests]


def test_nothing_is_started_before_the_first_event(peer):
    RunwoodCallbackHandler(peer.url)
    assert (sender_threads(), peer.connections) == ([], 0)


def test_many_handlers_share_one_thread_and_one_connection(peer):
    for _ in range(20):
        handler = RunwoodCallbackHandler(peer.url, "key", "tests")
        record(handler)
    assert handler.flush()
    record(handler)
    assert handler.flush()
    assert (len(sender_threads()), peer.connections) == (1, 1)


def test_the_request_is_langsmiths_batch_with_the_key_and_zstd(peer, handler):
    record(handler)
    handler.flush()
    (request,) = peer.requests
    assert request.path == "/runs/batch"
    assert request.headers["x-api-key"] == "key"
    assert request.headers["content-encoding"] == "zstd"
    assert sorted(request.body) == ["client", "patch", "post"]
    assert request.body["client"]["name"] == "runwood-python"


def test_a_path_in_the_endpoint_is_kept(peer):
    handler = RunwoodCallbackHandler(f"{peer.url}/api/v1/")
    record(handler)
    handler.flush()
    assert peer.requests[0].path == "/api/v1/runs/batch"


def test_what_is_recorded_leaves_without_a_flush(peer, handler, usual_pace):
    record(handler)
    assert wait_for(lambda: peer.accepted, 2.0)


def test_a_batch_has_at_most_a_hundred_runs(peer, handler):
    record(handler, 250)
    assert handler.flush()
    assert max(sizes(peer)) <= 100
    assert len(peer.runs) == 250


def test_a_batch_is_cut_by_bytes(peer, handler):
    record(handler, 5, "x" * 2_000_000)
    assert handler.flush(20)
    assert max(len(request.data) for request in peer.requests) < 6 << 20
    assert len(peer.requests) >= 3


def test_an_idle_sender_sleeps(peer, handler):
    record(handler)
    handler.flush()
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.05


def test_an_app_is_not_held_up_by_a_slow_server(peer, handler):
    peer.delay = 1.0
    started = time.monotonic()
    record(handler, 50)
    assert time.monotonic() - started < 0.5


# --- answers --------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_temporary_failure_is_tried_again(peer, handler, status):
    peer.answers = [(status, {}, b"")] * 2
    record(handler)
    assert handler.flush()
    assert (len(peer.requests), len(peer.runs)) == (3, 1)


def test_retry_after_is_honoured(peer, handler):
    peer.answers = [(503, {"Retry-After": "0.4"}, b"")]
    record(handler)
    assert handler.flush()
    first, second = peer.requests
    assert second.received - first.received >= 0.4


def test_pauses_grow_and_are_never_the_same():
    pauses = [delivery._pause_seconds(None, tries) for tries in range(1, 12)]
    assert pauses[0] <= 0.02
    assert pauses[-1] > 5
    assert delivery._pause_seconds(None, 60) <= delivery.LONGEST_PAUSE_SECONDS
    assert len(set(pauses)) == len(pauses)


def test_a_server_that_comes_back_gets_everything():
    with Peer() as gone:
        port = gone.port
    handler = RunwoodCallbackHandler(f"http://127.0.0.1:{port}")
    record(handler, 10)
    assert not handler.flush(0.2)
    with Peer(port) as peer:
        assert handler.flush(5)
        assert len(peer.runs) == 10


def test_a_connection_that_the_server_closed_is_opened_again(peer, handler):
    record(handler)
    handler.flush()
    handler._sender._delivery.transport._connection.sock.close()
    record(handler)
    assert handler.flush()


def test_a_body_that_always_breaks_the_server_is_given_up_and_the_next_goes(peer, handler):
    def judge(request: Request) -> Any:
        return (500, {}, b"") if b"poison" in request.data else None

    peer.judge = judge
    record(handler, 1, "poison")
    assert not handler.flush()
    record(handler, 1, "good")
    assert handler.flush()
    assert [run["inputs"] for run in peer.runs.values()] == [{"input": "good"}]


def test_a_poison_run_does_not_cost_its_siblings(peer, handler):
    peer.judge = lambda request: (422, {}, b"bad run") if b"poison" in request.data else None
    record(handler, 30)
    record(handler, 1, "poison")
    record(handler, 30)
    assert not handler.flush()
    assert len(peer.runs) == 60
    assert len(peer.requests) < 20


def test_a_body_that_is_too_large_is_sent_in_halves(peer, handler):
    peer.judge = lambda request: (413, {}, b"") if len(request.runs) > 10 else None
    record(handler, 64)
    assert handler.flush()
    assert len(peer.runs) == 64


def test_a_run_that_is_too_large_alone_is_sent_without_its_payloads(peer, handler):
    peer.judge = lambda request: (413, {}, b"") if len(request.data) > 100_000 else None
    record(handler, 1, "x" * 200_000)
    assert not handler.flush()  # something was lost
    run = peer.named("run-0")
    assert "inputs" not in run
    assert sorted(run["extra"]["runwood"]["left_out"]) == ["events", "extra", "inputs", "outputs"]
    assert peer.status("run-0") == "success"


def test_a_server_without_zstd_gets_plain_json(peer, handler):
    def judge(request: Request) -> Any:
        return (415, {}, b"") if "content-encoding" in request.headers else None

    peer.judge = judge
    record(handler)
    assert handler.flush()
    record(handler)
    assert handler.flush()
    assert [request.headers.get("content-encoding") for request in peer.requests] == [
        "zstd",
        None,
        None,
    ]


@pytest.mark.parametrize(("status", "hint"), [(401, "RUNWOOD_API_KEY"), (404, "RUNWOOD_ENDPOINT")])
def test_wrong_settings_are_said_once_and_not_tried_again(peer, handler, caplog, status, hint):
    peer.judge = lambda _: (status, {}, b'{"detail": "no"}')
    with caplog.at_level(logging.WARNING, "runwood"):
        for _ in range(3):
            record(handler, 2)
            assert not handler.flush()
    assert len(caplog.records) == 1
    assert hint in caplog.text


def test_what_the_server_refuses_of_a_batch_is_said(peer, handler, caplog):
    answer = json.dumps({"rejected": [{"id": "1", "reason": "too deep"}]}).encode()
    peer.answers = [(202, {}, answer)]
    with caplog.at_level(logging.WARNING, "runwood"):
        record(handler)
        handler.flush()
    assert "too deep" in caplog.text


# --- bounds ---------------------------------------------------------------------------------------
def test_a_full_queue_drops_the_newest_and_tells_the_server(peer, usual_pace):
    peer.answers = [(503, {"Retry-After": "0.3"}, b"")]
    handler = RunwoodCallbackHandler(peer.url, "key", "tests", max_queue_items=20)
    record(handler, 5)
    assert wait_for(lambda: peer.requests)
    record(handler, 50)
    assert not handler.flush()
    runs = peer.runs.values()
    assert len([run for run in runs if "inputs" in run]) == 20
    assert len([run for run in runs if "inputs" not in run]) == 5  # ends have a reserve
    dropped = peer.requests[-1].body["client"]["dropped"]
    assert dropped == {"tests": {"runs": 30, "payloads": 5}}


def test_a_queue_full_of_bytes_keeps_the_runs_without_payloads(peer):
    peer.answers = [(503, {"Retry-After": "0.3"}, b"")]
    handler = RunwoodCallbackHandler(peer.url, "key", "tests", max_queue_bytes=1_000_000)
    record(handler, 30, "x" * 100_000)
    assert not handler.flush()
    runs = peer.runs.values()
    assert len(runs) == 30
    assert 4 <= len([run for run in runs if "inputs" in run]) < 11
    assert all(run["end_time"] for run in runs)
    assert "payloads" in peer.requests[-1].body["client"]["dropped"]["tests"]


def test_losses_are_told_even_when_no_run_follows(peer):
    handler = RunwoodCallbackHandler(peer.url, "key", "tests")
    handler._sender.count_lost("tests", "runs")
    assert not handler.flush()
    (request,) = peer.requests
    assert request.runs == []
    assert request.body["client"]["dropped"] == {"tests": {"runs": 1}}
    assert handler.flush()  # told, and nothing lost since


def test_memory_is_given_back_when_the_server_is_back(peer, handler):
    peer.answers = [(503, {"Retry-After": "0.2"}, b"")]
    record(handler, 100)
    assert handler.flush()
    waiting = handler._sender._waiting
    assert (waiting.held, waiting.bytes, len(waiting.items)) == (0, 0, 0)


def test_a_run_that_is_open_for_long_keeps_no_payload(peer, handler):
    run_id = uuid4()
    handler.on_chain_start(None, {"text": "x" * 1000}, run_id=run_id, name="long")
    assert handler.flush()
    assert handler._recorder.find(run_id).operation.fields == {}
    handler.on_chain_end({}, run_id=run_id)
    assert handler.flush()
    assert peer.named("long")["inputs"] == {"text": "x" * 1000}


# --- flush and close ------------------------------------------------------------------------------
def test_flush_waits_for_the_acknowledgement(peer, handler):
    peer.delay = 0.3
    record(handler)
    assert not handler.flush(0.05)
    assert handler.flush(5)
    assert len(peer.accepted) == 1


def test_flush_of_nothing_is_immediate(handler):
    started = time.monotonic()
    assert handler.flush()
    assert time.monotonic() - started < 0.1


def test_flush_from_many_threads_at_once(peer, handler):
    results: list[bool] = []

    def work() -> None:
        record(handler, 5)
        results.append(handler.flush())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8
    assert len(peer.runs) == 40


def test_close_ends_the_thread_and_the_next_event_starts_it_again(peer, handler):
    record(handler)
    assert handler.close()
    assert wait_for(lambda: not sender_threads())
    record(handler)
    assert handler.flush()
    assert sum(sizes(peer)) == 2


def test_close_keeps_its_time_with_a_dead_server():
    handler = RunwoodCallbackHandler("http://127.0.0.1:9")
    record(handler)
    started = time.monotonic()
    assert not handler.close(timeout=1.0)
    assert time.monotonic() - started < 1.5


# --- never into the app ---------------------------------------------------------------------------
def test_a_handler_that_fails_inside_never_reaches_the_app(handler, monkeypatch, caplog):
    def explode(*_: Any, **__: Any) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr(handler._recorder, "open", explode)
    monkeypatch.setattr(handler._recorder, "close", explode)
    assert RunnableLambda(lambda x: x + 1).invoke(1, {"callbacks": [handler]}) == 2
    assert len(caplog.records) == 2  # one for each kind of callback
    RunnableLambda(lambda x: x + 1).invoke(1, {"callbacks": [handler]})
    assert len(caplog.records) == 2


def test_a_sender_that_fails_inside_goes_on(peer, handler, monkeypatch):
    real = delivery.build_body
    failures = iter([RuntimeError("inside")])

    def explode_once(*args: Any) -> bytes:
        error = next(failures, None)
        if error is not None:
            raise error
        return real(*args)

    monkeypatch.setattr(delivery, "build_body", explode_once)
    record(handler)
    handler.flush()
    record(handler)
    assert handler.flush()
    assert sum(sizes(peer)) == 1


# --- settings -------------------------------------------------------------------------------------
def test_arguments_come_before_the_environment_and_that_before_defaults(monkeypatch):
    monkeypatch.setenv("RUNWOOD_ENDPOINT", "https://traces.example/base/")
    monkeypatch.setenv("RUNWOOD_API_KEY", "from-env")
    config = Config.resolve(api_key="from-argument")
    assert config.endpoint == "https://traces.example/base"
    assert (config.api_key, config.project) == ("from-argument", "default")


def test_defaults_point_at_the_local_server():
    config = Config.resolve()
    assert (config.endpoint, config.api_key) == ("http://127.0.0.1:8000", "")


def test_a_host_without_a_scheme_is_http():
    assert Config.resolve(endpoint="traces:8000").endpoint == "http://traces:8000"


@pytest.mark.parametrize("endpoint", ["ftp://x", "https://"])
def test_an_address_that_is_not_http_is_refused_at_once(endpoint):
    with pytest.raises(ValueError, match="RUNWOOD_ENDPOINT"):
        RunwoodCallbackHandler(endpoint)


def test_the_key_is_in_no_repr(peer):
    handler = RunwoodCallbackHandler(peer.url, "rw_secret")
    assert "rw_secret" not in f"{handler!r}{handler.config!r}"
