"""The app that `benchmarks.handler` measures: one process, one handler, one measure, a line of JSON.

    python -m benchmarks.traced_app times  HANDLER URL        costs with a server that answers
    python -m benchmarks.traced_app memory HANDLER URL RUNS   memory over many runs
    python -m benchmarks.traced_app down   HANDLER URL        what a server that is away does to it

Each handler is set up as its documentation says, with its defaults; all that is changed is where it sends.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.prompts import ChatPromptTemplate

RUNS_PER_INVOKE = 4  # the sequence, prompt, model, parser
EVENTS_PER_INVOKE = 8
PAYLOAD_BYTES = 2000
BURSTS = 5
BURST = 150  # invocations, then a flush: 1,200 events, which no handler's queue is too small for
UNSENT = 100  # invocations just before the end of the process
ASYNC_INVOKES = 300
CONCURRENCY = 30
MODEL_SECONDS = 0.1
DOWN_INVOKES = 3000
WORDS = Path(__file__).with_name("workload.py").read_text().split()


def texts(count: int = 256) -> list[str]:
    """Return texts of 2 KB: a word each of its own, so that compression finds what it finds in prose."""
    chosen = random.Random(7)
    made = []
    for _ in range(count):
        text = ""
        while len(text) < PAYLOAD_BYTES:
            text += f"{chosen.choice(WORDS)} {chosen.getrandbits(32):x} "
        made.append(text[:PAYLOAD_BYTES])
    return made


TEXTS = texts()


class Model(BaseChatModel):
    """Answers with 2 KB: at once, or in async code after `seconds`, give or take a half."""

    seconds: float = 0.0
    asked: int = 0
    model_name: str = "benchmark-1"
    chosen: Any = None

    @property
    def _llm_type(self) -> str:
        return "benchmark"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name, "model": self.model_name}

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:  # fmt: skip
        self.asked += 1
        message = AIMessage(
            TEXTS[self.asked % len(TEXTS)],
            usage_metadata={"input_tokens": 500, "output_tokens": 400, "total_tokens": 900},
            response_metadata={"model_name": "benchmark-1"},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:  # fmt: skip
        if self.seconds:
            await asyncio.sleep(self.seconds * self.chosen.uniform(0.5, 1.5))
        return self._generate(messages)


def chain(seconds: float = 0.0) -> Any:
    prompt = ChatPromptTemplate.from_messages([("system", "Answer."), ("human", "{question}")])
    return prompt | Model(seconds=seconds, chosen=random.Random(5)) | StrOutputParser()


# --- the handlers ---------------------------------------------------------------------------------
class Tracing(NamedTuple):
    callbacks: list[Any]
    flush: Callable[[], Any]


class Nothing(BaseCallbackHandler):
    """Is called for everything, inline, and does nothing."""

    run_inline = True

    def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        """Keep the base class from having the messages put into text."""


def no_handler(_: str) -> Tracing:
    return Tracing([], lambda: None)


def empty_handler(_: str) -> Tracing:
    return Tracing([Nothing()], lambda: None)


def runwood(url: str) -> Tracing:
    from runwood import RunwoodCallbackHandler

    handler = RunwoodCallbackHandler(endpoint=url, api_key="key", project="benchmark")
    return Tracing([handler], lambda: handler.flush(60))


def langsmith(url: str) -> Tracing:
    from langchain_core.tracers import LangChainTracer
    from langsmith import Client

    client = Client(api_url=url, api_key="key")
    return Tracing([LangChainTracer(client=client, project_name="benchmark")], client.flush)


def langfuse(url: str) -> Tracing:
    from langfuse import Langfuse
    from langfuse.langchain import CallbackHandler

    client = Langfuse(public_key="pk-lf-benchmark", secret_key="sk-lf-benchmark", base_url=url)
    return Tracing([CallbackHandler()], client.flush)


def openinference(url: str) -> Tracing:
    from openinference.instrumentation.langchain import LangChainInstrumentor
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url}/v1/traces")))
    LangChainInstrumentor().instrument(tracer_provider=provider)
    return Tracing([], provider.force_flush)


HANDLERS: dict[str, Callable[[str], Tracing]] = {
    "no handler": no_handler,
    "empty": empty_handler,
    "runwood": runwood,
    "langsmith": langsmith,
    "langfuse": langfuse,
    "openinference": openinference,
}


# --- what is measured -----------------------------------------------------------------------------
def invoke(app: Any, tracing: Tracing, count: int) -> None:
    for number in range(count):
        app.invoke({"question": TEXTS[number % len(TEXTS)]}, {"callbacks": list(tracing.callbacks)})


def burst(app: Any, tracing: Tracing) -> dict[str, float]:
    """Return seconds an invocation: by the clock, of this thread's CPU, of all threads' with sending."""
    gc.collect()
    wall, thread, process = time.perf_counter(), time.thread_time(), time.process_time()
    invoke(app, tracing, BURST)
    wall, thread = time.perf_counter() - wall, time.thread_time() - thread
    tracing.flush()
    process = time.process_time() - process
    return {"wall": wall / BURST, "thread": thread / BURST, "process": process / BURST}


async def invoke_async(app: Any, tracing: Tracing, count: int) -> float:
    """Return the seconds that `count` invocations took, CONCURRENCY at a time."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            question = {"question": TEXTS[number % len(TEXTS)]}
            await app.ainvoke(question, {"callbacks": list(tracing.callbacks)})

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return time.perf_counter() - started


async def measure_async(tracing: Tracing, seconds: float) -> float:
    app = chain(seconds)
    await invoke_async(app, tracing, CONCURRENCY)
    await asyncio.to_thread(tracing.flush)
    return await invoke_async(app, tracing, ASYNC_INVOKES)


def times(tracing: Tracing) -> dict[str, float]:
    app = chain()
    invoke(app, tracing, 50)
    tracing.flush()
    bursts = [burst(app, tracing) for _ in range(BURSTS)]
    result = {name: statistics.median(one[name] for one in bursts) for name in bursts[0]}
    for name, seconds in (("async_waiting", MODEL_SECONDS), ("async_busy", 0.0)):
        result[name] = asyncio.run(measure_async(tracing, seconds))
        tracing.flush()
    invoke(app, tracing, UNSENT)
    made = 50 + BURSTS * BURST + 2 * (CONCURRENCY + ASYNC_INVOKES) + UNSENT
    return result | {"runs": made * RUNS_PER_INVOKE}


def memory(tracing: Tracing, runs: int) -> dict[str, float]:
    """Return the bytes of memory after a fifth of the runs, and after all."""
    app = chain()
    invokes = runs // RUNS_PER_INVOKE
    first = 0
    for done in range(0, invokes, BURST):
        if done >= invokes / 5 and not first:
            first = settled_rss()
        invoke(app, tracing, min(BURST, invokes - done))
        tracing.flush()
    return {"rss_early": first, "rss_late": settled_rss()}


def down(tracing: Tracing) -> dict[str, float]:
    """Return the bytes of memory before; the starter sees the most that it ever was."""
    app = chain()
    invoke(app, tracing, 20)
    before = settled_rss()
    invoke(app, tracing, DOWN_INVOKES)
    return {"rss_before": before}


def settled_rss() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def main() -> None:
    measure, handler, url, *rest = sys.argv[1:]
    tracing = HANDLERS[handler](url)
    result = {"times": times, "memory": memory, "down": down}[measure](tracing, *map(int, rest))  # type: ignore[operator]
    print(json.dumps(result | {"left_at": time.monotonic()}), flush=True)


if __name__ == "__main__":
    main()
