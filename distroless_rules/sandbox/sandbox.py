"""Which kind of sandbox works on this machine; nothing is ever run without one."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from distroless_rules.errors import SandboxError
from distroless_rules.sandbox.bubblewrap import Bubblewrap
from distroless_rules.sandbox.namespaces import Namespaces
from distroless_rules.sandbox.request import Ended, Limits, Request

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
    """Give the kind of sandbox that works here: bubblewrap where it is installed, else what the kernel gives.

    Raises:
        SandboxError: if none does; it says what to install or allow.
    """
    program = shutil.which("bwrap")
    kinds: list[Sandbox] = [Bubblewrap(program)] if program else []
    causes = [] if program else ["bubblewrap is not installed"]
    for kind in [*kinds, Namespaces()]:
        cause = _tried(kind)
        if not cause:
            return kind
        causes.append(cause)
    hint = _advice() + ("" if program else "; or try: apt install bubblewrap")
    raise SandboxError("make a sandbox", "; ".join(dict.fromkeys(causes)), hint=hint)


def _tried(kind: Sandbox) -> str:
    """Run nothing in a sandbox of this machine's own files; give what is wrong with that."""
    with tempfile.TemporaryDirectory(prefix="distroless-probe-") as name:
        output = Path(name) / "output"
        limits = Limits(60, 1 << 30, 100, 1 << 20, 1 << 20)
        request = Request(Path("/"), None, {}, {}, ("true",), {"PATH": os.defpath}, output, limits, folder="/")
        try:
            ended = kind.run(request, lambda: None)
        except OSError as error:
            return f"{kind.name}: {error.strerror or error}"
        said = output.read_text("utf-8", "replace").strip()
        return (said or f"{kind.name} ends with {ended.status}") if ended.status else ""


def _advice() -> str:
    """Say what switch of this machine keeps people from making user namespaces."""
    for name, (off, command) in _SWITCHES.items():
        switch = Path(f"/proc/sys/{name}")
        if switch.exists() and switch.read_text("ascii").strip() == off:
            return f"allow user namespaces: {command}"
    return "allow user namespaces to this user, or in the container that this runs in"
