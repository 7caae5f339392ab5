"""The settings that a handler would have here, where each came from, and what is wrong with it by itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from runwood.command.doctor.finding import Finding, show_key
from runwood.config import Config

KEY_CHARACTERS = 46  # `rw_` and 43
_ROUTE = re.compile(r"/(?:runs(?:/batch|/multipart)?|info|otel(?:/.*)?|v1/traces)$")


@dataclass(frozen=True)
class Settings:
    """The settings that hold, and what the command line said of them."""

    config: Config
    given: Mapping[str, str | None]

    def findings(self) -> Iterator[Finding]:
        """Yield what is to be said of each."""
        yield self._endpoint()
        yield self._api_key()
        yield Finding("ok", "project", f"{self.config.project} ({self._source('project')})")
        rate = self.config.sample_rate
        if rate < 1:
            yield Finding("note", "sample rate", f"{rate:.0%} of all traces are recorded")

    def _endpoint(self) -> Finding:
        endpoint = self.config.endpoint
        words = f"{endpoint} ({self._source('endpoint')})"
        problem = _problem_of_address(endpoint)
        if problem:
            return Finding("wrong", "endpoint", f"{words}: {problem}")
        return Finding("ok", "endpoint", words)

    def _api_key(self) -> Finding:
        key = self.config.api_key
        if not key:
            return Finding(
                "wrong", "api key", "none: set RUNWOOD_API_KEY to a key from Settings, API keys"
            )
        words = f"{show_key(key)} ({self._source('api_key')})"
        if not key.isascii() or not key.isprintable() or " " in key:
            problem = "it holds characters that no key has: was it copied from an example, or with something around it?"
            return Finding("wrong", "api key", f"{words}: {problem}")
        problem = describe_form(key)
        return Finding(
            "note" if problem else "ok", "api key", f"{words}: {problem}" if problem else words
        )

    def _source(self, name: str) -> str:
        if self.given.get(name):
            return "from the command line"
        variable = f"RUNWOOD_{name.upper()}"
        return f"from {variable}" if os.environ.get(variable) else "the default"


def describe_form(key: str) -> str:
    """Return what about a key shows that it is none of Runwood's; nothing where it may be one."""
    if key.startswith("ls"):
        return "this looks like a key of LangSmith's: Runwood's begin with rw_"
    if not key.startswith("rw_"):
        return "Runwood's keys begin with rw_"
    if len(key) != KEY_CHARACTERS:
        return f"it has {len(key)} characters, and a key {KEY_CHARACTERS}: was it cut?"
    return ""


def _problem_of_address(endpoint: str) -> str:
    try:
        url = urlsplit(endpoint)
        url.port  # noqa: B018  it is read only when asked for
    except ValueError as error:
        return str(error)
    if not url.hostname:
        return "there is no host in it"
    if url.hostname.startswith("rw_"):
        return "this is a key, and no address"
    if url.query or url.fragment:
        return "an endpoint has no ? and no #: is it the address of a page?"
    if found := _ROUTE.search(url.path):
        return f"the client adds {found[0]} itself: leave it away"
    return ""
