"""Sandboxes made by bubblewrap: a request in, the command line of bwrap(1) and how it ended out.

New user, mount, PID, network, IPC, UTS and cgroup namespaces; no capabilities, no way to get any, and no further user
namespaces; a session of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from distroless_rules.sandbox.request import HOST, SCRATCH, SCRATCH_SIZE, Ended, Request, mounts
from distroless_rules.sandbox.supervise import supervise

__all__ = ["Bubblewrap"]


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
        words = [self._program, "--unshare-user", "--unshare-all", "--disable-userns"]
        words += ["--uid", str(request.user[0]), "--gid", str(request.user[1])]
        words += ["--hostname", HOST, "--cap-drop", "ALL", "--new-session", "--die-with-parent", "--clearenv"]
        for source, target, writable in mounts(request):
            words += ["--bind" if writable else "--ro-bind", str(source), target]
        # Started by root, the command has root's number outside, by which alone it could write settings of the kernel:
        # proc_sys_permission in the kernel's fs/proc/proc_sysctl.c asks for no capability.
        words += ["--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"]
        words += ["--size", str(SCRATCH_SIZE), "--tmpfs", SCRATCH]
        words += ["--chdir", request.folder]
        for name, value in sorted(request.environment.items()):
            words += ["--setenv", name, value]
        return [*words, "--", *request.arguments]

    def run(self, request: Request, check: Callable[[], None]) -> Ended:
        """Run a request to its end (see ``Sandbox.run``).

        Raises:
            OSError: if bwrap cannot be started.
        """
        # Through a file: a command line is there for the sandbox to read, and it has paths of this machine.
        command = self.command(request)
        file = os.memfd_create("sandbox")
        try:
            end = len(command) - len(request.arguments) - 1
            os.write(file, "".join(f"{word}\0" for word in command[1:end]).encode("utf-8", "surrogateescape"))
            os.lseek(file, 0, os.SEEK_SET)
            words = [command[0], "--args", str(file)]
            return supervise(
                request,
                check,
                lambda told, held: [*words, "--info-fd", str(told), "--block-fd", str(held), *command[end:]],
                (file,),
            )
        finally:
            os.close(file)
