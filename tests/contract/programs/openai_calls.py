"""A user's program: OpenAI's client under `wrap_openai`. Its address is OPENAI_BASE_URL's."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import openai
from langsmith import traceable
from langsmith.wrappers import wrap_openai

MODEL = "gpt-4o-mini"
MESSAGES: Any = [{"role": "user", "content": "Where is my kettle?"}]
TOOLS: Any = [{"type": "function", "function": {"name": "weigh", "parameters": {"type": "object"}}}]

client = wrap_openai(openai.OpenAI(api_key="sk-none", max_retries=0))
async_client = wrap_openai(openai.AsyncOpenAI(api_key="sk-none", max_retries=0))


@traceable
def chat() -> str | None:
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0.5)
    return answer.choices[0].message.content


@traceable
def stream() -> str:
    chunks: Any = client.chat.completions.create(
        model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@traceable
def tools() -> Any:
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, tools=TOOLS)
    calls: Any = answer.choices[0].message.tool_calls
    return calls[0].function.name


@traceable
def respond() -> str:
    return client.responses.create(model=MODEL, input="Where is my kettle?").output_text


@traceable
async def wait() -> str | None:
    answer = await async_client.chat.completions.create(model=MODEL, messages=MESSAGES)
    return answer.choices[0].message.content


@traceable
def broken() -> None:
    client.chat.completions.create(model="broken", messages=MESSAGES)


@traceable(
    run_type="embedding",
    metadata={"ls_provider": "openai", "ls_model_name": "text-embedding-3-small"},
)
def embed(text: str) -> dict[str, Any]:
    return client.embeddings.create(
        model="text-embedding-3-small", input=text, encoding_format="float"
    ).model_dump()


chat()
stream()
tools()
respond()
asyncio.run(wait())
with suppress(openai.BadRequestError):
    broken()
embed("kettle")
