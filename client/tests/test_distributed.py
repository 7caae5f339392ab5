"""One trace over several services: real processes that call each other over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import runwood
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.runnables import RunnableLambda
from langsmith.run_trees import RunTree
from runwood import RunwoodCallbackHandler
from runwood.recording.dotted_order import parse_dotted_order
from runwood.scope import current_scope

SOURCE = Path(__file__).resolve().parents[1] / "src"

SERVICE = """
import http.server, sys
import runwood
from langchain_core.runnables import RunnableLambda
handler = runwood.RunwoodCallbackHandler(project="the service's own", tags=["service"])

class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with runwood.continue_trace(self.headers):
            RunnableLambda(lambda x: x, name=self.path.strip("/")).invoke(1, {"callbacks": [handler]})
        handler.flush()
        self.send_response(200)
        self.end_headers()

server = http.server.HTTPServer(("127.0.0.1", 0), Service)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def service(peer):
    """A service in a process of its own; a function that calls it with headers."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "RUNWOOD_ENDPOINT": peer.url}
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SERVICE)],
        env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    port = int(process.stdout.readline())

    def call(name, headers):
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", f"/{name}", headers=headers)
        assert connection.getresponse().status == 200
        connection.close()

    yield call
    process.kill()
    process.communicate()


def step(name, action=lambda x: x):
    return RunnableLambda(action, name=name)


def names(peer):
    return sorted(run["name"] for run in peer.runs.values())


def test_a_trace_goes_on_in_another_process(peer, handler, service):
    config = {"callbacks": [handler], "metadata": {"thread_id": "t-1", "secret": "s"}}
    step("caller", lambda x: service("called", runwood.headers())).invoke(1, config)
    step("alone", lambda x: service("unjoined", {})).invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert sorted(peer.tree()) == sorted(
        [
            "caller chain success",
            "  called chain success",
            "alone chain success",
            "unjoined chain success",
        ]
    )
    caller, called = peer.named("caller"), peer.named("called")
    assert called["trace_id"] == caller["id"] == called["parent_run_id"]
    assert called["dotted_order"].startswith(caller["dotted_order"] + ".")
    assert called["session_name"] == caller["session_name"] == "tests"
    assert called["extra"]["metadata"]["thread_id"] == "t-1"
    assert "secret" not in called["extra"]["metadata"]
    assert called["tags"] == ["service"]
    assert called["extra"]["runtime"]["sdk"] == "runwood"
    assert peer.named("unjoined")["session_name"] == "the service's own"


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_the_first_service_decides_for_all_whether_a_trace_is_recorded(peer, service, rate):
    handler = RunwoodCallbackHandler(peer.url, sample_rate=rate)
    step("caller", lambda x: service("called", runwood.headers())).invoke(
        1, {"callbacks": [handler]}
    )
    handler.flush()
    assert names(peer) == (["called", "caller"] if rate else [])


def test_a_service_that_samples_records_a_trace_that_was_begun_elsewhere(peer, handler):
    headers = {}
    step("caller", lambda x: headers.update(runwood.headers())).invoke(1, {"callbacks": [handler]})
    rare = RunwoodCallbackHandler(peer.url, project="rare", sample_rate=0.0)
    with runwood.continue_trace(headers):
        step("called", lambda x: step("below").invoke(x)).invoke(1, {"callbacks": [rare]})
    rare.flush()
    handler.flush()
    assert peer.tree() == [
        "caller chain success", "  called chain success", "    below chain success",
    ]  # fmt: skip


def test_there_are_no_headers_outside_of_a_run():
    assert runwood.headers() == {}
    seen = []
    step("unseen", lambda x: seen.append(runwood.headers())).invoke(1)
    assert seen == [{}]


def test_a_node_that_has_only_its_config_finds_the_headers(peer, handler):
    seen = []

    def node(x, config):
        seen.append((runwood.headers(config), runwood.headers()))

    step("node", node).invoke(1, {"callbacks": [handler]})
    assert seen[0][0] == seen[0][1] != {}


def test_a_traced_function_gives_headers(peer, handler):
    @runwood.trace(handler=handler)
    def call():
        return runwood.headers()

    headers = call()
    handler.flush()
    assert headers["langsmith-trace"] == peer.named("call")["dotted_order"]


@pytest.mark.parametrize("way", ["scope", "handler", "function"])
def test_the_thread_goes_along_whoever_named_it(peer, way):
    thread = {"thread_id": "t-9"}
    handler = RunwoodCallbackHandler(peer.url, metadata=thread if way == "handler" else None)

    @runwood.trace(handler=handler, metadata=thread if way == "function" else None)
    def call():
        return runwood.headers()

    with runwood.tracing(metadata=thread if way == "scope" else None):
        headers = call()
    assert "t-9" in headers["baggage"]


def test_langsmiths_sdk_reads_our_headers(peer, handler):
    seen = []
    config = {"callbacks": [handler], "metadata": {"thread_id": "é, 1"}}
    with runwood.tracing(project="a b, c"):
        step("caller", lambda x: seen.append(runwood.headers())).invoke(1, config)
    tree = RunTree.from_headers(seen[0])
    handler.flush()
    caller = peer.named("caller")
    assert (str(tree.id), tree.dotted_order) == (caller["id"], caller["dotted_order"])
    assert (tree.session_name, tree.metadata["thread_id"]) == ("a b, c", "é, 1")


def test_we_read_the_headers_of_langsmiths_sdk(peer, handler):
    parent = RunTree(
        name="x", project_name="the caller's, é", tags=["a"], extra={"metadata": {"n": 1}}
    )
    child = parent.create_child("y")
    child.tags = ["a", "b"]
    with runwood.continue_trace(child.to_headers()):
        step("called").invoke(1, {"callbacks": [handler]})
    handler.flush()
    called = peer.named("called")
    assert (called["trace_id"], called["parent_run_id"]) == (str(parent.id), str(child.id))
    assert called["dotted_order"].startswith(child.dotted_order + ".")
    assert called["session_name"] == "the caller's, é"
    assert called["tags"] == ["a", "b"]


@pytest.mark.parametrize(
    "form",
    [
        lambda headers: {name.upper(): value for name, value in headers.items()},
        lambda headers: {name.encode(): value.encode() for name, value in headers.items()},
        lambda headers: [(name.encode(), value.encode()) for name, value in headers.items()],
    ],
)
def test_headers_are_read_in_any_form(peer, handler, form):
    headers = {}
    step("caller", lambda x: headers.update(runwood.headers())).invoke(1, {"callbacks": [handler]})
    with runwood.continue_trace(form(headers)):
        parent = current_scope().parent
    assert parent is not None
    assert parent.dotted_order == headers["langsmith-trace"]


@given(
    st.fixed_dictionaries(
        {}, optional={"langsmith-trace": st.text(), "baggage": st.text(), "x": st.binary()}
    )
)
def test_no_header_of_a_stranger_raises(headers):
    with runwood.continue_trace(headers):
        assert current_scope().parent is None


@pytest.mark.parametrize("headers", [None, 5, [1, 2], {"langsmith-trace": None}, [("a",)]])
def test_what_are_no_headers_raises_nothing(headers):
    with runwood.continue_trace(headers):
        assert current_scope().parent is None


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "20261125T000000000000Z", "x" * 100_000,
        "20261125T000000000000Z7d0f6e4e-7d0f-4e4e-8d0f-7d0f6e4e7d0f.",
        "20261125T000000000000Z7d0f6e4e-7d0f-4e4e-8d0f-7d0f6e4e7d0f" * 2,
    ],
)  # fmt: skip
def test_what_is_no_dotted_order_is_told_apart(text):
    assert parse_dotted_order(text) is None


def test_an_app_goes_on_outside_of_a_continued_trace_as_before(peer, handler):
    headers = {}
    step("caller", lambda x: headers.update(runwood.headers())).invoke(1, {"callbacks": [handler]})
    with runwood.continue_trace(headers):
        pass
    step("after").invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert "after chain success" in peer.tree()
