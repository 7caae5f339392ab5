"""`runwood doctor` says in words what keeps traces from arriving. With a real server: tests/contract/test_client_commands.py."""

from __future__ import annotations

import email.utils
import http.server
import json
import socket
import threading
import time

import pytest
from runwood.command import doctor
from test_offline import command
from test_process import dead_endpoint


class Stub:
    """A server that answers as told, by path; each answer is (status, body), and may differ in its clock."""

    def __init__(self):
        self.answers = {"/info": (200, {"runwood": {}, "version": "0.18.0"})}
        self.seconds_ahead = 0.0
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, body = stub.answers.get(self.path, (404, "<h1>Not found</h1>"))
                data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_GET  # noqa: N815

            def date_time_string(self, timestamp=None):
                return email.utils.formatdate(time.time() + stub.seconds_ahead, usegmt=True)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def stub():
    made = Stub()
    yield made
    made.server.shutdown()
    made.server.server_close()


def examine(endpoint, api_key="rw_key-1234", **settings):
    given = {"endpoint": endpoint, "api_key": api_key, "project": None}
    config = doctor.Config.resolve(endpoint=endpoint, api_key=api_key, **settings)
    return {item.about: item for item in doctor.Examination(config, given).findings()}


def test_a_server_that_does_not_run_is_said_and_the_rest_skipped():
    found = examine(dead_endpoint())
    assert found["server"].verdict == "wrong"
    assert "nothing listens" in found["server"].said
    assert [found[name].verdict for name in ("clock", "key", "test trace")] == ["skipped"] * 3


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "not known here"),
        (TimeoutError(), "has not answered"),
        (OSError("no route"), "no route"),
    ],
)
def test_why_there_was_no_answer_is_said_in_words(error, words):
    assert words in doctor.explain_failure(error, "http://runwood.example")


def test_an_address_of_a_page_or_of_something_else_is_told_from_a_server(stub):
    found = examine(stub.url + "/p/default/traces")
    assert "not of a page" in found["server"].said
    stub.answers["/info"] = (200, {"version": "1", "batch_ingest_config": {}})
    assert "LangSmith" in examine(stub.url)["server"].said


@pytest.mark.parametrize(
    ("status", "words"), [(401, "does not know it"), (403, "scope ingest"), (500, "HTTP 500")]
)
def test_what_is_wrong_with_a_key_is_said(stub, status, words):
    stub.answers["/runs/batch"] = (status, {"detail": "no"})
    found = examine(stub.url)
    assert (found["server"].verdict, found["key"].verdict) == ("ok", "wrong")
    assert words in found["key"].said
    assert found["test trace"].verdict == "skipped"


def test_no_key_is_wrong(stub):
    assert "RUNWOOD_API_KEY" in examine(stub.url, api_key=None)["api key"].said


@pytest.mark.parametrize(("seconds", "word"), [(600, "behind"), (-600, "ahead of")])
def test_a_clock_that_is_off_is_said(stub, seconds, word):
    stub.seconds_ahead = seconds
    found = examine(stub.url)["clock"]
    assert found.verdict == "wrong"
    assert word in found.said


def test_a_trace_that_is_taken_and_never_processed_points_at_the_worker(stub, monkeypatch):
    monkeypatch.setattr(doctor, "ARRIVAL_SECONDS", 0.5)
    stub.answers["/runs/batch"] = (202, {})
    found = examine(stub.url)
    assert found["key"].verdict == "ok"
    assert "is the worker running?" in found["test trace"].said


def test_a_misspelt_variable_is_noticed(stub, monkeypatch):
    monkeypatch.setenv("RUNWOOD_PROJEKT", "x")
    monkeypatch.setenv("RUNWOOD_DATA_DIR", "the server's")
    found = examine(stub.url)
    assert "RUNWOOD_PROJECT" in found["RUNWOOD_PROJEKT"].said
    assert "RUNWOOD_DATA_DIR" not in found


def test_what_leaves_traces_out_on_purpose_is_noted(stub, monkeypatch):
    monkeypatch.setenv("RUNWOOD_TRACING", "false")
    found = examine(stub.url, sample_rate=0.1)
    assert found["RUNWOOD_TRACING"].verdict == found["sample rate"].verdict == "note"


def test_a_spool_that_cannot_be_written_is_wrong(stub, tmp_path):
    (tmp_path / "file").write_text("")
    assert examine(stub.url, spool_dir=tmp_path / "file")["spool"].verdict == "wrong"
    assert examine(stub.url, spool_dir=tmp_path / "new")["spool"].verdict == "ok"


def test_the_command_shows_no_key_and_ends_with_one_where_something_is_wrong():
    done = command("doctor", RUNWOOD_ENDPOINT=dead_endpoint(), RUNWOOD_API_KEY="rw_very-secret")
    assert done.returncode == 1
    assert "✗ server: nothing listens" in done.stdout
    assert "…cret" in done.stdout
    assert "rw_very" not in done.stdout + done.stderr
