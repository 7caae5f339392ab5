"""The payload fields of an operation, copied by value: inputs, outputs, extra, serialized."""

from __future__ import annotations

import functools
import os
import platform
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from runwood.recording.dotted_order import format_time
from runwood.scope import current_scope
from runwood.values.convert import MAX_REPR, kind_name
from runwood.values.descriptions import Descriptions
from runwood.values.hiding import Hide, hide_payload, redact_text, redact_value
from runwood.values.redaction import Redactor
from runwood.values.snapshot import Snapshot
from runwood.version import __version__

if TYPE_CHECKING:
    from runwood.config import Config
    from runwood.recording.run import OpenRun

Take = Callable[
    [Snapshot, Any], Any
]  # how a payload is copied: `Snapshot.copy`, or a form of its own

# Metadata and model settings are small, a model's own description may hold whole prompts.
MAX_EXTRA_BYTES = 1 << 20
MAX_SERIALIZED_BYTES = 64 << 10
EXTRA_SIZE = 1200  # about what usage and the times of a stream take

PARENT_INFERRED = {"parent": "inferred from the context"}

# Of `serialized`, LangSmith's SDK keeps these: of all else it repeats the name.
_SERIALIZED_TYPES = frozenset({"llm", "prompt"})
# Keywords of a start event that say nothing about the run.
_INTERNAL = frozenset({"defers_inputs", "inputs_is_truthy", "lc_defers_inputs"})


class Payloads:
    """Takes the payloads of one handler's events."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._rules = config.redact
        self._redactor = Redactor(config.redact_keys)
        self._descriptions = Descriptions(self._copy_description)
        runtime()  # milliseconds, once a process: not in an event

    def of_start(
        self,
        run: OpenRun,
        take: Take,
        inputs: Any,
        serialized: Any,
        metadata: Mapping[str, Any] | None,
        details: dict[str, Any],
    ) -> tuple[dict[str, Any], int]:
        """Return the fields of a create, and about how many bytes they take."""
        fields: dict[str, Any] = {}
        fields["inputs"], size = self._take_hidden(take, inputs, self._config.hide_inputs)
        if run.is_local_root or run.is_scope_root:
            own = self._config.metadata if run.is_local_root else {}
            scoped = current_scope().metadata
            if own or scoped:
                metadata = {**own, **scoped, **(metadata or {})}
        for name in _INTERNAL:
            details.pop(name, None)
        if metadata:
            details["metadata"] = metadata
        extra: dict[str, Any] = {}
        if details:
            extra, more = self._take(Snapshot.copy, details, MAX_EXTRA_BYTES)
            size += more
        # shared by all roots, and not copied: nothing changes it
        if run.is_local_root:
            extra["runtime"] = runtime()
        elif run.is_parent_inferred:
            extra["runwood"] = PARENT_INFERRED
        if extra:
            fields["extra"] = extra
        if serialized and run.run_type in _SERIALIZED_TYPES:
            # Rules of the app's own may judge the same string differently the next time.
            copy = self._copy_description if self._rules else self._descriptions.copy
            fields["serialized"], more = copy(serialized)
            size += more
        return fields, size

    def of_end(
        self,
        run: OpenRun,
        take: Take,
        outputs: Any,
        inputs: Any,
        extra: dict[str, Any],
    ) -> tuple[dict[str, Any], int]:
        """Return the payload fields of an update that ends a run. None: there are no such."""
        fields: dict[str, Any] = {}
        size = 0
        if outputs is not None:
            hide = self._config.hide_outputs
            fields["outputs"], size = self._take_hidden(take, outputs, hide)
        if inputs is not None:
            hide = self._config.hide_inputs
            fields["inputs"], more = self._take_hidden(Snapshot.copy, inputs, hide)
            size += more
        if run.token_count:
            extra["stream"] = {
                "chunks": run.token_count,
                "first_time": format_time(run.first_token or 0),
                "last_time": format_time(run.time_at(run.last_token)),
            }
        if extra:
            fields["extra"] = extra
            size += EXTRA_SIZE
        return fields, size

    def of_event(self, name: str, details: Mapping[str, Any]) -> tuple[Any, int]:
        """Return the details of an event, and their size. What the app says in one is an output, but for its name."""
        hide = False if name == "retry" else self._config.hide_outputs
        shown, size = self._take_hidden(Snapshot.copy, details, hide, MAX_EXTRA_BYTES)
        if hide and "name" in details:
            shown["name"] = redact_value(str(details["name"]), self._config.redact)
        return shown, size

    def of_error(self, text: str | None) -> str | None:
        """Return an error's text as the app's rules leave it."""
        return None if text is None else redact_text(text, self._config.redact)

    def copy(self, value: Any) -> Any:
        """Copy a small value that is no content of the app's."""
        return self._take(Snapshot.copy, value, MAX_EXTRA_BYTES)[0]

    def _copy_description(self, serialized: dict[str, Any]) -> tuple[Any, int]:
        if self._config.hide_inputs or self._config.hide_outputs:  # a repr may hold either
            serialized = {name: item for name, item in serialized.items() if name != "repr"}
        elif type(serialized.get("repr")) is str:
            shown = self._redactor.scrub(serialized["repr"][:MAX_REPR])
            serialized = {**serialized, "repr": shown}
        return self._take(Snapshot.copy, serialized, MAX_SERIALIZED_BYTES)

    def _take_hidden(
        self, take: Take, value: Any, hide: Hide, max_bytes: int = 0
    ) -> tuple[Any, int]:
        if hide is True:
            return {}, 2
        payload, size = self._take(take, value, max_bytes or self._config.max_payload_bytes)
        if not hide:
            return payload, size
        return hide_payload(payload, hide, self.copy), size

    def _take(self, take: Take, value: Any, max_bytes: int) -> tuple[Any, int]:
        walk = Snapshot(max_bytes, self._redactor)
        try:
            copied = take(walk, value)
            return (redact_value(copied, self._rules) if self._rules else copied), walk.size
        except Exception as error:  # noqa: BLE001  a payload that cannot be read must not cost its run
            return {"runwood": f"unreadable: {kind_name(type(error))}"}, 100


@functools.cache
def runtime() -> dict[str, Any]:
    """Return what runs here, under the names that LangSmith's SDK uses."""
    return {
        "sdk": "runwood",
        "sdk_version": __version__,
        "library": "langchain-core",
        "library_version": package_version("langchain-core"),
        "langchain_core_version": package_version("langchain-core"),
        "langgraph_version": package_version("langgraph"),
        "platform": _platform(),
        "runtime": "python",
        "runtime_version": platform.python_version(),
        "py_implementation": sys.implementation.name,
    }


def _platform() -> str:
    """Return system, release and machine.

    `platform.platform` takes a lock that a fork can leave locked for ever.
    """
    if hasattr(os, "uname"):
        system = os.uname()
        return f"{system.sysname}-{system.release}-{system.machine}"
    return platform.platform()


@functools.cache
def package_version(name: str) -> str | None:
    """Return the version of an installed package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
