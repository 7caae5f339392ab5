"""Batches on the disk: those of this process, and those that earlier processes left behind.

    <spool_dir>/<server and key, hashed>/<time>-<process>/      one folder a process
        lock                 held for as long as the process lives
        00000001.jsonl       a batch, in the form of `runwood.sending.file`

A batch is written under another name, brought to the disk, then renamed: a file that has its name is
whole. A folder whose lock is free is what a dead process left; whoever gets the lock sends it. No key is
ever written.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK = "lock"
NEW = ".new"  # a folder whose lock is not held yet
ADOPT_SECONDS = 60.0  # between two looks for what others left


@dataclass(frozen=True)
class Batch:
    """One file: its place, and of one that this process wrote how many operations are in it."""

    path: Path
    size: int
    is_own: bool
    count: int = 0


class Spool:
    """The files of one server and key. One thread puts, another takes away."""

    def __init__(self, spool_dir: str, endpoint: str, api_key: str, max_bytes: int) -> None:
        destination = hashlib.sha256(f"{endpoint}\0{api_key}".encode()).hexdigest()[:16]
        self.root = Path(spool_dir) / destination
        self.max_bytes = max_bytes
        self.bytes = 0
        self._own: _Folder | None = None
        self._adopted: list[_Folder] = []
        self._own_batches: deque[Batch] = deque()
        self._adopted_batches: deque[Batch] = deque()
        self._number = 0
        self._adopt_at = 0.0
        self._lock = threading.Lock()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits here."""
        return not self._own_batches and not self._adopted_batches

    def put(self, data: bytes, count: int) -> Batch:
        """Write a batch of so many operations, and return it once it is on the disk.

        Raises:
            OSError: the disk or the spool is full, or the folder cannot be written.
        """
        if self.bytes + len(data) > self.max_bytes and not self.is_empty:
            raise OSError(errno.EDQUOT, f"the spool has reached {self.max_bytes:,} bytes")
        self._number += 1
        name = f"{self._number:08}.jsonl"
        try:
            path = _write(self._own_folder() / name, data)
        except FileNotFoundError:  # somebody has cleared the spool away: a new folder does
            self._lose_folder()
            path = _write(self._own_folder() / name, data)
        batch = Batch(path, len(data), is_own=True, count=count)
        self._add(batch.size)
        self._own_batches.append(batch)
        return batch

    def oldest(self) -> Batch | None:
        """Return the batch to send next. It stays until it is discarded."""
        if self._adopted_batches:
            return self._adopted_batches[0]
        return self._own_batches[0] if self._own_batches else None

    def discard(self, batch: Batch, *, keep_as: str = "") -> None:
        """Remove a batch that was sent; or keep its file, under another ending, where it held something unreadable."""
        batches = self._own_batches if batch.is_own else self._adopted_batches
        batches.popleft()
        self._add(-batch.size)
        with contextlib.suppress(OSError):
            if keep_as:
                batch.path.replace(batch.path.with_suffix(keep_as))
            else:
                batch.path.unlink()
        if not self._adopted_batches:
            while self._adopted:
                self._adopted.pop().remove()

    def adopt(self) -> None:
        """Take over what dead processes left, unless that was done a moment ago."""
        now = time.monotonic()
        if now < self._adopt_at or self._adopted_batches:
            return
        self._adopt_at = now + ADOPT_SECONDS
        with contextlib.suppress(OSError):  # there is no such folder yet, or no right to it
            for path in sorted(self.root.iterdir()):
                if path.suffix != NEW and (folder := _Folder.adopt(path)) is not None:
                    self._adopted.append(folder)
                    for batch in folder.batches():
                        self._adopted_batches.append(batch)
                        self._add(batch.size)
        if not self._adopted_batches:
            while self._adopted:
                self._adopted.pop().remove()

    def close(self) -> None:
        """Remove the own folder where nothing waits in it; what waits is left to the next process."""
        if self._own is not None and self.is_empty:
            self._own.remove()
            self._own = None

    def forget(self) -> None:
        """Leave the folders to the process that this one was forked from: its lock stays its own."""
        for folder in (self._own, *self._adopted):
            if folder is not None:
                os.close(folder.lock)
        self._own, self._adopted = None, []

    def _own_folder(self) -> Path:
        if self._own is None:
            self._own = _Folder.create(self.root)
        return self._own.path

    def _lose_folder(self) -> None:
        if self._own is not None:
            os.close(self._own.lock)
            self._own = None

    def _add(self, size: int) -> None:
        with self._lock:
            self.bytes += size


@dataclass
class _Folder:
    """A process's folder, locked by this process."""

    path: Path
    lock: int  # an open file

    @classmethod
    def create(cls, root: Path) -> _Folder:
        """Make a folder that nobody else can have taken before it is locked.

        Raises:
            OSError: not allowed, no room, or a file system without locks.
        """
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = root / f"{time.time_ns():020}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        new = path.with_suffix(NEW)
        new.mkdir(mode=0o700)
        lock = _lock(new / LOCK, os.O_CREAT)
        if lock is None:
            raise OSError(errno.ENOLCK, "the spool's folder cannot be locked")
        new.replace(path)
        return cls(path, lock)

    @classmethod
    def adopt(cls, path: Path) -> _Folder | None:
        """Return the folder of a process that is no more, or None."""
        with contextlib.suppress(OSError):
            lock = _lock(path / LOCK)
            if lock is not None:
                return cls(path, lock)
        return None

    def batches(self) -> list[Batch]:
        """Return what waits in a dead process's folder: also a file that it was writing."""
        paths = sorted(path for path in self.path.iterdir() if path.suffix in (".jsonl", ".tmp"))
        return [Batch(path, path.stat().st_size, is_own=False) for path in paths]

    def remove(self) -> None:
        """Give the folder up: it goes, unless something unreadable was left in it."""
        with contextlib.suppress(OSError):
            if {path.name for path in self.path.iterdir()} == {LOCK}:
                (self.path / LOCK).unlink()
                self.path.rmdir()
        os.close(self.lock)


def _lock(path: Path, flags: int = 0) -> int | None:
    """Return an open file that this process alone has locked, or None. A process that dies lets go of it."""
    file = os.open(path, os.O_RDWR | flags, 0o600)
    try:
        if sys.platform == "win32":
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file


def _write(path: Path, data: bytes) -> Path:
    new = path.with_suffix(".tmp")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(file, left) :]
            os.fsync(file)
        finally:
            os.close(file)
        return new.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
