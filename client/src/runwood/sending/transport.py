"""One kept-alive HTTP connection to the server.

`http.client` and no HTTP library: of what langchain-core brings, httpx costs 0.22 s of CPU to
import and three times the CPU of a request (docs/decisions/0006-client-wire.md). Proxies are taken
from the environment, as everywhere.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.request
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from urllib.parse import SplitResult, unquote, urlsplit

MAX_ANSWER = 1 << 20  # bytes of an answer that are read
REQUEST_SECONDS = 10.0  # what LangSmith's SDK waits too


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    body: bytes = b""
    retry_after_seconds: float | None = None
    date: str = ""  # the server's clock, as its header says it
    location: str = ""  # where it sends us instead


class Transport:
    """Asks one server. Used by one thread at a time."""

    def __init__(self, endpoint: str, headers: dict[str, str]) -> None:
        self._url = urlsplit(endpoint)
        self._headers = headers
        self._connection: http.client.HTTPConnection | None = None
        self._base = self._url.path  # what every path is below
        self._proxy_headers: dict[str, str] = {}

    def post(self, body: bytes, headers: dict[str, str], timeout: float) -> Answer:
        """Send a body to `/runs/batch` and return the answer. Raises what `request` does."""
        return self.request("POST", "/runs/batch", body, headers, timeout)

    def request(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], timeout: float
    ) -> Answer:
        """Ask for a path below the endpoint and return the answer.

        Raises:
            OSError: no connection, or it broke.
            http.client.HTTPException: the answer is not HTTP.
        """
        is_reused = self._connection is not None
        try:
            return self._request(method, path, body, headers, timeout)
        except (ConnectionError, http.client.HTTPException):
            self.close()
            if not is_reused:
                raise
            # A server closes what is idle; the same body twice does no harm.
            return self._request(method, path, body, headers, timeout)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def forget(self) -> None:
        """Let go of a connection that belongs to the parent process."""
        self._connection = None

    def _request(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], timeout: float
    ) -> Answer:
        timeout = min(timeout, REQUEST_SECONDS)
        connection = self._connection
        if connection is None:
            connection = self._connection = self._connect(timeout)
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        everything = {**self._headers, **self._proxy_headers, **headers}
        connection.request(method, self._base + path, body, everything)
        response = connection.getresponse()
        answer = response.read(MAX_ANSWER)
        if not response.isclosed() or response.will_close:
            self.close()
        return Answer(
            response.status,
            answer,
            _retry_after(response.getheader("Retry-After")),
            response.getheader("Date", ""),
            response.getheader("Location", ""),
        )

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        url, proxy = self._url, proxy_of(self._url)
        host, port = url.hostname or "", url.port
        at = proxy or url
        if url.scheme == "http":
            if proxy is not None:
                self._base = url.geturl()
                self._proxy_headers = _proxy_authorization(proxy)
            return http.client.HTTPConnection(at.hostname or "", at.port, timeout=timeout)
        connection = http.client.HTTPSConnection(
            at.hostname or "", at.port, timeout=timeout, context=ssl.create_default_context()
        )
        if proxy is not None:
            connection.set_tunnel(host, port or 443, _proxy_authorization(proxy))
        return connection


def proxy_of(url: SplitResult) -> SplitResult | None:
    """Return the address of the proxy that the environment names for a server, if it does."""
    proxies = urllib.request.getproxies()
    address = proxies.get(url.scheme) or proxies.get("all")
    if not address or urllib.request.proxy_bypass(url.hostname or ""):
        return None
    if (url.hostname or "").startswith("127.") or url.hostname in ("localhost", "::1"):
        return None
    return urlsplit(address if "://" in address else f"http://{address}")


def _proxy_authorization(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _retry_after(header: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, given as seconds or as a date."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time())
    except (TypeError, ValueError):
        return None
