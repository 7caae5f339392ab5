"""What an app's own rules keep out of a trace is in nothing that leaves the process."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.callbacks import dispatch_custom_event
from langchain_core.messages.base import TextAccessor
from langchain_core.runnables import RunnableLambda
from runwood import RunwoodCallbackHandler
from sample_apps import chain, order_status

SECRET = "amber-falcon-77"


def wire(peer):
    return b"".join(request.data for request in peer.requests).decode()


def run_with(peer, action=lambda x: x, given=None, **settings):
    handler = RunwoodCallbackHandler(peer.url, **settings)
    config = {"callbacks": [handler], "metadata": {"note": SECRET}}
    try:
        RunnableLambda(action, name="step").invoke(given or {"q": SECRET, "n": 1}, config)
    finally:
        handler.flush()
    return peer.named("step")


def test_hidden_inputs_and_outputs_are_empty_and_the_run_is_there(peer):
    run = run_with(peer, hide_inputs=True, hide_outputs=True)
    assert (run["inputs"], run["outputs"]) == ({}, {})


def test_the_environment_hides_too(peer, monkeypatch):
    monkeypatch.setenv("RUNWOOD_HIDE_INPUTS", "true")
    run = run_with(peer)
    assert (run["inputs"], run["outputs"]["q"]) == ({}, SECRET)


def test_a_function_says_what_is_recorded_of_a_payload(peer):
    run = run_with(peer, hide_inputs=lambda inputs: {"keys": sorted(inputs)})
    assert run["inputs"] == {"keys": ["n", "q"]}


def test_a_function_that_raises_hides_all(peer):
    run = run_with(peer, hide_inputs=lambda inputs: inputs["absent"])
    assert run["inputs"] == {"runwood": "hidden: its rule raised KeyError"}


def test_what_a_function_does_to_its_payload_does_not_reach_the_app(peer):
    given = {"q": SECRET}
    run = run_with(peer, given=given, hide_inputs=lambda inputs: inputs.clear() or inputs)
    assert (run["inputs"], given) == ({}, {"q": SECRET})


def test_inputs_that_a_stream_tells_at_its_end_are_hidden(peer):
    handler = RunwoodCallbackHandler(peer.url, hide_inputs=True, hide_outputs=True)
    list(chain().stream({"q": SECRET}, {"callbacks": [handler]}))
    order_status.invoke({"order_id": 424242}, {"callbacks": [handler]})
    handler.flush()
    assert SECRET not in wire(peer)
    assert "424242" not in wire(peer)
    assert peer.named("FakeListChatModel")["outputs"] == {}


def test_an_event_of_the_app_is_an_output_and_keeps_its_name(peer):
    def act(x):
        dispatch_custom_event("progress", {"at": SECRET})
        return x

    run = run_with(peer, act, hide_outputs=True)
    (event,) = [event for event in run["events"] if event["name"] == "custom_event"]
    assert event["kwargs"] == {"name": "progress"}


def test_a_pattern_masks_what_it_matches_everywhere(peer):
    def act(x):
        dispatch_custom_event("progress", {"at": [SECRET]})
        raise ValueError(f"no {SECRET} today")

    with pytest.raises(ValueError, match=SECRET):  # the app's own error is as it was
        run_with(peer, act, redact=r"amber-\w+-\d+")
    assert SECRET not in wire(peer)
    run = peer.named("step")
    assert run["inputs"]["q"] == "**********"
    assert "no ********** today" in run["error"]


def test_patterns_and_functions_are_applied_one_after_the_other(peer):
    rules = [re.compile("falcon"), lambda text: text.replace("amber", "green")]
    assert run_with(peer, redact=rules)["inputs"]["q"] == "green-**********-77"


def test_a_rule_that_raises_masks_its_string_and_no_other(peer):
    def rule(text):
        if text == SECRET:
            raise RuntimeError("no")
        return text

    run = run_with(peer, given={"q": SECRET, "other": "fine"}, redact=rule)
    assert run["inputs"] == {"q": "**********", "other": "fine"}


def test_a_pattern_that_is_none_is_refused_at_once():
    with pytest.raises(ValueError, match=r"not a regular expression"):
        RunwoodCallbackHandler(redact="(")


nested = st.recursive(
    st.sampled_from([SECRET, TextAccessor(SECRET), f"so {SECRET} it is", "plain", 1, None]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", SECRET]), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(nested, nested)
def test_wherever_a_secret_stands_no_pattern_lets_it_out(peer, inputs, outputs):
    handler = RunwoodCallbackHandler(peer.url, redact=SECRET)
    run_id = uuid4()
    handler.on_chain_start(None, inputs, run_id=run_id, name="step", metadata={"m": inputs})
    handler.on_custom_event("e", outputs, run_id=run_id)
    handler.on_chain_end(outputs, run_id=run_id)
    handler.flush()
    assert str(run_id) in peer.runs
    assert SECRET not in wire(peer)


@pytest.mark.parametrize("rule", [lambda text: None, lambda text: 1 / 0])
def test_a_rule_that_gives_no_text_masks_it_and_is_told(peer, caplog, rule):
    run = run_with(peer, redact=rule, given={"q": SECRET})
    assert SECRET not in str(run)
    assert "redact: <lambda>" in caplog.text


def test_what_is_neither_yes_nor_no_nor_a_function_is_refused_at_once(peer):
    with pytest.raises(ValueError, match="hide_inputs must be"):
        RunwoodCallbackHandler(peer.url, hide_inputs="yes")
