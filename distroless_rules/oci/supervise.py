"""One container's runtime as a child process: a command line in, the program's exit status out.

Signals that reach this process reach the container's first process, and those that end a program end the container.
Linux drops a signal for the first process of a container that does not handle it (pid_namespaces(7)): it would go on,
so it is killed, as it would have been outside.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from distroless_rules.errors import RuntimeMissingError

__all__ = ["started", "supervise"]

_ENDING = frozenset({signal.SIGINT, signal.SIGTERM})
_PASSED_ON = _ENDING | {signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
_AWAITED = _PASSED_ON | {signal.SIGCHLD}
_FROM_TERMINAL = 0x80  # SI_KERNEL: the kernel sent it, to every process of the group
_GRACE = 10.0  # seconds, as docker-stop(1) has it
_POLL = 0.1  # seconds
_LAST = 1.0  # seconds between the end of a container and that of its runtime


def started(pid_file: Path) -> int:
    """Give the process id of the container's first process, 0 if it was never started."""
    try:
        text = pid_file.read_text().strip()
    except OSError:
        return 0
    return int(text) if text.isdecimal() else 0


def supervise(command: tuple[str, ...], env: Mapping[str, str], pid_file: Path, reap: Callable[[int], None]) -> int:
    """Run a container and wait for its end.

    Args:
        command: a runtime that ends when the container does, with its exit status.
        env: the runtime's environment.
        pid_file: where the runtime writes the process id of the container's first process.
        reap: takes note of processes that the runtime left and that have ended; is given the runtime's process id.

    Returns:
        The exit status; 128 and the signal's number if a signal ended it.

    Raises:
        RuntimeMissingError: if the command cannot be executed.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    try:
        # Python ignores some signals, and a program would inherit that.
        plain = [signal.SIGPIPE, signal.SIGXFSZ, *_AWAITED]
        child = os.posix_spawnp(command[0], command, env, setsigmask=before, setsigdef=plain)
    except OSError as error:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise RuntimeMissingError(f'execute "{command[0]}"', error.strerror or str(error)) from error
    try:
        return _Container(child, pid_file).wait(reap)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Container:
    def __init__(self, child: int, pid_file: Path) -> None:
        self._child = child
        self._pid_file = pid_file
        self._deadline = 0.0
        self._asked_by = 0
        self._killed = False

    def wait(self, reap: Callable[[int], None]) -> int:
        try:
            while (status := self._ended(os.WNOHANG)) is None:
                if self._overdue():
                    self._kill()
                reap(self._child)
                info = signal.sigtimedwait(_AWAITED, _POLL)
                if info is not None and info.si_signo != signal.SIGCHLD:
                    self._pass_on(info.si_signo, from_terminal=info.si_code == _FROM_TERMINAL)
        except BaseException:
            self._kill()
            self._kill()
            self._ended(0)
            raise
        return status

    def _ended(self, flags: int) -> int | None:
        done, raw = os.waitpid(self._child, flags)
        if not done:
            return None
        status = os.waitstatus_to_exitcode(raw)
        if self._killed and self._asked_by:
            return 128 + self._asked_by
        return status if status >= 0 else 128 - status

    def _pass_on(self, number: int, *, from_terminal: bool) -> None:
        again = number in _ENDING and self._asked_by in _ENDING
        if not from_terminal:
            os.kill(self._child, number)
        if number in _ENDING:
            self._deadline = self._deadline or time.monotonic() + _GRACE
        self._asked_by = number
        if again:
            self._kill()

    def _overdue(self) -> bool:
        """Say whether the container should have ended: long ago, or by a signal that was dropped."""
        if not self._asked_by:
            return False
        if self._deadline and time.monotonic() > self._deadline:
            return True
        pid = started(self._pid_file)
        return not self._killed and pid != 0 and _dropped(pid, self._asked_by)

    def _kill(self) -> None:
        """End the container, which ends the runtime; the second time, end the runtime."""
        pid = 0 if self._killed else started(self._pid_file)
        self._killed = True
        self._deadline = time.monotonic() + _LAST
        with suppress(ProcessLookupError):
            os.kill(pid or self._child, signal.SIGKILL)


def _dropped(pid: int, number: int) -> bool:
    """Say whether a process has left a signal to the kernel's default. Source: proc(5), ``SigIgn`` and ``SigCgt``."""
    bit, handled = 1 << (number - 1), 0
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(("SigIgn:", "SigCgt:")):
                handled |= int(line.split()[1], 16)
        return not handled & bit
    return False
