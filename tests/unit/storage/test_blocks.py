"""Payload layers fold by version, and blocks give back what they were made of."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.storage.blocks import (
    BLOCK_BYTES,
    PayloadLayer,
    fold,
    make_blocks,
    merge_layers,
    read_block,
)
from collector.storage.errors import UnreadableBlock


def extra(**value: object) -> bytes:
    return json.dumps(value).encode()


def test_the_highest_layer_that_gives_a_field_wins() -> None:
    payload = fold(
        [PayloadLayer(version=2, outputs=b"2"), PayloadLayer(version=1, inputs=b"1", outputs=b"1")]
    )
    assert (payload.inputs, payload.outputs) == (b"1", b"2")


def test_extra_is_merged_and_its_metadata_one_level_deeper() -> None:
    low = PayloadLayer(
        version=1, extra=extra(metadata={"a": 1, "b": 1}, runtime={"sdk": "py"}, batch_size=1)
    )
    high = PayloadLayer(version=2, extra=extra(metadata={"b": 2}, batch_size=2))
    assert json.loads(fold([high, low]).extra) == {
        "metadata": {"a": 1, "b": 2},
        "runtime": {"sdk": "py"},
        "batch_size": 2,
    }


def test_an_extra_that_comes_again_above_another_counts_last() -> None:
    first, second = extra(a=1), extra(a=2)
    layers = [PayloadLayer(version=v, extra=e) for v, e in ((1, first), (2, second), (3, first))]
    assert json.loads(fold(layers).extra) == {"a": 1}


def test_null_in_extra_erases_nothing() -> None:
    layers = [
        PayloadLayer(version=1, extra=extra(a=1)),
        PayloadLayer(version=2, extra=extra(a=None, b=2)),
    ]
    assert json.loads(fold(layers).extra) == {"a": 1, "b": 2}


def test_a_sole_extra_comes_back_as_it_was_sent() -> None:
    text = b'{"big": 123456789012345678901234567890, "nan": NaN}'
    assert fold([PayloadLayer(version=1, extra=text)]).extra == text


layer_lists = st.lists(
    st.builds(
        PayloadLayer,
        version=st.integers(1, 4),
        inputs=st.sampled_from([b"", b"1", b"2"]),
        extra=st.sampled_from([b"", extra(a=1), extra(a=2, b=1), extra(metadata={"k": 1})]),
    ),
    max_size=6,
    unique_by=lambda layer: layer.version,
)


@given(layer_lists, st.integers(0, 6))
def test_merging_parts_first_changes_no_fold(layers: list[PayloadLayer], cut: int) -> None:
    copies = [PayloadLayer(version=x.version, inputs=x.inputs, extra=x.extra) for x in layers]
    in_parts = fold([*merge_layers(copies[:cut]), *merge_layers(copies[cut:])])
    at_once = fold(layers)
    assert in_parts.inputs == at_once.inputs
    assert json.loads(in_parts.extra or b"0") == json.loads(at_once.extra or b"0")


def test_blocks_hold_about_a_megabyte_and_lose_nothing() -> None:
    pieces = {
        uuid.uuid4(): [PayloadLayer(version=1, inputs=bytes([n]) * 300_000)] for n in range(10)
    }
    blocks = list(make_blocks(pieces.items()))
    read = dict(piece for block in blocks for piece in read_block(block.run_ids, block.data))
    assert {run_id: layers[0].inputs for run_id, layers in read.items()} == {
        run_id: layers[0].inputs for run_id, layers in pieces.items()
    }
    assert [len(block.run_ids) for block in blocks] == [3, 3, 3, 1]
    assert BLOCK_BYTES > 3 * 300_000


def test_a_run_without_payload_takes_no_place() -> None:
    assert list(make_blocks([(uuid.uuid4(), [])])) == []


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_a_flipped_bit_never_reads_as_something_else(position: int, bit: int) -> None:
    run_id, layers = (
        uuid.uuid4(),
        [PayloadLayer(version=1, inputs=b'{"input": "hello world"}' * 20)],
    )
    (block,) = make_blocks([(run_id, layers)])
    data = bytearray(block.data)
    data[position % len(data)] ^= 1 << bit
    with suppress(UnreadableBlock):
        assert [piece for _, piece in read_block(block.run_ids, bytes(data))] == [layers]


def test_a_truncated_block_is_unreadable() -> None:
    (block,) = make_blocks([(uuid.uuid4(), [PayloadLayer(version=1, inputs=b"x" * 500)])])
    with pytest.raises(UnreadableBlock):
        list(read_block(block.run_ids, block.data[:-3]))
