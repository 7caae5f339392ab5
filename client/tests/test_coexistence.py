"""Beside the other handlers that an app may have, in any order: each sees what it sees alone."""

from __future__ import annotations

import contextlib
import copy
import io
import itertools
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks import (
    FileCallbackHandler,
    StdOutCallbackHandler,
    StreamingStdOutCallbackHandler,
    UsageMetadataCallbackHandler,
    get_usage_metadata_callback,
)
from langchain_core.language_models import FakeListLLM
from langchain_core.tracers import LangChainTracer
from runwood import RunwoodCallbackHandler
from sample_apps import ScriptedModel, chain, says

TREE = [
    "RunnableSequence chain success",
    "  ChatPromptTemplate prompt success",
    "  FakeListChatModel llm success",
    "  StrOutputParser parser success",
]


def langsmith_tracer(peer: Any, _: Any) -> Any:
    from langsmith import Client

    return LangChainTracer(
        client=Client(api_url=f"{peer.url}/other", api_key="k", auto_batch_tracing=False)
    )


def langfuse_handler(peer: Any, _: Any) -> Any:
    from langfuse import Langfuse
    from langfuse.langchain import CallbackHandler

    Langfuse(public_key="pk", secret_key="sk", base_url=peer.url, tracing_enabled=False)
    return CallbackHandler(public_key="pk")


OTHERS = {
    "File": lambda _, folder: FileCallbackHandler(str(folder / "log.txt")),
    "StdOut": lambda *_: StdOutCallbackHandler(),
    "StreamingStdOut": lambda *_: StreamingStdOutCallbackHandler(),
    "usage": lambda *_: UsageMetadataCallbackHandler(),
    "LangSmith": langsmith_tracer,
    "Langfuse": langfuse_handler,
}


@pytest.fixture
def quiet():
    with contextlib.redirect_stdout(io.StringIO()) as out:
        yield out


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("name", OTHERS)
def test_another_handler_changes_nothing(peer, handler, quiet, tmp_path, name, is_first):
    if name == "Langfuse":
        pytest.importorskip("langfuse")
    other = OTHERS[name](peer, tmp_path)
    callbacks = [handler, other] if is_first else [other, handler]
    assert chain().invoke({"q": "hi"}, {"callbacks": callbacks}) == "hello there"
    assert handler.flush()
    assert peer.tree() == TREE


def test_all_of_them_at_once_in_some_orders(peer, handler, quiet, tmp_path):
    others = [make(peer, tmp_path) for name, make in OTHERS.items() if name != "Langfuse"]
    for order in itertools.islice(itertools.permutations([handler, *others]), 0, 720, 103):
        chain().invoke({"q": "hi"}, {"callbacks": list(order)})
    assert handler.flush()
    assert sorted(peer.tree()) == sorted(TREE * 7)


def test_text_models_are_seen_beside_an_inline_handler_in_async_code(peer, handler):
    """langchain-core skips the handlers that are not inline there, where any other is."""
    import asyncio

    callbacks = [langsmith_tracer(peer, None), handler]
    asyncio.run(FakeListLLM(responses=["yes"]).ainvoke("?", {"callbacks": callbacks}))
    handler.flush()
    assert peer.tree() == ["FakeListLLM llm success"]


def test_an_opentelemetry_instrumentation_sees_what_it_sees_alone(peer, handler):
    instrumentation = pytest.importorskip("openinference.instrumentation.langchain")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    instrumentor = instrumentation.LangChainInstrumentor()
    instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
    try:
        chain().invoke({"q": "hi"}, {"callbacks": [handler]})
    finally:
        instrumentor.uninstrument()
    handler.flush()
    assert peer.tree() == TREE
    assert {span.name for span in spans.get_finished_spans()} == {line.split()[0] for line in TREE}


def test_usage_is_what_langchains_own_handler_counts(peer, handler):
    usage = {
        "input_tokens": 40, "output_tokens": 9, "total_tokens": 49,
        "input_token_details": {"cache_read": 30}, "output_token_details": {"reasoning": 5},
    }  # fmt: skip
    answer = says("yes").model_copy(update={"usage_metadata": usage})
    own = UsageMetadataCallbackHandler()
    with get_usage_metadata_callback() as counted:
        ScriptedModel([answer]).invoke("?", {"callbacks": [own, handler]})
    handler.flush()
    recorded = peer.named("ScriptedModel")["extra"]["metadata"]["usage_metadata"]
    assert recorded == usage
    assert own.usage_metadata == counted.usage_metadata == {"scripted-1": recorded}


def test_the_metadata_that_handlers_share_is_left_as_it_was(peer):
    handler = RunwoodCallbackHandler(peer.url, metadata={"release": "7"})
    shared = {"api_key": "sk-not-for-us", "nested": {"password": "x"}}
    before = copy.deepcopy(shared)
    handler.on_chain_start(None, {}, run_id=uuid4(), metadata=shared)
    handler.flush()
    assert shared == before
