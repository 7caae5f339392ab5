"""Recorded in a file, sent later: the same trace as sent at once."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from runwood import RunwoodFileHandler
from runwood.command.push import push
from runwood.config import Config
from sample_apps import chain

SOURCE = Path(__file__).resolve().parents[1] / "src"
TREE = [
    "RunnableSequence chain success",
    "  ChatPromptTemplate prompt success",
    "  FakeListChatModel llm success",
    "  StrOutputParser parser success",
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.jsonl"


@pytest.fixture
def written(path):
    handler = RunwoodFileHandler(path, project="offline")
    chain().invoke({"q": "hi"}, {"callbacks": [handler]})
    assert handler.flush()
    return path


def command(*arguments, **variables):
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), **variables}
    return subprocess.run(
        [sys.executable, "-m", "runwood", *map(str, arguments)],
        env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_each_line_is_an_operation_as_the_server_takes_it(written):
    records = [json.loads(line) for line in written.read_text().splitlines()]
    assert [record["operation"] for record in records] == ["post"] * 4
    assert {record["run"]["session_name"] for record in records} == {"offline"}


def test_the_file_is_for_its_owner_alone(written):
    assert written.stat().st_mode & 0o777 == 0o600


def test_a_file_is_added_to(written):
    handler = RunwoodFileHandler(written)
    chain().invoke({"q": "again"}, {"callbacks": [handler]})
    handler.flush()
    assert len(written.read_text().splitlines()) == 8


def test_nothing_is_written_in_the_apps_thread(path):
    handler = RunwoodFileHandler(path)
    chain().invoke({"q": "hi"}, {"callbacks": [handler]})
    assert not path.exists()
    assert handler.flush()
    assert path.exists()


def test_a_process_that_ends_leaves_its_file_whole(path):
    script = (
        "import sys; from runwood import RunwoodFileHandler;"
        "from langchain_core.runnables import RunnableLambda;"
        "RunnableLambda(lambda x: x).invoke(1, {'callbacks': [RunwoodFileHandler(sys.argv[1])]})"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    subprocess.run([sys.executable, "-c", script, path], env=environment, check=True, timeout=60)
    assert len(path.read_text().splitlines()) == 1


def test_a_disk_that_takes_nothing_costs_the_app_nothing_and_is_told(tmp_path):
    handler = RunwoodFileHandler(tmp_path)  # a folder
    assert chain().invoke({"q": "hi"}, {"callbacks": [handler]}) == "hello there"
    assert not handler.flush()


def test_a_pushed_file_is_the_trace(peer, written):
    done = command("push", written, "--endpoint", peer.url)
    assert (done.returncode, peer.tree()) == (0, TREE)
    assert "4 operations sent, 0 not" in done.stderr


def test_a_file_pushed_twice_is_the_same_trace(peer, written):
    for _ in range(2):
        assert command("push", written, RUNWOOD_ENDPOINT=peer.url).returncode == 0
    assert peer.tree() == TREE


def test_bad_lines_are_named_and_cost_no_other(peer, written):
    good = written.read_text().splitlines()
    written.write_text(
        "\n".join([good[0], "{torn", "", '{"operation":"drop","run":{}}', *good[1:]])
    )
    done = command("push", written, "--endpoint", peer.url)
    assert (done.returncode, peer.tree()) == (1, TREE)
    assert "line 2 holds no operation" in done.stderr
    assert "line 4 holds no operation" in done.stderr


def test_what_the_server_refuses_is_counted(peer, written):
    peer.judge = lambda request: (422, {}, b"{}")
    report = push(Config.resolve(endpoint=peer.url), [written], 5.0, lambda _: None)
    assert (report.sent, report.lost, report.is_complete) == (0, 4, False)


def test_a_server_that_is_away_is_waited_for_and_then_said(written):
    done = command("push", written, "--endpoint", "http://127.0.0.1:9", "--patience", "0.5")
    assert done.returncode == 1
    assert "0 operations sent, 4 not" in done.stderr


def test_an_address_that_is_none_is_said_in_words(written):
    done = command("push", written, "--endpoint", "ftp://x")
    assert done.returncode == 2
    assert "must be http" in done.stderr


def test_the_command_without_its_packages_says_how_to_get_them(tmp_path):
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError(name='typer')")
    done = command("--help", PYTHONPATH=os.pathsep.join([str(tmp_path), str(SOURCE)]))
    assert done.returncode == 2
    assert "pip install 'runwood[cli]'" in done.stderr


def test_a_folder_is_pushed_in_the_order_of_its_files(peer, tmp_path):
    for name in ("b", "a"):
        handler = RunwoodFileHandler(tmp_path / "in" / f"{name}.jsonl")
        (tmp_path / "in").mkdir(exist_ok=True)
        chain(name).invoke({"q": name}, {"callbacks": [handler]})
        assert handler.flush()
    (tmp_path / "in" / "notes.txt").write_text("no trace")
    done = command("push", tmp_path / "in", "--remove", RUNWOOD_ENDPOINT=peer.url)
    assert done.returncode == 0, done.stderr
    assert "2 files: 8 operations sent, 0 not" in done.stderr
    roots = [
        run["inputs"]["q"]
        for request in peer.accepted
        for run in request.runs
        if "parent_run_id" not in run
    ]
    assert roots == ["a", "b"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["notes.txt"]


def test_a_file_that_was_not_sent_whole_is_not_removed(peer, written):
    peer.judge = lambda _: (422, {}, b"{}")
    done = command("push", written, "--remove", RUNWOOD_ENDPOINT=peer.url)
    assert done.returncode == 1
    assert written.exists()


def test_a_request_that_langsmiths_sdk_left_is_sent_as_it_is(peer, tmp_path):
    body = zstandard.compress(b'{"post":[],"patch":[]}')
    envelope = {
        "version": 1, "endpoint": "runs/batch", "body_base64": base64.b64encode(body).decode(),
        "headers": {"Content-Type": "application/json", "Content-Encoding": "zstd", "x-api-key": "theirs"},
    }  # fmt: skip
    (tmp_path / "trace_1.json").write_text(json.dumps(envelope))
    (tmp_path / "trace_2.json").write_text('{"version": 1, "endpoint": 5}')
    done = command("push", tmp_path, RUNWOOD_ENDPOINT=peer.url, RUNWOOD_API_KEY="ours")
    assert "1 operations sent" in done.stderr
    assert "trace_2.json: line 1 holds no operation" in done.stderr
    (request,) = peer.accepted
    assert request.headers["x-api-key"] == "ours"
    assert request.body == {"post": [], "patch": []}


def test_a_request_is_tried_again_and_given_up_in_time(peer, tmp_path):
    envelope = {
        "endpoint": "runs/batch",
        "headers": {},
        "body_base64": base64.b64encode(b'{"post":[],"patch":[]}').decode(),
    }
    (tmp_path / "trace_1.json").write_text(json.dumps(envelope))
    peer.answers = [(503, {}, b"")]
    assert (
        push(
            Config.resolve(endpoint=peer.url), [tmp_path / "trace_1.json"], 10, lambda _: None
        ).sent
        == 1
    )
    gone = push(
        Config.resolve(endpoint="http://127.0.0.1:9"),
        [tmp_path / "trace_1.json"],
        0.1,
        lambda _: None,
    )
    assert (gone.sent, gone.lost) == (0, 1)
