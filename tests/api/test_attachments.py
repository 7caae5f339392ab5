"""Files of runs at their signed addresses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from django.core import signing
from django.test import Client

from collector import attachments
from collector.api.attachments import attachment_urls
from collector.models import Project
from collector.reads.runs import find_run
from collector.reads.types import RunSummary
from collector.wire.operations import AttachmentOperation, Batch
from tests.factories import make_run, store, store_runs

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n" + bytes(range(256))


def stored_run(project_id: UUID, name: str, mime_type: str, data: bytes = PNG) -> RunSummary:
    """Store a run with one file."""
    run = make_run()
    file = AttachmentOperation(
        run_id=run.id, name=name, mime_type=mime_type, data=data, trace_id=run.id, day=run.day
    )
    store(project_id, Batch(runs=[run], attachments=[file]))
    found = find_run([project_id], run.id)
    assert found is not None
    return found


def url_of(run: RunSummary, name: str) -> str:
    return attachment_urls([run])[run.project_id, run.id][f"attachment.{name}"]["presigned_url"]


def test_urls_are_given_for_the_runs_that_have_files(project: Project) -> None:
    run = stored_run(project.id, "picture", "image/png")
    bare = make_run()
    store_runs(project.id, bare)
    other = find_run([project.id], bare.id)
    assert other is not None
    urls = attachment_urls([run, other])
    assert list(urls) == [(project.id, run.id)]
    (file,) = urls[project.id, run.id].values()
    assert file["mime_type"] == "image/png"


@pytest.mark.parametrize("letter", ["a", "写", "😀"])
def test_a_file_with_the_longest_name_is_found_at_its_address(
    client: Client, project: Project, letter: str
) -> None:
    name = letter * 255
    run = stored_run(project.id, name, "image/png")
    assert client.get(url_of(run, name)).content == PNG


@pytest.mark.parametrize("prefix", ["", "/api", "/api/v1", "/v1"])
def test_a_file_comes_back_byte_for_byte_without_a_key(
    client: Client, project: Project, prefix: str
) -> None:
    run = stored_run(project.id, "picture", "image/png")
    answer = client.get(prefix + url_of(run, "picture"))
    assert (answer.status_code, answer.content) == (200, PNG)


@pytest.mark.parametrize(
    ("mime_type", "sent_as", "is_shown"),
    [
        ("image/png", "image/png", True),
        ("IMAGE/JPEG; charset=x", "image/jpeg", True),
        ("audio/mpeg", "audio/mpeg", True),
        ("application/pdf", "application/pdf", True),
        ("text/html", "application/octet-stream", False),
        ("image/svg+xml", "application/octet-stream", False),
        ("text/plain", "application/octet-stream", False),
        ("image/png\r\nX-Evil: 1", "application/octet-stream", False),
        ("", "application/octet-stream", False),
    ],
)
def test_only_what_holds_no_script_is_shown(
    client: Client, project: Project, mime_type: str, sent_as: str, is_shown: bool
) -> None:
    run = stored_run(project.id, "file", mime_type, b"<script>1</script>")
    answer = client.get(url_of(run, "file"))
    assert answer["Content-Type"] == sent_as
    assert answer["Content-Disposition"].startswith("inline" if is_shown else "attachment")


def test_a_browser_runs_nothing_of_a_file(client: Client, project: Project) -> None:
    answer = client.get(url_of(stored_run(project.id, "page", "application/pdf"), "page"))
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"].startswith("private")
    assert "noindex" in answer["X-Robots-Tag"]


@pytest.mark.parametrize("name", ['a"b\r\nX-Evil: 1', "../../etc/passwd", "返金.png", "a/b?c#d%41"])
def test_a_hostile_name_stays_a_name(client: Client, project: Project, name: str) -> None:
    answer = client.get(url_of(stored_run(project.id, name, "image/png"), name))
    assert (answer.status_code, answer.content) == (200, PNG)
    assert "X-Evil" not in answer.headers


@pytest.mark.parametrize("change", ["x", "", ":x", "a" * 5_000])
def test_a_changed_address_opens_nothing(client: Client, project: Project, change: str) -> None:
    url = url_of(stored_run(project.id, "picture", "image/png"), "picture")
    changed = url + change if change else url[:-1]
    assert client.get(changed).status_code == 404


def test_an_address_made_for_something_else_opens_nothing(client: Client) -> None:
    other: Any = signing.dumps(["0" * 32, "0" * 32, "2026-11-24", "x", ""], salt="another")
    assert client.get(f"/attachments/{other}").status_code == 404


def test_an_address_is_good_for_an_hour(client: Client, project: Project) -> None:
    run = stored_run(project.id, "picture", "image/png")
    life = timedelta(seconds=attachments.MAX_AGE_SECONDS)
    signed_at = signing.time.time() - life.total_seconds() - 1
    with mock.patch.object(signing.time, "time", return_value=signed_at):
        url = url_of(run, "picture")
    assert client.get(url).status_code == 404


def test_the_files_of_a_deleted_project_are_gone(client: Client, project: Project) -> None:
    url = url_of(stored_run(project.id, "picture", "image/png"), "picture")
    project.delete()
    assert client.get(url).status_code == 404
