"""Processes that a runtime leaves behind, so that none outlives a run.

podman's monitor and what cleans up after a container are children of nobody; this process asks for them (prctl(2),
``PR_SET_CHILD_SUBREAPER``) and waits until they are done with the folder that is about to be removed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["adopted"]

_SET_CHILD_SUBREAPER = 36
_PATIENCE = 10.0  # seconds until what is left is killed
_POLL = 0.005  # seconds


@contextmanager
def adopted(idle: Path) -> Iterator[Callable[[int], None]]:
    """Become the parent of processes that lose theirs in the block, and see them end after it.

    Args:
        idle: the file with the process id of one that would never end by itself; it need not exist.

    Yields:
        What takes note of the adopted that have ended, to be called now and then: podman waits until its monitor's
        process id is free. Its argument is a child that is waited for elsewhere.
    """
    before = _children()
    _adopt(on=True)
    try:
        yield lambda child: _reap(before | {child})
    finally:
        with suppress(OSError, ValueError):
            _end(int(idle.read_text()), signal.SIGTERM, before)
        _wait(before)
        _adopt(on=False)


def _adopt(*, on: bool) -> None:
    # Kernels that lack it leave these processes to init, as they would be without.
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)


def _children() -> frozenset[int]:
    """Give the children of this process; none where the kernel does not tell. Source: proc(5), ``children``."""
    with suppress(OSError):
        return frozenset(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))
    return frozenset()


def _end(pid: int, number: int, before: frozenset[int]) -> None:
    """Send a signal to an adopted process and to no other."""
    if pid in _children() - before:
        os.kill(pid, number)


def _wait(before: frozenset[int]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while left := _children() - before:
        for pid in left:
            if time.monotonic() > deadline:
                _end(pid, signal.SIGKILL, before)
        _reap(before)
        time.sleep(_POLL)


def _reap(others: frozenset[int]) -> None:
    for pid in _children() - others:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
