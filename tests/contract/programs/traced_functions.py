"""A user's program: functions of every kind under @traceable, and each way to say more about a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langsmith import ContextThreadPoolExecutor, RunTree, trace, traceable, tracing_context


@traceable(run_type="llm", metadata={"ls_provider": "openai", "ls_model_name": "gpt-4o-mini"})
def model(question: str) -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    return {"answer": question.upper(), "usage_metadata": usage}


@traceable(run_type="tool", name="look up")
def look_up(question: str) -> Any:
    return model(question)


@traceable(run_type="tool")
def fail() -> None:
    raise ValueError("out of kettles / 返金")


@traceable(name="agent", tags=["prod", "beta"], metadata={"thread_id": "t-1", "n": 2**60})
def agent(question: str, *, limit: int = 3) -> Any:
    look_up(question)
    try:
        fail()
    except ValueError:
        return model(question + "!")


@traceable
async def waiting(question: str) -> str:
    inner = await asyncio.gather(later(question), later(question + "?"))
    return " ".join(inner)


@traceable
async def later(question: str) -> str:
    await asyncio.sleep(0.01)
    return question


@traceable(reduce_fn="".join)
def streaming(words: int) -> Iterator[str]:
    for number in range(words):
        yield step(number)


@traceable
def step(number: int) -> str:
    return str(number)


@traceable
async def async_streaming(words: int) -> AsyncIterator[int]:
    for number in range(words):
        await asyncio.sleep(0)
        yield number


@traceable
def threads(count: int) -> list[str]:
    with ContextThreadPoolExecutor(max_workers=count) as pool:
        return list(pool.map(step, range(count)))


def by_hand() -> None:
    root = RunTree(name="by hand", run_type="chain", inputs={"text": "a"}, tags=["hand"])
    root.post()
    child = root.create_child(name="child by hand", run_type="llm", inputs={"text": "b"})
    child.post()
    child.end(outputs={"text": "c"})
    child.patch()
    root.end(outputs={"text": "d"})
    root.patch()


async def main() -> None:
    await waiting("where")
    async for _ in async_streaming(3):
        pass


agent("where is my kettle?")
list(streaming(3))
threads(3)
asyncio.run(main())
by_hand()
with trace("block", "chain", inputs={"a": 1}, metadata={"b": 2}) as run:
    run.end(outputs={"c": 3})
with tracing_context(tags=["from context"], metadata={"shop": "kiln"}):
    step(7)
with tracing_context(enabled=False):
    step(8)
