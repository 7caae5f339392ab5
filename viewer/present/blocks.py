"""The input and the output of a run, ready for a template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from collector.reads.types import RunDetail, RunSummary
from viewer.present.budget import Budget
from viewer.present.conversation import ConversationView, FindRuns, view_conversation
from viewer.present.document_views import DocumentView, view_documents
from viewer.present.html import EMPTY, Html
from viewer.present.jsonview import render_json
from viewer.present.numbers import format_bytes, pluralize
from viewer.present.payload import (
    Conversation,
    Documents,
    Json,
    Nothing,
    Payload,
    Prose,
    read_payload,
)
from viewer.present.trace_query import TraceQuery
from viewer.present.words import Words, parse_json_text, read_words

PICTURE_WORDS = {
    "conversation": "Messages",
    "documents": "Documents",
    "words": "Text",
    "json": "JSON",
}


@dataclass(frozen=True, slots=True)
class FormLink:
    """One way to show a block."""

    word: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class BlockView:
    """A block of the run tab. `picture` says which of the fields holds its body."""

    name: str  # input or output
    title: str
    note: str
    picture: str  # conversation, documents, words, json, nothing
    forms: tuple[FormLink, ...] = ()
    conversation: ConversationView | None = None
    documents: tuple[DocumentView, ...] = ()
    texts: tuple[Words, ...] = ()
    json: Html = EMPTY
    rest: Html = EMPTY
    rest_note: str = ""
    load_size: str = ""  # set where something was left out
    finish_reason: str = ""


@dataclass(frozen=True, slots=True)
class BlockContext:
    """What blocks need beside their value."""

    detail: RunDetail
    query: TraceQuery
    budget: Budget
    find_runs_before: FindRuns
    find_runs_after: FindRuns
    run_link: Callable[[RunSummary], str]


def view_input(context: BlockContext) -> BlockView:
    is_retriever = context.detail.run.run_type == "retriever"
    titles = {"words": "Query"} if is_retriever else {"documents": "Documents"}
    return _view_block(context, "input", context.detail.inputs, titles, context.query.input_form)


def view_output(context: BlockContext) -> BlockView:
    titles = {"documents": "Documents"}
    return _view_block(context, "output", context.detail.outputs, titles, context.query.output_form)


def _view_block(
    context: BlockContext, name: str, value: Any, titles: Mapping[str, str], form: str
) -> BlockView:
    omissions = context.budget.omissions
    payload = _simplify(read_payload(value))
    picture = _picture_of(payload)
    shown = Json(value) if form == "json" and picture != "nothing" else payload
    view = _view(context, name, shown)
    size = context.detail.raw_sizes.get(f"{name}s")
    if picture in ("json", "nothing"):
        forms: tuple[FormLink, ...] = ()
    else:
        forms = _forms(context.query, name, picture, form)
    return replace(
        view,
        title=titles.get(picture, name.capitalize()),
        note=view.note or format_bytes(size) if size and picture != "nothing" else view.note,
        forms=forms,
        load_size=format_bytes(size) if size and context.budget.omissions > omissions else "",
    )


def _simplify(payload: Payload) -> Payload:
    """A tool's answer comes as a message: what counts is its content. JSON may come as text."""
    if isinstance(payload, Conversation) and len(payload.messages) == 1 and not payload.rest:
        message = payload.messages[0]
        if message.role == "tool" and len(message.results) == 1 and not message.parts:
            inner = message.results[0][1].value
            return read_payload(inner) if inner else payload
    if isinstance(payload, Prose) and len(payload.texts) == 1 and not payload.rest:
        value = parse_json_text(payload.texts[0])
        if value is not None:
            return read_payload(value)
    return payload


def _picture_of(payload: Payload) -> str:
    kinds = {Conversation: "conversation", Documents: "documents", Prose: "words", Json: "json"}
    return kinds.get(type(payload), "nothing")


def _forms(query: TraceQuery, name: str, picture: str, form: str) -> tuple[FormLink, ...]:
    field = f"{name}_form"
    return (
        FormLink(PICTURE_WORDS[picture], query.url(**{field: ""}), form == ""),
        FormLink("JSON", query.url(**{field: "json"}), form == "json"),
    )


def _view(context: BlockContext, name: str, payload: Payload) -> BlockView:
    budget = context.budget
    if isinstance(payload, Conversation):
        return _view_messages(context, name, payload)
    if isinstance(payload, Documents):
        documents = view_documents(payload.documents, budget)
        view = BlockView(
            name,
            "",
            pluralize(len(payload.documents), "document"),
            "documents",
            documents=documents,
        )
        return _with_rest(view, payload.rest, budget)
    if isinstance(payload, Prose):
        texts = tuple(read_words(text, budget, folds="tall") for text in payload.texts)
        note = pluralize(sum(map(len, payload.texts)), "character")
        return _with_rest(BlockView(name, "", note, "words", texts=texts), payload.rest, budget)
    if isinstance(payload, Json):
        return BlockView(
            name, "", _count_keys(payload.value), "json", json=render_json(payload.value, budget)
        )
    assert isinstance(payload, Nothing)
    return BlockView(name, "", "", "nothing")


def _view_messages(context: BlockContext, name: str, payload: Conversation) -> BlockView:
    is_output = name == "output"
    conversation = view_conversation(
        payload.messages,
        context.budget,
        is_output=is_output,
        find_runs=context.find_runs_after if is_output else context.find_runs_before,
        run_link=context.run_link,
        show_all=context.query.show_all_messages,
    )
    view = BlockView(
        name,
        "",
        pluralize(len(payload.messages), "message"),
        "conversation",
        conversation=conversation,
        finish_reason=payload.messages[-1].finish_reason[:60] if is_output else "",
    )
    return _with_rest(view, payload.rest, context.budget)


def _with_rest(view: BlockView, rest: Mapping[str, Any], budget: Budget) -> BlockView:
    if not rest:
        return view
    note = f"{pluralize(len(rest), 'more key')}"
    return replace(view, rest=render_json(dict(rest), budget, open_depth=2), rest_note=note)


def _count_keys(value: Any) -> str:
    if isinstance(value, dict):
        return pluralize(len(value), "key")
    return pluralize(len(value), "item") if isinstance(value, list) else ""
