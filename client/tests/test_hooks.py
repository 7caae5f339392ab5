"""`on_run_end`: the app's own functions of finished runs, off the app's thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from datetime import datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from runwood import FinishedRun, RunwoodCallbackHandler
from runwood.hooks import cost, runner
from sample_apps import USAGE, ScriptedModel, chain
from test_process import dead_endpoint, names, run_script


class GptModel(ScriptedModel):
    """A model with a name that has a price."""

    def _get_ls_params(self, stop=None, **kwargs):
        return {"ls_provider": "openai", "ls_model_name": "gpt-4o", "ls_model_type": "chat"}


@pytest.fixture
def told():
    return []


@pytest.fixture
def hooked(peer, told):
    made = RunwoodCallbackHandler(peer.url, project="tests", on_run_end=told.append)
    yield made
    made.close(1.0)


def step(name, action=lambda x: x):
    return RunnableLambda(action, name=name)


def model(cls=GptModel):
    return cls([AIMessage("hi", usage_metadata=dict(USAGE))])


def test_every_finished_run_is_told_once_children_first(hooked, told):
    chain().invoke({"q": "hi"}, {"callbacks": [hooked]})
    assert hooked.flush()
    assert [run.name for run in told] == [
        "ChatPromptTemplate", "FakeListChatModel", "StrOutputParser", "RunnableSequence",
    ]  # fmt: skip


def test_a_finished_run_tells_what_was_recorded(peer, hooked, told):
    config = {"callbacks": [hooked], "tags": ["a"], "metadata": {"user": 7}}
    step("run", lambda x: {"answer": x["question"]}).invoke({"question": 1}, config)
    hooked.flush()
    (run,) = told
    assert isinstance(run, FinishedRun)
    sent = peer.named("run")
    assert (run.id, run.trace_id, run.parent_run_id) == (sent["id"], sent["id"], None)
    assert (run.run_type, run.project, run.status, run.error) == ("chain", "tests", "success", None)
    assert (run.inputs, run.outputs) == ({"question": 1}, {"answer": 1})
    assert (run.tags, run.metadata["user"]) == (("a",), 7)
    assert run.start_time == datetime.fromisoformat(sent["start_time"])
    assert run.end_time == datetime.fromisoformat(sent["end_time"])
    assert run.latency >= 0
    assert (run.usage, run.cost, run.total_cost, run.is_correction) == (None, None, None, False)


@pytest.mark.parametrize(
    ("action", "status"),
    [(lambda x: 1 / 0, "error"), (lambda x: x, "success")],
)
def test_the_status_is_that_of_the_run(hooked, told, action, status):
    with contextlib.suppress(ZeroDivisionError):
        step("run", action).invoke(1, {"callbacks": [hooked]})
    hooked.flush()
    assert [run.status for run in told] == [status]
    assert ("ZeroDivisionError" in (told[0].error or "")) is (status == "error")


def test_usage_and_cost_are_the_runs_own_and_roll_up_to_what_called_it(hooked, told):
    agent = step(
        "agent", lambda x: [model().invoke("a"), step("inner", model().invoke).invoke("b")]
    )
    agent.invoke(1, {"callbacks": [hooked]})
    hooked.flush()
    by_name = {run.name: run for run in told}
    llm, inner, root = by_name["GptModel"], by_name["inner"], by_name["agent"]
    assert (llm.model, llm.provider, llm.usage) == ("gpt-4o", "openai", USAGE)
    price = 11 * Decimal("2.5e-6") + 3 * Decimal("1e-5")  # USD 2.50 and 10 a million
    assert llm.cost == llm.total_cost == price
    assert (inner.usage, inner.cost) == (None, None)
    assert inner.total_cost == price
    assert root.total_cost == 2 * price
    assert root.total_usage["total_tokens"] == 28


def test_without_a_price_there_is_no_cost(hooked, told):
    model(ScriptedModel).invoke("x", {"callbacks": [hooked]})
    hooked.flush()
    assert (told[0].usage, told[0].cost) == (USAGE, None)


def test_without_the_package_there_is_no_cost(hooked, told, monkeypatch):
    monkeypatch.setattr(cost, "_prices", lambda: None)
    model().invoke("x", {"callbacks": [hooked]})
    hooked.flush()
    assert (told[0].usage, told[0].cost) == (USAGE, None)


def test_functions_run_off_the_apps_thread(peer):
    threads = []
    handler = RunwoodCallbackHandler(
        peer.url, on_run_end=lambda run: threads.append(threading.current_thread().name)
    )
    step("run").invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert threads == ["runwood-hooks"]


def test_a_function_that_takes_long_holds_up_nothing(peer):
    handler = RunwoodCallbackHandler(peer.url, on_run_end=lambda run: time.sleep(0.5))
    began = time.monotonic()
    step("run").invoke(1, {"callbacks": [handler]})
    assert handler._sender.flush(5)
    assert time.monotonic() - began < 0.5
    assert names(peer) == ["run"]


def test_a_function_that_raises_costs_neither_the_run_nor_the_other_functions(peer, told, caplog):
    def bad(run):
        raise SystemExit(1)

    handler = RunwoodCallbackHandler(peer.url, on_run_end=[bad, told.append])
    for _ in range(3):
        step("run").invoke(1, {"callbacks": [handler]})
    assert handler.flush()
    assert len(told) == 3
    assert caplog.text.count("bad raised SystemExit") == 1


def test_an_async_function_is_awaited(peer, told):
    async def hear(run):
        await asyncio.sleep(0)
        told.append(run.name)

    handler = RunwoodCallbackHandler(peer.url, on_run_end=hear)
    step("run").invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert told == ["run"]


def test_a_function_that_changes_what_it_gets_changes_nothing_that_is_sent(peer, told):
    def spoil(run):
        run.inputs["q"] = run.outputs["q"] = run.metadata["x"] = "spoilt"

    handler = RunwoodCallbackHandler(peer.url, on_run_end=[spoil, told.append])
    step("run", lambda x: {"q": [x["q"]]}).invoke(
        {"q": "asked"}, {"callbacks": [handler], "metadata": {"x": 1}}
    )
    handler.flush()
    sent = peer.named("run")
    assert (sent["inputs"], sent["outputs"]) == ({"q": "asked"}, {"q": ["asked"]})
    assert sent["extra"]["metadata"]["x"] == 1


def test_what_is_hidden_from_the_server_is_hidden_from_functions(peer, told):
    handler = RunwoodCallbackHandler(
        peer.url, on_run_end=told.append, hide_inputs=True, redact=["secret"]
    )
    step("run", lambda x: "a secret").invoke("secret", {"callbacks": [handler]})
    handler.flush()
    assert told[0].inputs == {}
    assert "secret" not in str(told[0].outputs)


def test_what_a_function_runs_itself_is_not_recorded(peer):
    handler = RunwoodCallbackHandler(
        peer.url, on_run_end=lambda run: step("again").invoke(1, {"callbacks": [handler]})
    )
    step("run").invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert names(peer) == ["run"]


def test_a_function_may_flush(peer, told):
    handler = RunwoodCallbackHandler(
        peer.url, on_run_end=lambda run: told.append(handler.flush(5.0))
    )
    step("run").invoke(1, {"callbacks": [handler]})
    assert handler.flush(10)
    assert told == [True]


def test_a_run_that_was_given_up_and_ends_after_all_is_told_again_as_a_correction(hooked, told):
    parent, child = uuid4(), uuid4()
    hooked.on_chain_start(None, {}, run_id=parent, name="parent")
    hooked.on_chain_start(None, {}, run_id=child, parent_run_id=parent, name="child")
    hooked.on_chain_end({}, run_id=parent)
    hooked.on_chain_end({"late": 1}, run_id=child)
    hooked.flush()
    assert sorted((run.name, run.status, run.is_correction) for run in told) == [
        ("child", "incomplete", False),
        ("child", "success", True),
        ("parent", "success", False),
    ]


def test_a_run_that_is_not_recorded_is_not_told(peer, told):
    handler = RunwoodCallbackHandler(peer.url, on_run_end=told.append, sample_rate=0.0)
    step("run").invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert told == []


def test_so_many_wait_and_no_more(peer, told, monkeypatch, caplog):
    monkeypatch.setattr(runner, "MAX_WAITING", 5)
    go_on = threading.Event()
    handler = RunwoodCallbackHandler(
        peer.url, on_run_end=lambda run: (go_on.wait(20), told.append(run))
    )
    for _ in range(20):
        step("run").invoke(1, {"callbacks": [handler]})
    go_on.set()
    handler.flush()
    assert 5 <= len(told) <= 6
    assert len(peer.runs) == 20
    assert "are not told" in caplog.text


def test_functions_are_called_before_the_process_ends():
    script = """
    handler = RunwoodCallbackHandler(on_run_end=lambda run: (time.sleep(0.2), print(run.name, flush=True)))
    run("a"), run("b")
    """
    done, _ = run_script(script, dead_endpoint())
    assert done.stdout.split() == ["a", "b"]


def test_a_function_that_hangs_holds_up_the_end_of_the_process_no_longer_than_a_server_does(peer):
    script = """
    handler = RunwoodCallbackHandler(on_run_end=lambda run: time.sleep(60))
    run("a")
    print("end", flush=True)
    """
    _, seconds = run_script(script, peer.url)
    assert seconds < 6
    assert names(peer) == ["a"]


def test_a_forked_child_tells_its_own_runs(peer):
    script = """
    handler = RunwoodCallbackHandler(on_run_end=lambda run: print(os.getpid() == me, run.name, flush=True))
    me = os.getpid()
    run("parent")
    handler.flush()
    if os.fork() == 0:
        me = os.getpid()
        run("child")
        sys.exit()
    os.wait()
    """
    done, _ = run_script(script, peer.url)
    assert done.stdout.splitlines() == ["True parent", "True child"]
