"""An OpenAI of our own on loopback: chat completions, responses and embeddings, in its shapes, with fixed answers.

A chat that offers tools is answered with a call of the first one; model `broken` is answered with a 400.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = ("Wait ", "for ", "the ", "label.")
CHAT_USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 200,
    "total_tokens": 1200,
    "prompt_tokens_details": {"cached_tokens": 600, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 50, "audio_tokens": 0},
}
RESPONSE_USAGE = {
    "input_tokens": 1000,
    "output_tokens": 200,
    "total_tokens": 1200,
    "input_tokens_details": {"cached_tokens": 600},
    "output_tokens_details": {"reasoning_tokens": 50},
}


def _chat_head(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": kind,
        "created": 1795000000,
        "model": f"{body['model']}-2024-07-18",
        "service_tier": "default",
    }


def chat_completion(body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(WORDS), "refusal": None}
    if body.get("tools"):
        name = body["tools"][0]["function"]["name"]
        call = {
            "id": "call_1",
            "type": "function",
            "function": {"name": name, "arguments": '{"order": 7}'},
        }
        message |= {"content": None, "tool_calls": [call]}
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": "tool_calls" if body.get("tools") else "stop",
        "logprobs": None,
    }
    return {**_chat_head(body, "chat.completion"), "choices": [choice], "usage": CHAT_USAGE}


def chat_chunks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a chunk for each word, the end, and one of usage where the client asked for it."""
    head = _chat_head(body, "chat.completion.chunk") | {"usage": None}
    for number, word in enumerate(WORDS):
        delta = {"content": word} | ({"role": "assistant"} if number == 0 else {})
        yield head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if (body.get("stream_options") or {}).get("include_usage"):
        yield head | {"choices": [], "usage": CHAT_USAGE}


def response(body: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "output_text", "text": "".join(WORDS), "annotations": []}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1795000000,
        "model": f"{body['model']}-2024-07-18",
        "status": "completed",
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": RESPONSE_USAGE,
    }


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    data = [
        {"object": "embedding", "index": index, "embedding": [0.25, -0.5]}
        for index in range(len(texts))
    ]
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    return {"object": "list", "model": body["model"], "data": data, "usage": usage}


ANSWERS = {
    "/v1/chat/completions": chat_completion,
    "/v1/responses": response,
    "/v1/embeddings": embeddings,
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["model"] == "broken":
            error = {"message": "The model broke.", "type": "invalid_request_error", "code": None}
            self._answer(400, "application/json", json.dumps({"error": error}))
        elif body.get("stream"):
            chunks = [json.dumps(chunk) for chunk in chat_chunks(body)]
            events = "".join(f"data: {data}\n\n" for data in [*chunks, "[DONE]"])
            self._answer(200, "text/event-stream", events)
        else:
            self._answer(200, "application/json", json.dumps(ANSWERS[self.path](body)))

    def _answer(self, status: int, content_type: str, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: a test's output is the test's."""


@contextmanager
def running_openai() -> Iterator[str]:
    """Serve on a free port until the end of the block; yield the base URL for OpenAI's client."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
