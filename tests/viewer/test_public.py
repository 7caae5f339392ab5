"""The page of a shared run: /public/{token}/r."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from collector.models import Project, SharedRun
from collector.wire.operations import AttachmentOperation, Batch, RunOperation
from tests.factories import make_attachment, make_feedback, make_run, store

pytestmark = pytest.mark.django_db

Runs = tuple[RunOperation, RunOperation, RunOperation, RunOperation]


@pytest.fixture
def runs(project: Project) -> Runs:
    """A root with two children, the first of which has one too."""
    root = make_run(name="the-root", inputs=b'{"input": "of the root"}', tags=["root-tag"])
    child = make_run(root, name="the-child", after_seconds=1, inputs=b'{"input": "of the child"}')
    below = make_run(child, name="below", after_seconds=2, inputs=b'{"input": "of below"}')
    other = make_run(root, name="the-other", after_seconds=3, inputs=b'{"input": "of other"}')
    picture = AttachmentOperation(
        run_id=child.id, name="picture", mime_type="image/png", data=b"p", trace_id=root.id,
        day=root.day,
    )  # fmt: skip
    store(
        project.id,
        Batch(
            runs=[root, child, below, other],
            feedback=[make_feedback(child, "helpful", 1.0)],
            attachments=[picture, make_attachment(child, "notes")],
        ),
    )
    return root, child, below, other


@pytest.fixture
def path(project: Project, runs: Runs) -> str:
    """Share the first child and return the path of its page."""
    _, child, *_ = runs
    assert child.day is not None
    shared = SharedRun.objects.create(
        project=project, run_id=child.id, trace_id=child.trace_id, day=child.day
    )
    return f"/public/{shared.token}/r"


def test_anybody_sees_the_shared_run_and_all_below_it(
    client: Client, path: str, check_html: Callable[[HttpResponse], None]
) -> None:
    response = client.get(path)
    check_html(response)
    text = response.content.decode()
    assert response.status_code == 200
    for seen in ("the-child", "of the child", "below"):
        assert seen in text


def test_nothing_else_of_trace_or_project_is_on_the_page(
    client: Client, path: str, runs: Runs, project: Project
) -> None:
    root, _, _, other = runs
    for tab in ("run", "metadata", "raw", "events", "feedback"):
        text = client.get(path, {"tab": tab}).content.decode()
        for hidden in (root.id, other.id, "the-root", "the-other", "root-tag", project.name):
            assert str(hidden) not in text, (tab, hidden)


def test_a_run_below_it_can_be_chosen_and_no_other(client: Client, path: str, runs: Runs) -> None:
    root, _, below, other = runs
    assert "of below" in client.get(path, {"run": str(below.id)}).content.decode()
    for closed in (root.id, other.id, uuid.uuid4()):
        response = client.get(path, {"run": str(closed)})
        assert response.status_code == 404
        assert "of the root" not in response.content.decode()


@pytest.mark.parametrize("target", ["run-pane", "trace-live"])
def test_a_script_gets_the_part_that_it_asks_for(client: Client, path: str, target: str) -> None:
    response = client.get(path, headers={"HX-Request": "true", "HX-Target": target})
    text = response.content.decode()
    assert response.status_code == 200
    assert "<!doctype html>" not in text
    assert f'id="{"run-pane" if target == "run-pane" else "trace-left"}"' in text


def test_the_waterfall_is_there_too(client: Client, path: str) -> None:
    assert client.get(path, {"view": "waterfall"}).status_code == 200


def test_a_run_can_be_read_raw_and_no_other(client: Client, path: str, runs: Runs) -> None:
    root, child, below, other = runs
    for run in (child, below):
        answer = client.get(f"{path}/{run.id}/raw", {"field": "inputs", "download": "1"})
        assert answer.content == run.inputs
    for run in (root, other):
        assert client.get(f"{path}/{run.id}/raw").status_code == 404
    assert str(root.id) not in client.get(f"{path}/{child.id}/raw").content.decode()


def test_pictures_are_shown_and_other_files_can_be_downloaded(client: Client, path: str) -> None:
    text = client.get(path).content.decode()
    (source,) = re.findall(r'<img class="files__image" src="([^"]+)"', text)
    assert client.get(source)["Content-Type"] == "image/png"
    links = re.findall(r'<a class="clip" href="(/attachments/[^"]+)" download', text)
    assert [client.get(link)["Content-Disposition"] for link in links] == [
        'attachment; filename="notes"'
    ]


def test_no_search_engine_cache_or_other_site_keeps_it(client: Client, path: str) -> None:
    response = client.get(path)
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["Cache-Control"] == "private, no-store"


def test_the_page_is_gone_with_the_share(client: Client, path: str) -> None:
    SharedRun.objects.all().delete()
    gone, never = client.get(path), client.get(f"/public/{uuid.uuid4()}/r")
    assert (gone.status_code, never.status_code) == (404, 404)
    assert client.get(f"{path}/{uuid.uuid4()}/raw").status_code == 404


def test_a_shared_root_is_the_whole_trace(client: Client, project: Project, runs: Runs) -> None:
    root = runs[0]
    assert root.day is not None
    shared = SharedRun.objects.create(
        project=project, run_id=root.id, trace_id=root.id, day=root.day
    )
    text = client.get(f"/public/{shared.token}/r").content.decode()
    for name in ("the-root", "the-child", "below", "the-other"):
        assert name in text


def test_a_name_is_never_markup(client: Client, project: Project) -> None:
    run = make_run(name="<script>alert(1)</script>")
    store(project.id, Batch(runs=[run], attachments=[make_attachment(run, '"><img src=x>')]))
    assert run.day is not None
    shared = SharedRun.objects.create(project=project, run_id=run.id, trace_id=run.id, day=run.day)
    text = client.get(f"/public/{shared.token}/r").content.decode()
    assert "<script>alert" not in text
    assert "<img src=x>" not in text


def test_the_page_takes_as_many_queries_however_many_runs_there_are(
    client: Client, project: Project
) -> None:
    counts = []
    for width in (2, 20):
        root = make_run()
        top = make_run(root)
        store(
            project.id,
            Batch(runs=[root, top, *(make_run(top, after_seconds=n) for n in range(width))]),
        )
        assert root.day is not None
        shared = SharedRun.objects.create(
            project=project, run_id=top.id, trace_id=root.id, day=root.day
        )
        with CaptureQueriesContext(connection) as captured:
            client.get(f"/public/{shared.token}/r")
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 20
