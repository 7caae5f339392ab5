"""What a process has once: senders by server and key, recorders by project, the hooks of its life."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time

from runwood.config import Config
from runwood.hooks.runner import Runner
from runwood.recording.recorder import Recorder
from runwood.sending.sender import Sender
from runwood.workers import Workers

EXIT_SECONDS = 4.0  # of waiting: with what else an end takes it stays below 5

_Destination = tuple[str, str, bool]

_senders: dict[_Destination, Sender] = {}
_recorders: dict[tuple[_Destination, str], Recorder] = {}
_runner = Runner()
_lock = threading.RLock()
_is_hooked = False
_hooked_pid = 0


def sender_for(config: Config) -> Sender:
    """Return the sender for a server and key. The first handler's limits hold."""
    key = _destination(config)
    with _lock:
        _hook()
        sender = _senders.get(key)
        if sender is None:
            sender = _senders[key] = Sender(config, _hook_children)
    return sender


def recorder_for(config: Config) -> Recorder:
    """Return the recorder for a project of a server."""
    key = (_destination(config), config.project)
    with _lock:
        recorder = _recorders.get(key)
        if recorder is None:
            recorder = _recorders[key] = Recorder(config.project, sender_for(config), _runner.put)
    return recorder


def wait_until_told(deadline: float) -> None:
    """Wait until the app's own functions have had all runs that ended before."""
    _runner.wait(deadline)


def _destination(config: Config) -> _Destination:
    """Return what handlers share a sender by: a file, or a server and key; and whether it hides secrets."""
    if config.path:
        return "file", config.path, config.redact_secrets
    return config.endpoint, config.api_key, config.redact_secrets


def drain(seconds: float = EXIT_SECONDS) -> None:
    """Close what is open, send what waits, tell what has ended, and return within the time, whatever anybody does."""
    deadline = time.monotonic() + seconds
    for recorder in list(_recorders.values()):
        recorder.sweep()
    senders = list(_senders.values())
    for sender in senders:
        sender.begin_closing(deadline)
    _runner.wait(deadline)
    for sender in senders:
        sender.finish_closing()


def _flush(seconds: float) -> bool:
    """Wait until every server has what was recorded so far; False: not all, or not in time."""
    deadline = time.monotonic() + seconds
    is_sent = True
    for sender in list(_senders.values()):
        is_sent &= sender.wait_until_sent(max(0.0, deadline - time.monotonic()))
    _runner.wait(deadline)
    return is_sent


_workers = Workers(_flush, drain)


def _hook() -> None:
    global _is_hooked
    if _is_hooked:
        return
    _is_hooked = True
    atexit.register(drain)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _hook_children() -> None:
    """Drain in children where atexit does not run. Called when a sender's thread starts."""
    _hook_multiprocessing()
    _workers.watch()


def _hook_multiprocessing() -> None:
    """Drain at the end of a `multiprocessing` child.

    Not at the fork itself: there multiprocessing has not yet set up the child, and drops what was
    registered before.
    """
    global _hooked_pid
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is None or process is None or process.parent_process() is None:
        return
    if _hooked_pid != os.getpid():
        _hooked_pid = os.getpid()
        util.Finalize(None, drain, exitpriority=1)


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()
    for sender in _senders.values():
        sender.forget_parent_process()
    for recorder in _recorders.values():
        recorder.forget_other_threads()
    _runner.start_over()
