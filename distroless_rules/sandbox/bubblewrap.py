"""Sandboxes made by bubblewrap: a request in, the command line of bwrap(1) and how it ended out.

New user, mount, PID, network, IPC, UTS and cgroup namespaces; no capabilities, no way to get any, and no further user
namespaces; a session of its own. The command is gone with everything that it has started when ``run`` returns: the
first process of a PID namespace takes all others with it, and that is waited for.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from io import FileIO

from distroless_rules.sandbox.request import Ended, Limits, Request
from distroless_rules.sandbox.watch import passed

__all__ = ["Bubblewrap"]

_HOST = "build"
_TICK = 0.1  # seconds between two looks at what runs, at most
_SPARE = 2000  # processes
_FIRST_TICK = 0.01  # seconds until the first: what multiplies does so at once
_SCRATCH = "/tmp"  # noqa: S108 - a path in the sandbox
_TMP = 4 << 30  # bytes that it may hold


class Bubblewrap:
    """Runs commands by bwrap(1).

    Args:
        program: bwrap.

    Attributes:
        name: what messages call this kind.
    """

    name = "bubblewrap"

    def __init__(self, program: str) -> None:
        self._program = program

    def command(self, request: Request) -> list[str]:
        """Give the command line that runs the request once more, by hand."""
        mounts = [("--ro-bind", request.root, "/")] if "/" not in request.own else []
        mounts += [("--bind", folder, path) for path, folder in sorted(request.own.items())]
        if request.inputs is not None:
            mounts.append(("--ro-bind", request.inputs, "/build"))
        mounts += [("--ro-bind", folder, f"/build/{path}") for path, folder in sorted(request.mounts.items())]
        mounts += [("--bind", folder, f"/build/{path}") for path, folder in sorted(request.writable.items())]
        words = [self._program, "--unshare-user", "--unshare-all", "--disable-userns"]
        words += ["--uid", str(request.user[0]), "--gid", str(request.user[1])]
        words += ["--hostname", _HOST, "--cap-drop", "ALL", "--new-session", "--die-with-parent", "--clearenv"]
        for option, source, target in mounts:
            words += [option, str(source), target]
        # Started by root, the command has root's number outside, by which alone it could write settings of the kernel:
        # proc_sys_permission in the kernel's fs/proc/proc_sysctl.c asks for no capability.
        words += ["--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"]
        words += ["--size", str(_TMP), "--tmpfs", _SCRATCH]
        words += ["--chdir", request.folder]
        for name, value in sorted(request.environment.items()):
            words += ["--setenv", name, value]
        return [*words, "--", *request.arguments]

    def run(self, request: Request, check: Callable[[], None]) -> Ended:
        """Run a request to its end.

        Args:
            request: what to run.
            check: called every now and then; what it raises ends the sandbox.

        Raises:
            OSError: if bwrap cannot be started.
        """
        begun = time.monotonic()
        with ExitStack() as stack:
            info, told = _pipe(stack)
            held, hold = _pipe(stack)  # the command begins when the second end is closed
            process = self._start(request, told.fileno(), held.fileno())
            first = -1
            try:
                told.close()
                pid = _first(info)
                if pid is not None:
                    first = _limited(pid, request.limits)
                hold.close()
                limit = self._wait(process, request, pid, begun, check)
            finally:
                _end(process, first)
        status = process.returncode
        return Ended(128 - status if status < 0 else status, limit)

    def _start(self, request: Request, told: int, held: int) -> subprocess.Popen[bytes]:
        words = self.command(request)
        words[1:1] = ["--info-fd", str(told), "--block-fd", str(held)]
        with ExitStack() as stack:
            output = stack.enter_context(request.output.open("ab"))
            errors = output if request.errors is None else stack.enter_context(request.errors.open("ab"))
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env={},
                pass_fds=(told, held),
                umask=0o022,
                start_new_session=True,
            )

    def _wait(
        self,
        process: subprocess.Popen[bytes],
        request: Request,
        pid: int | None,
        begun: float,
        check: Callable[[], None],
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
                limit = passed(
                    request.limits, process.pid if pid is None else pid, request.output, time.monotonic() - begun
                )
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
