"""What watching costs: `python -m benchmarks.live [--watchers N] [--seconds S]` prints a table.

A server of our own, started as users start it, gets agent traces at a steady rate through the real ingest path,
while N readers hold a live list of the project open. First they only listen; then each does as the page does
(`viewer/static/viewer/js/live.js`): upon news it asks for the list again, twice a second at most. Measured are the time
from the acknowledgement of a trace until a reader hears of it, memory and CPU of the web processes, and how long a page
takes meanwhile. Everything, the readers included, shares the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import re
import statistics
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from benchmarks.ingest import percentile
from benchmarks.server import Server, running_server

PROJECT = "live"
TRACES_A_SECOND = 5.0
REFRESH_SECONDS = 0.5
FIRST_TRACES = 200
PAGES_EVERY = 0.5


@dataclass
class Figures:
    """What was seen in one phase."""

    sent: dict[str, float] = field(default_factory=dict)  # trace → when it was acknowledged
    heard: list[float] = field(default_factory=list)  # seconds from that, one a reader and trace
    refreshes: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    failed: int = 0  # answers that were no 200


class Session:
    """A signed-in browser's cookies."""

    def __init__(self, server: Server) -> None:
        self.server = server
        path = "/" + server.sign_in_url().split("/", 3)[3]
        page, cookies = self._ask("GET", path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        form = f"csrfmiddlewaretoken={token[1]}"
        _, more = self._ask("POST", path, form, "; ".join(cookies))
        self.cookies = "; ".join({*cookies, *more})

    def _ask(
        self, method: str, path: str, body: str | None = None, cookies: str = ""
    ) -> tuple[str, list[str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        headers = {"Cookie": cookies, "Origin": self.server.url}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        found = [cookie.split(";")[0] for cookie in answer.headers.get_all("Set-Cookie") or ()]
        connection.close()
        return text, found


class Browser:
    """One reader with the list open: a stream, and a connection for all else."""

    def __init__(self, session: Session, figures: Figures, *, refreshes: bool) -> None:
        self.session, self.figures, self.refreshes = session, figures, refreshes
        self.changed = asyncio.Event()
        self.is_open = asyncio.Event()

    async def listen(self) -> None:
        reader, writer = await self._open()
        writer.write(self._request(f"/p/{PROJECT}/traces/stream"))
        try:
            status = await reader.readline()
            if b" 200 " not in status:
                self.figures.failed += 1
                return
            while line := await reader.readline():
                self.is_open.set()
                if line.startswith(b"data: "):
                    self._hear(orjson.loads(line[6:]))
        finally:
            self.is_open.set()
            writer.close()

    def _hear(self, ids: list[str]) -> None:
        now = time.monotonic()
        for trace_id in ids:
            if trace_id in self.figures.sent:
                self.figures.heard.append(now - self.figures.sent[trace_id])
        self.changed.set()

    async def refresh(self) -> None:
        """Ask for the list again upon news, as the page does."""
        if not self.refreshes:
            return
        reader, writer = await self._open()
        try:
            while True:
                await self.changed.wait()
                self.changed.clear()
                request = self._request(f"/p/{PROJECT}/traces", partial=True)
                await self._measure(reader, writer, request, self.figures.refreshes)
                await asyncio.sleep(REFRESH_SECONDS)
        finally:
            writer.close()

    async def look(self) -> None:
        """Open the whole page, over and over."""
        reader, writer = await self._open()
        try:
            while True:
                request = self._request(f"/p/{PROJECT}/traces")
                await self._measure(reader, writer, request, self.figures.pages)
                await asyncio.sleep(PAGES_EVERY)
        finally:
            writer.close()

    async def _measure(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        request: bytes,
        times: list[float],
    ) -> None:
        began = time.monotonic()
        if await fetch(reader, writer, request) == 200:
            times.append(time.monotonic() - began)
        else:
            self.figures.failed += 1

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.session.server.port, limit=1 << 20)

    def _request(self, path: str, *, partial: bool = False) -> bytes:
        lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", f"Cookie: {self.session.cookies}"]
        if partial:
            lines += ["HX-Request: true", "HX-Target: trace-list"]
        return "\r\n".join([*lines, "", ""]).encode()


async def fetch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    """Return the status, when the whole answer is there."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None, head
    await reader.readexactly(int(length[1]))
    return int(head.split(b" ", 2)[1])


async def send(server: Server, key: str, figures: Figures) -> None:
    """Send traces at a steady rate, each whole in one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    due = time.monotonic()
    while True:
        body, trace_id = make_trace()
        head = (
            "POST /api/v1/runs/batch HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"X-API-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        figures.sent[trace_id] = time.monotonic()
        length = re.search(rb"content-length: (\d+)", answer)
        await reader.readexactly(int(length[1]) if length else 0)
        due += 1 / TRACES_A_SECOND
        await asyncio.sleep(max(0.0, due - time.monotonic()))


def make_trace() -> tuple[bytes, str]:
    trace_id, now = str(uuid.uuid4()), datetime.now(UTC).isoformat()
    run = {
        "id": trace_id,
        "name": "agent",
        "run_type": "chain",
        "start_time": now,
        "end_time": now,
        "inputs": {"question": "Where is my order? " * 5},
        "outputs": {"answer": "It left the kiln on Monday. " * 5},
        "session_name": PROJECT,
        "tags": ["live"],
    }
    return orjson.dumps({"post": [run]}), trace_id


async def phase(
    server: Server, key: str, session: Session, watchers: int, seconds: float, *, refreshes: bool
) -> tuple[Figures, float, int]:
    """Return what was seen, the CPU of all parts in cores, and the web processes' memory."""
    figures = Figures()
    browsers = [Browser(session, figures, refreshes=refreshes) for _ in range(watchers)]
    tasks = [asyncio.create_task(browser.listen()) for browser in browsers]
    for browser in browsers:
        await browser.is_open.wait()
    tasks += [asyncio.create_task(browser.refresh()) for browser in browsers]
    tasks.append(asyncio.create_task(send(server, key, figures)))
    tasks.append(asyncio.create_task(Browser(session, figures, refreshes=False).look()))
    await asyncio.sleep(2)
    for seen in (figures.heard, figures.refreshes, figures.pages):
        seen.clear()
    before, began = server.cpu_seconds(), time.monotonic()
    await asyncio.sleep(seconds)
    after, took = server.cpu_seconds(), time.monotonic() - began
    memory = server.memory_bytes()["web"]
    for task in tasks:
        if task.done() and not task.cancelled():
            task.result()
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
    cores = {part: (after[part] - before[part]) / took for part in after}
    print(f"    CPU, cores: {', '.join(f'{part} {used:.2f}' for part, used in cores.items())}")
    return figures, sum(cores.values()), memory


def show(name: str, watchers: int, figures: Figures, cores: float, memory: int) -> None:
    def times(values: list[float]) -> str:
        if not values:
            return "–"
        return f"{statistics.median(values) * 1000:,.0f} / {percentile(values, 0.95) * 1000:,.0f} / {max(values) * 1000:,.0f}"

    print(
        f"| {name} | {watchers} | {times(figures.heard)} | {len(figures.refreshes)}: {times(figures.refreshes)} |"
        f" {times(figures.pages)} | {cores:.2f} | {memory / (1 << 20):,.0f} MiB | {figures.failed} |"
    )


async def measure(server: Server, watchers: int, seconds: float) -> None:
    key, session = server.api_key(), Session(server)
    for _ in range(FIRST_TRACES):
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("POST", "/api/v1/runs/batch", make_trace()[0], {"X-API-Key": key})
        connection.getresponse().read()
        connection.close()
    await asyncio.sleep(3)
    print(
        "| readers | | news, ms p50 / p95 / max | refreshes, ms | page, ms | CPU, cores | web PSS | failed |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, count, refreshes in (
        ("none", 0, False),
        ("listen", watchers, False),
        ("refresh", watchers, True),
        ("none again", 0, False),
    ):
        show(name, count, *await phase(server, key, session, count, seconds, refreshes=refreshes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    with running_server() as server:
        asyncio.run(measure(server, arguments.watchers, arguments.seconds))


if __name__ == "__main__":
    main()
