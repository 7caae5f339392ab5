from __future__ import annotations

import asyncio
import threading
from uuid import uuid4

import pytest
import runwood
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.runnables import RunnableLambda
from runwood import RunwoodCallbackHandler
from runwood.recording.sampling import is_sampled
from sample_apps import ScriptedModel, chain, says


def step(name, action=lambda x: x):
    return RunnableLambda(action, name=name)


def names(peer):
    return sorted(run["name"] for run in peer.runs.values())


def test_a_scope_names_the_project_of_the_traces_that_start_in_it(peer, handler):
    with runwood.tracing(project="checkout"):
        chain().invoke({"q": "hi"}, {"callbacks": [handler]})
    step("outside").invoke(1, {"callbacks": [handler]})
    handler.flush()
    projects = {run["name"]: run["session_name"] for run in peer.runs.values()}
    assert projects.pop("outside") == "tests"
    assert set(projects.values()) == {"checkout"}
    assert len(projects) == 4


def test_a_scope_adds_tags_and_metadata_to_the_root_alone(peer):
    handler = RunwoodCallbackHandler(peer.url, tags=["prod"], metadata={"release": "7", "who": "a"})
    with runwood.tracing(tags=["blue"], metadata={"who": "b"}):
        chain().invoke({"q": "hi"}, {"callbacks": [handler]})
    handler.flush()
    root = peer.named("RunnableSequence")
    assert root["tags"] == ["prod", "blue"]
    assert root["extra"]["metadata"] == {"release": "7", "who": "b"}
    assert "blue" not in peer.named("StrOutputParser")["tags"]


def test_a_scope_in_the_middle_of_a_trace_marks_the_topmost_runs_in_it(peer, handler):
    def work(x):
        with runwood.tracing(project="other", tags=["vip"], metadata={"customer": 7}):
            step("inside", lambda y: step("below").invoke(y)).invoke(x)
        return step("after").invoke(x)

    step("root", work).invoke(1, {"callbacks": [handler]})
    handler.flush()
    inside = peer.named("inside")
    assert (inside["tags"], inside["session_name"]) == (["vip"], "tests")
    assert inside["extra"]["metadata"]["customer"] == 7
    for name in ("root", "below", "after"):
        assert "vip" not in peer.named(name)["tags"]


def test_scopes_nest_and_say_only_what_is_different(peer, handler):
    with runwood.tracing(project="outer", tags=["a"], metadata={"x": 1}):
        with runwood.tracing(tags=["b"], metadata={"y": 2}):
            step("inner").invoke(1, {"callbacks": [handler]})
        step("outer").invoke(1, {"callbacks": [handler]})
    handler.flush()
    inner, outer = peer.named("inner"), peer.named("outer")
    assert (inner["session_name"], inner["tags"]) == ("outer", ["a", "b"])
    assert inner["extra"]["metadata"] == {"x": 1, "y": 2}
    assert (outer["tags"], outer["extra"]["metadata"]) == (["a"], {"x": 1})


def test_nothing_that_starts_in_a_disabled_scope_is_recorded(peer, handler):
    with runwood.tracing(enabled=False):
        chain().invoke({"q": "hi"}, {"callbacks": [handler]})
        with pytest.raises(ZeroDivisionError):
            step("bad", lambda x: x / 0).invoke(1, {"callbacks": [handler]})
    step("after").invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert names(peer) == ["after"]
    assert handler._recorder.open_count == 0


def test_a_scope_inside_a_disabled_one_may_record_again(peer, handler):
    with runwood.tracing(enabled=False), runwood.tracing(enabled=True):
        step("seen").invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert names(peer) == ["seen"]


def test_a_scope_inside_a_disabled_one_that_does_not_say_stays_disabled(peer, handler):
    with runwood.tracing(enabled=False), runwood.tracing(project="inner"):
        step("unseen").invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert names(peer) == []


def test_an_event_of_a_run_that_is_not_recorded_costs_no_copy(peer, handler):
    class Counted(dict):
        reads = 0

        def items(self):
            Counted.reads += 1
            return super().items()

    run_id = uuid4()
    with runwood.tracing(enabled=False):
        handler.on_chain_start(None, {}, run_id=run_id)
    handler.on_custom_event("progress", Counted(done=1), run_id=run_id)
    assert Counted.reads == 0


def test_a_run_that_is_not_recorded_and_never_ends_is_not_sent_at_the_end(peer, handler):
    with runwood.tracing(enabled=False):
        handler.on_chain_start(None, {}, run_id=uuid4())
    handler._recorder.sweep()
    handler.flush()
    assert names(peer) == []


@pytest.mark.parametrize("settings", [{"sample_rate": 0.0}, {}])
def test_a_cancelled_model_that_is_not_recorded_does_not_stay_open(peer, settings):
    handler = RunwoodCallbackHandler(peer.url, **settings)

    async def cancel():
        with runwood.tracing(enabled=bool(settings)):
            model = ScriptedModel([says("hi")], wait_seconds=5)
            task = asyncio.create_task(model.ainvoke("hi", {"callbacks": [handler]}))
            await asyncio.sleep(0.05)
            assert handler._recorder.open_count == 1
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancel())
    assert handler._recorder.open_count == 0


def test_a_part_of_a_trace_can_be_left_out_with_all_below_it(peer, handler):
    hidden = step("hidden", lambda x: step("below").invoke(x))

    def work(x):
        with runwood.tracing(enabled=False):
            hidden.invoke(x)
        return step("shown").invoke(x)

    step("root", work).invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert names(peer) == ["root", "shown"]


def test_a_run_below_stays_in_the_project_of_its_trace(peer, handler):
    def work(x):
        with runwood.tracing(project="elsewhere"):
            return step("child").invoke(x)

    step("root", work).invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert {run["session_name"] for run in peer.runs.values()} == {"tests"}


def test_a_trace_that_is_not_recorded_costs_no_copy_of_its_payload(peer, handler):
    class Counted(dict):
        reads = 0

        def items(self):
            Counted.reads += 1
            return super().items()

    with runwood.tracing(enabled=False):
        handler.on_chain_start(None, Counted(a=1), run_id=uuid4())
    assert Counted.reads == 0
    handler.on_chain_start(None, Counted(a=1), run_id=uuid4())
    assert Counted.reads == 1


def test_concurrent_tasks_have_scopes_of_their_own(peer, handler):
    async def one(number):
        with runwood.tracing(project=f"p{number}"):
            await asyncio.sleep(0.01)
            await step(f"s{number}").ainvoke(1, {"callbacks": [handler]})

    async def all_of_them():
        await asyncio.gather(*(one(number) for number in range(5)))

    asyncio.run(all_of_them())
    handler.flush()
    found = {run["name"]: run["session_name"] for run in peer.runs.values()}
    assert found == {f"s{number}": f"p{number}" for number in range(5)}


def test_a_scope_does_not_reach_another_thread(peer, handler):
    with runwood.tracing(enabled=False):
        thread = threading.Thread(target=lambda: step("other").invoke(1, {"callbacks": [handler]}))
        thread.start()
        thread.join()
    handler.flush()
    assert names(peer) == ["other"]


# --- sampling -------------------------------------------------------------------------------------
def test_a_trace_is_recorded_whole_or_not_at_all(peer):
    handler = RunwoodCallbackHandler(peer.url, sample_rate=0.5)
    chain().batch([{"q": str(number)} for number in range(60)], {"callbacks": [handler]})
    handler.flush()
    traces = {}
    for run in peer.runs.values():
        traces.setdefault(run["trace_id"], []).append(run)
    assert {len(runs) for runs in traces.values()} == {4}
    assert 10 < len(traces) < 50


@given(st.uuids())
def test_every_process_decides_the_same_of_a_trace_and_a_higher_rate_keeps_it(trace_id):
    rates = [is_sampled(str(trace_id), rate / 20) for rate in range(21)]
    assert rates == sorted(rates)
    assert (rates[0], rates[-1]) == (False, True)


def test_the_rate_comes_from_the_environment_too(monkeypatch):
    monkeypatch.setenv("RUNWOOD_SAMPLE_RATE", "0.25")
    assert RunwoodCallbackHandler().config.sample_rate == 0.25


@pytest.mark.parametrize("rate", ["1.5", "-1", "nan", "half"])
def test_a_rate_that_is_none_is_refused(monkeypatch, rate):
    monkeypatch.setenv("RUNWOOD_SAMPLE_RATE", rate)
    with pytest.raises(ValueError, match="between 0 and 1"):
        RunwoodCallbackHandler()


def test_one_tag_may_stand_alone(peer):
    handler = RunwoodCallbackHandler(peer.url, tags="prod")
    with runwood.tracing(tags="eu"):
        RunnableLambda(len, name="count").invoke("abc", {"callbacks": [handler]})
    handler.flush()
    assert peer.named("count")["tags"] == ["prod", "eu"]
