"""A sandbox started, watched and ended: how it is started and a request in, how it ended out.

The command is gone with everything that it has started when ``supervise`` returns: the first process of a PID namespace
takes all others with it, and that is waited for.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from io import FileIO

from distroless_rules.sandbox.request import Ended, Limits, Request
from distroless_rules.sandbox.watch import passed

__all__ = ["supervise"]

_TICK = 0.1  # seconds between two looks at what runs, at most
_SPARE = 2000  # processes
_FIRST_TICK = 0.01  # seconds until the first: what multiplies does so at once


def supervise(
    request: Request, check: Callable[[], None], words: Callable[[int, int], Sequence[str]], further: Sequence[int] = ()
) -> Ended:
    """Run a request to its end.

    Args:
        request: what to run.
        check: called every now and then; what it raises ends the sandbox.
        words: gives the command line that starts it, for two descriptors: one to which a JSON object with the number of
            its first process (``child-pid``) is written, and one that is closed when the command may begin.
        further: descriptors that it needs besides.

    Raises:
        OSError: if it cannot be started.
    """
    begun = time.monotonic()
    with ExitStack() as stack:
        info, told = _pipe(stack)
        held, hold = _pipe(stack)  # the command begins when the second end is closed
        process = _start(request, words(told.fileno(), held.fileno()), (told.fileno(), held.fileno(), *further))
        first = -1
        try:
            told.close()
            pid = _first(info)
            if pid is not None:
                first = _limited(pid, request.limits)
            hold.close()
            limit = _wait(process, request, pid, begun, check)
        finally:
            _end(process, first)
    status = process.returncode
    return Ended(128 - status if status < 0 else status, limit)


def _start(request: Request, words: Sequence[str], descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
    with ExitStack() as stack:
        output = stack.enter_context(request.output.open("ab"))
        errors = output if request.errors is None else stack.enter_context(request.errors.open("ab"))
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env={},
            pass_fds=descriptors,
            umask=0o022,
            start_new_session=True,
        )


def _wait(
    process: subprocess.Popen[bytes], request: Request, pid: int | None, begun: float, check: Callable[[], None]
) -> str:
    """Wait for the end; give the limit at which it has to be brought about."""
    waiting = select.poll()
    descriptor = os.pidfd_open(process.pid)
    try:
        waiting.register(descriptor, select.POLLIN)
        pause = _FIRST_TICK
        while not waiting.poll(pause * 1000):
            pause = min(2 * pause, _TICK)
            check()
            watched = process.pid if pid is None else pid
            limit = passed(request.limits, watched, request.output, time.monotonic() - begun)
            if limit:
                return limit
    finally:
        os.close(descriptor)
    return ""


def _pipe(stack: ExitStack) -> tuple[FileIO, FileIO]:
    reading, writing = os.pipe()
    return stack.enter_context(FileIO(reading, "r")), stack.enter_context(FileIO(writing, "w"))


def _first(info: FileIO) -> int | None:
    """Read which process is the first of the sandbox; None if it was never made."""
    data = info.readall()
    return int(json.loads(data)["child-pid"]) if data else None


def _limited(pid: int, limits: Limits) -> int:
    """Set the limits that the kernel keeps, and open the process; -1 if it has ended, and all others with it."""
    try:
        first = os.pidfd_open(pid)
    except ProcessLookupError:
        return -1
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        # Should they multiply faster than we look; of no effect where root started us.
        resource.prlimit(pid, resource.RLIMIT_NPROC, (limits.processes + _SPARE, limits.processes + _SPARE))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limits.file_size, limits.file_size))
    return first


def _end(process: subprocess.Popen[bytes], first: int) -> None:
    """End a sandbox that has not ended, and see all of it gone."""
    if process.poll() is None:
        process.kill()
    process.wait()
    if first < 0:
        return
    try:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(first, signal.SIGKILL)
        waiting = select.poll()
        waiting.register(first, select.POLLIN)
        waiting.poll()
    finally:
        os.close(first)
