"""Ask this installation's web server how it is: for the supervisor and the image's health check.

`python -m config.probe [/path]` ends with 0 when the answer is 200.
"""

from __future__ import annotations

import http.client
import sys
from dataclasses import dataclass

from config import settings

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is 0 when nobody answered."""

    status: int
    text: str


def probe(path: str = "/readyz", timeout: float = 5.0) -> Answer:
    """Ask without any proxy, by a host name that Django accepts (RUNWOOD_ALLOWED_HOSTS)."""
    connection = http.client.HTTPConnection(
        ANY_ADDRESS.get(settings.HOST, settings.HOST), settings.PORT, timeout=timeout
    )
    try:
        connection.request("GET", path, headers={"Host": _host()})
        response = connection.getresponse()
        return Answer(response.status, response.read(4096).decode(errors="replace").strip())
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, str(error))
    finally:
        connection.close()


def _host() -> str:
    allowed = settings.ALLOWED_HOSTS
    return "localhost" if not allowed or "*" in allowed else allowed[0].lstrip(".")


if __name__ == "__main__":
    answer = probe(sys.argv[1] if len(sys.argv) > 1 else "/readyz")
    sys.stdout.write(f"{answer.status} {answer.text}\n")
    sys.exit(answer.status != 200)
