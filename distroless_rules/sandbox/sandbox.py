"""Which kind of sandbox works on this machine; nothing is ever run without one."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from distroless_rules.errors import SandboxError
from distroless_rules.sandbox.bubblewrap import Bubblewrap
from distroless_rules.sandbox.request import Ended, Request

__all__ = ["Sandbox", "sandbox"]

_SWITCHES = {
    "kernel/unprivileged_userns_clone": ("0", "sysctl kernel.unprivileged_userns_clone=1"),
    "kernel/apparmor_restrict_unprivileged_userns": ("1", "sysctl kernel.apparmor_restrict_unprivileged_userns=0"),
    "user/max_user_namespaces": ("0", "sysctl user.max_user_namespaces=10000"),
}


class Sandbox(Protocol):
    """A way to run commands where they see nothing but what they are given."""

    @property
    def name(self) -> str:
        """What messages call it."""

    def command(self, request: Request) -> list[str]:
        """Give the command line that runs the request once more, by hand."""

    def run(self, request: Request, check: Callable[[], None]) -> Ended:
        """Run a request to its end; nothing of it is left when this returns.

        Args:
            request: what to run.
            check: called at least ten times a second; what it raises ends the sandbox.
        """


@functools.cache
def sandbox() -> Sandbox:
    """Give the kind of sandbox that works here.

    Raises:
        SandboxError: if none does; it says what to install or allow.
    """
    program, doing = shutil.which("bwrap"), "make a sandbox"
    if program is None:
        raise SandboxError(doing, "bubblewrap is not installed", hint="apt install bubblewrap")
    probe = [program, "--unshare-user", "--unshare-all", "--disable-userns", "--ro-bind", "/", "/", "true"]
    tried = subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if tried.returncode:
        raise SandboxError(doing, tried.stderr.strip() or f"bwrap ends with {tried.returncode}", hint=_advice())
    return Bubblewrap(program)


def _advice() -> str:
    """Say what switch of this machine keeps people from making user namespaces."""
    for name, (off, command) in _SWITCHES.items():
        switch = Path(f"/proc/sys/{name}")
        if switch.exists() and switch.read_text("ascii").strip() == off:
            return f"allow user namespaces: {command}"
    return "allow user namespaces to this user, or in the container that this runs in"
