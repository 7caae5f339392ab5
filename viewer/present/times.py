"""Moments as text, in the reader's zone. `now` is always given: these functions know no clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SKEW_SECONDS = 60  # two clocks may disagree by so much, and nobody minds
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# the ends of the calendar: what a clock says that was never set, or that counts too far
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """Return an aware moment in a zone; unchanged where the zone's calendar would leave the years 1 to 9999."""
    try:
        return moment.astimezone(zone)
    except (OverflowError, ValueError):
        return moment


def shift(moment: datetime, by: timedelta) -> datetime:
    """Return the moment moved, at most to an end of the calendar."""
    try:
        return moment + by
    except OverflowError:
        return LAST if by > timedelta(0) else FIRST


def format_moment(moment: datetime, *, now: datetime, zone: tzinfo) -> str:
    """`14:32:07` today, `Tue 14:32` in the last week, `24 Sep, 14:32:07` this year, `24 Sep 2025, 14:32` before."""
    local, today = in_zone(moment, zone), in_zone(now, zone).date()
    if local.date() == today:
        return f"{local:%H:%M:%S}"
    if timedelta(0) < today - local.date() < timedelta(days=7):
        return f"{DAYS[local.weekday()]} {local:%H:%M}"
    date = f"{local.day} {MONTHS[local.month - 1]}"
    return (
        f"{date}, {local:%H:%M:%S}"
        if local.year == today.year
        else f"{date} {local.year}, {local:%H:%M}"
    )


def format_axis(moment: datetime, *, length: timedelta, zone: tzinfo) -> str:
    """Return a label under an axis: `14:32` on one of a day at most, `Tue 14:32` of a week, else `24 Sep`."""
    local = in_zone(moment, zone)
    if length <= timedelta(minutes=10):
        return f"{local:%H:%M:%S}"
    if length <= timedelta(days=1):
        return f"{local:%H:%M}"
    if length <= timedelta(days=8):
        return f"{DAYS[local.weekday()]} {local:%H:%M}"
    return f"{local.day} {MONTHS[local.month - 1]}"


def format_input(moment: datetime | None, *, zone: tzinfo) -> str:
    """Return the value of an `<input type="datetime-local">`."""
    # not strftime: it writes the year 1 as "1", which no browser reads
    return (
        in_zone(moment, zone).replace(tzinfo=None).isoformat(timespec="minutes") if moment else ""
    )


def format_iso(moment: datetime, *, zone: tzinfo) -> str:
    """Return the whole moment with milliseconds and offset: what a tooltip shows."""
    return in_zone(moment, zone).isoformat(sep=" ", timespec="milliseconds")


def format_age(moment: datetime, *, now: datetime) -> str:
    """`just now`, `4 s ago`, `12 min ago`, `3 h ago`, `9 days ago`; `in the future` past what a skewed clock explains."""
    seconds = int((now - moment).total_seconds())
    if seconds < -SKEW_SECONDS:
        return "in the future"
    if seconds < 1:
        return "just now"
    for size, unit in ((86_400, "day"), (3_600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    raise AssertionError(seconds)
