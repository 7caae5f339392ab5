"""Which traces are recorded where only a part of them is wanted."""

from __future__ import annotations

from hashlib import blake2b


def is_sampled(trace_id: str, rate: float) -> bool:
    """Whether a trace belongs to the part `rate` (0 to 1) of all: whoever is asked says the same of one."""
    if rate >= 1.0:
        return True
    digest = blake2b(trace_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < rate * 2**64
