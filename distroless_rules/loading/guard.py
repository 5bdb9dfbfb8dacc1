"""Runs the evaluation of files in a child process, so that no file can take this one down.

A hostile file can crash the interpreter or exhaust memory (a list nested 5,000 deep overflows its stack). The child
has a limit on its memory and writes the name of each file into shared memory before it evaluates it; when it dies or
takes too long, that file is named in an ordinary error.

The interpreter keeps to its own limit of processor time wherever it can; this one is for what it cannot interrupt.
"""

from __future__ import annotations

import faulthandler
import fcntl
import gc
import mmap
import os
import pickle
import resource
import select
import signal
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from distroless_rules.errors import DistrolessError, InternalError, LoadError

__all__ = ["CPU_SECONDS", "MEMORY_BYTES", "SECONDS", "nothing", "run"]

T = TypeVar("T")
MEMORY_BYTES = min(4 << 30, max(1 << 30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2))
SECONDS = 120.0
CPU_SECONDS = 15.0
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_BEACON = 4096
_HEAD = struct.Struct("<ddI")  # when the file was entered: monotonic and processor seconds; bytes of its name


def nothing() -> None:
    """Do nothing."""


def run(
    work: Callable[[Callable[[str], None]], T],
    meanwhile: Callable[[], object] = nothing,
    *,
    seconds: float = SECONDS,
    cpu_seconds: float = CPU_SECONDS,
    memory: int = MEMORY_BYTES,
) -> T:
    """Run ``work`` in a child process and give its result, which must be picklable.

    Args:
        work: called with a function to which it tells the name of each file before evaluating it.
        meanwhile: called in this process once the child is at work.
        seconds: how long one file may take before the child is killed.
        cpu_seconds: how much processor time it may take.
        memory: bytes of address space that the child may take beyond what this process has.

    Raises:
        LoadError: when the child crashed or took too long, naming the file.
        DistrolessError: what ``work`` raised.
        KeyboardInterrupt: when a signal ended this process or the child.
    """
    beacon = mmap.mmap(-1, _BEACON)
    reading, writing = os.pipe()
    alive, living = os.pipe()  # the second end is open for as long as this process lives, or wants the child
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)  # a signal must find the child known, or not there
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.close(living)
        _child(work, beacon, writing, alive, memory, mask)
    try:
        os.close(writing)
        os.close(alive)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        meanwhile()
        data = _receive(reading, beacon, child, seconds, cpu_seconds)
        _, status = os.waitpid(child, 0)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    finally:
        os.close(reading)
        os.close(living)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in _ENDINGS:
        raise KeyboardInterrupt  # it was sent to both, and the child was quicker
    if os.WIFSIGNALED(status) or not data:
        raise _crashed(_file(beacon), status, memory)
    result = pickle.loads(data)  # noqa: S301 - our own child wrote it
    if isinstance(result, BaseException):
        raise result
    return result  # type: ignore[no-any-return]


def _child(
    work: Callable[[Callable[[str], None]], Any],
    beacon: mmap.mmap,
    writing: int,
    alive: int,
    memory: int,
    mask: set[signal.Signals | int],
) -> None:
    """Do the work, send the result, and end without running anything of the parent's."""
    status = 1
    with suppress(BaseException):  # whatever happens here, the parent sees by the missing result
        for number in _ENDINGS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _end_with_parent(alive)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = _address_space() + memory
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
        gc.disable()
        faulthandler.disable()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)  # the interpreter's own panic messages; the parent says what happened

        def enter(file: str) -> None:
            name = os.fsencode(file)[: _BEACON - _HEAD.size]
            beacon[: _HEAD.size] = _HEAD.pack(time.monotonic(), time.process_time(), len(name))
            beacon[_HEAD.size : _HEAD.size + len(name)] = name

        _send(writing, _outcome(work, enter))
        status = 0
    os._exit(status)


def _address_space() -> int:
    """Give the bytes of address space of this process, 0 where the kernel does not tell. Source: proc_pid_statm(5)."""
    try:
        with open("/proc/self/statm", "rb") as stream:
            return int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _end_with_parent(alive: int) -> None:
    """Have the kernel end this process, by SIGIO, when the other end of a pipe is closed. Source: fcntl(2)."""
    fcntl.fcntl(alive, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(alive, fcntl.F_SETFL, os.O_ASYNC)
    if select.select([alive], [], [], 0)[0]:
        os._exit(1)


def _outcome(work: Callable[[Callable[[str], None]], Any], enter: Callable[[str], None]) -> bytes:
    try:
        return pickle.dumps(work(enter), protocol=5)
    except DistrolessError as error:
        return pickle.dumps(error, protocol=5)
    except MemoryError:
        os._exit(1)
    except Exception as error:  # noqa: BLE001 - a fault of ours in the child must reach the parent, with its traceback
        import traceback

        found = InternalError("load BUILD files", f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
        return pickle.dumps(found, protocol=5)


def _send(writing: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(writing, view) :]


def _receive(reading: int, beacon: mmap.mmap, child: int, seconds: float, cpu_seconds: float) -> bytes:
    """Read until the child closes its end; give up when one file takes too long."""
    parts: list[bytes] = []
    began = time.monotonic()
    while True:
        ready, _, _ = select.select([reading], [], [], 0.25)
        if ready:
            part = os.read(reading, 1 << 20)
            if not part:
                return b"".join(parts)
            parts.append(part)
            began = time.monotonic()
            continue
        entered, cpu_entered, _ = _HEAD.unpack_from(beacon)
        cpu = _cpu_seconds(child) - cpu_entered
        if time.monotonic() - max(entered, began) > seconds or (entered and cpu > cpu_seconds):
            limit = f"{cpu_seconds:g} seconds of processor time" if cpu > cpu_seconds else f"{seconds:g} seconds"
            raise LoadError(f"evaluate {_file(beacon)}", f"it takes more than {limit}; is there an endless loop?")


def _cpu_seconds(child: int) -> float:
    """Give the processor time that a process has taken. Source: clock_getcpuclockid(3) as Linux has it."""
    try:
        return time.clock_gettime((~child << 3) | 2)
    except OSError:  # it has just ended, or this is another system
        return 0.0


def _file(beacon: mmap.mmap) -> str:
    length = _HEAD.unpack_from(beacon)[2]
    return os.fsdecode(beacon[_HEAD.size : _HEAD.size + length]) or "BUILD files"


def _crashed(file: str, status: int, memory: int) -> DistrolessError:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number in (signal.SIGSEGV, signal.SIGBUS):
            cause = "it crashes the interpreter: something in it is nested too deeply"
            return LoadError(f"evaluate {file}", cause)
        if number != signal.SIGABRT:
            return LoadError(f"evaluate {file}", f"its evaluation was killed by {signal.Signals(number).name}")
    return LoadError(f"evaluate {file}", f"it needs more than {memory >> 20} MiB of memory")
