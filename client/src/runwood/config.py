"""What a handler was told: arguments first, then the environment, read once at construction."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runwood.hooks.record import RunEnd
from runwood.scope import texts
from runwood.values.hiding import Hide, Redact, Rule, compile_rules

DEFAULT_ENDPOINT = "http://127.0.0.1:8000"
DEFAULT_PROJECT = "default"

_FALSE = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True)
class Config:
    """The settings of one handler. `resolve` fills in the environment and the defaults."""

    endpoint: str
    api_key: str = field(repr=False)
    project: str
    path: str | None = None  # a file to write to, in place of the server
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    redact_keys: frozenset[str] = frozenset()
    redact_secrets: bool = True
    redact: tuple[Rule, ...] = ()
    hide_inputs: Hide = False
    hide_outputs: Hide = False
    sample_rate: float = 1.0  # of traces: a trace is recorded whole or not at all
    stream_tokens: bool = False  # send what a model has answered so far, while it streams
    flush_on_root_end: bool = False  # for runtimes that freeze a process between two requests
    max_payload_bytes: int = (
        8 << 20
    )  # of one payload (inputs, outputs, …) in memory; the server takes 20 MiB a run
    max_queue_items: int = 10_000
    max_queue_bytes: int = 48 << 20  # with what the sender holds beside it, under 64 MB
    spool_dir: str | None = None  # where what is not sent yet waits on the disk
    max_spool_bytes: int = 256 << 20  # of one process
    on_run_end: tuple[RunEnd, ...] = ()

    @property
    def sends_answers_so_far(self) -> bool:
        """Whether tokens stream in. Not where rules of the app's judge outputs: they must see them whole."""
        return self.stream_tokens and not (self.redact or self.hide_outputs or self.path)

    @classmethod
    def resolve(
        cls,
        *,
        endpoint: str | None = None,
        api_key: str | None = None,
        project: str | None = None,
        tags: str | Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        redact_secrets: bool | None = None,
        redact_keys: str | Iterable[str] = (),
        redact: Redact | Iterable[Redact] = (),
        hide_inputs: Hide | None = None,
        hide_outputs: Hide | None = None,
        sample_rate: float | None = None,
        stream_tokens: bool | None = None,
        spool_dir: str | os.PathLike[str] | None = None,
        on_run_end: RunEnd | Iterable[RunEnd] = (),
        **others: Any,
    ) -> Config:
        """Return the settings that hold, the environment considered.

        Raises:
            ValueError: the endpoint is not an HTTP address, a pattern is none, or the sample rate is not between
                0 and 1.
        """
        return cls(
            endpoint=_endpoint(_first(endpoint, "RUNWOOD_ENDPOINT", DEFAULT_ENDPOINT)),
            api_key=_first(api_key, "RUNWOOD_API_KEY", ""),
            project=_first(project, "RUNWOOD_PROJECT", DEFAULT_PROJECT),
            tags=texts(tags),
            metadata=dict(metadata or {}),
            redact_secrets=is_on("RUNWOOD_REDACT_SECRETS", default=True)
            if redact_secrets is None
            else redact_secrets,
            redact_keys=frozenset(texts(redact_keys)),
            redact=compile_rules(redact),
            hide_inputs=_hide("hide_inputs", hide_inputs),
            hide_outputs=_hide("hide_outputs", hide_outputs),
            sample_rate=_sample_rate(sample_rate),
            stream_tokens=is_on("RUNWOOD_STREAM_TOKENS")
            if stream_tokens is None
            else stream_tokens,
            spool_dir=_folder(spool_dir),
            on_run_end=(on_run_end,) if callable(on_run_end) else tuple(on_run_end),
            **others,
        )


def is_on(variable: str, *, default: bool = False) -> bool:
    """Whether an environment variable is set and does not say no."""
    value = os.environ.get(variable, "").strip().lower()
    return default if not value else value not in _FALSE


def _hide(name: str, argument: Any) -> Hide:
    hide: object = is_on(f"RUNWOOD_{name.upper()}") if argument is None else argument
    if isinstance(hide, bool) or callable(hide):
        return hide
    msg = f"{name} must be True, False or a function, got {argument!r}"
    raise ValueError(msg)


def _first(argument: str | None, variable: str, default: str) -> str:
    return (argument or os.environ.get(variable) or default).strip()


def _folder(argument: str | os.PathLike[str] | None) -> str | None:
    given = os.fspath(argument) if argument else os.environ.get("RUNWOOD_SPOOL_DIR", "").strip()
    return os.path.abspath(given) if given else None  # noqa: PTH100  the app may change its folder


def _sample_rate(argument: float | None) -> float:
    given = os.environ.get("RUNWOOD_SAMPLE_RATE", "").strip() or 1.0
    if argument is not None:
        given = argument
    try:
        rate = float(given)
    except ValueError:
        rate = math.nan
    if not 0.0 <= rate <= 1.0:
        msg = f"sample_rate (or RUNWOOD_SAMPLE_RATE) must be between 0 and 1, got {given!r}"
        raise ValueError(msg)
    return rate


def _endpoint(text: str) -> str:
    address = text if "://" in text else f"http://{text}"
    scheme, _, rest = address.partition("://")
    if scheme not in ("http", "https") or not rest.strip("/"):
        msg = f"endpoint (or RUNWOOD_ENDPOINT) must be http://… or https://…, got {text!r}"
        raise ValueError(msg)
    return address.rstrip("/")
