"""What each convention's attributes become: LangSmith's, traceloop's, OpenInference's, gen_ai's, the Vercel AI SDK's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.wire.otlp_support import (
    extra_of,
    left_of,
    metadata_of,
    parsed,
    run_of,
    run_with,
)

QUESTION = {"role": "user", "content": "why?"}
ANSWER = {"role": "assistant", "content": "so"}
CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"q": 1}'}}


# --- Name and type --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"langsmith.trace.name": "a", "traceloop.entity.name": "b"}, "a"),
        ({"traceloop.entity.name": "b", "tool.name": "c"}, "b"),
        ({"tool.name": "c"}, "c"),
        ({"ai.toolCall.name": "d"}, "d"),
        ({}, "work"),
    ],
)
def test_the_name_is_the_first_that_a_convention_gives(
    attributes: dict[str, Any], name: str
) -> None:
    assert run_with(attributes).name == name


@pytest.mark.parametrize(
    ("attributes", "run_type"),
    [
        ({"langsmith.span.kind": "Retriever", "gen_ai.operation.name": "chat"}, "retriever"),
        ({"gen_ai.operation.name": "chat"}, "llm"),
        ({"gen_ai.operation.name": "text_completion"}, "llm"),
        ({"gen_ai.operation.name": "generate_content"}, "llm"),
        ({"gen_ai.operation.name": "embeddings"}, "embedding"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool"),
        ({"gen_ai.operation.name": "invoke_agent"}, "chain"),
        ({"gen_ai.operation.name": "new", "openinference.span.kind": "LLM"}, "llm"),
        ({"llm.request.type": "chat"}, "llm"),
        ({"openinference.span.kind": "AGENT"}, "chain"),
        ({"openinference.span.kind": "RERANKER"}, "retriever"),
        ({"openinference.span.kind": "EMBEDDING"}, "embedding"),
        ({"traceloop.span.kind": "workflow"}, "chain"),
        ({"traceloop.span.kind": "tool"}, "tool"),
        ({"gen_ai.tool.name": "look_up"}, "tool"),
        ({"llm.prompt_template.variables": "{}"}, "prompt"),
        ({"ai.operationId": "ai.generateText"}, "chain"),
        ({"ai.operationId": "ai.streamText.doStream"}, "llm"),
        ({"ai.operationId": "ai.embed.doEmbed"}, "embedding"),
        ({"ai.operationId": "ai.toolCall"}, "tool"),
        ({"openinference.span.kind": 7}, "chain"),
    ],
)
def test_the_type_is_the_first_that_a_convention_gives(
    attributes: dict[str, Any], run_type: str
) -> None:
    assert run_with(attributes).run_type == run_type


# --- Metadata, tags, model, parameters ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "metadata"),
    [
        ({"langsmith.metadata.shop": "kiln", "langsmith.metadata.n": 1}, {"shop": "kiln", "n": 1}),
        ({"langsmith.metadata.a.b": '{"c": [1]}'}, {"a.b": {"c": [1]}}),
        ({"traceloop.association.properties.user": "u"}, {"user": "u"}),
        ({"ai.telemetry.metadata.user": "u"}, {"user": "u"}),
        ({"metadata": '{"a": {"b": 1}}'}, {"a": {"b": 1}}),
        ({"session.id": "s"}, {"session_id": "s"}),
        ({"gen_ai.conversation.id": "s"}, {"conversation_id": "s"}),
        ({"user.id": "u"}, {"user_id": "u"}),
        ({"langsmith.metadata.session_id": "a", "session.id": "b"}, {"session_id": "a"}),
        ({"gen_ai.request.model": "a", "gen_ai.response.model": "b"}, {"ls_model_name": "a"}),
        ({"llm.model_name": "a"}, {"ls_model_name": "a"}),
        ({"ai.model.id": "a", "ai.model.provider": "b"}, {"ls_model_name": "a", "ls_provider": "b"}),
        ({"gen_ai.provider.name": "openai"}, {"ls_provider": "openai"}),
        ({"gen_ai.system": "langchain"}, {}),
        ({"langsmith.metadata.ls_provider": "a", "gen_ai.system": "b"}, {"ls_provider": "a"}),
    ],
)  # fmt: skip
def test_metadata_come_from_every_convention(
    attributes: dict[str, Any], metadata: dict[str, Any]
) -> None:
    assert metadata_of(run_with(attributes)) == metadata


@pytest.mark.parametrize(
    ("attributes", "tags"),
    [
        ({"langsmith.span.tags": "a, b,a,"}, ["a", "b"]),
        ({"tag.tags": ["b", "c"]}, ["b", "c"]),
        ({"tag.tags": '["b"]', "langsmith.span.tags": "a"}, ["a", "b"]),
    ],
)
def test_tags_are_lists_or_words_between_commas(
    attributes: dict[str, Any], tags: list[str]
) -> None:
    assert run_with(attributes).tags == tags


SCHEMA = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("attributes", "parameters"),
    [
        (
            {"gen_ai.request.temperature": 0.5, "gen_ai.request.stop_sequences": ["x"]},
            {"temperature": 0.5, "stop_sequences": ["x"]},
        ),
        ({"llm.invocation_parameters": '{"top_p": 1}'}, {"top_p": 1}),
        ({"ai.settings.maxRetries": 2}, {"maxRetries": 2}),
        (
            {
                "llm.request.functions.0.name": "look_up",
                "llm.request.functions.0.parameters": '{"type": "object"}',
            },
            {"tools": [SCHEMA]},
        ),
        ({"llm.tools.0.tool.json_schema": json.dumps(SCHEMA)}, {"tools": [SCHEMA]}),
        ({"gen_ai.tool.definitions": json.dumps([SCHEMA])}, {"tools": [SCHEMA]}),
        ({"ai.prompt.tools": [json.dumps(SCHEMA)]}, {"tools": [SCHEMA]}),
        ({"ai.prompt.toolChoice": '{"type": "auto"}'}, {"tool_choice": {"type": "auto"}}),
    ],
)
def test_parameters_of_the_call_are_told_apart(
    attributes: dict[str, Any], parameters: dict[str, Any]
) -> None:
    assert extra_of(run_with(attributes))["invocation_params"] == parameters


def test_what_ran_is_kept_as_serialized() -> None:
    run = run_with({"gen_ai.serialized.name": "model", "gen_ai.serialized.doc": "…"})
    assert parsed(run.serialized) == {"name": "model", "doc": "…"}


# --- Inputs and outputs: whole values ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["input.value", "traceloop.entity.input", "gen_ai.prompt", "prompt", "tool_arguments", "ai.prompt",
     "gen_ai.tool.call.arguments", "ai.toolCall.args"],
)  # fmt: skip
def test_an_object_is_the_inputs(name: str) -> None:
    run = run_with({name: '{"q": 1, "big": 1e400}'})
    assert run.inputs == b'{"q": 1, "big": 1e400}'  # not a digit is changed


@pytest.mark.parametrize(
    "name",
    ["output.value", "traceloop.entity.output", "gen_ai.completion", "gen_ai.tool.call.result",
     "ai.toolCall.result", "ai.response.object"],
)  # fmt: skip
def test_an_object_is_the_outputs(name: str) -> None:
    assert parsed(run_with({name: '{"a": 1}'}).outputs) == {"a": 1}


@pytest.mark.parametrize(
    ("value", "inputs"),
    [
        ("why?", {"input": "why?"}),
        ("[1, 2]", {"input": [1, 2]}),
        ("{no json", {"input": "{no json"}),
        (json.dumps([QUESTION]), {"messages": [QUESTION]}),
        ({"q": [1, None, True]}, {"q": [1, None, True]}),
        ([1, 2.5], {"input": [1, 2.5]}),
        (7, {"input": 7}),
    ],
)
def test_a_value_that_is_no_object_is_wrapped(value: Any, inputs: Any) -> None:
    assert parsed(run_with({"gen_ai.prompt": value}).inputs) == inputs


@pytest.mark.parametrize(
    ("mime_type", "value", "inputs"),
    [
        ("application/json", '"text"', {"input": "text"}),
        ("application/json", "7", {"input": 7}),
        ("application/json", "no json", {"input": "no json"}),
        ("text/plain", '{"a": 1}', {"input": '{"a": 1}'}),
        ("text/plain", "7", {"input": "7"}),
    ],
)
def test_the_mime_type_says_whether_a_value_is_json(
    mime_type: str, value: str, inputs: Any
) -> None:
    run = run_with({"input.value": value, "input.mime_type": mime_type})
    assert parsed(run.inputs) == inputs
    assert left_of(run) == {}


def test_of_several_values_the_first_wins_and_the_others_are_kept() -> None:
    run = run_with({"input.value": "a", "prompt": "b"})
    assert parsed(run.inputs) == {"input": "a"}
    assert left_of(run) == {"prompt": "b"}


# --- Inputs and outputs: messages -------------------------------------------------------------------------


def test_traceloops_numbered_messages_are_messages() -> None:
    run = run_with(
        {
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "be kind",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": json.dumps([{"type": "text", "text": "why?"}]),
            "gen_ai.prompt.10.role": "tool",
            "gen_ai.prompt.10.content": "42",
            "gen_ai.prompt.10.tool_call_id": "c1",
            "gen_ai.completion.0.content": "",
            "gen_ai.completion.0.finish_reason": "tool_calls",
            "gen_ai.completion.0.tool_calls.0.id": "c1",
            "gen_ai.completion.0.tool_calls.0.name": "look_up",
            "gen_ai.completion.0.tool_calls.0.arguments": '{"q": 1}',
        }
    )
    assert parsed(run.inputs) == {
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": [{"type": "text", "text": "why?"}]},
            {"role": "tool", "content": "42", "tool_call_id": "c1"},
        ]
    }
    assert parsed(run.outputs) == {
        "messages": [
            {
                "role": "assistant",
                "content": "",
                "finish_reason": "tool_calls",
                "tool_calls": [CALL],
            }
        ]
    }
    assert left_of(run) == {}


def test_openinferences_numbered_messages_are_messages() -> None:
    prefix = "llm.input_messages.0.message"
    answer = "llm.output_messages.0.message"
    run = run_with(
        {
            f"{prefix}.role": "user",
            f"{prefix}.contents.0.message_content.type": "text",
            f"{prefix}.contents.0.message_content.text": "what is this?",
            f"{prefix}.contents.1.message_content.type": "image",
            f"{prefix}.contents.1.message_content.image.image.url": "data:image/png;base64,AA==",
            f"{prefix}.contents.2.message_content.type": "audio",
            f"{prefix}.contents.2.message_content.audio.audio.url": "https://a",
            f"{prefix}.contents.2.message_content.audio.audio.mime_type": "audio/wav",
            f"{answer}.role": "assistant",
            f"{answer}.tool_calls.0.tool_call.id": "c1",
            f"{answer}.tool_calls.0.tool_call.function.name": "look_up",
            f"{answer}.tool_calls.0.tool_call.function.arguments": '{"q": 1}',
        }
    )
    assert parsed(run.inputs)["messages"][0]["content"] == [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        {"type": "audio", "url": "https://a", "mime_type": "audio/wav"},
    ]
    assert parsed(run.outputs)["messages"][0]["tool_calls"] == [CALL]


def test_numbered_messages_with_message_in_their_names_are_messages_too() -> None:
    run = run_with(
        {"gen_ai.prompt.0.message.role": "USER", "gen_ai.prompt.0.message.content": "why?"}
    )
    assert parsed(run.inputs) == {"messages": [QUESTION]}


def test_a_number_past_all_reason_costs_no_more_than_its_message() -> None:
    run = run_with({"gen_ai.prompt.999999999.content": "why?"})
    assert parsed(run.inputs) == {"messages": [QUESTION]}


def test_names_that_contradict_each_other_are_both_kept() -> None:
    run = run_with(
        {"gen_ai.prompt.0.content": "a", "gen_ai.prompt.0.content.b": "c", "gen_ai.prompt.0.d.e": 1, "gen_ai.prompt.0.d": 2}
    )  # fmt: skip
    (message,) = parsed(run.inputs)["messages"]
    assert (message["content"], message["content.b"]) == ("a", "c")
    assert 2 in message.values()


PARTS_IN = [
    {
        "role": "user",
        "parts": [
            {"type": "text", "content": "what is this?"},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AA=="},
            {"type": "uri", "modality": "image", "uri": "https://a/b.png"},
            {"type": "uri", "modality": "audio", "mime_type": "audio/wav", "uri": "https://a"},
            {"type": "new", "x": 1},
        ],
    },
    {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": "hm"},
            {"type": "tool_call", "id": "c1", "name": "look_up", "arguments": {"q": 1}},
        ],
    },
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": {"a": 1}}]},
]
PARTS_OUT = [
    {"role": "assistant", "parts": [{"type": "text", "content": "so"}], "finish_reason": "stop"}
]
SYSTEM = [{"type": "text", "content": "be kind"}]
MESSAGES_IN = [
    {"role": "system", "content": "be kind"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "what is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
            {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
            {"type": "audio", "url": "https://a", "mime_type": "audio/wav"},
            {"type": "new", "x": 1},
        ],
    },
    {
        "role": "assistant",
        "content": [{"type": "reasoning", "reasoning": "hm"}],
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": {"q": 1}}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": '{"a":1}'},
]
MESSAGES_OUT = [{"role": "assistant", "content": "so", "finish_reason": "stop"}]


def as_text(value: Any) -> Any:
    return json.dumps(value)


def as_it_is(value: Any) -> Any:
    return value


@pytest.mark.parametrize("form", [as_text, as_it_is])
@pytest.mark.parametrize("holder", ["attributes", "event"])
def test_messages_of_parts_are_messages(form: Any, holder: str) -> None:
    said = {
        "gen_ai.input.messages": form(PARTS_IN),
        "gen_ai.output.messages": form(PARTS_OUT),
        "gen_ai.system_instructions": form(SYSTEM),
    }
    run = (
        run_with(said)
        if holder == "attributes"
        else run_of(events=[("gen_ai.client.inference.operation.details", said)])
    )
    assert parsed(run.inputs) == {"messages": MESSAGES_IN}
    assert parsed(run.outputs) == {"messages": MESSAGES_OUT}
    assert (left_of(run), run.events) == ({}, b"")


def test_a_tool_of_the_newest_convention_has_its_arguments_and_result() -> None:
    run = run_with(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "look_up",
            "gen_ai.tool.call.arguments": '{"q": 1}',
            "gen_ai.tool.call.result": "42",
        }
    )
    assert run.run_type == "tool"
    assert (parsed(run.inputs), parsed(run.outputs)) == ({"q": 1}, {"output": "42"})


def test_message_events_are_messages() -> None:
    run = run_of(
        events=[
            ("gen_ai.system.message", {"content": "be kind", "gen_ai.system": "openai"}),
            ("gen_ai.user.message", {"content": "why?"}),
            ("gen_ai.assistant.message", {"tool_calls": json.dumps([CALL])}),
            ("gen_ai.tool.message", {"id": "c1", "content": "42"}),
            ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": json.dumps(ANSWER)}),
            ("something.else", {}),
        ]
    )
    assert parsed(run.inputs) == {
        "messages": [
            {"role": "system", "content": "be kind"},
            QUESTION,
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "42", "tool_call_id": "c1"},
        ]
    }
    assert parsed(run.outputs) == {"messages": [{**ANSWER, "finish_reason": "stop"}]}
    assert [event["name"] for event in parsed(run.events)] == ["something.else"]


def test_message_events_that_hold_their_body_as_json_are_messages() -> None:
    run = run_of(
        events=[
            ("gen_ai.user.message", {"gen_ai.event.content": json.dumps(QUESTION)}),
            ("gen_ai.choice", {"gen_ai.event.content": json.dumps({"index": 0, "message": ANSWER})}),
        ]
    )  # fmt: skip
    assert parsed(run.inputs) == {"messages": [QUESTION]}
    assert parsed(run.outputs) == {"messages": [ANSWER]}


def test_content_events_are_inputs_and_outputs() -> None:
    run = run_of(
        events=[
            ("gen_ai.content.prompt", {"gen_ai.prompt": json.dumps([QUESTION])}),
            ("gen_ai.content.completion", {"gen_ai.completion": json.dumps([ANSWER])}),
        ]
    )
    assert parsed(run.inputs) == {"messages": [QUESTION]}
    assert parsed(run.outputs) == {"messages": [ANSWER]}
    assert run.events == b""


def test_events_are_kept_where_attributes_have_said_it_already() -> None:
    run = run_of(
        attributes={"input.value": "a"}, events=[("gen_ai.user.message", {"content": "why?"})]
    )
    assert parsed(run.inputs) == {"input": "a"}
    assert [event["name"] for event in parsed(run.events)] == ["gen_ai.user.message"]


LOGFIRE = [
    {"event.name": "gen_ai.user.message", "gen_ai.message.index": 0, "content": "why?", "role": "user"},
    {"event.name": "gen_ai.choice", "index": 0, "message": ANSWER},
]  # fmt: skip


def test_logfires_list_of_events_is_messages() -> None:
    run = run_with({"events": json.dumps(LOGFIRE)})
    assert parsed(run.inputs) == {"messages": [QUESTION]}
    assert parsed(run.outputs) == {"messages": [ANSWER]}


def test_logfires_whole_conversation_is_the_outputs() -> None:
    run = run_with({"all_messages_events": json.dumps(LOGFIRE)})
    assert parsed(run.outputs) == {"messages": [QUESTION, ANSWER]}


def test_the_vercel_ai_sdks_messages_and_calls_are_messages() -> None:
    run = run_with(
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.prompt.messages": json.dumps([QUESTION]),
            "ai.response.text": "so",
            "ai.response.toolCalls": json.dumps(
                [{"toolCallId": "c1", "toolName": "look_up", "input": '{"q": 1}'}]
            ),
        }
    )
    assert parsed(run.inputs) == {"messages": [QUESTION]}
    assert parsed(run.outputs) == {"messages": [{**ANSWER, "tool_calls": [CALL]}]}


def test_what_a_retriever_found_is_documents() -> None:
    prefix = "retrieval.documents.0.document"
    run = run_with(
        {
            f"{prefix}.content": "Kettles",
            f"{prefix}.metadata": '{"page": 1}',
            f"{prefix}.score": 0.5,
            f"{prefix}.id": "d1",
            "output.value": "…",
        }
    )
    assert parsed(run.outputs) == {
        "documents": [
            {
                "type": "Document",
                "page_content": "Kettles",
                "metadata": {"page": 1},
                "score": 0.5,
                "id": "d1",
            }
        ]
    }
    assert left_of(run) == {"output.value": "…"}
