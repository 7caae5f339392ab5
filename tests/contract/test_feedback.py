"""Feedback through the SDK: given, read, listed, changed, taken back, and given by a token."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import requests
from langsmith.schemas import Feedback
from langsmith.utils import LangSmithNotFoundError

from tests.contract.shop import Shop
from tests.contract.support import Account, newest_covers, wait_for

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Creating feedback for a run without session_id"),
]


def new_key() -> str:
    """Return a feedback key that no other test uses: the shop's runs are shared."""
    return f"key-{uuid.uuid4().hex[:8]}"


def read_when_stored(account: Account, feedback_id: UUID) -> Feedback:
    account.client.flush()
    return wait_for(partial(account.client.read_feedback, feedback_id), lambda _: True)


def listed(account: Account, key: str, count: int, **query: object) -> list[Feedback]:
    return wait_for(
        lambda: list(account.client.list_feedback(feedback_key=[key], **query)),  # type: ignore[arg-type]
        lambda found: len(found) == count,
    )


@newest_covers(what="`create_feedback`, `read_feedback`")
@pytest.mark.parametrize("place", [("trace_id",), ("trace_id", "session_id"), ("session_id",), ()])
def test_feedback_is_read_as_it_was_given(
    account: Account, shop: Shop, place: tuple[str, ...]
) -> None:
    key, run_id = new_key(), shop.ids["agent"]
    places: dict[str, Any] = {"trace_id": run_id, "session_id": shop.project_id}
    given = account.client.create_feedback(
        run_id, key, score=0.25, value={"label": "fair"}, comment="Grüße / 返金",
        correction={"answer": "Tomorrow."}, source_info={"by": "alice"},
        **{name: places[name] for name in place},
    )  # fmt: skip
    feedback = read_when_stored(account, given.id)
    assert (feedback.id, feedback.run_id) == (given.id, run_id)
    assert "trace_id" not in place or feedback.trace_id == run_id
    assert (feedback.key, feedback.score, feedback.value) == (key, 0.25, {"label": "fair"})
    assert (feedback.comment, feedback.correction) == ("Grüße / 返金", {"answer": "Tomorrow."})
    assert feedback.feedback_source is not None
    assert feedback.feedback_source.type == "api"
    assert feedback.feedback_source.metadata == {"by": "alice"}
    assert feedback.created_at == given.created_at


@newest_covers(what="`list_feedback`")
def test_feedback_is_listed_by_run_and_key(account: Account, shop: Shop) -> None:
    key, other = new_key(), new_key()
    for name in ("agent", "extractor"):
        account.client.create_feedback(shop.ids[name], key, score=1, trace_id=shop.ids[name])
    account.client.create_feedback(shop.ids["agent"], other, score=0, trace_id=shop.ids["agent"])
    account.client.flush()
    assert {found.run_id for found in listed(account, key, 2)} == {
        shop.ids["agent"],
        shop.ids["extractor"],
    }
    (one,) = listed(account, key, 1, run_ids=[shop.ids["agent"]])
    assert (one.run_id, one.score) == (shop.ids["agent"], 1)
    assert len(listed(account, key, 1, limit=1)) == 1


@newest_covers(what="`update_feedback`")
def test_an_update_changes_what_it_names_clears_what_is_none_and_keeps_the_rest(
    account: Account, shop: Shop
) -> None:
    given = account.client.create_feedback(
        shop.ids["agent"], new_key(), score=0.5, value="fair", comment="So so."
    )
    read_when_stored(account, given.id)
    account.client.update_feedback(given.id, score=1, comment=None)
    feedback = wait_for(
        lambda: account.client.read_feedback(given.id), lambda found: found.score == 1
    )
    assert (feedback.score, feedback.comment, feedback.value) == (1, None, "fair")
    assert feedback.modified_at > given.modified_at


@newest_covers(what="`delete_feedback`")
def test_feedback_that_was_deleted_is_gone(account: Account, shop: Shop) -> None:
    key = new_key()
    given = account.client.create_feedback(shop.ids["agent"], key, score=1)
    read_when_stored(account, given.id)
    account.client.delete_feedback(given.id)
    assert listed(account, key, 0) == []
    with pytest.raises(LangSmithNotFoundError):
        account.client.read_feedback(given.id)


@newest_covers(what="`create_feedback`, `read_feedback`")
def test_feedback_counts_in_the_runs_statistics(account: Account, shop: Shop) -> None:
    stats = account.client.read_run(shop.ids["plumbing"]).feedback_stats
    assert stats is not None
    assert (stats["star_rating"]["n"], stats["star_rating"]["avg"]) == (1, 5)


@newest_covers(what="`create_presigned_feedback_token`")
@pytest.mark.parametrize("as_url", [True, False])
def test_a_token_takes_feedback_as_often_as_it_is_used(
    account: Account, shop: Shop, as_url: bool
) -> None:
    key = new_key()
    token = account.client.create_presigned_feedback_token(
        shop.ids["agent"], key, expiration=timedelta(hours=1)
    )
    assert (
        timedelta(0)
        < token.expires_at.replace(tzinfo=UTC) - datetime.now(UTC)
        <= timedelta(hours=1)
    )
    for score in (0.0, 1.0):
        account.client.create_feedback_from_token(
            token.url if as_url else token.id, score, comment="by token"
        )
    found = listed(account, key, 2)
    assert sorted(one.score for one in found if one.score is not None) == [0.0, 1.0]
    assert {one.run_id for one in found} == {shop.ids["agent"]}


@newest_covers(what="`create_presigned_feedback_token`")
def test_a_browser_gives_feedback_by_opening_the_tokens_address(
    account: Account, shop: Shop
) -> None:
    key = new_key()
    token = account.client.create_presigned_feedback_token(shop.ids["agent"], key)
    answer = requests.get(token.url, {"score": "0.75", "comment": "clicked"}, timeout=10)
    assert answer.ok, answer.text
    (found,) = listed(account, key, 1)
    assert (found.score, found.comment) == (0.75, "clicked")


@newest_covers(what="`create_presigned_feedback_tokens`, `list_presigned_feedback_tokens`")
def test_tokens_are_made_for_several_keys_at_once_and_listed(account: Account, shop: Shop) -> None:
    made = account.client.create_presigned_feedback_tokens(
        shop.ids["extractor"], [new_key(), new_key()]
    )
    tokens = account.client.list_presigned_feedback_tokens(shop.ids["extractor"])
    assert {token.id for token in made} <= {token.id for token in tokens}
