"""Counts, rates, bytes and money as text."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

UNKNOWN = "–"
MILLION = 1_000_000
SMALLEST_COST = Decimal("0.000001")


def format_count(count: int | None) -> str:
    """`12,406`, from a million on `4.12 M` or `4.12 G`; `–` for None."""
    if count is None:
        return UNKNOWN
    if abs(count) < MILLION:
        return f"{count:,}"
    size, unit = (MILLION * 1000, "G") if abs(count) >= 999_500_000 else (MILLION, "M")
    return f"{_three_digits(count / size)} {unit}"


def _three_digits(value: float) -> str:
    if abs(value) < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if abs(value) < 99.95 else f"{value:,.0f}"


def format_rate(rate: float | None) -> str:
    """Return a fraction as `3.1 %`; `–` for None. A rate that is not zero never reads `0.0 %`."""
    if rate is None:
        return UNKNOWN
    return "<0.1 %" if 0 < rate < 0.0005 else f"{rate * 100:.1f} %"


def format_cost(cost: Decimal | None) -> str:
    """Return dollars: `$18.40`, four places below a dollar (`$0.0187`); `–` for None.

    One call of a small model costs less than four places can tell: below a tenth of a cent two digits are kept
    (`$0.00015`), down to a millionth of a dollar.
    """
    if cost is None:
        return UNKNOWN
    if cost == 0:
        return "$0"
    if 0 < cost < SMALLEST_COST:
        return f"<${SMALLEST_COST:f}"
    if cost >= Decimal("0.99995"):
        return f"${cost.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"
    places = min(max(4, 1 - cost.adjusted()), 6)
    return f"${cost.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"


def format_bytes(size: int | None) -> str:
    """`812 B`, `31.4 KB`, `3.20 MB`: powers of 1024; `–` for None."""
    if size is None:
        return UNKNOWN
    if size < 1024:
        return f"{size} B"
    value = float(size)
    for unit in ("KB", "MB", "GB"):
        value /= 1024
        if value < 999.5:
            return f"{_three_digits(value)} {unit}"
    return f"{_three_digits(value / 1024)} TB"


def pluralize(count: int, one: str, many: str = "") -> str:
    """`1 trace`, `2 traces`."""
    return f"{format_count(count)} {one if count == 1 else many or one + 's'}"
