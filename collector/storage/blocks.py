"""Payloads: append-only blocks, one zstd frame for what one drain brought for one trace.

A block holds a piece for each run, a piece holds layers (one per operation, lowest version first), and
a reader folds the layers of all of a trace's blocks with the rules of `merge.py`. A block is at most
1 MB before compression (a larger run has one to itself), so that one run never costs more to read.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from typing import Any
from uuid import UUID

import msgspec
import orjson
import zstandard

from collector.storage import jsonvalue
from collector.storage.errors import UnreadableBlock

BLOCK_BYTES = 1 << 20  # 4 MB blocks made one run of a 1,000-run trace three times dearer to read
MAX_BLOCK_BYTES = (
    256 << 20
)  # nothing that ingest accepts comes near; a damaged header must not ask for more
COMPRESSION_LEVEL = (
    3  # level 1 saves 2 µs a run and costs 5 to 8 % of the bytes, 6 costs triple the CPU for 5 %
)


class PayloadLayer(msgspec.Struct, array_like=True, omit_defaults=True, gc=False, kw_only=True):
    """The payload fields of one operation. b"" and "" mean "not given". Fields are append-only."""

    version: int
    inputs: bytes = b""
    outputs: bytes = b""
    events: bytes = b""
    extra: bytes = b""
    serialized: bytes = b""
    error: str = ""
    other: bytes = b""
    notes: list[str] = []
    reference_example_id: UUID | None = None

    @property
    def size(self) -> int:
        return (
            len(self.inputs) + len(self.outputs) + len(self.events) + len(self.extra)
            + len(self.serialized) + len(self.error) + len(self.other)
        )  # fmt: skip

    @property
    def is_empty(self) -> bool:
        return not (self.size or self.notes or self.reference_example_id)


class RunPayload(msgspec.Struct, kw_only=True):
    """The folded payload of one run: JSON text per field, b"" where never given."""

    inputs: bytes = b""
    outputs: bytes = b""
    events: bytes = b""
    extra: bytes = b""
    serialized: bytes = b""
    other: bytes = b""
    error: str | None = None
    notes: list[str] = []
    reference_example_id: UUID | None = None
    is_damaged: bool = False  # a block that held something of this run cannot be read


class Block(msgspec.Struct, kw_only=True):
    """One row of the table `payload`: run_ids[i] owns piece i of the frame."""

    run_ids: list[UUID]
    data: bytes


_REPLACED = ("inputs", "outputs", "events", "serialized", "error", "reference_example_id")
_encoder = msgspec.msgpack.Encoder()
_pieces_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])
_piece_decoder = msgspec.msgpack.Decoder(list[PayloadLayer])


class _Codecs(threading.local):
    """zstd contexts must not be shared between threads."""

    def __init__(self) -> None:
        # Without the checksum 211 of 300 flipped bits decoded silently wrong; it costs 4 bytes.
        self.compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True)
        self.decompressor = zstandard.ZstdDecompressor()


_codecs = _Codecs()


def prune(layers: list[PayloadLayer]) -> list[PayloadLayer]:
    """Empty the fields that a higher layer replaces, and drop the layers that are then empty.

    Takes layers sorted by version, each version once. Pruning a part first and the union later
    gives the same as pruning the union: a replaced field stays replaced.
    """
    seen: set[str] = set()
    extra = b""
    for layer in reversed(layers):
        for field in _REPLACED:
            if getattr(layer, field):
                if field in seen:
                    setattr(
                        layer,
                        field,
                        None if field == "reference_example_id" else type(getattr(layer, field))(),
                    )
                seen.add(field)
        if layer.extra and layer.extra == extra:
            layer.extra = b""  # the layer above says the same
        extra = layer.extra or extra
    return [layer for layer in layers if not layer.is_empty]


def merge_layers(layers: Iterable[PayloadLayer]) -> list[PayloadLayer]:
    """Return the layers of one run from any number of blocks in canonical form."""
    by_version: dict[int, PayloadLayer] = {}
    for layer in layers:
        known = by_version.setdefault(layer.version, layer)
        if known is not layer:
            _unite(known, layer)
    return prune([by_version[version] for version in sorted(by_version)])


def _unite(known: PayloadLayer, layer: PayloadLayer) -> None:
    """Join two remains of one layer: one drain may have pruned what another had no reason to."""
    for field in (*_REPLACED, "extra", "other", "notes"):
        if not getattr(known, field):
            setattr(known, field, getattr(layer, field))


def fold(layers: Iterable[PayloadLayer]) -> RunPayload:
    """Fold the layers of one run, from any number of blocks, into what a reader sees."""
    merged = merge_layers(layers)
    payload = RunPayload()
    for layer in merged:  # lowest first: a higher one overwrites
        for field in _REPLACED:
            value = getattr(layer, field)
            if value:
                setattr(payload, field, value)
    payload.extra = _merge_objects([layer.extra for layer in merged if layer.extra], depth=2)
    payload.other = _merge_objects([layer.other for layer in merged if layer.other], depth=1)
    payload.notes = sorted({note for layer in merged for note in layer.notes})
    return payload


def _merge_objects(texts: list[bytes], depth: int) -> bytes:
    """Merge JSON objects, later over earlier; a sole text is returned as it came."""
    distinct = list(dict.fromkeys(reversed(texts)))[::-1]  # of equal texts the last one counts
    if len(distinct) <= 1:
        return distinct[0] if distinct else b""
    merged: dict[str, Any] = {}
    for text in distinct:
        _merge_into(merged, jsonvalue.parse_object(text), depth)
    return orjson.dumps(merged, default=str)


def _merge_into(target: dict[str, Any], source: dict[str, Any], depth: int) -> None:
    for key, value in source.items():
        if value is None:
            target.setdefault(key, None)
        elif depth > 1 and isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge_into(target[key], value, depth - 1)
        else:
            target[key] = value


def make_blocks(pieces: Iterable[tuple[UUID, list[PayloadLayer]]]) -> Iterator[Block]:
    """Pack (run id, layers) of one trace into blocks of about BLOCK_BYTES."""
    run_ids: list[UUID] = []
    packed: list[msgspec.Raw] = []
    size = 0
    for run_id, layers in pieces:
        if not layers:
            continue
        piece = _encoder.encode(layers)
        if packed and size + len(piece) > BLOCK_BYTES:
            yield _block(run_ids, packed)
            run_ids, packed, size = [], [], 0
        run_ids.append(run_id)
        packed.append(msgspec.Raw(piece))
        size += len(piece)
    if packed:
        yield _block(run_ids, packed)


def _block(run_ids: list[UUID], packed: list[msgspec.Raw]) -> Block:
    return Block(run_ids=run_ids, data=_codecs.compressor.compress(_encoder.encode(packed)))


def read_block(
    run_ids: list[UUID], data: bytes, wanted: Collection[UUID] | None = None
) -> Iterator[tuple[UUID, list[PayloadLayer]]]:
    """Yield (run id, layers) of a block, of the wanted runs only.

    Raises:
        UnreadableBlock: the frame is damaged or is no block.
    """
    try:
        pieces = _pieces_decoder.decode(
            _codecs.decompressor.decompress(data, max_output_size=MAX_BLOCK_BYTES)
        )
        for run_id, piece in zip(run_ids, pieces, strict=True):
            if wanted is None or run_id in wanted:
                yield run_id, _piece_decoder.decode(piece)
    except (zstandard.ZstdError, msgspec.DecodeError, ValueError) as error:
        raise UnreadableBlock(str(error)) from error
