"""What the index of `text_index.py` knows: which traces may say something, newest first, and how far it is behind.

A trace that waits to be indexed is a candidate whatever is looked for. Two things about Postgres are not optional:
it must never walk anything in order of time (a word that it has no figures of it takes for a frequent one, and tests
row after row), so the order is by an expression and only bitmaps are allowed; and reading `words` of a row costs far
more than it thinks, so it may not scan a table for being small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from collector.storage.text_index import TOO_LONG, project_word
from collector.storage.tokens import TokenPhrase

FEW_ROWS = 400  # of one thing that is looked for: then the others need not be asked for
LATE = timedelta(minutes=1)  # what waits longer to be indexed is worth a word

MATCHING = """SELECT start_time, trace_id, trace_day FROM trace_text
 WHERE project_id = %(project_id)s AND day BETWEEN %(first_day)s AND %(last_day)s
   AND start_time >= %(since)s AND (start_time, trace_id) < (%(before_time)s, %(before_id)s)
   AND words @@ %({})s::tsquery"""
NEWEST = """SELECT * FROM (SELECT DISTINCT * FROM ({}) AS matching) AS traces
 ORDER BY start_time + interval '0' DESC, trace_id DESC LIMIT %(limit)s"""
WAITING = """
SELECT start_time, trace_id, day FROM text_queue
 WHERE project_id = %(project_id)s AND start_time >= %(since)s
   AND (start_time, trace_id) < (%(before_time)s, %(before_id)s)
 ORDER BY start_time DESC, trace_id DESC LIMIT %(limit)s
"""
LAG = """
SELECT min(due_at) FILTER (WHERE due_at < %s), bool_or(due_at IS NULL) FROM text_queue
 WHERE project_id = ANY(%s::uuid[])
"""


class Candidate(NamedTuple):
    """A trace that may say what is looked for."""

    start_time: datetime
    trace_id: UUID
    day: date


class Span(NamedTuple):
    """From `since` on, and before the place (time, trace id) in the order of lists."""

    since: datetime
    before_time: datetime
    before_id: UUID


class Candidates(NamedTuple):
    """Newest first. `end` is the place down to which they are all; None: down to `since`."""

    found: list[Candidate]
    end: Candidate | None


class Lag(NamedTuple):
    """What is not indexed yet."""

    indexed_up_to: datetime | None  # None: all that is due is indexed
    has_older: bool  # traces stored before there was an index still wait


def lag(project_ids: Sequence[UUID], now: datetime) -> Lag:
    """Return how far the index of these projects is behind."""
    with connection.cursor() as cursor:
        cursor.execute(LAG, [now - LATE, list(project_ids)])
        up_to, has_older = cursor.fetchone()
    return Lag(up_to, bool(has_older))


def make_queries(project_id: UUID, wanted: Sequence[Sequence[TokenPhrase]]) -> list[str]:
    """Return a query for each set of phrases of which a trace must say one. What no index can find is left out."""
    queries = []
    with connection.cursor() as cursor:
        for phrases in wanted:
            params: dict[str, Any] = {"project": project_word(project_id), "long": TOO_LONG}
            tests = [_phrase_sql(phrase, params) for phrase in phrases]
            cursor.execute(
                f"SELECT (%(project)s::tsquery && ({' || '.join([*tests, '%(long)s::tsquery'])}))::text,"
                f" {' AND '.join(f'numnode({test}) > 0' for test in tests)}",
                params,
            )
            query, is_known = cursor.fetchone()
            if is_known:
                queries.append(query)
    return queries


def _phrase_sql(phrase: TokenPhrase, params: dict[str, Any]) -> str:
    *first, last = phrase.tokens
    name = f"p{len(params)}"
    if not phrase.is_prefix:
        params[name] = " ".join(phrase.tokens)
        return f"phraseto_tsquery('simple', %({name})s)"
    params[f"{name}_last"] = f"'{last}':*"
    beginning = f"to_tsquery('simple', %({name}_last)s)"
    if not first:
        return beginning
    params[name] = " ".join(first)
    return f"(phraseto_tsquery('simple', %({name})s) <-> {beginning})"


def candidates(project_id: UUID, queries: Sequence[str], span: Span, limit: int) -> Candidates:
    """Return up to about `limit` of the newest traces in the span that may pass all the queries."""
    params: dict[str, Any] = {
        "project_id": project_id,
        "first_day": span.since.astimezone(UTC).date(),
        "last_day": span.before_time.astimezone(UTC).date(),
        "limit": limit,
        **span._asdict(),
        **{f"query_{number}": query for number, query in enumerate(queries)},
    }
    # before the index: one that is indexed meanwhile is then found in either
    waiting = _fetch(WAITING, params)
    with _bitmaps_only():
        indexed, is_all = _indexed(queries, params)
    ends = [
        part[-1]
        for part, is_cut in ((waiting, len(waiting) == limit), (indexed, not is_all))
        if part and is_cut
    ]
    end = max(ends, key=_place, default=None)
    found = sorted({*waiting, *indexed}, key=_place, reverse=True)
    if end is not None:
        found = [item for item in found if _place(item) >= _place(end)]
    return Candidates(found, end)


def _indexed(queries: Sequence[str], params: dict[str, Any]) -> tuple[list[Candidate], bool]:
    """Return the newest of the index, and whether that is all there are."""
    matching = [MATCHING.format(f"query_{number}") for number in range(len(queries))]
    if len(queries) > 1:
        # one rare word spares the frequent ones beside it: the payloads are looked at anyway
        few = [
            set(rows)
            for query in matching
            if len(rows := _fetch(f"{query} LIMIT {FEW_ROWS + 1}", params)) <= FEW_ROWS
        ]
        if few:
            return sorted(set.intersection(*few), key=_place, reverse=True), True
    rows = _fetch(NEWEST.format(" INTERSECT ".join(matching)), params)
    return rows, len(rows) < params["limit"]


def _place(item: Candidate) -> tuple[datetime, UUID]:
    return item.start_time, item.trace_id


def _fetch(query: str, params: dict[str, Any]) -> list[Candidate]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return [Candidate(*row) for row in cursor.fetchall()]


@contextmanager
def _bitmaps_only() -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'off', true),"
                " set_config('enable_indexonlyscan', 'off', true)"
            )
        yield
        transaction.set_rollback(True)  # nothing was written; the settings are as before
