"""Whatever a run says is found in that run: 600 random phrases of realistic traces, in many scripts."""

from __future__ import annotations

import json
import random
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from benchmarks.workload import batches
from collector.query.search import parse_search
from collector.reads import text_walk, traces
from collector.reads.cursors import Position
from collector.reads.scan import Source
from collector.reads.sql import LAST
from collector.reads.types import TraceFilter
from collector.storage.leaves import leaf_texts
from collector.storage.tokens import JOINED, SINGLE
from tests.factories import SECOND, START, make_run, store_runs
from tests.search.indexing import PROJECT, index_everything

pytestmark = pytest.mark.django_db

SCRIPTS = (
    "返金ポリシーについて教えてください。注文番号は昨日届いたメールに書いてあります。",
    "退款政策是什么？我的订单昨天已经发货。但是物流信息没有更新。",
    "환불 정책이 어떻게 되나요? 주문한 물건이 아직 도착하지 않았습니다.",
    "ขอคืนเงินได้ไหมคะ สินค้าที่สั่งซื้อเมื่อวานยังไม่มาถึง",
    "ما هي سياسة الاسترداد؟ لم تصل الشحنة حتى الآن.",
    "मुझे अपने ऑर्डर की वापसी की नीति जाननी है।",
    "מהי מדיניות ההחזרים? המשלוח טרם הגיע.",
    "Где моя посылка? Заказ оплачен ещё в понедельник.",
    "Où est ma commande? Elle tarde à cette adresse indiquée.",
    "Größe und Maße der Schüssel, Straße 12, früh geliefert.",
)
TOKEN = re.compile(f"{JOINED}+|{SINGLE}")
PHRASES = 600


def identifiers(rng: random.Random) -> str:
    hexes = f"{rng.getrandbits(128):032x}"
    return rng.choice(
        (
            f"INV-2024-{rng.randrange(100_000):05d}",
            f"user_{rng.randrange(10_000_000)}",
            f"https://shop.example/o/{hexes[:8]}?ref={hexes[8:16]}",
            str(UUID(hexes)),
        )
    )


def make_payloads(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Return what agent runs say, with other scripts and identifiers among it."""
    bodies = batches(count, 100, project="recall", start=START, spacing=1.0)
    runs = [run for body in bodies for run in json.loads(body)["post"]]
    for run in runs:
        said = " ".join((rng.choice(SCRIPTS), identifiers(rng), rng.choice(SCRIPTS)))
        run["inputs"]["note"] = [said] * rng.randrange(1, 3)
    return runs


def random_phrase(rng: random.Random, payload: dict[str, Any]) -> str:
    """Return one to five words of a text, cut where tokens are."""
    while True:
        text = rng.choice(list(leaf_texts([payload["inputs"], payload.get("outputs")])))
        spans = [found.span() for found in TOKEN.finditer(text)]
        if spans:
            first = rng.randrange(len(spans))
            last = min(first + rng.randrange(5), len(spans) - 1)
            return text[spans[first][0] : spans[last][1]]


def test_600_of_600_phrases_are_found_in_their_own_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_the_index(_: Source) -> tuple[list[Any], Position]:
        return [], Position(LAST, UUID(int=0))

    monkeypatch.setattr(text_walk, "_newest", only_the_index)
    rng = random.Random(1)
    payloads = make_payloads(rng, 600)
    stored = []
    for number in range(0, len(payloads), 12):
        said, start = payloads[number : number + 12], START + number * SECOND
        root = make_run(start_time=start, inputs=orjson.dumps(said[0]["inputs"]))
        runs = [root] + [
            make_run(root, inputs=orjson.dumps(one["inputs"]), outputs=orjson.dumps(one["outputs"]))
            for one in said[1:]
        ]
        store_runs(PROJECT, *runs)
        stored += [(start, run, one) for run, one in zip(runs, said, strict=True)]
    index_everything()
    missed = []
    for _ in range(PHRASES):
        start, run, said = rng.choice(stored)
        phrase = random_phrase(rng, said if run.parent_run_id else {"inputs": said["inputs"]})
        asked = f"any(id:{run.id} {json.dumps(phrase)})"
        filter_ = TraceFilter(
            search=parse_search(asked), start_from=start, start_to=start + timedelta(seconds=1)
        )
        page = traces.list_traces([PROJECT], filter_)
        if [trace.id for trace in page.items] != [run.trace_id]:
            missed.append(phrase)
    assert missed == []
