"""A model's call as something to run elsewhere: OpenAI's messages, curl, Python."""

from __future__ import annotations

import json
from typing import Any

from collector.reads.types import RunDetail
from viewer.present.content import Text
from viewer.present.messages import Message
from viewer.present.payload import Conversation, Prose, read_payload

FORMS = ("openai", "curl", "python")
ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}
PARAMETERS = (
    "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "tools", "tool_choice",
    "response_format", "presence_penalty", "frequency_penalty",
)  # fmt: skip


def copy_as(detail: RunDetail, form: str) -> str | None:
    """Return a run's call in one of FORMS; None where it was given no messages."""
    messages = openai_messages(detail.inputs)
    if not messages:
        return None
    if form == "openai":
        return _json(messages)
    body = {"model": detail.run.model or "gpt-4.1", "messages": messages, **_parameters(detail)}
    if form == "curl":
        quoted = _json(body).replace("'", "'\\''")
        return (
            "curl https://api.openai.com/v1/chat/completions \\\n"
            '  -H "Authorization: Bearer $OPENAI_API_KEY" \\\n'
            '  -H "Content-Type: application/json" \\\n'
            f"  -d '{quoted}'\n"
        )
    arguments = ",\n".join(f"    {key}={_python(value)}" for key, value in body.items())
    return (
        "from openai import OpenAI\n\n"
        f"answer = OpenAI().chat.completions.create(\n{arguments},\n)\n"
        "print(answer.choices[0].message.content)\n"
    )


def openai_messages(inputs: Any) -> list[dict[str, Any]]:
    """Return what a run was given as messages of OpenAI's chat API; texts stay, all other parts are left out."""
    payload = read_payload(inputs)
    if isinstance(payload, Prose):
        return [{"role": "user", "content": text} for text in payload.texts]
    if not isinstance(payload, Conversation):
        return []
    return [item for message in payload.messages for item in _message(message)]


def _message(message: Message) -> list[dict[str, Any]]:
    texts = [part.text for part in message.parts if isinstance(part, Text)]
    results = [
        {"role": "tool", "tool_call_id": call_id, "content": _as_text(result.value)}
        for call_id, result in message.results
    ]
    if not texts and not message.calls:
        return results
    item: dict[str, Any] = {"role": ROLES.get(message.role, "user"), "content": "\n\n".join(texts)}
    if message.calls:
        item["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _as_text(call.arguments)},
            }
            for call in message.calls
        ]
    return [item, *results]


def _parameters(detail: RunDetail) -> dict[str, Any]:
    given = detail.extra.get("invocation_params")
    given = given if isinstance(given, dict) else {}
    return {key: given[key] for key in PARAMETERS if given.get(key) is not None}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _python(value: Any) -> str:
    """Return a literal of Python: `repr` of what JSON holds is one."""
    text = repr(json.loads(json.dumps(value, default=str)))
    return text if len(text) < 80 else _indented(value)


def _indented(value: Any) -> str:
    if isinstance(value, list):
        return "[\n" + "".join(f"        {item!r},\n" for item in value) + "    ]"
    return repr(value)
