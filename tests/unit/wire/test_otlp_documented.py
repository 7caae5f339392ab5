"""docs/opentelemetry.md names every attribute that means something."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.wire.otlp.attributes import _NUMBERED
from collector.wire.otlp.contents import _CONTENT_EVENTS, INPUTS, OUTPUTS
from collector.wire.otlp.decode import MAX_SPANS
from collector.wire.otlp.events import _FIRST_CHUNK_DELAYS, _FIRST_CHUNK_EVENTS
from collector.wire.otlp.fields import MODEL, NAME, PROVIDER, RUN_TYPES
from collector.wire.otlp.messages import _EVENT_ROLES
from collector.wire.otlp.usage import _NAMES

TEXT = (Path(__file__).parents[3] / "docs" / "opentelemetry.md").read_text()
NAMES = {
    *NAME, *MODEL, *PROVIDER, *RUN_TYPES, *INPUTS.whole, *OUTPUTS.whole, *_NAMES,
    *_CONTENT_EVENTS, *_EVENT_ROLES, *_FIRST_CHUNK_DELAYS, *_FIRST_CHUNK_EVENTS,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_attribute_and_event_is_documented(name: str) -> None:
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize("prefix", _NUMBERED)
def test_every_numbered_attribute_is_documented(prefix: str) -> None:
    assert f"`{prefix}.N." in TEXT


def test_the_number_of_spans_is_documented() -> None:
    assert f"{MAX_SPANS:,} a request" in TEXT
