"""How a run's cost came about, in words: each line of the sum, and whose price it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from viewer.present.numbers import format_cost, format_count

if TYPE_CHECKING:
    from collector.prices.formula import CostLine
    from collector.reads.costs import CostExplanation

UNITS = {
    "input.cache_read": "input tokens read from the cache",
    "input.cache_creation": "input tokens written to the cache",
    "input.ephemeral_5m_input_tokens": "input tokens cached for 5 minutes",
    "input.ephemeral_1h_input_tokens": "input tokens cached for an hour",
    "input.ephemeral_1hr_input_tokens": "input tokens cached for an hour",
}
SOURCES = {"price table": "the workspace's price table"}


@dataclass(frozen=True, slots=True)
class CostRow:
    """One line: `1,200 input tokens read from the cache × $0.30 / 1M` and `$0.00036`."""

    words: str
    amount: str


@dataclass(frozen=True, slots=True)
class CostView:
    """The lines add up to the total; every amount has all its digits."""

    rows: tuple[CostRow, ...]
    total: str  # short, for the headline
    exact_total: str
    source: str


def view_cost(explanation: CostExplanation | None) -> CostView | None:
    """Return what the run page shows of a cost; None where there is none."""
    if explanation is None:
        return None
    return CostView(
        rows=tuple(_rows(explanation)),
        total=format_cost(explanation.total),
        exact_total=format_amount(explanation.total),
        source=_source(explanation),
    )


def format_amount(amount: Decimal) -> str:
    """Return dollars with every digit, and two at least: `$0.00036`, `$1.50`."""
    whole, _, fraction = format(amount, "f").partition(".")
    return f"${int(whole):,}.{fraction.rstrip('0').ljust(2, '0')}"


def _rows(explanation: CostExplanation) -> Iterator[CostRow]:
    divided = {line.side for line in explanation.lines if line.detail}
    for line in explanation.lines:
        yield CostRow(_words(line, is_rest=line.side in divided), format_amount(line.cost))
    for item in explanation.stated:
        yield CostRow(f"{item.side}: {item.detail}", format_amount(item.cost))


def _words(line: CostLine, *, is_rest: bool) -> str:
    tokens = "token" if line.tokens == 1 else "tokens"
    if not line.detail:
        unit = f"other {line.side} {tokens}" if is_rest else f"{line.side} {tokens}"
    else:
        own = f"{line.detail.replace('_', ' ')} {line.side} {tokens}"
        unit = UNITS.get(line.unit, own)
    past = "" if line.tier_start is None else f", past {format_count(line.tier_start)} of input"
    return f"{line.tokens:,} {unit} × {format_amount(line.rate)} / 1M{past}"


def _source(explanation: CostExplanation) -> str:
    if explanation.source == "client":
        return "Stated by the client."
    named = " ".join(word for word in (explanation.provider, explanation.model) if word)
    since = f", in force since {explanation.start_date}" if explanation.start_date else ""
    source = SOURCES.get(explanation.source, explanation.source)
    found = f"Priced by {source}: {named}{since}" if named else f"Priced by {source}"
    applied = explanation.first_applied_at
    return f"{found}." if applied is None else f"{found}. First applied on {applied.date()}."
