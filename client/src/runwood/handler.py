"""The callback handler: every event of LangChain and LangGraph becomes part of a recorded run.

`BaseTracer` is a base only so that LangGraph's `TracePolicy` applies here too: what an app hides
from tracers it hides from this one. Every callback is overridden and none of that class's state is
used. Its import costs nothing more, since `langchain_core.runnables` imports it in any app.

The handler is synchronous and inline, in sync and async apps alike: an event costs microseconds,
waits for nothing, and never raises into the app.
"""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

from langchain_core.tracers.base import BaseTracer

from runwood import process
from runwood.config import Config
from runwood.graph import with_graph_events
from runwood.hooks.record import Record, RunEnd
from runwood.log import warn
from runwood.recording.answer import AnswerSoFar, text_of_delta
from runwood.recording.outcome import SUCCESS, Outcome, describe_retry, outcome_of
from runwood.scope import current_scope
from runwood.values.hiding import Hide, Redact
from runwood.values.messages import chat_inputs, llm_outputs, usage_and_tool_calls
from runwood.values.payloads import Payloads, Take
from runwood.values.snapshot import Snapshot

if TYPE_CHECKING:
    from langchain_core.documents import Document
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult
    from langchain_core.tracers.schemas import Run

    from runwood.recording.run import OpenRun

ROOT_FLUSH_SECONDS = 5.0

Method = TypeVar("Method", bound=Callable[..., Any])


def _guarded(method: Method) -> Method:
    """Keep every exception of a callback from the app. Blind on purpose, and only here.

    A callback that does nothing but call a guarded method needs no guard of its own: each costs it.
    """
    name = method.__name__

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> None:
        try:
            method(*args, **kwargs)
        except Exception as error:  # noqa: BLE001
            warn(f"callback {name}", "%s could not record an event: %r", name, error)

    return cast("Method", call)


class RunwoodCallbackHandler(BaseTracer):
    """Records every run of a LangChain or LangGraph app in Runwood.

    Args:
        endpoint: address of the server; default `RUNWOOD_ENDPOINT`, else `http://127.0.0.1:8000`.
        api_key: default `RUNWOOD_API_KEY`.
        project: what the traces are filed under; default `RUNWOOD_PROJECT`, else `default`.
        tags: added to every trace.
        metadata: added to every trace.
        sample_rate: the part of all traces that is recorded, 0 to 1; default `RUNWOOD_SAMPLE_RATE`,
            else 1. A trace is recorded whole or not at all.
        stream_tokens: send what a model has answered so far while it streams, about twice a second and run, so that
            it can be watched; default `RUNWOOD_STREAM_TOKENS`, else no. Not done where `redact` or `hide_outputs` is
            set: those have to see outputs whole.
        on_run_end: functions of a finished run (`runwood.FinishedRun`), called in a thread of their own.
        flush_on_root_end: wait, for 5 s at most, until the server has a trace whose root has ended: for
            runtimes that freeze after each request. In an event loop it is sent at once and not waited
            for; there, `await handler.aflush()`.
        redact_secrets: hide what looks like a key, token or password inside of texts; default
            `RUNWOOD_REDACT_SECRETS`, else yes.
        redact_keys: keys, in any spelling, whose values are hidden besides the usual secrets.
        redact: patterns whose matches are masked, and functions of a string that return what is recorded
            in its place: in payloads, metadata, events and errors.
        hide_inputs: leave inputs out, or record what a function of them returns; default
            `RUNWOOD_HIDE_INPUTS`.
        hide_outputs: the same of outputs and of the app's own events; `RUNWOOD_HIDE_OUTPUTS`.
        max_payload_bytes: inputs and outputs that take more in memory are cut; the run is kept.
        max_queue_items: how many operations are held while the server is away; beyond it new ones
            are dropped, and the server is told how many.
        max_queue_bytes: the same, in bytes of memory; from four fifths of it on, payloads are dropped.
        spool_dir: a folder where everything waits on its way to the server, so that it survives a kill and a
            long outage; default `RUNWOOD_SPOOL_DIR`, else none. What a dead process left there is sent by the
            next one that records something for the same server with the same key.
        max_spool_bytes: how much may wait there, of each process; beyond it the queue fills.

    Handlers of one server share a queue and a sender, so making one per request is fine.

    Raises:
        ValueError: the endpoint is not an HTTP address, a pattern is none, or the sample rate is not between
            0 and 1.
    """

    run_inline = True
    raise_error = False

    def __new__(cls, *_: Any, **__: Any) -> RunwoodCallbackHandler:
        """Return an instance that gets LangGraph's lifecycle events too, where there is LangGraph."""
        return super().__new__(with_graph_events(cls))

    def __init__(
        self,
        endpoint: str | None = None,
        api_key: str | None = None,
        project: str | None = None,
        *,
        tags: str | Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        sample_rate: float | None = None,
        redact_secrets: bool | None = None,
        redact_keys: str | Iterable[str] = (),
        redact: Redact | Iterable[Redact] = (),
        hide_inputs: Hide | None = None,
        hide_outputs: Hide | None = None,
        stream_tokens: bool | None = None,
        on_run_end: RunEnd | Iterable[RunEnd] = (),
        flush_on_root_end: bool = False,
        max_payload_bytes: int = Config.max_payload_bytes,
        max_queue_items: int = Config.max_queue_items,
        max_queue_bytes: int = Config.max_queue_bytes,
        spool_dir: str | os.PathLike[str] | None = None,
        max_spool_bytes: int = Config.max_spool_bytes,
        _path: str | None = None,
    ) -> None:
        super().__init__()
        self.config = Config.resolve(
            endpoint=endpoint,
            api_key=api_key,
            project=project,
            tags=tags,
            metadata=metadata,
            sample_rate=sample_rate,
            redact_secrets=redact_secrets,
            redact_keys=redact_keys,
            redact=redact,
            hide_inputs=hide_inputs,
            hide_outputs=hide_outputs,
            stream_tokens=stream_tokens,
            on_run_end=on_run_end,
            flush_on_root_end=flush_on_root_end,
            max_payload_bytes=max_payload_bytes,
            max_queue_items=max_queue_items,
            max_queue_bytes=max_queue_bytes,
            spool_dir=spool_dir,
            max_spool_bytes=max_spool_bytes,
            path=_path,
        )
        self._sender = process.sender_for(self.config)
        self._recorder = process.recorder_for(self.config)
        self._payloads = Payloads(self.config)

    def __repr__(self) -> str:
        """Return the address and the project, without the key."""
        return f"RunwoodCallbackHandler({self.config.endpoint!r}, project={self.config.project!r})"

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until the server has confirmed everything recorded so far, and `on_run_end` has been told.

        False: not confirmed within `timeout` seconds, or something was dropped since the last flush.
        """
        deadline = time.monotonic() + timeout
        is_sent = self._sender.flush(timeout)
        process.wait_until_told(deadline)
        return is_sent

    async def aflush(self, timeout: float = 10.0) -> bool:
        """Flush without holding up the event loop."""
        return await asyncio.to_thread(self.flush, timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Flush, then stop the sender's thread. The next event starts it again."""
        return self._sender.close(timeout)

    def place_of(self, run_id: UUID) -> OpenRun | None:
        """Return what is known of the place of a run that this handler has seen: for `runwood.headers`."""
        return self._recorder.place_of(run_id)

    # --- starts -----------------------------------------------------------------------------------
    def on_chain_start(
        self, serialized: dict[str, Any] | None, inputs: Any, *, run_id: UUID, **kwargs: Any
    ) -> Any:
        """Record the start of a chain, graph, node, prompt, parser: of all but models and tools."""
        run_type = kwargs.pop("run_type", None) or "chain"
        self._start(run_id, run_type, serialized, Snapshot.copy, _whole("input", inputs), kwargs)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        **kwargs: Any,
    ) -> Any:
        """Record the start of a chat model's run."""
        self._start(run_id, "llm", serialized, chat_inputs, messages, kwargs)

    def on_llm_start(
        self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **kwargs: Any
    ) -> Any:
        """Record the start of a text model's run."""
        self._start(run_id, "llm", serialized, Snapshot.copy, _whole("prompts", prompts), kwargs)

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Record the start of a tool's run, by its arguments where they are known."""
        arguments = _whole("input", input_str if inputs is None else inputs)
        self._start(run_id, "tool", serialized, Snapshot.copy, arguments, kwargs)

    @_guarded
    def on_retriever_start(
        self, serialized: dict[str, Any] | None, query: str, *, run_id: UUID, **kwargs: Any
    ) -> Any:
        """Record the start of a retriever's run."""
        kwargs["name"] = kwargs.get("name") or _name(serialized) or "Retriever"
        self._start(run_id, "retriever", serialized, Snapshot.copy, _whole("query", query), kwargs)

    # --- ends -------------------------------------------------------------------------------------
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """Record the end of a chain's run, and the inputs that a streamed one had not at its start."""
        self._end(run_id, SUCCESS, Snapshot.copy, _whole("output", outputs), kwargs)

    @_guarded
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        """Record how a chain's run failed, paused or was stopped, with what a generator had given till then."""
        outputs = kwargs.get("outputs")
        given = None if outputs is None else _whole("output", outputs)
        self._end(run_id, outcome_of(error), Snapshot.copy, given, kwargs)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> Any:
        """Record the end of a model's run, chat or text."""
        self._end(run_id, SUCCESS, llm_outputs, response, kwargs, response)

    @_guarded
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        """Record how a model's run failed or was stopped, with as much as it had answered."""
        response = kwargs.get("response")
        self._end(run_id, outcome_of(error), llm_outputs, response, kwargs, response)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """Record the end of a tool's run."""
        self._end(run_id, SUCCESS, Snapshot.copy, {"output": output}, kwargs)

    @_guarded
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        """Record how a tool's run failed, paused or was stopped."""
        self._end(run_id, outcome_of(error), Snapshot.copy, None, kwargs)

    def on_retriever_end(
        self, documents: Sequence[Document], *, run_id: UUID, **kwargs: Any
    ) -> Any:
        """Record the end of a retriever's run."""
        self._end(run_id, SUCCESS, Snapshot.copy, {"documents": documents}, kwargs)

    @_guarded
    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        """Record how a retriever's run failed."""
        self._end(run_id, outcome_of(error), Snapshot.copy, None, kwargs)

    # --- between: events of the run ---------------------------------------------------------------
    @_guarded
    def on_llm_new_token(self, token: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """Count a streamed token and note the time of the first. Its text comes with the end, and before if wanted."""
        run = self._recorder.find(run_id)
        if run is not None:
            run.add_token()
            if run.answer is not None:
                is_text = type(token) is str  # else it is content blocks
                text = token if is_text else getattr(kwargs.get("chunk"), "text", "")
                self._add_to_answer(run, run.answer, text)

    @_guarded
    def on_stream_event(self, event: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """Count what stands for tokens in `stream_events(version="v3")`."""
        if event.get("event") == "content-block-delta":
            run = self._recorder.find(run_id)
            if run is not None:
                run.add_token()
                if run.answer is not None:
                    self._add_to_answer(run, run.answer, text_of_delta(event))

    @_guarded
    def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """Record an event of the app's own, in its place among the run's events."""
        self._event(run_id, "custom_event", {"name": name, "data": data})

    @_guarded
    def on_retry(self, retry_state: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """Record that a model's call is tried again."""
        self._event(run_id, "retry", describe_retry(retry_state))

    @_guarded
    def on_text(self, text: str, *, run_id: UUID, **kwargs: Any) -> Any:
        """Record a line that a classic chain wrote."""
        self._event(run_id, "text", {"text": text})

    @_guarded
    def on_agent_action(self, action: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """Record a classic agent's choice of a tool."""
        self._event(run_id, "agent_action", {"action": action})

    @_guarded
    def on_agent_finish(self, finish: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """Record a classic agent's last word."""
        self._event(run_id, "agent_finish", {"finish": finish})

    # --- of LangGraph's own: see runwood.graph ----------------------------------------------------
    @_guarded
    def on_interrupt(self, event: Any) -> Any:
        """Record that a graph waits: before or after a node, or for an answer."""
        run = self._recorder.find(event.run_id)
        if run is not None:
            run.has_paused_node = True
            run.add_event("graph_interrupt", kwargs={"status": str(event.status)})

    @_guarded
    def on_resume(self, event: Any) -> Any:
        """Record that a graph goes on from where it waited."""
        run = self._recorder.find(event.run_id)
        if run is not None:
            run.add_event("graph_resume", kwargs={"checkpoint_id": str(event.checkpoint_id)})

    # --- inside -----------------------------------------------------------------------------------
    @_guarded
    def _start(
        self,
        run_id: UUID,
        run_type: str,
        serialized: Any,
        take: Take,
        inputs: Any,
        details: dict[str, Any],
    ) -> None:
        parent_id, tags = details.pop("parent_run_id", None), details.pop("tags", None)
        metadata, name = details.pop("metadata", None), details.pop("name", None)
        name = name or _name(serialized) or "Unnamed"
        run = self._recorder.open(run_id, parent_id, name, run_type, tags, self.config.sample_rate)
        if run is None:
            return
        if run.is_local_root or run.is_scope_root:
            own = self.config.tags if run.is_local_root else ()
            added = (*own, *current_scope().tags)
            run.tags = list(dict.fromkeys([*run.tags, *added])) if added else run.tags
        fields, size = self._payloads.of_start(run, take, inputs, serialized, metadata, details)
        if self.config.on_run_end:
            run.record = Record(self.config.on_run_end, fields)
        if run_type == "llm" and self.config.sends_answers_so_far:
            run.answer = AnswerSoFar(self)
        self._recorder.send_start(run, fields, size)

    def _add_to_answer(self, run: OpenRun, answer: AnswerSoFar, text: str) -> None:
        if answer.handler is self and answer.add(text, run.last_token):
            self._recorder.send_answer(run, answer)

    @_guarded
    def _end(
        self,
        run_id: UUID,
        outcome: Outcome,
        take: Take,
        outputs: Any,
        details: dict[str, Any],
        response: LLMResult | None = None,
    ) -> None:
        run = self._recorder.close(run_id, outcome)
        if run is None:
            return
        if outputs is None and outcome.outputs is not None:
            take, outputs = Snapshot.copy, _whole("output", outcome.outputs)
        inputs = details.get("inputs")
        if inputs is not None:
            inputs = _whole("input", inputs)
        extra = {} if response is None else self._usage(response)
        if outcome.error is not None and self.config.redact:
            outcome = replace(outcome, error=self._payloads.of_error(outcome.error))
        fields, size = self._payloads.of_end(run, take, outputs, inputs, extra)
        self._recorder.send_end(run, outcome, fields, size)
        if run.is_local_root and self.config.flush_on_root_end:
            self._flush_root()

    def _flush_root(self) -> None:
        """Wait for the server, or in an event loop, which must not wait, have it sent at once."""
        if asyncio._get_running_loop() is None:
            deadline = time.monotonic() + ROOT_FLUSH_SECONDS
            self._sender.wait_until_sent(ROOT_FLUSH_SECONDS)
            process.wait_until_told(deadline)
        else:
            self._sender.send_now()

    def _usage(self, response: LLMResult) -> dict[str, Any]:
        extra: dict[str, Any] = {}
        usage, tool_calls = usage_and_tool_calls(response)
        if usage is not None:
            extra["metadata"] = {"usage_metadata": self._payloads.copy(usage)}
        if tool_calls:
            extra["tool_call_count"] = tool_calls
        return extra

    def _event(self, run_id: UUID, name: str, details: dict[str, Any]) -> None:
        run = self._recorder.find(run_id)
        if run is not None:
            kwargs, size = self._payloads.of_event(name, details)
            run.add_event(name, size, kwargs=kwargs)

    def _persist_run(self, run: Run) -> None:
        """Satisfy the base class, which would call it for runs that it never gets to see."""


def _whole(name: str, value: Any) -> dict[str, Any]:
    """Return a payload as an object, which it has to be on the wire."""
    return value if issubclass(type(value), dict) else {name: value}  # never asks the value itself


def _name(serialized: Any) -> str | None:
    """Return the name in a component's description, or of its class."""
    if not serialized:
        return None
    name = serialized.get("name")
    if not name:
        class_id = serialized.get("id")
        name = class_id[-1] if class_id else None
    return str(name) if name else None
