from __future__ import annotations

import json
import math
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.wire import jsontext
from collector.wire.jsontext import (
    CONTROL_NOTE,
    DEPTH_NOTE,
    NOT_FINITE_NOTE,
    SURROGATE_NOTE,
    UTF8_NOTE,
    find_items,
    flatten,
    has_member_twice,
    has_more_values_than,
    is_deeper_than,
    repair,
)

# Any text, lone surrogates and NUL among it: what Python's and JavaScript's strings may hold.
any_text = st.text(st.characters(exclude_categories=()), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(any_text, children, max_size=4)
    ),
    max_leaves=20,
)
clean_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=6), children, max_size=4)
    ),
    max_leaves=20,
)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def mended(value: Any) -> Any:
    """What is to be read back where `value` was written by Python's json."""
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [mended(item) for item in value]
    if isinstance(value, dict):
        return {mended(key): mended(item) for key, item in value.items()}
    return value


@given(values)
def test_whatever_python_writes_can_be_read_after_repair(value: Any) -> None:
    text, _ = repair(json.dumps(value).encode(), max_depth=200)
    assert json.loads(text) == mended(value)
    msgspec.json.Decoder(msgspec.Raw).decode(text)


@given(values)
def test_repair_takes_unescaped_text_too(value: Any) -> None:
    raw = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
    text, _ = repair(raw, max_depth=200)
    msgspec.json.Decoder(msgspec.Raw).decode(text)


@given(clean_values)
def test_repair_leaves_good_json_as_it_is(value: Any) -> None:
    text = json.dumps(value).encode()
    assert repair(text, max_depth=200) == (text, [])


@given(clean_values, st.integers(min_value=1, max_value=6))
def test_depth_is_told_exactly(value: Any, limit: int) -> None:
    text = json.dumps(value).encode()
    assert is_deeper_than(text, limit) == (depth_of(value) > limit)


@given(clean_values, st.integers(min_value=1, max_value=6))
def test_flattened_json_is_as_deep_as_allowed(value: Any, limit: int) -> None:
    notes: list[str] = []
    flat = json.loads(flatten(json.dumps(value).encode(), max_depth=limit, notes=notes))
    assert depth_of(flat) == min(depth_of(value), limit)
    assert notes == ([DEPTH_NOTE] if depth_of(value) > limit else [])


def test_a_subtree_that_is_too_deep_becomes_a_string_of_its_json() -> None:
    text = flatten(b'{"a":[{"b":"x\\"]"}],"c":1}', max_depth=2, notes=[])
    assert json.loads(text) == {"a": ['{"b":"x\\"]"}'], "c": 1}


@pytest.mark.parametrize("depth", [5_000, 1_000_000])
def test_depth_costs_no_stack(depth: int) -> None:
    text, notes = repair(b"[" * depth + b"]" * depth, max_depth=200)
    assert notes == [DEPTH_NOTE]
    assert depth_of(json.loads(text)) == 200


@pytest.mark.parametrize("size", [1_000, jsontext.SPLIT_MAX_BYTES])
def test_brackets_and_quotes_in_strings_do_not_count(size: int) -> None:
    text = json.dumps(["[{" * size, '"[' * size, "\\", '\\"[[[']).encode()
    assert not is_deeper_than(text, 1)


@pytest.mark.parametrize(
    ("text", "result", "note"),
    [
        (b'{"a":NaN}', b'{"a":"NaN"}', NOT_FINITE_NOTE),
        (b"[Infinity,-Infinity]", b'["Infinity","-Infinity"]', NOT_FINITE_NOTE),
        (rb'["\ud800"]', rb'["\ufffd"]', SURROGATE_NOTE),
        (rb'["\uDC00x\\ud800"]', rb'["\ufffdx\\ud800"]', SURROGATE_NOTE),
        (rb'["\ud83d\ude00\ud83d"]', rb'["\ud83d\ude00\ufffd"]', SURROGATE_NOTE),
        (b'["\xff"]', '["\ufffd"]'.encode(), UTF8_NOTE),
        (b'["\xed\xa0\x80"]', '["\ufffd\ufffd\ufffd"]'.encode(), UTF8_NOTE),
        (b'["a\nb\x00"]', rb'["a\u000ab\u0000"]', CONTROL_NOTE),
    ],
)
def test_each_defect_is_mended_and_noted(text: bytes, result: bytes, note: str) -> None:
    assert repair(text, max_depth=200) == (result, [note])


@pytest.mark.parametrize(
    "text",
    [b'["NaN","-Infinity"]', b'[\n"a"\n]', rb'["\\ud800", "\ud83d\ude00", "\u0000"]', b"[1e400]"],
)
def test_what_only_looks_like_a_defect_is_left_alone(text: bytes) -> None:
    assert repair(text, max_depth=200) == (text, [])


def test_digits_of_huge_numbers_are_kept() -> None:
    text = b'{"a":%s,"b":NaN}' % (b"9" * 5_000)
    assert b"9" * 5_000 in repair(text, max_depth=200)[0]


def test_values_are_counted_across_texts() -> None:
    assert has_more_values_than(5, [b"[1,2,3]", b"[1,2,3]"])
    assert not has_more_values_than(6, [b"[1,2,3]", b"[1,2,3]"])


def test_separators_in_strings_are_no_values() -> None:
    assert not has_more_values_than(10, [json.dumps([",:{[" * 50]).encode()])


def test_items_are_found_around_a_malformed_one() -> None:
    frame, items = find_items(
        b'{"post":[{"a":[{}]},{"b" oops "]}"}],"patch": [ {} ,7],"client":{"d":{}}}'
    )
    assert frame == (
        b'{"post":[{"item":0},{"item":1}],"patch": [ {"item":2} ,7],"client":{"d":{}}}'
    )
    assert items == [b'{"a":[{}]}', b'{"b" oops "]}"}', b"{}"]


@given(st.binary(max_size=300) | st.text('"\\[]{},:aNn\n', max_size=300).map(str.encode))
def test_no_bytes_make_the_tools_fail(text: bytes) -> None:
    mended_text, _ = repair(text, max_depth=3)
    find_items(mended_text)
    is_deeper_than(text, 3)
    has_more_values_than(1, [text])


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [b'"' + b'\\"' * 3_000_000, b'"\\' * 3_000_000, b'["' * 1_000_000, b"]" * 3_000_000],
    ids=["escapes without an end", "quotes and escapes", "open strings", "only closing"],
)
def test_hostile_text_costs_linear_time(text: bytes) -> None:
    repair(text, max_depth=200)
    find_items(text)


def test_only_members_of_the_top_level_are_seen_twice() -> None:
    assert has_member_twice(b'{"post":[], "a":{"b":[]}, "post" : []}', b"post")
    assert not has_member_twice(b'{"post":["post",{"post":[]}],"client":"post"}', b"post")


@pytest.mark.parametrize("text", [b'["a"' + b'"a"' * 50, b"[" + b"]" * 50], ids=["strings", "ends"])
def test_what_has_no_separators_is_counted_too(text: bytes) -> None:
    assert has_more_values_than(20, [text])


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "text",
    [
        b'["%s"]' % (b"\x01" * 3_000_000),
        b'["%s"]' % (b"\\ud800" * 500_000),
        b"[%s]" % (b"NaN" * 1_000_000),
    ],
    ids=["control characters", "surrogates", "not finite"],
)
def test_a_defect_in_every_byte_costs_no_python_for_each(text: bytes) -> None:
    start = time.process_time()
    repair(text, max_depth=200)
    assert time.process_time() - start < 0.6  # 0.1 s; one callback for each took 1.5 s and more
