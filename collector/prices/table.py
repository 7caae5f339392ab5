"""A workspace's own prices: they win over the bundled ones. Rows are added and retired, never changed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import re2
from django.db import transaction
from django.utils import timezone

from collector.models import ModelPrice, Workspace
from collector.prices.price import (
    InvalidPrice,
    Price,
    Rates,
    make_price,
    parse_rates,
    rates_from_json,
    rates_to_json,
)

SOURCE = "price table"
CACHE_SECONDS = 5.0  # a change counts after this at the latest, in every process
MAX_CACHED_TABLES = 1_000
MAX_REMEMBERED = 5_000  # models of one table; names are the sender's
MAX_PATTERN_BYTES = 1 << 20  # of memory for one compiled pattern
MAX_PRICES = 2_000  # of one workspace, in force


@dataclass(frozen=True, slots=True)
class PriceDraft:
    """A row to be: checked, not yet stored."""

    model_pattern: str
    provider: str
    rates: Rates
    start_date: date | None
    name: str = ""


def check_draft(
    *,
    model_pattern: Any,
    prices: Any,
    provider: Any = "",
    start_date: date | None = None,
    name: Any = "",
) -> PriceDraft:
    """Return a draft of what a person or a client gave.

    Raises:
        InvalidPrice: something of it cannot be; the message begins with the name of the field.
    """
    pattern = _text("model_pattern", model_pattern, 256)
    if not pattern:
        raise InvalidPrice("model_pattern: a pattern is needed, such as ^gpt-4o.")
    try:
        _compile(pattern)
    except re2.error as error:
        raise InvalidPrice(f"model_pattern: this is no RE2 pattern ({_reason(error)}).") from error
    return PriceDraft(
        pattern,
        _text("provider", provider, 120),
        parse_rates(prices),
        start_date,
        _text("name", name, 120),
    )


def list_prices(workspace: Workspace) -> list[ModelPrice]:
    """Return the rows in force, newest first: of two that match a model the first one wins."""
    rows = ModelPrice.objects.filter(workspace=workspace, retired_at=None)
    return list(rows.order_by("-created_at", "id"))


def add_price(workspace: Workspace, draft: PriceDraft, *, by: str = "") -> ModelPrice:
    """Store a draft.

    Raises:
        InvalidPrice: the workspace has MAX_PRICES already.
    """
    in_force = ModelPrice.objects.filter(workspace=workspace, retired_at=None)
    if in_force.count() >= MAX_PRICES:
        raise InvalidPrice(f"prices: a workspace can have {MAX_PRICES:,} prices. Retire some.")
    row = ModelPrice.objects.create(
        workspace=workspace,
        name=draft.name,
        model_pattern=draft.model_pattern,
        provider=draft.provider,
        prices=rates_to_json(draft.rates),
        start_date=draft.start_date,
        created_by=by[:150],
    )
    forget_price_tables()
    return row


def retire_price(workspace: Workspace, price_id: UUID) -> ModelPrice | None:
    """Take a row out of force and return it, or None where the workspace has no such row in force."""
    with transaction.atomic():
        row = _lock(workspace, price_id)
        if row is not None:
            row.retired_at = timezone.now()
            row.save(update_fields=["retired_at"])
    forget_price_tables()
    return row


def replace_price(
    workspace: Workspace, price_id: UUID, draft: PriceDraft, *, by: str = ""
) -> ModelPrice | None:
    """Retire a row and store a draft in its place; None where the workspace has no such row in force."""
    with transaction.atomic():
        if retire_price(workspace, price_id) is None:
            return None
        return add_price(workspace, draft, by=by)


def _lock(workspace: Workspace, price_id: UUID) -> ModelPrice | None:
    rows = ModelPrice.objects.select_for_update().filter(workspace=workspace, retired_at=None)
    return rows.filter(id=price_id).first()


def find_table_price(project_id: UUID, model: str, provider: str, at: datetime) -> Price | None:
    """Return what the table of the project's workspace says a model cost at that time, or None."""
    return _table_of(project_id).find(model, provider, at)


def find_workspace_price(
    workspace: Workspace, model: str, provider: str, at: datetime
) -> Price | None:
    """Return the same by the rows of this moment."""
    return _Table(tuple(map(_table_row, list_prices(workspace)))).find(model, provider, at)


def forget_price_tables() -> None:
    """For whoever changes a table in this process, and for tests."""
    _tables.clear()


@dataclass(frozen=True, slots=True)
class _TableRow:
    pattern: Any  # compiled RE2
    provider: str  # lower case; "": any
    price: Price


class _Table:
    """The rows in force of one workspace, newest first, as they were a moment ago."""

    def __init__(self, rows: tuple[_TableRow, ...]) -> None:
        self.rows = rows
        self._matching: dict[tuple[str, str], tuple[_TableRow, ...]] = {}

    def find(self, model: str, provider: str, at: datetime) -> Price | None:
        if not self.rows:
            return None
        day = at.astimezone(UTC).date()
        for row in self._match(model, provider):
            if row.price.start_date is None or row.price.start_date <= day:
                return row.price
        return None

    def _match(self, model: str, provider: str) -> tuple[_TableRow, ...]:
        key = (model, provider)
        found = self._matching.get(key)
        if found is None:
            found = tuple(
                row
                for row in self.rows
                if row.provider in ("", provider.lower()) and row.pattern.search(model)
            )
            if len(self._matching) >= MAX_REMEMBERED:
                self._matching.clear()
            self._matching[key] = found
        return found


_tables: dict[UUID, tuple[float, _Table]] = {}


def _table_of(project_id: UUID) -> _Table:
    now = time.monotonic()
    cached = _tables.get(project_id)
    if cached is not None and cached[0] > now:
        return cached[1]
    rows = ModelPrice.objects.filter(workspace__projects__id=project_id, retired_at=None)
    table = _Table(tuple(map(_table_row, rows.order_by("-created_at", "id"))))
    if len(_tables) >= MAX_CACHED_TABLES:
        _tables.clear()
    _tables[project_id] = (now + CACHE_SECONDS, table)
    return table


def _table_row(row: ModelPrice) -> _TableRow:
    return _TableRow(_compile(row.model_pattern), row.provider.lower(), price_of(row))


def price_of(row: ModelPrice) -> Price:
    """Return a row of the table as a price."""
    prices: Mapping[str, Any] = row.prices
    return make_price(
        SOURCE,
        provider=row.provider,
        model=row.model_pattern,
        rates=rates_from_json(prices),
        start_date=row.start_date,
        model_price_id=row.id,
    )


def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_PATTERN_BYTES
    return re2.compile(pattern, options)


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def _text(name: str, value: Any, limit: int) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit or not value.isprintable():
        raise InvalidPrice(f"{name}: a text of up to {limit} printable characters is needed.")
    return value.strip()
