"""Which files a push takes: those that are named, and what lies in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

# Folders in which clients keep what they could not send; LangSmith's reads its settings under two names.
FOLDER_VARIABLES = (
    "RUNWOOD_SPOOL_DIR",
    "LANGSMITH_FAILED_TRACES_DIR",
    "LANGCHAIN_FAILED_TRACES_DIR",
)
SUFFIXES = (".jsonl", ".json")  # what is taken of a folder: no `.tmp`, `.lock` or `.bad` of a spool


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files, those in folders in the order of their names: of a spool, of their times.

    Raises:
        OSError: a folder cannot be read.
    """
    found: list[Path] = []
    for path in paths:
        found += _files_in(path) if path.is_dir() else [path]
    return found


def waiting_folders() -> Iterator[tuple[str, Path]]:
    """Yield the variables of this environment that name such a folder, and the folder."""
    for variable in FOLDER_VARIABLES:
        if folder := os.environ.get(variable, "").strip():
            yield variable, Path(folder)


def describe(folder: Path) -> str:
    """Return in words what a push of the folder would take."""
    try:
        files = _files_in(folder)
        size = sum(path.stat().st_size for path in files)
    except OSError as error:
        return error.strerror or str(error)
    return f"{len(files):,} files, {size / 1e6:,.1f} MB"


def _files_in(folder: Path) -> list[Path]:
    if not os.access(folder, os.R_OK | os.X_OK):
        next(folder.iterdir(), None)  # it says why; rglob would find nothing
    inside = (path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    return sorted(path for path in inside if path.is_file())
