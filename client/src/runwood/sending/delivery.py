"""Brings a batch to the server: retries, splits and gives up by what the server answers.

| answer                         | what follows                                                     |
|--------------------------------|------------------------------------------------------------------|
| 2xx                            | done                                                             |
| no connection, 408 425 429 5xx | again, with growing pauses or after Retry-After; never given up, |
|                                | but for 500, which is given up as a refusal after some tries     |
| 413                            | in halves; a run alone without its payloads                      |
| 415                            | again, uncompressed, and so from now on                          |
| 401 403 404, redirects         | dropped and counted: the settings are wrong                      |
| any other                      | in halves until the run that the server refuses stands alone     |
"""

from __future__ import annotations

import http.client
import random
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from runwood.config import Config
from runwood.log import warn
from runwood.sending.encode import Compressor, EncodedRun, build_body, tells_end
from runwood.sending.losses import Losses
from runwood.sending.transport import REQUEST_SECONDS, Answer, Transport
from runwood.version import __version__

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
MAX_RETRY_AFTER_SECONDS = 300.0
TRIES_OF_SERVER_ERROR = 5  # a body that makes the server fail must not stop all that comes after it
PATIENT_TRIES = 12  # the same of what lies on the disk: three minutes
TRIES_AT_EXIT = 3
SILENT_SECONDS = 10.0  # a server that has not answered for so long …
SILENT_EXIT_SECONDS = (
    1.0  # … holds up the end of a process no longer than this: masters wait for their workers
)
_RETRIED = frozenset({408, 425, 429})
_WRONG_SETTINGS = frozenset({401, 403, 404, 405})


class Delivery:
    """Sends batches one after the other. Used by one thread at a time.

    Args:
        config: the server and the key.
        is_patient: whoever calls this keeps what it sends on the disk. Then wrong settings are waited out, as an
            absent server is, and the end of the process waits for neither.
        tries_at_exit: how often something is tried where there is a deadline.
    """

    unconfirmed = 0  # what is delivered is settled
    has_resigned = False

    def __init__(
        self, config: Config, *, is_patient: bool = False, tries_at_exit: float = TRIES_AT_EXIT
    ) -> None:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"runwood-python/{__version__}",
        }
        if config.api_key:
            headers["x-api-key"] = config.api_key
        self.endpoint = config.endpoint
        self.transport = Transport(config.endpoint, headers)
        self.lost = Losses()
        self.deadline: float | None = None  # set when the process ends: then nothing waits past it
        self.refused = 0  # items of requests that the server took: those it counts itself
        self.is_cut_off = False  # the last request found nobody in time, or settings that are wrong
        self.problem = ""  # why something was given up or refused, the last time
        self._is_patient = is_patient
        self._tries_at_exit = tries_at_exit
        self._compressor: Compressor | None = Compressor()
        self._client = {
            "name": "runwood-python",
            "version": __version__,
            "process": uuid.uuid4().hex,  # whose totals these are
        }
        self._unanswered_since: float | None = None
        self._wake = threading.Event()
        self._is_hopeless = (
            False  # at the end of the process, with no server: do not try every batch
        )

    def deliver(self, runs: list[EncodedRun]) -> None:
        """Bring these runs to the server, or count those that cannot be."""
        left = self.bring(runs)
        if left:
            self._give_up(left, f"not sent in time: {self.problem}")

    def bring(self, runs: list[EncodedRun]) -> list[EncodedRun]:
        """Bring these runs to the server, count those that it refuses, and return what it has not answered in time."""
        portions = [runs] if runs else []
        while portions:
            portion = portions.pop()
            answer = self._until_answered(partial(self._post, portion))
            if answer is None:
                return [*portion, *(run for later in reversed(portions) for run in later)]
            if answer.status // 100 == 2:
                self._read_rejections(answer)
            elif _is_of_settings(answer):
                self._give_up(portion, _explain(answer))
            elif len(portion) > 1:
                middle = len(portion) // 2
                portions += [portion[middle:], portion[:middle]]
            elif answer.status == 413 and not portion[0].is_reduced:
                portion[0].reduce()
                self.lost.count(portion[0].project, "payloads")
                portions.append(portion)
            else:
                self._give_up(portion, _explain(answer))
        return []

    def report_losses(self) -> None:
        """Tell the server of losses that no batch has told it of yet.

        Tried once: every later batch repeats the totals.
        """
        if self.lost.is_unreported:
            total = self.lost.total
            if not self.is_too_late:
                self._post([])
            self.lost.mark_reported(total)

    def upload(self, path: str, headers: dict[str, str], body: bytes) -> Answer | None:
        """Bring a body that another client made to the server. None: it has not answered in time."""

        def send() -> Answer:
            return self.transport.request("POST", path, body, headers, self._timeout())

        answer = self._until_answered(partial(self._answer, send))
        if answer is not None and answer.status // 100 == 2:
            self._read_rejections(answer)
        elif answer is not None:
            self.problem = _explain(answer)
        return answer

    def _until_answered(self, post: Callable[[], Answer | None]) -> Answer | None:
        tries, answer = 0, None
        while not self.is_too_late:
            answer = post()
            tries += 1
            if answer is not None and not self._is_temporary(answer, tries):
                self.is_cut_off = _is_of_settings(answer)
                return answer
            pause = _pause_seconds(answer, tries)
            if not self._may_wait(pause, tries):
                self._is_hopeless = True
                break
            self._wait(pause)
        self.is_cut_off = True
        self.problem = _explain(answer) if answer else f"no answer from {self.endpoint}"
        return None

    def _post(self, runs: list[EncodedRun]) -> Answer | None:
        """Return the answer, or None where there was none."""
        told = self.lost.total
        client: dict[str, Any] = dict(self._client)
        if told:
            client["dropped"] = self.lost.by_project()
        body = build_body(runs, client)
        answer = self._answer(partial(self._send, body))
        if answer is not None and answer.status // 100 == 2:
            self.lost.mark_reported(told)
        return answer

    def _answer(self, send: Callable[[], Answer]) -> Answer | None:
        if self._unanswered_since is None:
            self._unanswered_since = time.monotonic()
        try:
            answer = send()
        except (OSError, http.client.HTTPException) as error:
            warn("connection", "no answer from %s, trying on: %r", self.endpoint, error)
            return None
        self._unanswered_since = None
        return answer

    def _send(self, body: bytes) -> Answer:
        timeout = self._timeout()
        if self._compressor is not None:
            headers = {"Content-Encoding": "zstd"}
            answer = self.transport.post(self._compressor.compress(body), headers, timeout)
            if answer.status != 415:
                return answer
            self._compressor = None
        return self.transport.post(body, {}, timeout)

    def _timeout(self) -> float:
        if self.deadline is None:
            return REQUEST_SECONDS
        return max(0.1, self.deadline - time.monotonic())

    def close(self) -> None:
        """Close the connection; the next request opens one."""
        self.transport.close()

    def forget(self) -> None:
        """Leave the connection to the process that this one was forked from."""
        self.transport.forget()

    def hurry(self, deadline: float | None) -> None:
        """Let nothing wait past the deadline, a pause that has begun included. None: no hurry."""
        silent_since = self._unanswered_since
        if deadline is not None and silent_since is not None:
            now = time.monotonic()
            if now - silent_since > SILENT_SECONDS:
                deadline = min(deadline, now + SILENT_EXIT_SECONDS)
        self.deadline = deadline
        self._is_hopeless = False
        self._wake.set()

    @property
    def is_too_late(self) -> bool:
        """Whether the process ends now: nothing may be waited for."""
        if self.deadline is None:
            return False
        return self._is_hopeless or time.monotonic() >= self.deadline

    def _may_wait(self, pause: float, tries: int) -> bool:
        if self.deadline is None:
            return True
        return (
            not self._is_patient
            and tries < self._tries_at_exit
            and time.monotonic() + pause < self.deadline
        )

    def _is_temporary(self, answer: Answer, tries: int) -> bool:
        if answer.status == 500:
            return tries < (PATIENT_TRIES if self._is_patient else TRIES_OF_SERVER_ERROR)
        if self._is_patient and _is_of_settings(answer):
            warn("settings", "the runs wait on the disk: %s", _explain(answer))
            return True
        return answer.status in _RETRIED or answer.status > 500

    def _wait(self, seconds: float) -> None:
        if self.deadline is not None:
            time.sleep(seconds)
            return
        self._wake.clear()
        if self.deadline is None:  # still, after the clear
            self._wake.wait(seconds)

    def _give_up(self, runs: list[EncodedRun], reason: str) -> None:
        for run in runs:
            if not run.is_update:
                self.lost.count(run.project, "runs")
            elif tells_end(run.data):
                self.lost.count(run.project, "ends")
        self.problem = reason
        warn(reason[:20], "%d runs were dropped: %s", len(runs), reason)

    def _read_rejections(self, answer: Answer) -> None:
        """Log what the server refused of a request that it took: it counts those itself."""
        if b"rejected" not in answer.body:
            return
        try:
            rejected = orjson.loads(answer.body).get("rejected")
        except (ValueError, AttributeError):
            return
        if rejected:
            self.refused += len(rejected)
            self.problem = f"the server refused {len(rejected)} of them, the first: {rejected[0]}"
            warn("rejected", "%s", self.problem)


def _is_of_settings(answer: Answer) -> bool:
    """Whether the server says that the key or the address is wrong."""
    return answer.status in _WRONG_SETTINGS or 300 <= answer.status < 400


def _pause_seconds(answer: Answer | None, tries: int) -> float:
    if answer is not None and answer.retry_after_seconds is not None:
        asked = min(answer.retry_after_seconds, MAX_RETRY_AFTER_SECONDS)
        return asked * random.uniform(1.0, 1.1)  # noqa: S311  many clients are told the same second
    longest = min(FIRST_PAUSE_SECONDS * 2 ** min(tries - 1, 10), LONGEST_PAUSE_SECONDS)
    return random.uniform(longest / 2, longest)  # noqa: S311


def _explain(answer: Answer) -> str:
    said = answer.body[:300].decode("utf-8", "replace")
    if answer.status in (401, 403):
        return f"HTTP {answer.status}, check RUNWOOD_API_KEY: {said}"
    if answer.status in (301, 302, 307, 308, 404, 405):
        return f"HTTP {answer.status}, check RUNWOOD_ENDPOINT: {said}"
    return f"HTTP {answer.status}: {said}"
