"""The rows of a tree and their order, folds and markup."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import html5lib
import pytest

from tests.unit.present.runs import START, make_run, make_tree
from viewer.present.timeline import find_critical_path, make_ticks
from viewer.present.trace_query import TraceQuery
from viewer.present.trace_view import describe_completeness, view_trace
from viewer.present.tree import GroupRow, PlumbingRow, RunRow, TreeOptions, lay_out_tree
from viewer.present.tree_rows import RowWriter
from viewer.present.waterfall import WaterfallWriter

NOW = START + timedelta(seconds=60)


def lines(tree: Any, **options: Any) -> list[str]:
    """Return the rows as text: guides and name."""
    layout = lay_out_tree(tree, TreeOptions(**options), now=NOW)
    shown = []
    for row in layout.rows:
        if isinstance(row, RunRow):
            shown.append(f"{row.guides}{row.item.run.name}")
        elif isinstance(row, GroupRow):
            shown.append(f"{row.guides}{row.items[0].run.name} x{len(row.items)}")
        elif isinstance(row, PlumbingRow):
            shown.append(f"{row.guides}{row.count} hidden")
    return shown


def test_guides_lead_to_every_row() -> None:
    tree = make_tree(
        (0, make_run("root")),
        (1, make_run("a")),
        (2, make_run("b")),
        (3, make_run("c")),
        (2, make_run("d")),
        (1, make_run("e")),
    )
    assert lines(tree) == ["root", "+a", "|+b", "||Lc", "|Ld", "Le"]


def test_plumbing_is_one_row_at_the_end() -> None:
    tree = make_tree(
        (0, make_run("root")),
        (1, make_run("write"), "plumbing"),
        (1, make_run("a")),
        (2, make_run("write"), "plumbing"),
    )
    assert lines(tree) == ["root", "+a", "L2 hidden"]
    assert lines(tree, show_plumbing=True) == ["root", "+write", "La", " Lwrite"]


def test_what_hangs_below_hidden_plumbing_moves_up() -> None:
    tree = make_tree(
        (0, make_run("root")), (1, make_run("sequence"), "plumbing"), (2, make_run("chat"))
    )
    assert lines(tree) == ["root", "+chat", "L1 hidden"]


def test_plumbing_that_failed_or_is_selected_is_shown() -> None:
    failed, chosen = make_run("write", status="error"), make_run("read")
    tree = make_tree((0, make_run("root")), (1, failed, "plumbing"), (1, chosen, "plumbing"))
    assert lines(tree, selected=chosen.id) == ["root", "+write", "Lread"]


def test_five_equal_neighbours_are_a_group() -> None:
    embeds = [make_run("embed", run_type="embedding") for _ in range(5)]
    tree = make_tree(
        (0, make_run("root")),
        (1, make_run("a")),
        *((1, run) for run in embeds),
        (1, make_run("embed")),
    )
    assert lines(tree) == ["root", "+a", "+embed x5", "Lembed"]
    opened = [
        "root",
        "+a",
        "+embed x5",
        "|+embed",
        "|+embed",
        "|+embed",
        "|+embed",
        "|Lembed",
        "Lembed",
    ]
    assert lines(tree, open_groups=frozenset([embeds[0].id])) == opened
    assert lines(tree, selected=embeds[3].id) == opened


def test_runs_with_something_below_are_no_group() -> None:
    runs = [pair for _ in range(5) for pair in ((1, make_run("case")), (2, make_run("x")))]
    assert len(lines(make_tree((0, make_run("root")), *runs))) == 11


def test_a_text_narrows_to_matches_and_the_runs_above_them() -> None:
    tree = make_tree(
        (0, make_run("root")),
        (1, make_run("a")),
        (2, make_run("b", outputs_preview="the Kettle")),
        (1, make_run("c")),
    )
    assert lines(tree, text="kettle") == ["root", "La", " Lb"]
    assert lines(tree, text="nowhere") == []


def test_rows_past_the_limit_are_counted() -> None:
    tree = make_tree((0, make_run("root")), *((1, make_run(f"r{number}")) for number in range(20)))
    layout = lay_out_tree(tree, TreeOptions(max_rows=5), now=NOW)
    assert (len(layout.rows), layout.more_count) == (5, 16)


def test_tokens_are_summed_and_not_counted_twice() -> None:
    tree = make_tree(
        (0, make_run("root", total_tokens=30)),
        (1, make_run("a", run_type="llm", total_tokens=10)),
        (1, make_run("b", total_tokens=20)),
        (2, make_run("c", run_type="llm", total_tokens=20)),
    )
    (root,) = lay_out_tree(tree, TreeOptions(), now=NOW).roots
    assert [root.tokens, *(child.tokens for child in root.children)] == [30, 10, 20]


def test_a_running_trace_reaches_to_now_and_a_dead_one_to_its_last_word() -> None:
    running = make_tree((0, make_run("root", length=None)))
    assert lay_out_tree(running, TreeOptions(), now=NOW).duration == 60
    dead = make_tree(
        (0, make_run("root", length=None, status="incomplete")),
        last_heard_at=START + timedelta(seconds=5),
    )
    assert lay_out_tree(dead, TreeOptions(), now=NOW).duration == 5


def test_a_chain_of_5000_runs_is_no_problem() -> None:
    tree = make_tree(*((depth, make_run(f"r{depth}")) for depth in range(1_000)))
    layout = lay_out_tree(tree, TreeOptions(), now=NOW)
    markup = RowWriter(layout, TraceQuery(), selected=None, sprite="").write()
    assert markup.count('class="guide"') < 1_000 * 15
    assert 'aria-level="1000"' in markup


@pytest.mark.parametrize("writer", [RowWriter, WaterfallWriter])
def test_rows_are_valid_markup_whatever_the_names(writer: type[RowWriter]) -> None:
    evil = '"><script>alert(1)</script>\x00\u202e'
    first = START + timedelta(seconds=0.5)
    tree = make_tree(
        (0, make_run(evil, error=evil, status="error", outputs_preview=evil)),
        (
            1,
            make_run(
                evil,
                run_type=evil,
                model=evil,
                inputs_preview=evil,
                first_token_time=first,
                total_tokens=7,
            ),
        ),
        *((1, make_run(evil, run_type="tool")) for _ in range(6)),
        (1, make_run("x"), "plumbing"),
        (1, make_run("y", length=None)),
    )
    layout = lay_out_tree(tree, TreeOptions(), now=NOW)
    markup = writer(
        layout, TraceQuery(text='"><b>'), selected=tree.nodes[1].run.id, sprite="/icons.svg"
    ).write()
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    fragment = parser.parseFragment(markup)
    assert parser.errors == []
    assert fragment.findall(".//script") == []
    assert fragment.findall(".//b") == []


def test_one_row_takes_the_tab_key() -> None:
    runs = [make_run(f"r{number}") for number in range(4)]
    tree = make_tree((0, make_run("root")), *((1, run) for run in runs))
    layout = lay_out_tree(tree, TreeOptions(), now=NOW)
    for selected, expected in (
        (runs[2].id, runs[2].id),
        (None, tree.nodes[0].run.id),
        (make_run().id, tree.nodes[0].run.id),
    ):
        markup = RowWriter(layout, TraceQuery(), selected=selected, sprite="").write()
        assert re.findall(r'id="r-([^"]+)"[^>]* tabindex="0"', markup) == [str(expected)]


def test_the_critical_path_is_what_the_trace_waited_for() -> None:
    tree = make_tree(
        (0, make_run("root", 0, 10)),
        (1, make_run("load", 0, 2)),
        (1, make_run("tools", 2, 4)),
        (2, make_run("slow", 2, 4)),
        (2, make_run("quick", 2, 1)),
        (1, make_run("beside", 3, 2)),
        (1, make_run("answer", 6, 4)),
    )
    layout = lay_out_tree(tree, TreeOptions(), now=NOW)
    assert sorted(item.run.name for item in find_critical_path(layout.roots)) == [
        "answer",
        "load",
        "root",
        "slow",
        "tools",
    ]


TICKS = {
    0.0123: ["0 ms", "5 ms", "10 ms"],
    0.9: ["0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s"],
    9.84: ["0 s", "2 s", "4 s", "6 s", "8 s"],
    61: ["0 s", "20 s", "40 s", "60 s"],
    600: ["0 min", "2 min", "4 min", "6 min", "8 min", "10 min"],
    9_000: ["0 min", "30 min", "1 h", "1 h 30 min", "2 h", "2 h 30 min"],
}


@pytest.mark.parametrize(("duration", "labels"), TICKS.items(), ids=str)
def test_ticks_are_round(duration: float, labels: list[str]) -> None:
    assert [tick.label for tick in make_ticks(duration)] == labels


@pytest.mark.parametrize("duration", [1e-6, 1e-3, 0.05, 1, 59, 3_601, 86_400 * 9, 1e9])
def test_there_are_few_ticks_whatever_the_length(duration: float) -> None:
    assert 2 <= len(make_ticks(duration)) <= 7


COMPLETENESS = {
    "ended": ({"run_count": 67, "ended_count": 67}, ("success", "67 of 67", "runs ended", "")),
    "one": ({"run_count": 1, "ended_count": 1}, ("success", "1 of 1", "run ended", "")),
    "running": (
        {
            "run_count": 54,
            "ended_count": 51,
            "status": "running",
            "last_heard_at": NOW - timedelta(seconds=0.3),
        },
        ("running", "51 of 54", "runs ended, 3 running", "0.3 s"),
    ),
    "dead": (
        {
            "run_count": 54,
            "ended_count": 51,
            "status": "incomplete",
            "last_heard_at": NOW - timedelta(minutes=14),
        },
        (
            "incomplete",
            "51 of 54",
            "runs ended. No word for 14 min, the process has probably died",
            "",
        ),
    ),
}


@pytest.mark.parametrize(("fields", "expected"), COMPLETENESS.values(), ids=COMPLETENESS)
def test_the_foot_says_what_has_arrived(fields: dict[str, Any], expected: tuple[str, ...]) -> None:
    trace = make_tree((0, make_run("root")), **fields).trace
    told = describe_completeness(trace, now=NOW)
    assert (told.status, told.counts, told.words, told.heard) == expected


def test_the_error_button_leads_to_the_run_that_failed_by_itself() -> None:
    inner = make_run("tool", status="error", error="x")
    tree = make_tree((0, make_run("root", status="error", error="x")), (1, inner), error_count=2)
    view = view_trace(tree, TraceQuery(), selected=None, now=NOW, sprite="")
    assert (view.error_count, view.error_url) == (2, f"?run={inner.id}")


def test_what_is_looked_for_is_marked() -> None:
    tree = make_tree((0, make_run("A <kettle> and a Kettle")))
    layout = lay_out_tree(tree, TreeOptions(text="kettle"), now=NOW)
    markup = RowWriter(layout, TraceQuery(text="kettle"), selected=None, sprite="").write()
    assert "A &lt;<mark>kettle</mark>&gt; and a <mark>Kettle</mark>" in markup


def test_a_graph_is_known_by_the_steps_below_it_whatever_its_name() -> None:
    root, step = make_run("support agent"), make_run("plan", tags=("graph:step:1",))
    subgraph, inner = make_run("search"), make_run("fetch", tags=("graph:step:1",))
    chain = make_run("chain", tags=("seq:step:1",))
    tree = make_tree((0, root), (1, step), (1, subgraph), (2, inner), (2, chain))
    assert lay_out_tree(tree, TreeOptions(), now=NOW).graphs == {root.id, subgraph.id}
    view = view_trace(tree, TraceQuery(), selected=None, now=NOW, sprite="")
    words = re.findall(r'aria-label="([A-Z]\w+)"', view.rows)
    assert words == ["Graph", "Chain", "Graph", "Chain", "Chain"]
