"""What Node programs trace with npm's `langsmith`: each release line that is in use, over each transport."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from tests.contract.compatibility import covers
from tests.contract.node import NEWEST, SDKS, needs_node, node_version, run_script
from tests.contract.support import Account, Runs, new_project, read_runs, wait_for

pytestmark = [
    pytest.mark.live,
    needs_node,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

CLIENT = "langsmith (JS)"
QUESTION = "where is my kettle? 返金 🫖"
UNCOMPRESSED = {"LANGSMITH_DISABLE_RUN_COMPRESSION": "true"}


class Traced(NamedTuple):
    """What a script printed, and the runs that it left."""

    sdk: str
    printed: dict[str, Any]
    runs: Runs

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [
            request
            for request in self.printed["requests"]
            if request["path"].endswith("/runs/multipart")
        ]


def trace(account: Account, script: str, sdk: str, count: int, **settings: str) -> Traced:
    project = new_project(f"js {script}")
    printed = run_script(account, script, sdk, project=project, **settings)
    return Traced(sdk, printed, read_runs(account.client, project, count))


def each_sdk(what: str, fixture: str = "traced", but: str = "") -> pytest.MarkDecorator:
    """Run a test with every release line (but one), as proof of one row for each."""
    rows = [
        pytest.param(sdk, marks=covers(client=CLIENT, version=version, what=what))
        for sdk, version in SDKS.items()
        if sdk != but
    ]
    return pytest.mark.parametrize(fixture, rows, indirect=True, scope="module")


@pytest.fixture(scope="module")
def traced(account: Account, request: pytest.FixtureRequest) -> Traced:
    """Return the trace of traceable.mjs."""
    return trace(account, "traceable", request.param, 9)


@each_sdk("`traceable`: sync, async, nested, side by side")
def test_a_traceable_is_a_tree_of_what_it_called(traced: Traced) -> None:
    root = traced.runs.one("agent")
    name, *children = traced.runs.tree(root)
    assert name == "agent"
    assert sorted(map(str, children[:2])) == ["['look up', 'model']", "add"]  # side by side
    assert children[2:] == ["fail", "words", "tokens", "broken stream", "abandoned stream"]
    assert {str(run.trace_id) for run in traced.runs.all} == {traced.printed["trace"]}


@each_sdk("`traceable`: sync, async, nested, side by side")
def test_inputs_and_outputs_are_what_the_functions_took_and_gave(traced: Traced) -> None:
    runs = traced.runs
    assert runs.one("agent").inputs == {"input": QUESTION}
    assert runs.one("agent").outputs == {"answer": "done", "trace": traced.printed["trace"]}
    assert runs.one("model").inputs == {"question": QUESTION}
    assert (runs.one("add").inputs, runs.one("add").outputs) == ({"args": [1, 2]}, {"outputs": 3})


@each_sdk("`traceable`: sync, async, nested, side by side")
def test_types_and_statuses_are_those_of_the_functions(traced: Traced) -> None:
    assert {run.name: (run.run_type, run.status) for run in traced.runs.all} == {
        "agent": ("chain", "success"),
        "look up": ("tool", "success"),
        "model": ("llm", "success"),
        "add": ("chain", "success"),
        "fail": ("tool", "error"),
        "words": ("chain", "success"),
        "tokens": ("llm", "success"),
        "broken stream": ("chain", "error"),
        "abandoned stream": ("chain", "error"),
    }


@each_sdk("tags and metadata")
def test_tags_and_metadata_come_back(traced: Traced) -> None:
    root, model = traced.runs.one("agent"), traced.runs.one("model")
    assert root.tags == ["prod", "beta"]
    assert (root.metadata["thread_id"], root.metadata["attempt"]) == ("t-1", 2)
    assert (model.metadata["ls_provider"], model.metadata["ls_model_name"]) == ("openai", "gpt-4o")
    runtime = root.extra["runtime"] if root.extra else {}
    assert (runtime["sdk"], runtime["sdk_version"]) == ("langsmith-js", SDKS[traced.sdk])


@each_sdk("errors")
def test_a_failed_function_has_its_error(traced: Traced) -> None:
    failed = traced.runs.one("fail")
    assert failed.error is not None
    assert failed.error.startswith("RangeError: out of kettles")
    assert failed.outputs in (None, {})


@each_sdk("generators")
def test_a_stream_is_gathered(traced: Traced) -> None:
    assert traced.runs.one("words").outputs == {"outputs": ["a", "b", "c"]}
    assert traced.runs.one("tokens").outputs == {"text": "It is on the stove."}


@each_sdk("generators")
def test_a_stream_that_breaks_off_keeps_what_came(traced: Traced) -> None:
    broken, abandoned = traced.runs.one("broken stream"), traced.runs.one("abandoned stream")
    assert (broken.error or "").startswith("Error: the line broke")
    assert broken.outputs == {"outputs": ["half"]}
    assert (abandoned.error, abandoned.outputs) == ("Cancelled", {"outputs": ["first"]})


@each_sdk("first token time", but="langsmith-0.1")  # older ones note no tokens
def test_the_first_token_has_its_time(traced: Traced) -> None:
    run = traced.runs.one("tokens")
    assert [event["name"] for event in run.events or []] == ["new_token"] * 5
    assert run.first_token_time is not None
    assert run.end_time is not None
    # the microseconds of a start are the SDK's counter, not time
    start = run.start_time.replace(microsecond=run.start_time.microsecond // 1000 * 1000)
    assert start <= run.first_token_time <= run.end_time
    assert traced.runs.one("model").first_token_time is None


@each_sdk("token usage and cost")
def test_usage_is_counted_once_and_has_a_cost(traced: Traced) -> None:
    model, root = traced.runs.one("model"), traced.runs.one("agent")
    assert (model.prompt_tokens, model.completion_tokens, model.total_tokens) == (3, 4, 7)
    assert (root.prompt_tokens, root.completion_tokens, root.total_tokens) == (3, 4, 7)
    assert model.total_cost is not None
    assert model.total_cost > 0
    assert root.total_cost == model.total_cost


@each_sdk("transport")
def test_each_release_sends_in_its_own_way(traced: Traced) -> None:
    """So that what is tested with "each release" is each framing too."""
    newest = "zstd" if (node_version() or ()) >= (22, 15) else "gzip"
    expected = {
        "langsmith": ("----LangSmithFormBoundary", newest, False),
        "langsmith-0.3": ("----LangSmithFormBoundary", "gzip", True),
        "langsmith-0.1": ("----formdata-undici-", None, False),  # filename="blob" on every part
    }
    (request,) = traced.requests
    boundary, encoding, is_chunked = expected[traced.sdk]
    assert request["agent"] == f"langsmith-js/{SDKS[traced.sdk]}"
    assert request["content_type"].startswith(f"multipart/form-data; boundary={boundary}")
    assert (request["encoding"], request["is_chunked"]) == (encoding, is_chunked)


@covers(client=CLIENT, version=SDKS[NEWEST], what="transport (uncompressed, chunked)")
def test_an_uncompressed_chunked_body_is_taken(account: Account) -> None:
    traced = trace(account, "traceable", NEWEST, 9, **UNCOMPRESSED)
    (request,) = traced.requests
    assert (request["encoding"], request["is_chunked"]) == (None, True)
    assert traced.runs.one("agent").inputs == {"input": QUESTION}
    assert traced.runs.one("tokens").outputs == {"text": "It is on the stove."}


@pytest.mark.parametrize("prefix", ["", "/api", "/v1"])
@covers(client=CLIENT, version=SDKS[NEWEST], what="every endpoint prefix")
def test_the_endpoint_may_have_any_of_the_prefixes_that_users_set(
    account: Account, prefix: str
) -> None:
    endpoint = account.endpoint.removesuffix("/api/v1") + prefix
    traced = trace(account, "attachments", NEWEST, 2, LANGSMITH_ENDPOINT=endpoint)
    assert traced.runs.one("read page").outputs == {"text": "…"}


@pytest.fixture(scope="module")
def by_hand(account: Account, request: pytest.FixtureRequest) -> Iterator[Traced]:
    """Return the runs of run_tree.mjs: all but one of them end."""
    project = new_project("js run_tree")
    printed = run_script(account, "run_tree", request.param, project=project)
    runs = wait_for(
        lambda: list(account.client.list_runs(project_name=project)),
        lambda runs: sum(run.end_time is not None for run in runs) == 3,
    )
    return Traced(request.param, printed, Runs(runs))


@each_sdk("`RunTree`", "by_hand")
def test_a_run_tree_is_stored_as_it_was_made(by_hand: Traced) -> None:
    runs, ids = by_hand.runs, by_hand.printed["ids"]
    chat = runs.one("chat")
    assert runs.tree(chat) == ["chat", "model", "search", "unfinished"]
    assert {run.name: str(run.id) for run in runs.all} == ids
    assert chat.dotted_order == by_hand.printed["dotted_order"]
    assert (chat.inputs, chat.outputs) == ({"text": "Summarize this morning."}, {"text": "Quiet."})
    assert (chat.tags, chat.metadata["conversation_id"]) == (["by hand"], "c-9")


@each_sdk("`RunTree`", "by_hand")
def test_times_are_kept_as_they_were_sent(by_hand: Traced) -> None:
    """Node knows milliseconds. The newer releases put a counter behind them, for the order of siblings."""
    chat = by_hand.runs.one("chat")
    assert chat.start_time.replace(microsecond=1000) == datetime(
        2026, 11, 24, 12, 0, 0, 1000, tzinfo=UTC
    )
    assert chat.start_time.microsecond == (1000 if by_hand.sdk == "langsmith-0.1" else 1001)
    assert chat.end_time == datetime(2026, 11, 24, 12, 0, 2, 345000, tzinfo=UTC)


@each_sdk("`RunTree`", "by_hand")
def test_a_run_is_pending_until_it_ends(by_hand: Traced) -> None:
    statuses = {run.name: (run.status, run.error) for run in by_hand.runs.all}
    assert statuses == {
        "chat": ("success", None),
        "model": ("success", None),
        "search": ("error", "Error: timed out"),
        "unfinished": ("pending", None),
    }


@pytest.fixture(scope="module")
def distributed(account: Account, request: pytest.FixtureRequest) -> Traced:
    """Return the trace of caller.mjs and service.mjs: old releases do not hand the project on."""
    project = new_project("js caller")
    printed = run_script(account, "caller", request.param, project=project)
    runs = wait_for(
        lambda: list(account.client.list_runs(trace_id=printed["trace"])),
        lambda runs: len(runs) == 3 and all(run.end_time for run in runs),
    )
    return Traced(request.param, printed, Runs(runs))


@each_sdk("distributed tracing", "distributed")
def test_two_processes_write_one_trace(distributed: Traced) -> None:
    runs = distributed.runs
    ask = runs.one("ask")
    assert runs.tree(ask) == ["ask", ["serve", "search"]]
    assert distributed.printed["headers"]["langsmith-trace"] == ask.dotted_order
    assert runs.one("serve").inputs == {"input": "where?"}
    assert runs.one("search").outputs == {"outputs": ["where? on the stove"]}
    assert runs.one("search").run_type == "retriever"


@each_sdk("distributed tracing", "distributed")
def test_the_service_writes_to_the_project_that_the_caller_names(distributed: Traced) -> None:
    projects = {run.name: run.session_id for run in distributed.runs.all}
    names_project = "langsmith-project" in distributed.printed["headers"]["baggage"]
    assert (projects["serve"] == projects["ask"]) is names_project
    assert projects["search"] == projects["serve"]


@pytest.fixture(scope="module")
def by_id(account: Account) -> dict[str, Traced]:
    """Return the runs of by_hand.mjs for each release. It takes a while until they find their place."""
    projects = {sdk: new_project("js by_hand") for sdk in SDKS}
    printed = {
        sdk: run_script(account, "by_hand", sdk, project=project)
        for sdk, project in projects.items()
    }
    return {
        sdk: Traced(sdk, printed[sdk], read_runs(account.client, projects[sdk], 2)) for sdk in SDKS
    }


@pytest.mark.parametrize(
    "sdk",
    [
        pytest.param(
            sdk, marks=covers(client=CLIENT, version=version, what="`createRun`, `updateRun`")
        )
        for sdk, version in SDKS.items()
    ],
)
def test_runs_without_trace_and_order_find_their_place(by_id: dict[str, Traced], sdk: str) -> None:
    _, printed, runs = by_id[sdk]
    root, child = printed["root"], printed["child"]
    job, read = runs.one("job"), runs.one("read file")
    assert [str(job.id), str(read.id), str(read.parent_run_id)] == [root, child, root]
    assert {str(run.trace_id) for run in (job, read)} == {root}
    assert read.dotted_order.startswith(f"{job.dotted_order}.")
    assert (job.status, job.error) == ("error", "Error: 3 rows are too few")
    assert (read.status, read.inputs, read.outputs) == ("success", {"path": "a.csv"}, {"rows": 3})


@pytest.fixture(scope="module")
def attached(account: Account, request: pytest.FixtureRequest) -> Traced:
    return trace(account, "attachments", request.param, 2)


def files(account: Account, traced: Traced, name: str) -> dict[str, tuple[str, bytes]]:
    """Return media type and bytes of a run's attachments, as the Python SDK fetches them."""
    run = account.client.read_run(traced.runs.one(name).id)
    return {
        name: (file["mime_type"] or "", file["reader"].read())
        for name, file in (run.attachments or {}).items()
    }


@each_sdk("attachments", "attached")
def test_attachments_come_back_byte_for_byte(account: Account, attached: Traced) -> None:
    text = attached.printed["boundaryLike"].encode()
    assert files(account, attached, "read page") == {
        "page 1": ("text/plain", text),
        "empty": ("image/png", b""),
    }


@each_sdk("attachments", "attached", but="langsmith-0.1")  # older ones have no extractAttachments
def test_attachments_are_taken_out_of_the_arguments(account: Account, attached: Traced) -> None:
    assert attached.runs.one("transcribe").inputs == {"seconds": 2}
    assert files(account, attached, "transcribe") == {"recording": ("audio/wav", bytes(range(256)))}


@pytest.fixture(scope="module")
def odd(account: Account, request: pytest.FixtureRequest) -> Traced:
    return trace(account, "unserializable", request.param, 4)


@each_sdk("values that are no JSON", "odd")
def test_what_is_no_json_is_kept_as_text(odd: Traced) -> None:
    hopeless = {
        "langsmith-0.1": "[Unserializable]",
        "langsmith-0.3": "[unable to serialize, circular reference is too complex to analyze]",
        "langsmith": "[unable to serialize, circular reference is too complex to analyze]",
    }
    assert odd.runs.one("hopeless").inputs == {"question": "kept as text?"}
    assert odd.runs.one("hopeless").outputs == {"__raw__": hopeless[odd.sdk]}
    assert odd.runs.one("refusing").inputs == {"__raw__": "[Unserializable]"}
    assert odd.runs.one("refusing").outputs == {"outputs": "fine"}


@each_sdk("values that are no JSON", "odd")
def test_a_circle_ends_where_it_begins(odd: Traced) -> None:
    outputs = odd.runs.one("circular").outputs or {}
    assert outputs["name"] == "loop"
    assert "[Circular]" in str(outputs["self"])


@each_sdk("values that are no JSON", "odd", but="langsmith-0.1")
def test_javascripts_own_types_are_stored_as_the_sdk_writes_them(odd: Traced) -> None:
    run = odd.runs.one("odd values")
    assert run.outputs == {
        "big": str(2**70),
        "when": "1970-01-01T00:00:00.000Z",
        "seen": [1],
        "map": {"a": 1},
        "nan": None,
    }
    assert run.inputs["text"].startswith("nul \0, half a pair ")


@pytest.fixture(scope="module")
def bulk(account: Account, request: pytest.FixtureRequest) -> Traced:
    return trace(account, "large", request.param, 300)


@each_sdk("bodies of several megabytes", "bulk")
def test_nothing_of_much_is_lost(bulk: Traced) -> None:
    assert (bulk.runs.one("bulky").outputs or {})["text"] == "ü" * 1_500_000
    steps = [run.outputs or {} for run in bulk.runs.named("step")]
    assert [step["index"] for step in steps] == list(range(298))  # dotted_order keeps their order
    assert {step["text"] for step in steps} == {"kettle " * 50}
    assert {run.parent_run_id for run in bulk.runs.named("step")} == {bulk.runs.one("root").id}
