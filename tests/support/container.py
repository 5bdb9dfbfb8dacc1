"""Built images started by a container runtime: a label and arguments in, what the program said out.

done = Container(built, "crun").run("//java:image")
with Container(built, "podman").serve("//python:image", "8123") as server:
    ...ask it...
assert server.status == 143
"""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import pytest

from distroless_rules.oci.runtime_commands import find
from tests.support.built import Built

__all__ = ["Container", "Ended", "Server", "free_port"]

T = TypeVar("T")
_LIMIT = 300.0  # seconds that a program may take to end, or a server to answer


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it wrote."""

    status: int
    out: str
    err: str


class Server:
    """A server in a container."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.poll()

    @property
    def said(self) -> str:
        """What it has written to its streams."""
        return self._log.read_text(errors="replace")

    def ask(self, question: Callable[[], T]) -> T:
        """Ask until there is an answer; a question that finds nobody raises OSError."""
        end = time.monotonic() + _LIMIT
        while True:
            try:
                return question()
            except OSError as error:
                if self.status is not None or time.monotonic() > end:
                    raise AssertionError(f"no answer ({error}): {self.said}") from error
            time.sleep(0.05)

    def stop(self, ending: signal.Signals = signal.SIGTERM) -> int:
        """End it as an init system would, and give the exit status."""
        self._process.send_signal(ending)
        return self._process.wait(_LIMIT)


@dataclass(frozen=True)
class Container:
    """Starts images of a workspace with one runtime."""

    built: Built
    runtime: str

    def __post_init__(self) -> None:
        if not find(self.runtime):
            pytest.skip(f"{self.runtime} is not installed")

    def command(self, label: str, arguments: Sequence[str], options: Sequence[str]) -> list[str]:
        """Give the command line that starts an image."""
        return self.built.command("run", "--runtime", self.runtime, *options, label, "--", *arguments)

    def run(self, label: str, *arguments: str, options: Sequence[str] = ()) -> Ended:
        """Run an image to its end.

        Args:
            label: the image.
            arguments: in place of its cmd.
            options: of ``distroless run``.
        """
        done = subprocess.run(
            self.command(label, arguments, options),
            cwd=self.built.root,
            env=self.built.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    @contextmanager
    def serve(self, label: str, *arguments: str, options: Sequence[str] = (), log: Path) -> Iterator[Server]:
        """Start an image that goes on; it is ended with the block.

        Args:
            label: the image.
            arguments: in place of its cmd.
            options: of ``distroless run``.
            log: the file that takes what it writes.
        """
        with log.open("wb") as stream, self._started(label, arguments, options, stream) as process:
            server = Server(process, log)
            try:
                yield server
            finally:
                if server.status is None:
                    server.stop()

    def _started(
        self, label: str, arguments: Sequence[str], options: Sequence[str], stream: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(label, arguments, options),
            cwd=self.built.root,
            env=self.built.env,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )


def free_port() -> int:
    """Give a TCP port of the loopback that nobody uses now."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port
