from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import threading
import types
import uuid
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.load import dumpd
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.base import TextAccessor
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import RunnableLambda
from langsmith._internal._serde import dumps_json
from pydantic import BaseModel, Field, SecretStr, computed_field, field_serializer
from runwood.sending.encode import encode_body
from runwood.values import descriptions
from runwood.values.convert import MAX_ITEMS
from runwood.values.messages import chat_inputs, llm_outputs
from runwood.values.redaction import REDACTED, Redactor
from runwood.values.snapshot import MAX_DEPTH, MAX_STRING, Snapshot


def snap(value: Any, max_bytes: int = 8 << 20, redact: tuple[str, ...] = ()) -> Any:
    return Snapshot(max_bytes, Redactor(redact)).copy(value)


MESSAGES = [
    SystemMessage("be terse"),
    HumanMessage("hi", name="ann", id="h-1"),
    HumanMessage([{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "u"}}]),
    AIMessage("", tool_calls=[{"name": "f", "args": {"a": 1}, "id": "c", "type": "tool_call"}]),
    AIMessage("x", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}),
    AIMessage("x", invalid_tool_calls=[{"name": "f", "args": "{", "id": "c", "error": "e", "type": "invalid_tool_call"}]),
    AIMessageChunk(content="par", tool_call_chunks=[{"name": "f", "args": "{", "id": "c", "index": 0, "type": "tool_call_chunk"}]),
    ToolMessage("done", tool_call_id="c"),
    ToolMessage("done", tool_call_id="c", status="error", artifact={"rows": [1, 2]}),
    ChatMessage("x", role="critic"),
    FunctionMessage("x", name="f"),
    RemoveMessage(id="h-1"),
]  # fmt: skip


@pytest.mark.parametrize("message", MESSAGES, ids=lambda item: type(item).__name__)
def test_a_message_of_a_chat_model_is_what_dumpd_makes(message):
    copied = chat_inputs(Snapshot(1 << 20, Redactor()), [[message]])
    assert copied == {"messages": [[dumpd(message)]]}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda item: type(item).__name__)
def test_a_message_elsewhere_is_what_langsmith_sends(message):
    assert snap({"m": message}) == json.loads(dumps_json({"m": message}))


def test_a_models_answer_is_what_langsmith_sends():
    message = AIMessage("hi", response_metadata={"model_name": "m"})
    response = LLMResult(generations=[[ChatGeneration(message=message)]], llm_output={"a": 1})
    expected = response.model_dump()
    expected["generations"][0][0]["message"] = dumpd(message)
    assert llm_outputs(Snapshot(1 << 20, Redactor()), response) == expected


class Colour(enum.Enum):
    RED = "red"


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Order:
    number: int
    note: str = dataclasses.field(default="", repr=False)


class Customer(BaseModel):
    name: str
    phone: str | None = None
    key: SecretStr = SecretStr("sk-1")
    internal: int = Field(default=1, exclude=True)


class Price(BaseModel):
    cents: int

    @field_serializer("cents")
    def show(self, cents: int) -> str:
        return f"{cents / 100:.2f} €"

    @computed_field
    def is_free(self) -> bool:
        return self.cents == 0


class Text(str):
    pass


MOMENT = datetime.datetime(2026, 11, 24, 23, 13, tzinfo=datetime.timezone.utc)  # noqa: UP017


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Colour.RED, "red"),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Order(7, "hidden from its repr"), {"number": 7}),
        (Customer(name="Ann"), {"name": "Ann", "key": "**********"}),
        (Price(cents=150), {"cents": "1.50 €", "is_free": False}),
        (Text("x"), "x"),
        (Document("x", metadata={"a": 1}), {"page_content": "x", "metadata": {"a": 1}, "type": "Document"}),
        (collections.ChainMap({"a": 1}, {"b": 2}), {"a": 1, "b": 2}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (collections.deque([1, "x"]), [1, "x"]),
        (frozenset([1]), [1]),
        ((1, (2,)), [1, [2]]),
        (MOMENT, "2026-11-24T23:13:00+00:00"),
        (MOMENT.date(), "2026-11-24"),
        (datetime.timedelta(seconds=90), 90.0),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (b"abc", "YWJj"),
        (ValueError("bad"), {"error": "ValueError", "message": "bad"}),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (len, "<builtin_function_or_method builtins.len>"),
        (json, "<module json>"),
        (Order, f"<type {Order.__module__}.Order>"),
        ((n for n in [1]), "<generator <genexpr>, not read>"),
        (iter([1]), "<list_iterator, not read>"),
        (object(), "<builtins.object>"),
        (threading.Lock(), None),
    ],
    ids=lambda item: type(item).__name__,
)  # fmt: skip
def test_a_value_becomes_json(value, expected):
    copied = snap(value)
    json.dumps(copied)
    if expected is not None:
        assert copied == expected


def test_keys_that_are_no_strings_stay_apart():
    assert snap({1: "a", "1": "b", None: "c", (1, 2): "d"}) == {
        "1": "a",
        "1′": "b",
        "null": "c",
        "(1, 2)": "d",
    }


def test_numpy_arrays_are_shown_by_shape_and_head():
    numpy = pytest.importorskip("numpy")
    assert snap(numpy.array([1, 2])) == [1, 2]
    assert snap(numpy.zeros((100, 100)))["shape"] == [100, 100]
    assert snap(numpy.float64(0.5)) == 0.5


# --- by value -------------------------------------------------------------------------------------
def test_numpy_scalars_are_their_values():
    numpy = pytest.importorskip("numpy")
    assert snap(numpy.int64(3)) == 3
    assert snap(numpy.bool_(True)) is True
    assert snap(numpy.float32("nan")) == "nan"
    assert snap(numpy.datetime64("2026-01-01")) == "2026-01-01"
    assert snap(numpy.array([{"a": 1}, None], dtype=object)) == [{"a": 1}, None]


def test_tables_are_shown_by_their_columns_and_small_ones_by_their_rows():
    pandas = pytest.importorskip("pandas")
    assert snap(pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})) == {
        "type": "DataFrame", "shape": [2, 2], "columns": ["a", "b"],
        "rows": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
    }  # fmt: skip
    large = snap(pandas.DataFrame({"a": range(5000)}))
    assert large == {"type": "DataFrame", "shape": [5000, 1], "columns": ["a"]}
    assert snap(pandas.Series([1.5, float("nan")])) == [1.5, "nan"]
    assert snap(pandas.Series(range(5000)))["head"] == list(range(16))
    assert snap(pandas.NaT) == "NaT"
    assert snap(pandas.Timestamp("2026-01-01")) == "2026-01-01T00:00:00"


def test_a_picture_is_named_and_not_copied():
    image = pytest.importorskip("PIL.Image")
    assert snap(image.new("RGB", (640, 480))) == "<Image RGB 640x480>"


def test_no_address_of_an_object_is_in_its_repr():
    class Kept:
        def __repr__(self):
            return "<Kept of 3 at 0x7f0588c01450>"

    assert snap(Kept()) == "<Kept of 3>"


def test_what_the_app_changes_after_the_event_does_not_reach_the_trace(peer, handler):
    state = {"items": [1], "nested": {"a": 1}}

    def change(value: Any) -> Any:
        value["items"].append(2)
        value["nested"]["a"] = 99
        return value

    RunnableLambda(change).invoke(state, {"callbacks": [handler]})
    handler.flush()
    run = peer.named("change")
    assert run["inputs"] == {"items": [1], "nested": {"a": 1}}
    assert run["outputs"] == {"items": [1, 2], "nested": {"a": 99}}


def test_a_description_that_is_kept_is_made_anew_once_it_changes(peer, handler):
    from uuid import uuid4

    described = {"name": "Model", "id": ["a", "Model"], "kwargs": {"model": "first"}}
    for model in ("first", "first", "second"):
        described["kwargs"]["model"] = model
        handler.on_chat_model_start(described, [[]], run_id=uuid4())
    handler.flush()
    sent = [run["serialized"]["kwargs"]["model"] for run in peer.runs.values()]
    assert sent == ["first", "first", "second"]


def test_a_description_that_cannot_be_compared_is_still_copied(peer, handler):
    from uuid import uuid4

    class Touchy:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no")

        __hash__ = None

    described = {"name": "Model", "kwargs": {"model": "m", "touchy": Touchy()}}
    for _ in range(2):
        handler.on_chat_model_start(described, [[]], run_id=uuid4())
    handler.flush()
    assert [run["serialized"]["kwargs"]["model"] for run in peer.runs.values()] == ["m", "m"]


def test_langchains_own_text_is_a_string_like_any(peer):
    text = TextAccessor("lone \ud800, nul \0, sk-1")
    assert snap(text, redact=()) == text
    encoded = encode_body({"inputs": snap({"a": [text]})})
    assert json.loads(encoded)["inputs"]["a"] == ["lone \ufffd, nul \ufffd, sk-1"]


def test_metadata_is_copied_and_left_as_it_was(handler):
    metadata = {"thread_id": "1"}
    RunnableLambda(lambda x: x).invoke(1, {"callbacks": [handler], "metadata": metadata})
    assert metadata == {"thread_id": "1"}


def test_iterators_are_not_used_up():
    numbers = iter([1, 2])
    snap({"numbers": numbers})
    assert list(numbers) == [1, 2]


# --- bounds ---------------------------------------------------------------------------------------
def test_a_cycle_ends_at_its_second_visit():
    value: dict[str, Any] = {"name": "a"}
    value["self"] = value
    items: list[Any] = [value]
    items.append(items)
    assert snap(value) == {"name": "a", "self": "<dict, left out: it contains itself>"}
    assert snap(items)[1] == "<list, left out: it contains itself>"


def test_a_value_that_is_shared_but_no_cycle_is_shown_each_time():
    shared = {"a": 1}
    assert snap([shared, shared]) == [{"a": 1}, {"a": 1}]


def test_depth_is_bounded():
    value: Any = "bottom"
    for _ in range(100_000):
        value = [value]
    copied, depth = snap(value), 0
    while isinstance(copied, list):
        copied, depth = copied[0], depth + 1
    assert depth == MAX_DEPTH
    assert copied == f"<list, left out: deeper than {MAX_DEPTH} levels>"


def test_shared_containers_do_not_multiply():
    value: Any = ["x" * 100]
    for _ in range(60):
        value = [value] * 10
    assert len(json.dumps(snap(value, 1 << 20))) < 40 << 20


def test_a_long_list_keeps_its_head_and_tells_its_length():
    copied = snap([str(n) for n in range(MAX_ITEMS + 5)])
    assert copied[-1] == f"… [cut: {MAX_ITEMS:,} of {MAX_ITEMS + 5:,} items]"


def test_a_large_dict_keeps_its_head_and_tells_its_size():
    copied = snap({str(n): n for n in range(MAX_ITEMS + 5)})
    assert copied["…"] == f"[cut: {MAX_ITEMS:,} of {MAX_ITEMS + 5:,} keys]"


def test_an_embedding_is_kept_whole():
    vector = [n / 7 for n in range(3072)]
    assert snap(vector) == vector


def test_a_list_of_numbers_with_one_that_is_none_stays_valid():
    assert snap([0.5] * 100 + [math.nan])[-1] == "nan"


def test_a_long_string_keeps_its_head_and_tells_its_length():
    copied = snap("x" * (MAX_STRING + 10))
    assert copied.endswith(f"... [cut: {MAX_STRING:,} of {MAX_STRING + 10:,} characters]")


def test_small_neighbours_of_a_huge_value_are_kept():
    copied = snap({"page": "x" * 5_000_000, "answer": "yes", "list": [1]}, max_bytes=1_000_000)
    assert len(copied["page"]) < 1_000_100
    assert copied["answer"] == "yes"


# --- hostile objects ------------------------------------------------------------------------------
class Nasty:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


class Lazy:
    """Has every attribute, and makes noise when one is read."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was read")


class Endless(list):
    def __iter__(self) -> Any:
        raise RuntimeError("no iteration")


class HugeRepr:
    def __repr__(self) -> str:
        return "x" * 3_000_000


HOSTILE = {
    "nasty": Nasty,
    "lazy": Lazy,
    "endless": lambda: Endless([1]),
    "huge": HugeRepr,
    "key": lambda: {Nasty(): 1},
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_objects_become_short_words(make):
    copied = json.dumps(snap({"before": 1, "value": make(), "after": 2}))
    assert len(copied) < 3000
    assert '"after": 2' in copied


def test_a_keyboard_interrupt_in_a_repr_is_the_apps():
    class Impatient:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        snap(Impatient())


def test_a_payload_that_another_thread_changes_is_copied():
    shared = {str(n): n for n in range(1000)}
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            shared[str(uuid.uuid4())] = 1
            shared.popitem()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            assert len(snap(shared)) >= 1000
    finally:
        stop.set()
        thread.join()


JSON_LIKE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None, categories=None))
    | st.text(st.characters(codec=None, categories=None)).map(TextAccessor)
    | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.text(st.characters(codec=None, categories=None)) | st.integers() | st.none(),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON_LIKE)
def test_everything_becomes_json_that_postgres_can_take(value):
    encoded = encode_body({"inputs": snap(value)})
    assert b"\\u0000" not in encoded
    text = encoded.decode("utf-8")
    json.loads(text, parse_constant=pytest.fail)
    for number in _integers(json.loads(text)):
        assert -(1 << 63) <= number < 1 << 64


def _integers(value: Any) -> Any:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _integers(item)
    elif isinstance(value, int):
        yield value


# --- secrets --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "key",
    [
        "api_key", "apiKey", "OPENAI_API_KEY", "X-Api-Key", "authorization", "Authorization", "password",
        "db_password", "client_secret", "secret", "access_token", "token", "refreshToken", "cookie",
        "Set-Cookie", "private_key", "credentials", "aws_secret_access_key",
    ],
)  # fmt: skip
def test_a_secret_key_hides_its_value(key):
    assert snap({key: "s3cr3t", "other": 1}) == {key: REDACTED, "other": 1}


@pytest.mark.parametrize(
    "key",
    [
        "input_tokens", "total_tokens", "token_count", "max_tokens", "eos_token", "next_page_token",
        "author", "secretary", "passwordless_login_text", "key", "tokens",
    ],
)  # fmt: skip
def test_a_harmless_key_shows_its_value(key):
    assert snap({key: "shown"}) == {key: "shown"}


@pytest.mark.parametrize("value", [None, "", True, 5, {"type": "string", "title": "Password"}])
def test_what_is_no_secret_is_shown_under_any_key(value):
    assert snap({"password": value}) == {"password": value}


def test_structures_under_a_secret_key_are_hidden():
    assert snap({"credentials": {"user": "a"}}) == {"credentials": REDACTED}


def test_langchains_own_placeholder_of_a_secret_is_kept():
    placeholder = {"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}
    assert snap({"openai_api_key": placeholder}) == {"openai_api_key": placeholder}


def test_keys_of_the_users_choice_are_hidden_in_any_spelling():
    assert snap({"Customer-Email": "a@b.c"}, redact=("customer_email",)) == {
        "Customer-Email": REDACTED
    }


def test_secrets_in_inputs_metadata_and_invocation_parameters_stay_in_the_process(peer, handler):
    from sample_apps import ScriptedModel, says

    config = {"callbacks": [handler], "metadata": {"api_key": "sk-metadata"}}
    RunnableLambda(lambda x: x).invoke({"password": "sk-input"}, config)
    ScriptedModel([says("hi")]).bind(api_key="sk-params").invoke("hi", config)
    handler.flush()
    sent = b"".join(request.data for request in peer.requests)
    assert b"sk-" not in sent
    assert sent.count(REDACTED.encode()) >= 3


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Model(api_key='sk-1', name='m')", f"Model(api_key='{REDACTED}', name='m')"),
        ('Model(token="a\\"b", n=1)', f"Model(token='{REDACTED}', n=1)"),
        ("{'password': 'x', 'user': 'y'}", f"{{'password': '{REDACTED}', 'user': 'y'}}"),
        ("Model(max_tokens=5, eos_token='</s>')", "Model(max_tokens=5, eos_token='</s>')"),
        ("Model(api_key='sk-1 and then it was c", f"Model(api_key='{REDACTED}'"),
        ("api_key=", "api_key="),
    ],
)
def test_secrets_in_a_repr_are_hidden(text, scrubbed):
    assert Redactor().scrub(text) == scrubbed


def test_a_model_that_is_described_by_its_repr_does_not_show_its_key(peer, handler):
    from sample_apps import ScriptedModel, says

    class Keyed(ScriptedModel):
        api_key: str = ""

    Keyed([says("hi")], api_key="sk-in-the-repr").invoke("hi", {"callbacks": [handler]})
    handler.flush()
    assert peer.named("Keyed")["serialized"]["repr"]
    assert b"sk-in-the-repr" not in peer.requests[0].data


def test_an_unclosed_coroutine_is_named():
    async def work() -> None: ...

    coroutine = work()
    try:
        assert "coroutine" in snap(coroutine)
    finally:
        coroutine.close()
    assert asyncio.iscoroutine(coroutine)


# --- a component's own description ----------------------------------------------------------------
def described(handler, peer, serialized, count=2):
    for number in range(count):
        run_id = uuid.uuid4()
        handler.on_chat_model_start(serialized, [[]], run_id=run_id, name=f"call {number}")
        handler.on_llm_error(ValueError(), run_id=run_id)
        if number == 0:
            yield
    handler.flush()
    yield [peer.named(f"call {number}")["serialized"] for number in range(count)]


def test_a_description_that_stays_is_walked_once(peer, handler, monkeypatch):
    taken = []
    payloads = handler._payloads
    monkeypatch.setattr(
        payloads._descriptions,
        "_take",
        lambda item: taken.append(1) or payloads._copy_description(item),
    )
    first, second = list(described(handler, peer, {"id": ["a"], "kwargs": {"n": 1}}))[-1]
    assert first == second == {"id": ["a"], "kwargs": {"n": 1}}
    assert len(taken) == 1


def test_a_description_that_changes_is_recorded_as_it_is_then(peer, handler):
    serialized = {"id": ["a"], "kwargs": {"n": 1}}
    steps = described(handler, peer, serialized)
    next(steps)
    serialized["kwargs"]["n"] = 2
    first, second = list(steps)[-1]
    assert (first["kwargs"]["n"], second["kwargs"]["n"]) == (1, 2)


def test_a_secret_in_a_description_stays_hidden(peer, handler):
    serialized = {"id": ["a"], "kwargs": {"api_key": "s3cr3t-text"}}
    for seen in list(described(handler, peer, serialized))[-1]:
        assert seen["kwargs"]["api_key"] == "[redacted]"


def test_descriptions_are_kept_up_to_a_number(handler):
    kept = handler._payloads._descriptions
    for number in range(1000):
        kept.copy({"n": number})
    assert len(kept._kept) <= descriptions.MAX_KEPT
