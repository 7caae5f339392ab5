"""Moments as text, in the reader's zone. `now` is always given: these functions know no clock."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def format_moment(moment: datetime, *, now: datetime, zone: tzinfo) -> str:
    """`14:32:07` today, `Tue 14:32` in the last week, `24 Sep, 14:32:07` this year, `24 Sep 2025, 14:32` before."""
    local, today = moment.astimezone(zone), now.astimezone(zone).date()
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
    local = moment.astimezone(zone)
    if length <= timedelta(minutes=10):
        return f"{local:%H:%M:%S}"
    if length <= timedelta(days=1):
        return f"{local:%H:%M}"
    if length <= timedelta(days=8):
        return f"{DAYS[local.weekday()]} {local:%H:%M}"
    return f"{local.day} {MONTHS[local.month - 1]}"


def format_input(moment: datetime | None, *, zone: tzinfo) -> str:
    """Return the value of an `<input type="datetime-local">`."""
    return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}" if moment else ""


def format_iso(moment: datetime, *, zone: tzinfo) -> str:
    """Return the whole moment with milliseconds and offset: what a tooltip shows."""
    return moment.astimezone(zone).isoformat(sep=" ", timespec="milliseconds")


def format_age(moment: datetime, *, now: datetime) -> str:
    """`just now`, `4 s ago`, `12 min ago`, `3 h ago`, `9 days ago`."""
    seconds = int((now - moment).total_seconds())
    if seconds < 1:
        return "just now"
    for size, unit in ((86_400, "day"), (3_600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    raise AssertionError(seconds)
