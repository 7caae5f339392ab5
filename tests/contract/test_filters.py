"""`list_runs(filter=…)`: each example that LangSmith documents, and what must be refused."""

from __future__ import annotations

import pytest
from langsmith.utils import LangSmithError

from tests.contract.shop import Shop
from tests.contract.support import Account, newest_covers

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

ROOTS = ["agent", "classify", "extractor", "plumbing", "waiting"]
CHILDREN = ["ChatAnthropic", "ChatOpenAI"]

DOCUMENTED = {
    "eq(is_root, true)": ROOTS,
    'and(eq(is_root, true), neq(status, "pending"))': ["agent", "classify", "extractor", "plumbing"],
    'and(eq(run_type, "chain"), gt(latency, 10), gt(total_tokens, 5000))': ["agent"],
    'gt(latency, "5s")': ["agent"],
    "neq(error, null)": ["ChatAnthropic", "classify"],
    'and(gt(start_time, "2023-07-15T12:34:56Z"), or(neq(error, null), and(eq(feedback_key, "Correctness"), eq(feedback_score, 0.0))))': [
        "ChatAnthropic", "classify", "extractor",
    ],
    'and(or(has(tags, "experimental"), has(tags, "beta")), gt(latency, 2))': ["agent", "extractor"],
    'and(eq(feedback_key, "star_rating"), gt(feedback_score, 4))': ["plumbing"],
    'search("image classification")': ["classify"],
    'search(name, "agent")': ["agent"],
    'and(eq(metadata_key, "variant"), eq(metadata_value, "prod"))': ["agent"],
    'and(in(metadata_key, ["session_id","conversation_id","thread_id"]), eq(metadata_value, "X"))': [
        "ChatOpenAI", "agent", "extractor",
    ],
    """has(metadata, '{"variant": "prod"}')""": ["agent"],
    'eq(thread_id, "X")': ["ChatOpenAI", "agent", "extractor"],
    'and(eq(name, "extractor"), and(eq(input_key, "messages.content"), like(input_value, "%refund%")))': [
        "extractor",
    ],
    'in(name, ["ChatOpenAI", "ChatAnthropic"])': CHILDREN,
}  # fmt: skip
DOCUMENTED['not(has(tags, "langsmith:hidden"))'] = sorted({*ROOTS, *CHILDREN} - {"plumbing"})

MORE = {
    "and(eq(metadata_key,'variant'),eq(metadata_value,'prod'))": ["agent"],
    'and(and(eq(metadata_key, "variant"), eq(metadata_value, "prod")), and(eq(metadata_key, "thread_id"), eq(metadata_value, "X")))': [
        "agent",
    ],
    'and(eq(metadata_key, "variant"), neq(metadata_value, "prod"))': ["extractor"],
    'and(neq(metadata_key, "variant"), eq(is_root, true))': ["classify", "plumbing", "waiting"],
    "has(metadata, 'variant')": ["agent", "extractor"],
    "and(eq(error, null), eq(is_root, false))": ["ChatOpenAI"],
    'and(gte(prompt_tokens, 4000), eq(run_type, "llm"))': ["ChatOpenAI"],
    'and(gt(total_cost, "0.001"), eq(is_root, true))': ["agent"],
    'lte(latency, "500ms")': ["ChatAnthropic"],
    'eq(status, "pending")': ["waiting"],
    "neq(first_token_time, null)": ["ChatOpenAI"],
    'like(name, "Chat%")': CHILDREN,
    'and(eq(output_key, "text"), eq(output_value, "In the post."),)': ["ChatOpenAI"],
}  # fmt: skip

INVALID = [
    'eq(is_root, true) and eq(status, "error")',
    'eq(metadata.key, "v")',
    'eq(metadata["k"], "v")',
]


def found(account: Account, shop: Shop, **query: str) -> list[str]:
    return sorted(run.name for run in account.client.list_runs(project_name=shop.project, **query))


@newest_covers(what="`list_runs`: the documented filters")
@pytest.mark.parametrize("text", DOCUMENTED)
def test_a_documented_filter_finds_the_runs_that_it_describes(
    account: Account, shop: Shop, text: str
) -> None:
    assert found(account, shop, filter=text) == DOCUMENTED[text]


@newest_covers(what="`list_runs`: further filters")
@pytest.mark.parametrize("text", MORE)
def test_a_filter_means_what_its_parts_mean(account: Account, shop: Shop, text: str) -> None:
    assert found(account, shop, filter=text) == MORE[text]


@newest_covers(what="`list_runs`: further filters")
def test_a_run_is_found_by_its_id_alone(account: Account, shop: Shop) -> None:
    assert found(account, shop, filter=f'eq(id, "{shop.ids["ChatOpenAI"]}")') == ["ChatOpenAI"]


@newest_covers(what="`list_runs`: the documented filters")
def test_a_filter_narrows_a_list_of_names_newest_first(account: Account, shop: Shop) -> None:
    runs = account.client.list_runs(
        project_name=shop.project,
        filter='and(eq(is_root, true), neq(status, "pending"))',
        select=["name"],
        limit=3,
    )
    assert [run.name for run in runs] == ["plumbing", "classify", "extractor"]


@newest_covers(what="`list_runs`: `trace_filter` and `tree_filter`")
def test_filters_on_the_root_and_on_the_whole_trace_narrow_too(
    account: Account, shop: Shop
) -> None:
    assert found(account, shop, trace_filter='eq(name, "agent")') == ["ChatOpenAI", "agent"]
    assert found(account, shop, tree_filter='eq(name, "ChatOpenAI")') == ["ChatOpenAI", "agent"]
    both = {"filter": 'eq(run_type, "llm")', "trace_filter": "neq(error, null)"}
    assert found(account, shop, **both) == ["ChatAnthropic"]


@newest_covers(what="`list_runs`: a filter that is wrong says where")
@pytest.mark.parametrize("text", INVALID)
def test_a_wrong_filter_is_refused_with_the_place_that_is_wrong(
    account: Account, shop: Shop, text: str
) -> None:
    with pytest.raises(LangSmithError, match=r"400 .*(?i:character|position|column)"):
        found(account, shop, filter=text)
