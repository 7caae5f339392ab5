"""`runwood doctor` says in words what keeps traces from arriving. With a real server: tests/contract/test_client_commands.py."""

from __future__ import annotations

import email.utils
import http.server
import json
import re
import socket
import threading
import time
from pathlib import Path

import pytest
from runwood.command.doctor import examination, installation, trial, variables, visit
from test_offline import command
from test_process import dead_endpoint


class Stub:
    """A server that answers as told, by path; each answer is (status, body), and may differ in its clock."""

    def __init__(self):
        self.answers = {"/info": (200, {"runwood": {}, "version": "0.18.0"})}
        self.headers = {}
        self.seconds_ahead = 0.0
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, body = stub.answers.get(self.path, (404, "<h1>Not found</h1>"))
                data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in stub.headers.items():
                    self.send_header(name, value)
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


CLIENT = Path(__file__).resolve().parents[1]
KEY = "rw_" + "k" * 39 + "1234"


def findings(endpoint, api_key=KEY):
    given = {"endpoint": endpoint, "api_key": api_key, "project": None}
    return list(examination.examine(given))


def examine(endpoint, api_key=KEY):
    return {item.about: item for item in findings(endpoint, api_key)}


def test_a_server_that_does_not_run_is_said_and_the_rest_skipped():
    found = examine(dead_endpoint())
    assert (found["name"].verdict, found["connection"].verdict) == ("ok", "wrong")
    assert "nothing listens" in found["connection"].said
    rest = ("server", "clock", "key", "test trace")
    assert [found[name].verdict for name in rest] == ["skipped"] * 4
    assert found["test trace"].said == "not asked, as this comes first: key"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "not known here"),
        (TimeoutError(), "has not answered"),
        (OSError("no route"), "no route"),
    ],
)
def test_why_there_was_no_answer_is_said_in_words(error, words):
    assert words in visit.explain_failure(error, "http://runwood.example")


def test_an_address_of_a_page_or_of_something_else_is_told_from_a_server(stub):
    page = examine(stub.url + "/p/default/traces")["server"]
    assert (page.verdict, stub.url in page.said) == ("wrong", True)
    assert "not of the API" in page.said
    assert "leave it away" in examine(stub.url + "/api/v1/runs/batch")["endpoint"].said
    stub.answers["/info"] = (200, {"version": "1", "batch_ingest_config": {}})
    assert "LangSmith" in examine(stub.url)["server"].said
    stub.answers["/info"] = (200, "<h1>Hello</h1>")
    assert "but not Runwood" in examine(stub.url)["server"].said


def test_an_address_that_sends_on_is_wrong_as_the_handler_does_not_follow(stub):
    stub.answers["/info"] = (301, "")
    stub.headers = {"Location": "https://runwood.example/info"}
    found = examine(stub.url)["server"]
    assert found.verdict == "wrong"
    assert "sends us to https://runwood.example:" in found.said


def test_a_server_that_speaks_tls_is_not_taken_for_one_that_does_not(stub):
    found = examine(stub.url.replace("http:", "https:"))["server"]
    assert found.verdict == "wrong"
    assert "is it http:// in place of https://?" in found.said


def test_loopback_is_asked_past_a_proxy_as_the_handler_does(stub, monkeypatch):
    monkeypatch.setenv("http_proxy", dead_endpoint())
    assert examine(stub.url)["server"].verdict == "ok"
    asked = examine("http://runwood.invalid")
    assert "the proxy 127.0.0.1 is asked" in asked["name"].said
    assert (
        "nothing listens at http://runwood.invalid (by the proxy http://127"
        in asked["connection"].said
    )


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
    found = examine(stub.url, api_key=None)
    assert "RUNWOOD_API_KEY" in found["api key"].said
    assert (found["server"].verdict, found["key"].verdict) == ("ok", "skipped")


@pytest.mark.parametrize(
    ("key", "verdict", "words"),
    [
        ("rw_…", "wrong", "copied from an example"),
        ("lsv2_pt_0123456789abcdef", "note", "key of LangSmith's"),
        ("rw_0123456789abcdef", "note", "19 characters"),
    ],
)
def test_a_text_that_is_no_key_is_told_by_its_form(key, verdict, words):
    found = examine("http://127.0.0.1:9", key)["api key"]
    assert found.verdict == verdict
    assert words in found.said


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://127.0.0.1:80x", "Port"),
        ("ftp://x", "must be http"),
        ("http://x/?a=1", "no ? and no #"),
        (KEY, "this is a key"),
    ],
)
def test_an_endpoint_that_is_none_is_said_and_nothing_is_asked(endpoint, words):
    found = examine(endpoint)
    assert [words in item.said for item in found.values() if item.verdict == "wrong"] == [True]
    assert found["test trace"].verdict == "skipped"


def test_no_finding_shows_a_key_or_a_password(stub, monkeypatch):
    monkeypatch.setenv("RUNWOOD_PROJECT", KEY.replace("k", "p"))  # where it does not belong
    stub.answers["/runs/batch"] = (500, {"detail": KEY})
    for endpoint in (stub.url, KEY, "http://me:secret@127.0.0.1:9", "ftp://me:secret@x"):
        said = " ".join(item.about + item.said for item in examine(endpoint).values())
        assert not any(text in said for text in ("kkkk", "pppp", "secret"))


@pytest.mark.parametrize(("seconds", "word"), [(600, "behind"), (-600, "ahead of")])
def test_a_clock_that_is_off_is_said(stub, seconds, word):
    stub.seconds_ahead = seconds
    found = examine(stub.url)["clock"]
    assert found.verdict == "note"
    assert word in found.said


def test_a_trace_that_is_taken_and_never_processed_points_at_the_worker(stub, monkeypatch):
    monkeypatch.setattr(trial, "ARRIVAL_SECONDS", 0.5)
    stub.answers["/runs/batch"] = (202, {})
    stub.answers["/readyz"] = (503, {"reasons": ["worker: none has reported yet"]})
    found = examine(stub.url)
    assert found["key"].verdict == "ok"
    assert "is the worker running?" in found["test trace"].said
    assert "worker: none has reported yet" in found["test trace"].said


def test_a_trace_that_is_refused_says_why(stub):
    stub.answers["/runs/batch"] = (202, {"rejected": [{"id": "1", "reason": "too old"}]})
    assert "too old" in examine(stub.url)["test trace"].said


def test_a_misspelt_variable_is_noticed(stub, monkeypatch):
    for name in ("PROJEKT", "URL", "DATA_DIR", "SECRET_KEY_FILE"):
        monkeypatch.setenv(f"RUNWOOD_{name}", "x")
    found = examine(stub.url)
    assert "is RUNWOOD_PROJECT meant?" in found["RUNWOOD_PROJEKT"].said
    assert "is RUNWOOD_ENDPOINT meant?" in found["RUNWOOD_URL"].said
    assert not {"RUNWOOD_DATA_DIR", "RUNWOOD_SECRET_KEY_FILE"} & set(found)  # the server's


def test_every_variable_that_the_client_reads_is_known():
    read = set()
    for path in (CLIENT / "src").rglob("*.py"):
        if path.parent.name != "doctor":
            read |= set(re.findall(r"\bRUNWOOD_[A-Z_]*[A-Z]\b", path.read_text()))
    assert read == set(variables.VARIABLES)


@pytest.mark.parametrize(
    ("value", "verdict", "word"), [(None, "ok", "not set"), ("1", "ok", "on"), ("no", "note", "off"),
                                   ("flase", "ok", "on")]
)  # fmt: skip
def test_whether_the_environment_traces_is_said(stub, monkeypatch, value, verdict, word):
    if value:
        monkeypatch.setenv("RUNWOOD_TRACING", value)
    told = [item for item in findings(stub.url) if item.about == "RUNWOOD_TRACING"]
    assert (told[-1].verdict, word in told[-1].said) == (verdict, True)
    assert ("'flase' counts as true" in told[0].said) == (value == "flase")


def test_versions_are_held_against_what_is_supported(stub, monkeypatch):
    found = examine(stub.url)
    assert (found["langchain-core"].verdict, found["langgraph"].verdict) == ("ok", "ok")
    for core in ("1.6.9", "2.0.0", None):
        monkeypatch.setattr(installation, "package_version", lambda name, version=core: version)
        assert examine(stub.url)["langchain-core"].verdict == "wrong"
    pyproject = (CLIENT / "pyproject.toml").read_text()
    assert '"langchain-core>=1.7,<2"' in pyproject
    assert installation.CORE_VERSIONS == ((1, 7), (2, 0))


def test_a_part_of_all_traces_is_noted(stub, monkeypatch):
    monkeypatch.setenv("RUNWOOD_SAMPLE_RATE", "0.1")
    assert examine(stub.url)["sample rate"].verdict == "note"


def test_a_spool_that_cannot_be_written_is_wrong(stub, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    for name, verdict in {"file": "wrong", "new": "ok"}.items():
        monkeypatch.setenv("RUNWOOD_SPOOL_DIR", str(tmp_path / name))
        assert examine(stub.url)["spool"].verdict == verdict


def test_the_command_shows_no_key_and_ends_with_one_where_something_is_wrong():
    done = command("doctor", RUNWOOD_ENDPOINT=dead_endpoint(), RUNWOOD_API_KEY="rw_very-secret")
    assert done.returncode == 1
    assert "✗ connection: nothing listens" in done.stdout
    assert "…cret" in done.stdout
    assert "rw_very" not in done.stdout + done.stderr
