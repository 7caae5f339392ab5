"""The questions to the server: asked as the handler asks it, through the same proxies."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from runwood.command.doctor.finding import Finding
from runwood.command.doctor.settings import describe_form
from runwood.config import Config
from runwood.sending.transport import Answer, Transport, proxy_of
from runwood.version import __version__

ANSWER_SECONDS = 10.0  # for one request
CLOCK_SECONDS = 30.0  # of difference that a reader of traces would be misled by
EMPTY_BATCH = b'{"post":[],"patch":[]}'


class Visit:
    """Asks one server one thing after the other, and keeps what later questions need."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._url = urlsplit(config.endpoint)
        self._proxy = proxy_of(self._url)
        self._seconds_ahead: float | None = None  # of the server, this machine's clock
        self._transport = self._transport_to(config.endpoint)

    def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Return the answer to a request with the key.

        Raises:
            OSError, http.client.HTTPException: there was none.
        """
        headers = {"Content-Type": "application/json"}
        if self.config.api_key:
            headers["x-api-key"] = self.config.api_key
        return self._transport.request(method, path, body, headers, ANSWER_SECONDS)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    # --- The questions, in their order --------------------------------------------------------------
    def name(self) -> Finding:
        """Ask whether the server's name, or the proxy's, is known here."""
        host, port = self._peer()
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = ", ".join(dict.fromkeys(str(entry[4][0]) for entry in found))
        proxy = f"the proxy {self._proxy.hostname} is asked; " if self._proxy else ""
        return Finding("ok", "name", f"{proxy}{host} is {addresses}")

    def connection(self) -> Finding:
        """Ask whether somebody listens there."""
        host, port = self._peer()
        socket.create_connection((host, port), timeout=ANSWER_SECONDS / 2).close()
        return Finding("ok", "connection", f"{host} listens on port {port}")

    def server(self) -> Finding:
        """Ask whether it is Runwood."""
        answer = self._transport.request("GET", "/info", None, {}, ANSWER_SECONDS)
        self._seconds_ahead = _seconds_ahead(answer.date)
        info = _read_info(answer)
        if "runwood" in info:
            version = info["runwood"].get("version") or "of an unknown version"
            words = f"Runwood {version}, which speaks LangSmith's API {info.get('version')}; this client is {__version__}"
            return Finding("ok", "server", words)
        return Finding("wrong", "server", self._explain_stranger(answer, info))

    def clock(self) -> Finding:
        """Compare the clocks. The server takes any time, and shows it."""
        ahead = self._seconds_ahead
        if ahead is None:
            return Finding("skipped", "clock", "the server has told no time")
        if abs(ahead) <= CLOCK_SECONDS:
            return Finding("ok", "clock", "agrees with the server's")
        which = "ahead of" if ahead > 0 else "behind"
        words = f"this machine is {abs(ahead):,.0f} s {which} the server, and so are its traces: set its clock by NTP"
        return Finding("note", "clock", words)

    def key(self) -> Finding:
        """Ask whether the key may send."""
        answer = self.ask("POST", "/runs/batch", EMPTY_BATCH)
        if answer.status // 100 == 2:
            return Finding("ok", "key", "may send traces")
        if answer.status == 401:
            said = describe_form(self.config.api_key)
            words = "the server does not know it, or it was revoked: make one in Settings, API keys"
            return Finding("wrong", "key", f"{words}. {said}".removesuffix(". "))
        if answer.status == 403:
            return Finding("wrong", "key", "it may not send traces: it needs the scope ingest")
        said = answer.body[:200].decode("utf-8", "replace")
        return Finding(
            "wrong", "key", f"the server takes nothing now: HTTP {answer.status}: {said}"
        )

    # --- How ----------------------------------------------------------------------------------------
    def _transport_to(self, endpoint: str) -> Transport:
        return Transport(endpoint, {"User-Agent": f"runwood-doctor/{__version__}"})

    def _peer(self) -> tuple[str, int]:
        at = self._proxy or self._url
        return at.hostname or "", at.port or (443 if at.scheme == "https" else 80)

    @property
    def address(self) -> str:
        """Where we ask, in words."""
        proxy = f" (by the proxy {self._proxy.geturl()})" if self._proxy else ""
        return f"{self.config.endpoint}{proxy}"

    @property
    def origin(self) -> str:
        """The endpoint without its path."""
        return f"{self._url.scheme}://{self._url.netloc}"

    def ask_origin(self, path: str) -> dict[str, Any]:
        """Return the JSON at a path of the server itself, whatever the endpoint's; nothing where there is none."""
        transport = self._transport_to(self.origin)
        try:
            return _read_json(transport.request("GET", path, None, {}, ANSWER_SECONDS))
        except (OSError, http.client.HTTPException):
            return {}
        finally:
            transport.close()

    def _explain_stranger(self, answer: Answer, info: dict[str, Any]) -> str:
        if "batch_ingest_config" in info:
            return "this is a LangSmith server, and the handler needs Runwood"
        if 300 <= answer.status < 400:
            to = answer.location.partition("/info")[0]
            return f"it sends us to {to or answer.location}: set RUNWOOD_ENDPOINT to that"
        if self._url.path.strip("/") and "runwood" in self.ask_origin("/info"):
            return f"this is the address of a page, and not of the API: set RUNWOOD_ENDPOINT to {self.origin}"
        return (
            f"something answers there (HTTP {answer.status}), but not Runwood. RUNWOOD_ENDPOINT is the address of the "
            "server itself, like http://127.0.0.1:8000, and not of a page"
        )


def explain_failure(error: Exception, endpoint: str) -> str:
    """Return in plain words why there was no answer."""
    if isinstance(error, socket.gaierror):
        return f"the name in {endpoint} is not known here: is it spelt right, and this machine on that network?"
    if isinstance(error, ConnectionRefusedError):
        return (
            f"nothing listens at {endpoint}: is the server running, and the port right? "
            "(In a container, 127.0.0.1 is the container itself.)"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {endpoint} is not trusted here (SSL_CERT_FILE names others): {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"{endpoint} does not speak TLS: is it http:// in place of https://?"
    if isinstance(error, TimeoutError):
        return f"{endpoint} has not answered in time: is a firewall between?"
    if isinstance(error, (http.client.HTTPException, ConnectionResetError)):
        return f"what answers at {endpoint} does not speak HTTP: is it https:// in place of http://? ({error!r})"
    return f"no answer from {endpoint}: {error}"


def _read_json(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _read_info(answer: Answer) -> dict[str, Any]:
    info = _read_json(answer) if answer.status == 200 else {}
    if not isinstance(info.get("runwood", {}), dict):
        del info["runwood"]
    return info


def _seconds_ahead(date: str) -> float | None:
    try:
        return time.time() - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None
