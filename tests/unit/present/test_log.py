from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from tests.unit.present.runs import START, make_run, make_tree
from viewer.present.log import write_log
from viewer.present.trace_query import TraceQuery
from viewer.present.tree import TreeOptions, lay_out_tree


def log_of(*nodes: tuple[int, object]) -> str:
    layout = lay_out_tree(make_tree(*nodes), TreeOptions(), now=START + timedelta(minutes=1))  # type: ignore[arg-type]
    return write_log(layout, TraceQuery(view="log"), selected=None, sprite="s.svg")[0]


def lines(markup: str) -> list[tuple[str, str]]:
    return re.findall(r'log-row__kind">(.*?)</span>.*?<b dir="auto">(.*?)</b>', markup)


def test_events_stand_in_order_and_what_ends_together_ends_from_inside() -> None:
    root, child = make_run("root", start=0, length=4), make_run("child", start=1, length=3)
    assert lines(log_of((0, root), (1, child))) == [
        ("start", "root"), ("start", "child"), ("end", "child"), ("end", "root"),
    ]  # fmt: skip


def test_a_long_silence_is_told() -> None:
    assert "3.00 s without an event" in log_of((0, make_run("root", start=0, length=3)))


def test_names_and_words_of_a_trace_are_only_text() -> None:
    evil = replace(make_run("<script>", start=0, length=1), status="error", error="<img src=x>")
    markup = log_of((0, evil))
    assert "<script>" not in markup
    assert "<img" not in markup
    assert 'data-status="error"' in markup
