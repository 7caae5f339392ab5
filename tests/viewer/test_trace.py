"""The trace page as the server makes it."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import html5lib
import orjson
import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from collector.models import Membership, Project, User
from collector.reads.live import stop_listener
from collector.wire.operations import RunOperation
from tests.factories import START, make_run, store_runs

pytestmark = pytest.mark.django_db

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>\x01'
HTMX = {"HTTP_HX_REQUEST": "true"}


def json(value: Any) -> bytes:
    return orjson.dumps(value)


def make_trace(project: Project, size: int = 6, **fields: Any) -> list[RunOperation]:
    """Store a root with `size` runs below it."""
    root = make_run(**{"name": "agent", "inputs": json({"question": "How many?"})} | fields)
    below = [
        make_run(root, name=f"step {number}", after_seconds=number / 100) for number in range(size)
    ]
    store_runs(project.id, root, *below)
    return [root, *below]


def url(project: Project, run: RunOperation, query: str = "") -> str:
    return f"/p/{project.name}/traces/{run.trace_id}{query}"


def parse(content: bytes) -> Any:
    """Return the parsed page, which must be valid."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    page = parser.parse(content.decode())
    assert parser.errors == []
    return page


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?view=waterfall",
        "?tab=metadata",
        "?tab=events",
        "?tab=raw",
        "?tab=feedback",
        "?input=json",
        "?q=step",
        "?plumbing=show",
    ],
)
def test_every_state_of_the_page_is_valid(reader: Client, project: Project, query: str) -> None:
    runs = make_trace(project)
    response = reader.get(url(project, runs[0], query))
    assert response.status_code == 200
    tree = parse(response.content).find(".//*[@role='tree']")
    assert len(tree.findall("./a[@role='treeitem']")) == 7


def test_hostile_content_is_inert_wherever_it_stands(reader: Client, project: Project) -> None:
    message = {
        "role": EVIL,
        "name": EVIL,
        "content": [EVIL, {"type": "thinking", "thinking": EVIL}, {"type": EVIL, EVIL: EVIL}],
    }
    call = {"role": "assistant", "tool_calls": [{"id": EVIL, "name": EVIL, "args": {EVIL: EVIL}}]}
    document = {"page_content": EVIL, "metadata": {"title": EVIL, EVIL: EVIL}}
    root = make_run(
        name=EVIL.replace("\x01", ""),
        run_type=EVIL[:20],
        tags=[EVIL[:40]],
        error=f'{EVIL}\nTraceback (most recent call last):\n  File "{EVIL}", line 1, in {EVIL}\n    {EVIL}\nX: {EVIL}',
        inputs=json({"messages": [message, call]}),
        outputs=json({"documents": [document], EVIL: EVIL}),
        events=json([{"name": EVIL, "message": EVIL, "kwargs": {EVIL: EVIL}}]),
        extra=json(
            {
                "metadata": {EVIL: EVIL, "LANGSMITH_X": EVIL},
                "invocation_params": {"tools": [{"name": EVIL}], "model": EVIL},
            }
        ),
        serialized=json({EVIL: EVIL}),
    )
    store_runs(project.id, root)
    for query in (
        "",
        "?view=waterfall",
        "?tab=metadata",
        "?tab=events",
        "?tab=raw",
        "?input=json&output=json",
        "?q=" + EVIL[:30],
    ):
        response = reader.get(url(project, root, query))
        page = parse(response.content)
        scripts = [script.get("src", "inline") for script in page.iter("script")]
        assert all(src.startswith("/static/") for src in scripts)
        assert list(page.iter("img")) == []
        assert not any(name.startswith("on") for node in page.iter() for name in node.attrib)
        assert b"style=" not in response.content


def test_the_page_allows_nothing_from_elsewhere(reader: Client, project: Project) -> None:
    runs = make_trace(project)
    policy = reader.get(url(project, runs[0])).headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_only_the_selected_pane_is_sent_where_a_script_asks_for_it(
    reader: Client, project: Project
) -> None:
    runs = make_trace(project)
    response = reader.get(
        url(project, runs[0], f"?run={runs[3].id}"), HTTP_HX_TARGET="run-pane", **HTMX
    )
    content = response.content.decode()
    assert content.lstrip().startswith('<section class="run-pane" id="run-pane"')
    assert "step 2" in content
    assert 'role="tree"' not in content
    assert "HX-Request" in response.headers["Vary"]


def test_only_head_and_tree_are_sent_to_a_page_that_is_open(
    reader: Client, project: Project
) -> None:
    runs = make_trace(project)
    content = reader.get(
        url(project, runs[0]), HTTP_HX_TARGET="trace-live", **HTMX
    ).content.decode()
    assert 'id="trace-head"' in content
    assert 'id="trace-left"' in content
    assert 'id="run-pane"' not in content


def test_the_selected_run_is_marked_in_the_tree(reader: Client, project: Project) -> None:
    runs = make_trace(project)
    page = parse(reader.get(url(project, runs[0], f"?run={runs[2].id}")).content)
    selected = [row.get("id") for row in page.findall(".//*[@aria-selected='true']")]
    assert selected == [f"r-{runs[2].id}"]


def test_a_larger_trace_takes_no_more_queries(reader: Client, project: Project) -> None:
    counts = []
    for size in (3, 300):
        runs = make_trace(project, size)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            reader.get(url(project, runs[0], f"?run={runs[1].id}"))
        counts.append(len(queries))
    assert counts[1] <= counts[0] <= 24


def test_a_trace_of_1000_runs_takes_90_ms_of_the_processor(
    reader: Client, project: Project
) -> None:
    runs = make_trace(project, 999)
    best = 1.0
    for _ in range(4):
        began = time.process_time()
        assert reader.get(url(project, runs[0])).status_code == 200
        best = min(best, time.process_time() - began)
    assert best < 0.09


def test_rows_past_the_limit_wait_behind_a_link(reader: Client, project: Project) -> None:
    runs = make_trace(project, 2_100)
    page = parse(reader.get(url(project, runs[0])).content)
    assert len(page.findall(".//a[@role='treeitem']")) == 2_000
    more = [link.get("href") for link in page.iter("a") if link.text == "Show more"]
    assert more == ["?rows=4000"]
    page = parse(reader.get(url(project, runs[0], more[0])).content)
    assert len(page.findall(".//a[@role='treeitem']")) == 2_101


@pytest.mark.parametrize(
    "path",
    [
        "/p/nowhere/traces/{trace}",
        "/p/{project}/traces/{other}",
        "/p/{project}/traces/{trace}?run={other}",
    ],
)
def test_what_is_not_there_is_404_with_help(reader: Client, project: Project, path: str) -> None:
    runs = make_trace(project)
    response = reader.get(path.format(project=project.name, trace=runs[0].id, other=uuid.uuid4()))
    assert response.status_code == 404
    assert len(parse(response.content).findall(".//a[@href]")) > 3


def test_a_run_of_another_trace_is_not_in_this_one(reader: Client, project: Project) -> None:
    here, there = make_trace(project), make_trace(project)
    assert reader.get(url(project, here[0], f"?run={there[1].id}")).status_code == 404
    assert reader.get(f"{url(project, here[0])}/runs/{there[1].id}/raw").status_code == 404


def test_a_stranger_sees_what_someone_sees_who_guesses(stranger: Client, project: Project) -> None:
    runs = make_trace(project)
    known, guessed = (
        stranger.get(f"/p/{name}/traces/{runs[0].id}").content.decode().replace(name, "NAME")
        for name in (project.name, "some-project")
    )
    known, guessed = (
        re.sub(r'csrfmiddlewaretoken" value="\w+"', "", page) for page in (known, guessed)
    )
    assert known == guessed
    for path in ("/stream", f"/runs/{runs[0].id}/raw"):
        assert stranger.get(url(project, runs[0]) + path).status_code == 404


def test_without_a_session_there_is_only_the_way_to_sign_in(
    client: Client, project: Project
) -> None:
    runs = make_trace(project)
    for path in ("", f"/runs/{runs[0].id}/raw"):
        response = client.get(url(project, runs[0]) + path)
        assert (response.status_code, response.headers["Location"][:8]) == (302, "/sign-in")


def test_a_run_can_be_downloaded_as_it_was_sent(reader: Client, project: Project) -> None:
    text = b'{"n": 12345678901234567890123, "s": "\\u00e9"}'
    root = make_run(inputs=text)
    store_runs(project.id, root)
    response = reader.get(f"{url(project, root)}/runs/{root.id}/raw?field=inputs&download=1")
    assert response.content == text
    assert (
        response.headers["Content-Disposition"]
        == f'attachment; filename="run-{root.id}-inputs.json"'
    )
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_whole_run_is_one_json_object(reader: Client, project: Project) -> None:
    runs = make_trace(project, outputs=json({"output": "42"}))
    response = reader.get(f"{url(project, runs[0])}/runs/{runs[0].id}/raw")
    run = orjson.loads(response.content)
    assert (run["id"], run["name"], run["inputs"], run["outputs"]) == (
        str(runs[0].id),
        "agent",
        {"question": "How many?"},
        {"output": "42"},
    )


def test_copying_an_output_gives_its_words(reader: Client, project: Project) -> None:
    runs = make_trace(
        project, outputs=json({"messages": [{"role": "assistant", "content": "**42**"}]})
    )
    response = reader.get(f"{url(project, runs[0])}/runs/{runs[0].id}/raw?field=outputs&form=text")
    assert (response.content, response.headers["Content-Type"]) == (
        b"**42**",
        "text/plain; charset=utf-8",
    )


def test_an_unknown_field_is_404(reader: Client, project: Project) -> None:
    runs = make_trace(project)
    assert (
        reader.get(f"{url(project, runs[0])}/runs/{runs[0].id}/raw?field=versions").status_code
        == 404
    )


def test_a_trace_without_its_root_is_shown_with_its_orphans(
    reader: Client, project: Project
) -> None:
    root = make_run()
    child = make_run(root, name="lonely")
    store_runs(project.id, child)
    content = reader.get(url(project, root)).content.decode()
    assert "lonely" in content
    assert "root not received" in content
    assert "1 orphan" in content


def test_a_page_of_20_mb_payloads_stays_small(reader: Client, project: Project) -> None:
    root = make_run(
        inputs=json({"messages": [{"role": "user", "content": "x" * 9_000_000}]}),
        outputs=json({f"k{n}": "v" * 1_000 for n in range(5_000)}),
    )
    store_runs(project.id, root)
    response = reader.get(url(project, root))
    assert len(response.content) < 800_000
    assert b"Load 8.58 MB" in response.content
    assert b"Download" in response.content


def test_an_open_page_hears_of_a_change_without_holding_a_connection(
    store: None, reader: Client, project: Project
) -> None:
    runs = make_trace(project)
    response = reader.get(f"{url(project, runs[0])}/stream")
    pieces = iter(response.streaming_content)
    try:
        assert b"retry:" in next(pieces)
        assert connection.connection is None
        time.sleep(0.5)  # until it listens; then it says "look again" once
        store_runs(project.id, make_run(runs[0], name="late"))
        assert any(b"event: changed" in next(pieces) for _ in range(3))
    finally:
        response.close()
        stop_listener()


def test_a_stream_of_a_trace_that_is_not_there_is_404(reader: Client, project: Project) -> None:
    assert reader.get(f"/p/{project.name}/traces/{uuid.uuid4()}/stream").status_code == 404


def test_a_graph_with_a_name_of_its_own_is_drawn_as_a_graph(
    reader: Client, project: Project
) -> None:
    root = make_run(name="support agent")
    store_runs(project.id, root, make_run(root, name="plan", tags=["graph:step:1"]))
    page = reader.get(url(project, root)).content.decode()
    assert page.count('aria-label="Graph"') == 3  # head, tree and pane


# --- other views, files, neighbours ----------------------------------------------------------------
def model_call(root: RunOperation, question: str, answer: str) -> RunOperation:
    return make_run(
        root,
        name="ChatOpenAI",
        run_type="llm",
        after_seconds=0.1,
        inputs=json({"messages": [{"role": "user", "content": question}]}),
        outputs=json({"messages": [{"role": "assistant", "content": answer}]}),
    )


def test_a_trace_can_be_read_as_conversation_and_as_log(
    reader: Client, project: Project, check_html: Callable[[HttpResponse], None]
) -> None:
    root = make_run(name="agent")
    store_runs(project.id, root, model_call(root, "Do you ship?", "We do."))
    chat = reader.get(url(project, root, "?view=chat"))
    check_html(chat)
    assert "We do." in chat.content.decode()
    log = reader.get(url(project, root, "?view=log"))
    check_html(log)
    assert log.content.decode().count("log-row__kind") == 4


def test_a_run_says_how_slow_it_is_among_its_peers(reader: Client, project: Project) -> None:
    runs = make_trace(project, 30)
    slow = make_run(runs[0], name="step 1", after_seconds=1, end_time=START + timedelta(hours=1))
    many = [make_run(runs[0], name="step 1", after_seconds=1) for _ in range(25)]
    store_runs(project.id, slow, *many)
    text = reader.get(url(project, slow, f"?run={slow.id}")).content.decode()
    assert "slower than 96% of the last 27 step 1" in text
    few = reader.get(url(project, slow, f"?run={runs[3].id}")).content.decode()
    assert "of the last" not in few


def test_a_call_is_copied_as_messages(reader: Client, project: Project) -> None:
    root = make_run(name="agent")
    call = model_call(root, "Do you ship?", "We do.")
    store_runs(project.id, root, call)
    raw = f"/p/test-project/traces/{root.id}/runs/{call.id}/raw"
    assert '"role": "user"' in reader.get(f"{raw}?form=openai").content.decode()
    nothing = f"/p/test-project/traces/{root.id}/runs/{root.id}/raw?form=openai"
    assert reader.get(nothing).status_code == 404


def test_a_whole_trace_is_downloaded_run_by_run_or_as_what_was_said(
    reader: Client, project: Project
) -> None:
    root = make_run(name="agent")
    store_runs(project.id, root, model_call(root, "Do you ship?", "We do."))
    runs = reader.get(f"/p/test-project/traces/{root.id}/download?form=jsonl")
    lines = b"".join(runs.streaming_content).splitlines()  # type: ignore[attr-defined]
    assert [orjson.loads(line)["name"] for line in lines] == ["agent", "ChatOpenAI"]
    said = reader.get(f"/p/test-project/traces/{root.id}/download?form=markdown")
    text = b"".join(said.streaming_content).decode()  # type: ignore[attr-defined]
    assert text.startswith("# agent\n")
    assert "**AI**\n\nWe do." in text


def test_the_traces_beside_one_are_a_key_away(reader: Client, project: Project) -> None:
    first, second = make_run(), make_run(start_time=START + timedelta(minutes=1))
    store_runs(project.id, first, second)
    newer = reader.get(f"/p/test-project/traces/{first.id}/newer")
    assert newer["Location"] == url(project, second)
    assert reader.get(f"{newer['Location']}/older?view=log")["Location"].endswith(
        f"{first.id}?view=log"
    )
    assert reader.get(f"/p/test-project/traces/{second.id}/newer")["Location"] == url(
        project, second
    )


def test_a_reader_judges_a_run_changes_the_judgement_and_takes_it_back(
    reader: Client, project: Project
) -> None:
    (root,) = make_trace(project, 0)
    judge = f"/p/test-project/traces/{root.id}/runs/{root.id}/feedback"
    reader.post(judge, {"key": "tone", "score": "0.5", "comment": "curt"})
    page = f"{url(project, root)}?tab=feedback"
    (given,) = reader.get(page).context["detail"].feedback
    reader.post(judge, {"feedback": given.id, "key": "tone", "score": "good"})
    (changed,) = reader.get(page).context["detail"].feedback
    assert (changed.score, changed.value, changed.comment) == (None, "good", None)
    reader.post(judge, {"feedback": given.id, "remove": "yes"})
    assert reader.get(page).context["detail"].feedback == ()
    assert reader.post(judge, {"feedback": given.id, "remove": "yes"}).status_code == 404


def test_a_viewer_cannot_judge(reader: Client, project: Project, user: User) -> None:
    (root,) = make_trace(project, 0)
    Membership.objects.filter(user=user).update(role="viewer")
    judge = f"/p/test-project/traces/{root.id}/runs/{root.id}/feedback"
    assert reader.post(judge, {"key": "tone", "score": "1"}).status_code == 403
    assert "Give feedback" not in reader.get(f"{url(project, root)}?tab=feedback").content.decode()
