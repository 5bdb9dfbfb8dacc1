"""Sandboxes made by bubblewrap: a request in, the command line of bwrap(1) and how it ended out.

New user, mount, PID, network, IPC, UTS and cgroup namespaces; no capabilities, no way to get any, and no further user
namespaces; a session of its own. The command is gone with everything that it has started when ``run`` returns: the
first process of a PID namespace takes all others with it, and that is waited for.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

from distroless_rules.sandbox.request import Ended, Request
from distroless_rules.sandbox.watch import passed

__all__ = ["Bubblewrap"]

_USER = "1000"
_HOST = "build"
_TICK = 0.1  # seconds between two looks at what runs
_TMP = 4 << 30  # bytes that /tmp may hold


class Bubblewrap:
    """Runs commands by bwrap(1).

    Args:
        program: bwrap.
        prlimit: prlimit(1), which sets limits before anything else starts.

    Attributes:
        name: what messages call this kind.
    """

    name = "bubblewrap"

    def __init__(self, program: str, prlimit: str) -> None:
        self._program = program
        self._prlimit = prlimit

    def command(self, request: Request) -> list[str]:
        """Give the command line that runs the request once more, by hand."""
        mounts = [("--ro-bind", request.root, "/"), ("--ro-bind", request.inputs, "/build")]
        mounts += [("--ro-bind", folder, f"/build/{path}") for path, folder in sorted(request.mounts.items())]
        mounts += [("--bind", folder, f"/build/{path}") for path, folder in sorted(request.writable.items())]
        words = [self._prlimit, "--core=0:0", f"--fsize={request.limits.file_size}", self._program]
        words += ["--unshare-user", "--unshare-all", "--disable-userns", "--uid", _USER, "--gid", _USER]
        words += ["--hostname", _HOST, "--cap-drop", "ALL", "--new-session", "--die-with-parent", "--clearenv"]
        for option, source, target in mounts:
            words += [option, str(source), target]
        words += ["--proc", "/proc", "--dev", "/dev", "--size", str(_TMP), "--tmpfs", "/tmp", "--chdir", "/build"]  # noqa: S108
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
        words = self.command(request)
        reading, writing = os.pipe()
        at = words.index("--unshare-user")
        words[at:at] = ["--info-fd", str(writing)]
        begun = time.monotonic()
        try:
            with request.output.open("ab") as output:
                process = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={},
                    pass_fds=(writing,),
                    start_new_session=True,
                )
        finally:
            os.close(writing)
        first = -1
        try:
            pid = _first(reading)
            if pid is not None:
                with suppress(ProcessLookupError):  # it has ended already, and all others with it
                    first = os.pidfd_open(pid)
            limit = self._wait(process, request, pid, begun, check)
        finally:
            os.close(reading)
            _end(process, first)
        status = process.returncode
        return Ended(128 - status if status < 0 else status, limit)

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
            while not waiting.poll(_TICK * 1000):
                check()
                limit = passed(
                    request.limits, process.pid if pid is None else pid, request.output, time.monotonic() - begun
                )
                if limit:
                    return limit
        finally:
            os.close(descriptor)
        return ""


def _first(reading: int) -> int | None:
    """Read which process is the first of the sandbox; None if it was never made."""
    data = b""
    while piece := os.read(reading, 4096):
        data += piece
    return int(json.loads(data)["child-pid"]) if data else None


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
