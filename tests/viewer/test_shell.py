from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path

from viewer.preferences import reader_theme, reader_zone
from viewer.urls import urlpatterns as viewer_urlpatterns

ROOT = Path(__file__).parent.parent.parent / "viewer"
SECRET = "the customer's words"


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError(SECRET)


urlpatterns = [*viewer_urlpatterns, path("fail", fail)]


def test_a_page_that_is_not_there_says_what_may_be_wrong(
    reader: Client, check_html: Callable[[HttpResponse], None]
) -> None:
    response = reader.get("/nowhere/<b>")
    check_html(response)
    assert response.status_code == 404
    assert "<code>/nowhere/&lt;b&gt;</code>" in response.content.decode()


@override_settings(ROOT_URLCONF="tests.viewer.test_shell")
def test_a_page_that_fails_shows_nothing_of_what_it_held(
    reader: Client, check_html: Callable[[HttpResponse], None]
) -> None:
    reader.raise_request_exception = False
    response = reader.get("/fail")
    check_html(response)
    assert response.status_code == 500
    assert SECRET not in response.content.decode()


def test_the_theme_chosen_comes_with_the_next_page(reader: Client) -> None:
    reader.post("/settings/theme", {"theme": "dark"})
    assert 'data-theme="dark"' in reader.get("/settings/keys").content.decode()


def test_choosing_the_systems_theme_forgets_the_choice(reader: Client) -> None:
    reader.post("/settings/theme", {"theme": "dark"})
    reader.post("/settings/theme", {"theme": "system"})
    assert "data-theme=" not in reader.get("/settings/keys").content.decode()


@pytest.mark.parametrize("cookie", ['"><script>', "../../etc/passwd", "x" * 500, ""])
def test_a_nonsense_cookie_changes_nothing(reader: Client, cookie: str) -> None:
    reader.cookies["runwood_zone"] = cookie
    reader.cookies["runwood_theme"] = cookie
    text = reader.get("/settings/keys").content.decode()
    assert '<html lang="en" data-zone="UTC">' in text


def test_pages_are_kept_by_no_shared_cache(reader: Client) -> None:
    assert reader.get("/settings/keys")["Cache-Control"] == "private, no-cache"


def test_the_policy_allows_neither_inline_code_nor_other_hosts(reader: Client) -> None:
    policy = reader.get("/settings/keys")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_templates_hold_no_inline_style_or_script() -> None:
    for template in ROOT.glob("templates/**/*.html"):
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)", text), template


def test_only_the_tokens_hold_colours_and_font_sizes() -> None:
    for sheet in ROOT.glob("static/viewer/css/**/*.css"):
        if sheet.name != "tokens.css":
            text = sheet.read_text(encoding="utf-8")
            assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?![^{]*\{)|\brgba?\(|light-dark\(", text), (
                sheet
            )


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    sprite = (ROOT / "static/viewer/icons.svg").read_text(encoding="utf-8")
    known = set(re.findall(r'<symbol id="([a-z]+)"', sprite))
    named = {
        name
        for template in ROOT.glob("templates/**/*.html")
        for name in re.findall(r'{% icon "([^"]+)"', template.read_text(encoding="utf-8"))
    }
    assert named - known == set()


def test_every_static_file_that_a_template_names_is_there() -> None:
    for template in ROOT.glob("templates/**/*.html"):
        for name in re.findall(r"{% static '([^']+)' %}", template.read_text(encoding="utf-8")):
            assert finders.find(name), f"{template}: {name}"


def test_no_file_of_the_pages_names_another_host() -> None:
    for file in (ROOT / "static/viewer").rglob("*"):
        if file.suffix in {".css", ".js"}:
            assert not re.search(r"https?://", file.read_text(encoding="utf-8")), file


def test_the_root_leads_to_the_projects(reader: Client) -> None:
    assert reader.get("/")["Location"] == "/projects"


def test_a_request_factory_request_needs_no_cookies(rf: RequestFactory) -> None:
    request = rf.get("/")
    assert (reader_theme(request), reader_zone(request).key) == ("", "UTC")
