"""Who wins when several operations speak of one run: a total order that arrival cannot change.

A version is one int8, compared as a number: create (0) below update (1), then the end time that the
operation carries (the SDKs stamp nearly every update with one), then a checksum of the content. Those
without an end time are below those with one, and among themselves ordered by how much they say: an answer
that streams in is sent again and again as far as it came, and the longest is the newest. The checksum
settles what is left, two operations of one kind that end in the same millisecond: without it their
order of arrival would decide, and two workers would disagree.

A stored row remembers which version each of its columns came from, in 12 bytes a version.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping

from collector.wire.operations import RunOperation

END_BITS = 42  # milliseconds since 1970, enough until 2109
CHECKSUM_BITS = 20
MAX_END = (1 << END_BITS) - 1
MAX_SAID = (
    1 << 27
) - 1  # bytes; as an end time it is the second day of 1970, and all ends are above it
CHECKSUM_MASK = (1 << CHECKSUM_BITS) - 1

# Payloads are sampled at both ends: a checksum of all 20 MB would cost more than storing them, and
# two different updates of one run with one end time, one length and equal ends are one update.
SAMPLE_BYTES = 256

_LAYER = struct.Struct("<qI")


def operation_version(operation: RunOperation) -> int:
    """Return the version of an operation: 0 < version < 2**63, equal for equal content."""
    if operation.end_time is not None:
        rank = min(max(int(operation.end_time.timestamp() * 1000) + 1, MAX_SAID + 1), MAX_END)
    else:
        rank = min(len(operation.outputs) + len(operation.events), MAX_SAID)
    return (
        (int(operation.is_update) << (END_BITS + CHECKSUM_BITS))
        | (rank << CHECKSUM_BITS)
        | (_checksum(operation) & CHECKSUM_MASK)
    )


def _checksum(operation: RunOperation) -> int:
    scalars = (
        f"{operation.name}\0{operation.run_type}\0{operation.start_time}\0{operation.end_time}\0"
        f"{operation.status}\0{operation.error}\0{operation.tags}\0{operation.parent_run_id}\0"
        f"{operation.dotted_order}\0{operation.reference_example_id}"
    )
    checksum = zlib.crc32(scalars.encode("utf-8", "surrogatepass"))
    for payload in (
        operation.inputs,
        operation.outputs,
        operation.events,
        operation.extra,
        operation.serialized,
        operation.other,
    ):
        checksum = zlib.crc32(len(payload).to_bytes(4, "little"), checksum)
        checksum = zlib.crc32(payload[:SAMPLE_BYTES], checksum)
        checksum = zlib.crc32(payload[-SAMPLE_BYTES:], checksum)
    return checksum


def pack_versions(column_versions: Mapping[int, int]) -> bytes:
    """Pack {column number: version} with 0 <= column number < 32; the same mapping gives the same bytes."""
    masks: dict[int, int] = {}
    for column, version in column_versions.items():
        masks[version] = masks.get(version, 0) | (1 << column)
    return b"".join(_LAYER.pack(version, masks[version]) for version in sorted(masks))


def unpack_versions(packed: bytes) -> dict[int, int]:
    """Return {column number: version} of `pack_versions`."""
    return {
        column: version for version, mask in _LAYER.iter_unpack(packed) for column in _bits(mask)
    }


def _bits(mask: int) -> Iterable[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
