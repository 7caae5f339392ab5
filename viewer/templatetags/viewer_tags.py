"""Template tags: thin wrappers over viewer.present."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.template.context import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from viewer.drawn_rows import drawn_row
from viewer.preferences import reader_theme, reader_zone
from viewer.present import durations, numbers, times
from viewer.present.html import showable
from viewer.present.run_types import RunTypeLook, describe_run_type
from viewer.present.status import describe_status
from viewer.present.trace_query import TraceQuery
from viewer.present.trace_rows import TraceRow

register = template.Library()

# --- Shell and lists ------------------------------------------------------------------------------

register.filter("duration", durations.format_duration)
register.filter("count", numbers.format_count)
register.filter("cost", numbers.format_cost)
register.filter("rate", numbers.format_rate)
register.filter("bytes", numbers.format_bytes)


@register.simple_tag
def icon(name: str, *, size: str = "", label: str = "", css: str = "") -> SafeString:
    """Draw a glyph of the sprite; silent to a screen reader unless it has a label.

    `size="s"` is 14 px instead of 16; `css` adds classes.
    """
    classes = " ".join(filter(None, ("icon", f"icon--{size}" if size else "", css)))
    href = f"{static('viewer/icons.svg')}#{name}"
    if not label:
        return format_html(
            '<svg class="{}" aria-hidden="true"><use href="{}"/></svg>', classes, href
        )
    return format_html(
        '<svg class="{}" role="img" aria-label="{}"><use href="{}"/></svg>', classes, label, href
    )


@register.simple_tag
def status_icon(status: str) -> SafeString:
    """Draw a status as its icon, with the word for screen readers only."""
    look = describe_status(status)
    return format_html(
        '<span class="status" data-status="{}">{}<span class="sr">{}</span></span>',
        status,
        icon(look.icon, size="s"),
        look.word,
    )


@register.simple_tag
def status_badge(status: str) -> SafeString:
    """Draw a status as icon and word in a bordered badge."""
    look = describe_status(status)
    return format_html(
        '<span class="status" data-status="{}" data-form="badge">{}{}</span>',
        status,
        icon(look.icon, size="s"),
        look.word,
    )


@register.simple_tag
def run_type_icon(run_type: str, name: str = "", *, size: str = "s") -> SafeString:
    """Draw the icon of a run's type, which carries the type's name."""
    return look_icon(describe_run_type(run_type, name), size=size)


@register.simple_tag
def look_icon(look: RunTypeLook, *, size: str = "s") -> SafeString:
    """Draw a look that was chosen before: where more is known of a run than its type and name."""
    return format_html(
        '<svg class="icon{} run-type" data-type="{}" role="img" aria-label="{}"><use href="{}#{}"/></svg>',
        f" icon--{size}" if size else "",
        look.tone,
        look.word,
        static("viewer/icons.svg"),
        look.icon,
    )


@register.simple_tag(takes_context=True)
def moment(context: Context, value: datetime | None) -> SafeString | str:
    """Write a time in the reader's zone, as short as its distance allows; the whole of it in the tooltip."""
    if value is None:
        return durations.UNKNOWN
    zone = reader_zone(getattr(context, "request", None))
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.isoformat(),
        times.format_iso(value, zone=zone),
        times.format_moment(value, now=timezone.now(), zone=zone),
    )


@register.simple_tag(takes_context=True)
def age(context: Context, value: datetime | None) -> SafeString | str:
    """Write how long ago a time was; the whole of it in the tooltip."""
    if value is None:
        return durations.UNKNOWN
    zone = reader_zone(getattr(context, "request", None))
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.isoformat(),
        times.format_iso(value, zone=zone),
        times.format_age(value, now=timezone.now()),
    )


@register.simple_tag(takes_context=True)
def reader_attributes(context: Context) -> SafeString:
    """Write what the server took of the reader's cookies onto <html>, for styles and scripts."""
    request = getattr(context, "request", None)
    theme = reader_theme(request)
    zone = format_html(' data-zone="{}"', reader_zone(request).key)
    return format_html('{} data-theme="{}"', zone, theme) if theme else zone


@register.simple_tag(takes_context=True)
def trace_row(context: Context, row: TraceRow) -> SafeString:
    """Draw a row of the trace list, or take it as it was drawn a moment ago: see viewer/drawn_rows.py."""
    given = {"row": row, "project": context["project"], "shown": context["shown"]}
    assert context.template is not None
    template = context.template.engine.get_template("viewer/components/_run_row.html")

    def draw() -> SafeString:
        return template.render(context.new(given))

    if row.elapsed_seconds is not None:
        return draw()
    zone = reader_zone(getattr(context, "request", None)).key
    return drawn_row((row, context["project"].name, tuple(context["shown"]), zone), draw)


# --- Trace page -----------------------------------------------------------------------------------

register.filter("shown", showable)  # on every text that came in a payload


@register.simple_tag(takes_context=True)
def instant(context: Context, value: datetime | None) -> SafeString | str:
    """Write a whole moment, to the millisecond, in the reader's zone."""
    if value is None:
        return durations.UNKNOWN
    zone = reader_zone(getattr(context, "request", None))
    return format_html(
        '<time datetime="{}">{}</time>', value.isoformat(), times.format_iso(value, zone=zone)
    )


@register.simple_tag
def trace_url(query: TraceQuery, **changes: Any) -> str:
    """Write a link to the same trace with other values of its query string."""
    return query.url(**changes)


@register.filter
def carry(query: TraceQuery, left_out: str) -> list[tuple[str, str]]:
    """Return the query string as pairs, for the hidden fields of a form that sets `left_out`."""
    return query.fields(left_out)


@register.simple_tag
def status_word(status: str) -> SafeString:
    """Draw a status as icon and word, without a badge."""
    look = describe_status(status)
    drawn = icon(look.icon, size="s")
    return format_html(
        '<span class="status" data-status="{}">{}{}</span>', status, drawn, look.word
    )
