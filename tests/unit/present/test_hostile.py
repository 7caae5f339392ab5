"""Whatever a trace holds, a page shows it and does nothing with it, in bounded room and time."""

from __future__ import annotations

import time
from typing import Any

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewer.present.budget import PAGE_CHARS, PAGE_JSON_NODES, Budget
from viewer.present.html import Html, escape, showable
from viewer.present.jsonview import render_json
from viewer.present.markdown import render_markdown
from viewer.present.words import MAX_SHOWN_CHARS, read_words

SAFE_TAGS = {
    *(
        "p",
        "br",
        "hr",
        "strong",
        "em",
        "s",
        "code",
        "pre",
        "blockquote",
        "ul",
        "ol",
        "li",
        "a",
        "h4",
    ),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x](/settings/keys)",
    "[x](//evil.example)",
    '<https://evil.example/" onmouseover=alert(1) x=">',
    "![x](https://evil.example/pixel.png)",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "[x][y]\n\n[y]: javascript:alert(1)",
    "```<script>\nalert(1)\n```",
    "| <svg onload=alert(1)> |\n|---|\n| </td><script> |",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\\<script>",
    "<!--",
    "<style>*{display:none}</style>",
    "<a href='https://ok.example' style='position:fixed' onclick=x>x</a>",
]


def elements(markup: str) -> list[tuple[str, dict[str, str]]]:
    fragment = html5lib.parseFragment(markup, treebuilder="etree", namespaceHTMLElements=False)
    return [(node.tag, dict(node.attrib)) for node in fragment.iter() if isinstance(node.tag, str)][
        1:
    ]


@pytest.mark.parametrize("text", ATTACKS)
def test_markdown_makes_only_harmless_elements(text: str) -> None:
    for tag, attributes in elements(render_markdown(text)):
        assert tag in SAFE_TAGS
        assert set(attributes) <= {"href", "title", "rel", "start", "class"}
        assert attributes.get("href", "https://").startswith(("https://", "http://", "mailto:"))


@given(st.text(alphabet="<>&\"'`*_[]()!|#-=/:\n abcjs\x00\ud800\u202e", max_size=200))
def test_no_text_whatever_makes_markdown_dangerous(text: str) -> None:
    for tag, attributes in elements(render_markdown(text)):
        assert tag in SAFE_TAGS
        assert attributes.get("href", "https://").startswith(("https://", "http://", "mailto:"))


def test_links_do_not_tell_where_they_were_followed_from() -> None:
    ((_, attributes),) = [
        item for item in elements(render_markdown("[x](https://ok.example)")) if item[0] == "a"
    ]
    assert attributes == {"href": "https://ok.example", "rel": "noopener noreferrer nofollow"}


def test_an_image_is_a_link_and_nothing_is_loaded() -> None:
    markup = render_markdown("![a cat](https://example.com/cat.png)")
    assert "<img" not in markup
    assert ">a cat</a>" in markup


@given(st.text())
def test_escaped_text_reads_back_as_it_was_shown(text: str) -> None:
    fragment = html5lib.parseFragment(
        f'<p title="{escape(text)}">{escape(text)}</p>',
        treebuilder="etree",
        namespaceHTMLElements=False,
    )
    (paragraph,) = fragment
    shown = showable(text).replace("\r\n", "\n").replace("\r", "\n")
    assert (paragraph.text or "") == shown
    assert paragraph.get("title") == shown


@given(st.text())
def test_shown_text_is_encodable(text: str) -> None:
    showable(text).encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(json_values)
def test_any_json_is_shown_as_valid_markup(value: Any) -> None:
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    parser.parseFragment(render_json(value))
    assert parser.errors == []


def test_json_markup_is_text_only() -> None:
    markup = render_json({"<script>": "</span><script>alert(1)</script>", "n": [{"<b>": "<i>"}]})
    assert {tag for tag, _ in elements(markup)} <= {"div", "span", "details", "summary"}


def chain(levels: int) -> Any:
    value: Any = "leaf"
    for number in range(levels):
        value = [value] if number % 2 else {"level": value}
    return value


HUGE: dict[str, Any] = {
    "10 MB string": "x" * 10_000_000,
    "many strings": ["word " * 1_000] * 2_000,
    "5,000 keys": {f"key {number}": number for number in range(5_000)},
    "100,000 items": [{"a": number} for number in range(100_000)],
    "depth 900": chain(900),
    "wide and deep": [[[number] * 50] * 50 for number in range(100)],
    "integer of 10,000 digits": int("9" * 4_000) ** 2,
    "long keys": {"k" * 100_000 + str(number): 1 for number in range(50)},
}


@pytest.mark.parametrize("value", HUGE.values(), ids=HUGE)
def test_huge_json_is_bounded_and_quick(value: Any) -> None:
    budget = Budget()
    began = time.process_time()
    markup = render_json(value, budget)
    assert time.process_time() - began < 0.5
    assert len(markup) < 2_500_000
    assert budget.chars >= 0
    if value is not HUGE["integer of 10,000 digits"] and value is not HUGE["long keys"]:
        assert budget.omissions


BOMBS = [
    "[" * 20_000,
    "![[" * 6_000,
    "*a_ " * 5_000,
    "> " * 10_000,
    "- " * 9_000 + "x",
    "`" * 20_000,
    "[a](" * 5_000,
    "|a" * 9_000,
    "[x]\n" * 5_000 + "[x]: y",
    "_a*" * 6_000,
]


@pytest.mark.parametrize("text", BOMBS, ids=range(len(BOMBS)))
def test_a_page_of_markdown_bombs_is_quick(text: str) -> None:
    budget = Budget()
    began = time.process_time()
    for _ in range(40):
        read_words(text, budget)
    assert time.process_time() - began < 2


def test_a_page_holds_only_so_many_characters() -> None:
    budget = Budget()
    shown = [read_words("x" * 1_000_000, budget) for _ in range(20)]
    assert sum(words.char_count - words.omitted_chars for words in shown) == PAGE_CHARS
    assert shown[0].omitted_chars == 1_000_000 - MAX_SHOWN_CHARS


def test_a_page_holds_only_so_many_lines_of_json() -> None:
    budget = Budget()
    for _ in range(100):
        render_json({str(number): number for number in range(250)}, budget)
    assert budget.json_nodes == 0
    assert budget.omissions == 100 - PAGE_JSON_NODES // 250


def test_markup_is_taken_as_it_is_by_templates() -> None:
    assert Html("<b>").__html__() == "<b>"
