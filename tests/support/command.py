"""The command line run in a workspace, in this process: words in; what was printed and the exit status out."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from distroless_rules.cli.main import main

__all__ = ["SLOW", "Commands", "Ran"]

SLOW = re.compile(r"^\[\d+/\d+\] actions, .*\n", re.MULTILINE)
"""What a build prints every few seconds where nobody watches: how often depends on how much else the machine does."""


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


class Commands:
    """A workspace in a folder of its own, with a cache of its own, in which commands are run.

    Args:
        folder: an empty folder.
        files: path -> text, whose common indentation is taken away; ``distroless.toml`` is added if it is missing.
    """

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.root = folder / "workspace"
        self.cache = folder / "cache"
        self.write({"distroless.toml": '[workspace]\nname = "w"\n', **files})

    def write(self, files: Mapping[str, str]) -> None:
        """Write files."""
        for path, text in files.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text).lstrip("\n"))

    def run(self, *words: str, folder: str = "") -> Ran:
        """Run ``distroless`` in a folder of the workspace."""
        out, err = io.StringIO(), io.StringIO()
        before, environment = Path.cwd(), dict(os.environ)
        status: int | str | None = 0
        os.chdir(self.root / folder)
        os.environ.update(PWD=str(self.root / folder), DISTROLESS_CACHE=str(self.cache))
        try:
            with redirect_stdout(out), redirect_stderr(err):
                main(list(words))
        except SystemExit as end:
            status = end.code
        finally:
            os.chdir(before)
            os.environ.clear()
            os.environ.update(environment)
        assert isinstance(status, int)
        return Ran(status, out.getvalue(), SLOW.sub("", err.getvalue()))
