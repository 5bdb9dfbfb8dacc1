"""Functions run in a forked child: as another user, under a limit, or killed half-way."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distroless_rules.errors import DistrolessError

__all__ = ["NOBODY", "Child", "become_nobody", "bounded", "in_child", "killed_at", "start"]

NOBODY = 65534


class Child:
    """A forked process that runs one function."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self._pipe = pipe

    def kill(self) -> None:
        """Send SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> Any:
        """Give what the function returned; raise the DistrolessError it raised; None if it was killed."""
        with open(self._pipe, "rb") as stream:
            data = stream.read()
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            return None
        assert data, f"the child ended with status {status}"
        value = pickle.loads(data)
        if isinstance(value, DistrolessError):
            raise value
        return value


def start(function: Callable[[], Any]) -> Child:
    """Run ``function`` in a forked child."""
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    assert all(thread.daemon for thread in others), f"a fork copies one thread only, and there are {others}"
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return Child(pid, reader)
    status = 1
    try:
        os.close(reader)
        try:
            value = function()
        except DistrolessError as error:
            value = error
        with open(writer, "wb") as stream:
            pickle.dump(value, stream)
        status = 0
    except BaseException:  # noqa: BLE001 - a child that returned would run the rest of the tests
        traceback.print_exc()
    finally:
        os._exit(status)


def in_child(function: Callable[[], Any]) -> Any:
    """Run ``function`` in a forked child and give what it returns or raise the DistrolessError that it raises."""
    return start(function).wait()


def bounded(function: Callable[[], Any], seconds: int = 60, mebibytes: int = 1024) -> Any:
    """Run ``function`` as ``in_child`` does, in so much processor time and address space above what there is now.

    Both are meant to be far more than it needs: what is killed, or runs out of memory, is of another order.
    """

    def limited() -> Any:
        here = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (here + (mebibytes << 20),) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        return (function(),)

    found = in_child(limited)
    assert found is not None, f"it took more than {seconds} s of processor time"
    return found[0]


def become_nobody() -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def killed_at(function: Callable[[], Any], point: int) -> bool:
    """Run ``function`` in a child that is killed at its ``point``-th call into the operating system.

    Counted are the calls that Python audits: files opened, renamed, removed, made.

    Returns:
        Whether it was killed; False: it ended before.
    """

    def hooked() -> bool:
        calls = 0

        def count(event: str, _: object) -> None:
            nonlocal calls
            if event.startswith(("open", "os.", "fcntl.", "shutil.")):
                calls += 1
                if calls == point:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        function()
        return True

    return in_child(hooked) is None
