"""Texts: Markdown, JSON or plain; folded or whole."""

from __future__ import annotations

import pytest

from viewer.present.budget import Budget
from viewer.present.jsonview import render_json
from viewer.present.markdown import render_markdown
from viewer.present.words import parse_json_text, read_words

MARKDOWN = {
    "plain": ("hello", '<p class="prose__plain">hello</p>'),
    "plain keeps its lines": ("a\n\n  b", '<p class="prose__plain">a\n\n  b</p>'),
    "strong": ("**a**", "<p><strong>a</strong></p>\n"),
    "line breaks count": ("*a*\nb", "<p><em>a</em><br>\nb</p>\n"),
    "headings are small": ("# A\n\n### B", "<h4>A</h4>\n<h4>B</h4>\n"),
    "list": ("1. a\n2. b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>\n"),
    "html stays text": ("<b>a</b>", "<p>&lt;b&gt;a&lt;/b&gt;</p>\n"),
    "code": ("```py\na < b\n```", "<pre><code>a &lt; b\n</code></pre>\n"),
}


@pytest.mark.parametrize(("text", "markup"), MARKDOWN.values(), ids=MARKDOWN)
def test_markdown_is_rendered(text: str, markup: str) -> None:
    assert render_markdown(text) == markup


FORMS = {
    "object": ('{"a": 1}', "json"),
    "list with space before": ("  [1]", "json"),
    "empty object is no news": ("{}", "markdown"),
    "broken": ('{"a": ', "markdown"),
    "number": ("7", "markdown"),
    "words": ("hello", "markdown"),
}


@pytest.mark.parametrize(("text", "form"), FORMS.values(), ids=FORMS)
def test_a_text_that_is_json_is_shown_as_json(text: str, form: str) -> None:
    assert read_words(text, Budget()).form == form


FOLDS = {
    "short text": ("a" * 400, "short", ""),
    "long text": ("a" * 500, "short", "short"),
    "many lines": ("a\n" * 8, "short", "short"),
    "at the centre": ("a" * 500, "tall", ""),
    "too long even there": ("a" * 7_000, "tall", "tall"),
    "never": ("a" * 7_000, "", ""),
}


@pytest.mark.parametrize(("text", "folds", "expected"), FOLDS.values(), ids=FOLDS)
def test_long_texts_fold(text: str, folds: str, expected: str) -> None:
    assert read_words(text, Budget(), folds=folds).fold == expected


def test_without_room_for_markdown_a_text_is_plain() -> None:
    assert read_words("**a**", Budget(markdown_chars=3)).form == "plain"


def test_json_text_is_not_looked_for_in_long_texts() -> None:
    assert parse_json_text("[" + "1," * 200_000 + "1]") is None


def test_json_lines_say_their_types() -> None:
    assert render_json({"a": "x", "b": 1, "c": None, "d": True, "e": {}}) == (
        '<div class="json">'
        '<div class="json__line"><span class="json__key">a</span>: <span class="json__string" dir="auto">"x"</span></div>'
        '<div class="json__line"><span class="json__key">b</span>: <span class="json__number">1</span></div>'
        '<div class="json__line"><span class="json__key">c</span>: <span class="json__word">null</span></div>'
        '<div class="json__line"><span class="json__key">d</span>: <span class="json__word">true</span></div>'
        '<div class="json__line"><span class="json__key">e</span>: <span class="json__note">{ empty }</span></div>'
        "</div>"
    )


def test_a_list_of_short_values_is_one_line() -> None:
    markup = render_json({"a": [1, 2]})
    assert (
        '</span>: [<span class="json__number">1</span>, <span class="json__number">2</span>]</div>'
        in markup
    )


def test_inner_objects_fold_and_deep_ones_are_closed() -> None:
    markup = render_json({"a": {"b": {"c": {"d": {"e": 1}}}}})
    assert markup.count("<details open>") == 2
    assert markup.count("<details>") == 2
