"""What is installed here, and whether the spool can be written."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator

from runwood.command.doctor.finding import Finding
from runwood.config import Config
from runwood.values.payloads import package_version
from runwood.version import __version__

# From the first up to before the second, as pyproject.toml requires it; the third is what the tests run.
CORE_VERSIONS = ((1, 7), (2, 0))
OLDEST_GRAPH = (1, 2)


def look_at_packages() -> Iterator[Finding]:
    """Yield the versions, and whether the handler supports them."""
    yield Finding("ok", "runwood", __version__)
    core = package_version("langchain-core")
    is_known = CORE_VERSIONS[0] <= _numbers(core) < CORE_VERSIONS[1]
    yield Finding(
        "ok" if is_known else "wrong",
        "langchain-core",
        f"{core}" if is_known else f"{core}: the handler needs 1.7 or newer, below 2",
    )
    graph = package_version("langgraph")
    if graph is None:
        yield Finding("ok", "langgraph", "not installed, and not needed")
    elif _numbers(graph) < OLDEST_GRAPH:
        yield Finding("note", "langgraph", f"{graph} is older than what the handler is tested with")
    else:
        yield Finding("ok", "langgraph", graph)


def look_at_spool(config: Config) -> Iterator[Finding]:
    """Yield whether the spool's folder can be written, where there is one."""
    folder = config.spool_dir
    if folder is None:
        return
    try:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103  a str, as the sender has it
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield Finding("wrong", "spool", f"nothing can be written to {folder}: {error.strerror}")
    else:
        yield Finding("ok", "spool", folder)


def _numbers(version: str | None) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version or "")[:2])
