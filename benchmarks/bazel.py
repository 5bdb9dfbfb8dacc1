"""Bazel as a peer: the same small actions as ``sandbox.py`` has, built by the Bazel that is installed, its server warm.

with Bazel(folder, 1000) as bazel: seconds = bazel.build("--remote_cache=grpc://...")
"""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

__all__ = ["PACKAGES", "Bazel", "installed", "run"]

PACKAGES = 100  # that targets are in, as Bazel loads packages at once


def installed() -> bool:
    """Tell whether there is a Bazel."""
    return shutil.which("bazel") is not None


class Bazel:
    """A workspace of ``actions`` targets below ``folder``, loaded and analysed; leaving it ends Bazel's server."""

    def __init__(self, folder: Path, actions: int) -> None:
        self._workspace = folder / "theirs"
        self._start = ["bazel", f"--output_user_root={folder}/bazel"]
        for number in range(actions):
            package = self._workspace / f"p{number % PACKAGES}"
            package.mkdir(parents=True, exist_ok=True)
            with (package / "BUILD").open("a", encoding="utf-8") as file:
                file.write(f'genrule(name = "t{number}", outs = ["t{number}.txt"], cmd = "echo {number} > $@")\n')
        (self._workspace / "WORKSPACE").touch()

    def __enter__(self) -> Bazel:
        run([*self._start, "build", "--nobuild", "//..."], self._workspace)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([*self._start, "shutdown"], cwd=self._workspace, capture_output=True, check=False)

    def build(self, *words: str) -> float:
        """Build everything anew, and give the seconds.

        Raises:
            SystemExit: if it fails.
        """
        run([*self._start, "clean"], self._workspace)
        return run([*self._start, "build", "--noshow_progress", *words, "//..."], self._workspace)


def run(words: list[str], folder: Path) -> float:
    """Run a command, and give its seconds.

    Raises:
        SystemExit: if it fails.
    """
    begun = time.perf_counter()
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - begun
