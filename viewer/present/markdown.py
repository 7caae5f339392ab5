"""Markdown that came from a model or a user, made harmless.

Raw HTML stays text, images become links (nothing is loaded from elsewhere), and the result goes
through an allow-list all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from viewer.present.html import Html, escape, showable

# Pathological text costs 10 ms per 1,000 characters; what is longer is shown as it is.
MAX_MARKDOWN_CHARS = 20_000
MAX_BRACKETS = 400  # each open one is looked for to the end of the text
_SIGNS = frozenset("*_`#[]<>|~\\&")  # and line starts, see _is_plain
_TAGS = {
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
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes={"a": {"href", "title"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
)


def render_markdown(text: str) -> Html:
    """Return the text as markup: of Markdown when it is short enough, else as plain paragraphs."""
    text = showable(text)
    if len(text) > MAX_MARKDOWN_CHARS or text.count("[") > MAX_BRACKETS or _is_plain(text):
        return render_plain(text)
    return Html(_CLEANER.clean(_PARSER.render(text)))


def render_plain(text: str) -> Html:
    """Return the text as it is: every space and line break is kept."""
    return Html(f'<p class="prose__plain">{escape(text)}</p>')


def _is_plain(text: str) -> bool:
    """Whether no character of the text means anything to Markdown."""
    if not _SIGNS.isdisjoint(text):
        return False
    starts = (line.lstrip()[:1] for line in text.splitlines())
    return not any(start in "-+=" or start.isdigit() for start in starts if start)


def _heading(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """The page has its own outline: whatever a message calls a heading is one small one."""
    tokens[index].tag = "h4"
    return self.renderToken(tokens, index, options, env)


def _image(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[index]
    label = token.content or "image"
    return f'<a href="{escape(str(token.attrs.get("src", "")))}">{escape(label)}</a>'


def _make_parser() -> MarkdownIt:
    settings: dict[str, Any] = {"html": False, "breaks": True, "linkify": False}
    parser = MarkdownIt("commonmark", settings).enable(["table", "strikethrough"])
    for kind in ("heading_open", "heading_close"):
        parser.add_render_rule(kind, _heading)
    parser.add_render_rule("image", _image)
    return parser


_PARSER = _make_parser()
