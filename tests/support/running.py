"""Images started as somebody: a layout and options in, what the program said and how it ended out; nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

__all__ = ["WHO", "Runner"]

ROOT = Path(__file__).parents[2]
NOBODY = 65534
WHO = ("root", "nobody") if os.geteuid() == 0 else ("me",)
STARTED = """
import json, sys
from pathlib import Path
from distroless_rules.errors import DistrolessError
from distroless_rules.oci import runtime
options = json.loads(sys.argv[1])
try:
    status = runtime.run(Path(sys.argv[2]), sys.argv[3:], warn=lambda text: print(text, file=sys.stderr), **options)
except DistrolessError as error:
    print(error, file=sys.stderr)
    status = 200 + error.status
sys.exit(status)
"""
DEFAULTS: dict[str, Any] = {
    "env": {},
    "volumes": [],
    "network": "host",
    "user": None,
    "read_only": False,
    "runtime": None,
}


def python(who: str) -> list[str]:
    """Give a Python that the user can execute."""
    if who != "nobody":
        return [sys.executable]
    plain = "/usr/bin/python3"
    if not shutil.which("setpriv"):
        pytest.skip("this machine has no setpriv")
    command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", plain]
    check = "import sys, distroless_rules.oci.runtime; sys.exit(sys.version_info < (3, 10))"
    env = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    if subprocess.run([*command, "-c", check], env=env, capture_output=True, check=False).returncode:
        pytest.skip("others than root cannot execute a Python 3.10 with this program")
    return command


class Runner:
    """Starts an image as somebody, in a folder in which nothing may be left."""

    def __init__(self, folder: Path, layout: Path, name: str, who: str) -> None:
        self.layout = layout
        self.name = name
        self.who = who
        self.room = folder / "r"
        self.home = folder / "h"
        for made in (self.room, self.home):
            made.mkdir()
            if who == "nobody":
                os.chown(made, NOBODY, NOBODY)
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.room),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def command(self, *arguments: str, **options: Any) -> list[str]:
        given = json.dumps(DEFAULTS | {"runtime": self.name} | options)
        return [*python(self.who), "-c", STARTED, given, str(self.layout), *arguments]

    def run(self, *arguments: str, stdin: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments, **options),
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd="/",
        )
        self.check_clean()
        return done

    def check_clean(self) -> None:
        """See that there is no file, process or mount of a run."""
        assert list(self.room.iterdir()) == []
        assert list(self.home.iterdir()) == []
        assert str(self.room) not in Path("/proc/self/mountinfo").read_text()
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(FileNotFoundError, ProcessLookupError):
                assert str(self.room).encode() not in process.read_bytes()
