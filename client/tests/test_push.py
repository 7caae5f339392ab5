"""Files that wait for a server, found in folders, sent, and removed."""

from __future__ import annotations

import base64
import json
import time

import pytest
from runwood import RunwoodFileHandler
from runwood.command import cli
from runwood.command.files import find_files
from runwood.command.push import push
from runwood.config import Config
from sample_apps import chain
from typer.testing import CliRunner


@pytest.fixture
def folder(tmp_path):
    """A folder with two files of one trace each, second one first, and what is no file to send."""
    for name in ("2.jsonl", "1.jsonl"):
        handler = RunwoodFileHandler(tmp_path / name, project=name)
        chain().invoke({"q": "hi"}, {"callbacks": [handler]})
        assert handler.flush()
    for name in ("0.bad", "3.tmp", ".lock"):
        (tmp_path / name).write_text("none of this")
    (tmp_path / "a folder").mkdir()
    return tmp_path


def command(*words):
    done = CliRunner().invoke(cli.app, list(map(str, words)))
    return done.exit_code, done.output


def config(peer):
    return Config.resolve(endpoint=peer.url, api_key="key")


def test_a_folder_is_sent_in_the_order_of_its_names(peer, folder):
    code, said = command("push", folder, "--endpoint", peer.url)
    assert (code, said) == (0, "2 files: 8 operations sent, 0 not\n")
    projects = [run["session_name"] for request in peer.accepted for run in request.runs]
    assert projects == ["1.jsonl"] * 4 + ["2.jsonl"] * 4


def test_what_is_named_is_taken_whatever_its_name(folder):
    assert find_files([folder / "0.bad"]) == [folder / "0.bad"]


def test_only_what_was_sent_whole_is_removed(peer, folder):
    good = (folder / "2.jsonl").read_text()
    (folder / "2.jsonl").write_text(good + "{torn")
    code, said = command("push", "--remove", folder, "--endpoint", peer.url)
    assert code == 1
    assert [path.name for path in find_files([folder])] == ["2.jsonl"]
    assert said.endswith("8 operations sent, 0 not; 1 did not arrive whole; 1 removed\n")


def test_a_run_that_the_server_refuses_keeps_its_file(peer, folder):
    said = json.dumps({"accepted": 3, "rejected": [{"id": "x", "reason": "no", "code": "wrong"}]})
    peer.answers = [(202, {}, said.encode())]
    report = push(config(peer), find_files([folder]), 5.0, lambda _: None, remove=True)
    assert [(file.sent, file.lost, file.is_removed) for file in report.files] == [
        (3, 1, False), (4, 0, True),
    ]  # fmt: skip
    assert "'reason': 'no'" in report.files[0].problem


def test_a_file_that_grew_meanwhile_is_kept(peer, folder):
    path = folder / "1.jsonl"

    def grow(request):
        with path.open("a") as file:
            file.write(json.dumps({"operation": "post", "run": {"id": "late"}}) + "\n")

    peer.judge = grow
    report = push(config(peer), [path], 5.0, lambda _: None, remove=True)
    assert (report.is_complete, path.exists()) == (True, True)


def test_a_wrong_key_is_tried_once(peer, folder):
    peer.judge = lambda request: (401, {}, b"unknown")
    report = push(config(peer), find_files([folder]), 5.0, lambda _: None)
    assert (len(peer.requests), report.lost) == (1, 8)
    assert {file.problem for file in report.files} == {"HTTP 401, check RUNWOOD_API_KEY: unknown"}


def test_a_server_that_comes_back_in_time_gets_all(peer, folder, monkeypatch):
    monkeypatch.setattr("runwood.sending.delivery.FIRST_PAUSE_SECONDS", 0.01)
    peer.answers = [(503, {}, b"")] * 6
    assert push(config(peer), find_files([folder]), 20.0, lambda _: None).is_complete


def test_the_bytes_told_are_those_of_the_files(peer, folder):
    told = []
    files = find_files([folder])
    push(config(peer), files, 5.0, told.append)
    assert sum(told) == sum(path.stat().st_size for path in files)


def test_without_arguments_it_says_what_the_environment_names(folder, monkeypatch):
    assert command("push")[0] == 0
    monkeypatch.setenv("RUNWOOD_SPOOL_DIR", str(folder))
    monkeypatch.setenv("LANGSMITH_FAILED_TRACES_DIR", str(folder / "nowhere"))
    code, said = command("push")
    assert code == 0
    assert f"RUNWOOD_SPOOL_DIR  {folder}: 2 files, 0.0 MB" in said
    assert "No such file" in said
    assert f"runwood push {folder}" in said


@pytest.mark.parametrize(
    "record",
    [
        {"version": 2, "endpoint": "runs/multipart", "headers": {}, "body_base64": ""},
        {"version": 1, "endpoint": "../secrets", "headers": {}, "body_base64": ""},
        {"version": 1, "endpoint": "runs/multipart", "headers": {}, "body_base64": "not base64"},
        {"version": 1, "endpoint": "runs/multipart", "headers": None, "body_base64": ""},
    ],
)
def test_a_failed_trace_of_a_form_that_is_not_known_is_not_sent(peer, tmp_path, record):
    (tmp_path / "trace_1.json").write_text(json.dumps(record))
    code, said = command("push", tmp_path, "--endpoint", peer.url)
    assert (code, peer.connections) == (1, 0)
    assert "of LangSmith's" in said


def left_by_langsmith(folder, count):
    body = base64.b64encode(b'{"post":[],"patch":[]}').decode()
    record = {"version": 1, "endpoint": "runs/batch", "headers": {}, "body_base64": body}
    for number in range(count):
        (folder / f"trace_{number}.json").write_text(json.dumps(record))


def test_a_failed_trace_of_which_the_server_refuses_a_run_keeps_its_file(peer, tmp_path):
    left_by_langsmith(tmp_path, 2)
    peer.answers = [(202, {}, b'{"accepted":1,"rejected":[{"id":"x","reason":"no"}]}')]
    code, said = command("push", "--remove", tmp_path, "--endpoint", peer.url)
    assert (code, [path.name for path in tmp_path.iterdir()]) == (1, ["trace_0.json"])
    assert "trace_0.json: the server refused 1 of them" in said


def test_a_server_that_is_away_is_waited_for_once_and_not_for_every_file(tmp_path):
    left_by_langsmith(tmp_path, 50)
    began = time.monotonic()
    report = push(
        Config.resolve(endpoint="http://127.0.0.1:9"), find_files([tmp_path]), 0.1, lambda _: None
    )
    assert (report.sent, report.lost) == (0, 50)
    assert {file.problem for file in report.files} == {"no answer from http://127.0.0.1:9"}
    assert time.monotonic() - began < 2
