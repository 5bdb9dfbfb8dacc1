"""What a person sees who types commands: the sessions in the ``.txt`` files here, each command with all it prints.

A command may stand in another folder (``cd app && distroless ...``) and have variables (``PATH= distroless ...``). What
is printed on standard error comes after what is printed on standard output; ``[2]`` is an exit status that is not 0.
``python -m tests.cli.test_sessions`` writes anew what is printed: read what changed before you keep it.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from pathlib import Path

import pytest

from distroless_rules import __version__
from tests.support.command import Commands

SESSIONS = sorted(Path(__file__).parent.glob("*.txt"))
FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "distroless_image", "files")

        files(name = "app", srcs = {"/app/main": "main"})

        distroless_image(name = "image", contents = [":app"], entrypoint = ["/app/main"], allow_missing = ["/app/main"])

        distroless_image(name = "other", user = "7", default_accounts = False)
        """,
    "main": "program\n",
    "app/BUILD": 'filegroup(name = "none", srcs = [])\n',
    "empty/notes": "",
}


def session(text: str, folder: Path) -> str:
    """Type the commands of a session and give what is then seen."""
    commands = Commands(folder, FILES)
    (folder / "outside").mkdir()
    return "".join(
        f"{line}\n{_typed(commands, line.removeprefix('$ '))}" for line in text.splitlines() if line.startswith("$ ")
    )


def _typed(commands: Commands, line: str) -> str:
    folder, _, line = line.rpartition(" && ")
    words = shlex.split(line)
    given: dict[str, str] = {"COLUMNS": "80"}
    while words[0] != "distroless":
        name, _, value = words.pop(0).partition("=")
        given[name] = value
    before = dict(os.environ)
    os.environ.update(given)
    try:
        ran = commands.run(*words[1:], folder=folder.removeprefix("cd "))
    finally:
        os.environ.clear()
        os.environ.update(before)
    text = (
        (ran.out + ran.err)
        .replace(str(commands.root.parent), "")
        .replace(f"distroless {__version__}", "distroless <version>")
    )
    text = re.sub(r"\d+\.\d\d s\b", "<seconds> s", re.sub(r"sha256:[0-9a-f]{64}", "<digest>", text))
    return text + (f"[{ran.status}]\n" if ran.status else "")


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_session(path: Path, tmp_path: Path) -> None:
    text = path.read_text("utf-8")
    assert session(text, tmp_path) == text


def write() -> None:
    """Write anew what is printed."""
    for path in SESSIONS:
        with tempfile.TemporaryDirectory() as folder:
            path.write_text(session(path.read_text("utf-8"), Path(folder)), "utf-8")


if __name__ == "__main__":
    write()
