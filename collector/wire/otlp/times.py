"""OpenTelemetry's times: nanoseconds since 1970, 0 for none. Postgres keeps microseconds."""

from __future__ import annotations

from datetime import datetime, timedelta

from collector.wire.fields import EARLIEST, EPOCH, LATEST


def from_nanoseconds(time: int) -> datetime:
    try:
        return EPOCH + timedelta(microseconds=time // 1000)
    except OverflowError:
        return LATEST if time > 0 else EARLIEST
