"""``distroless lint``: what is said of files that are wrong, and that nothing is said of those that are not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.command import Commands

ROOT = Path(__file__).resolve().parents[2]
TOML = '[workspace]\nname = "w"\n'
# The text of tools.bzl, with what is said of it.
WRONG = [
    ("x = 1 +\n", "tools.bzl:1:8: error: "),
    (
        'def f():\n    return 1 + "a"\n',
        "tools.bzl:2:12: error: Binary operator `+` is not available on the types `int` and",
    ),
    ("def f(a):\n    return a\n\ndef g():\n    return f(1, 2)\n", "tools.bzl:5:17: error: Too many positional arg"),
    ("x = unknown\n", "tools.bzl:1:5: error: A name is not defined [type]"),
    ("def f():\n    return unknown\n", "tools.bzl:2:12: error: Variable `unknown` not found [type]"),
    ("def f():\n    return glob([])\n", "tools.bzl:2:12: error: Variable `glob` not found"),
    ('def f():\n    return "a".nope()\n', "tools.bzl:2:16: error: The attribute `nope` is not available"),
    ('load(":lib.bzl", "two")\n\ndef f():\n    return two(1)\n', "tools.bzl:4:12: error: Missing required parameter"),
    (
        "def f():\n    return 1\n    print(2)\n",
        "tools.bzl:3:5: warning: Unreachable statement `print(2)` [unreachable]",
    ),
]
LIB = "def two(a, b):\n    return a + b\n"


def lint(folder: Path, files: dict[str, str], *words: str) -> tuple[int, list[str], str]:
    commands = Commands(folder, {"distroless.toml": TOML, "lib.bzl": LIB, **files})
    ran = commands.run("lint", *words)
    return ran.status, ran.out.splitlines(), ran.err


@pytest.mark.parametrize(("text", "said"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    status, lines, _ = lint(tmp_path, {"BUILD": "", "tools.bzl": text})
    found = [line for line in lines if not line.endswith("[format]")]
    assert status == 1
    assert [line for line in found if line.startswith(said)], found


def test_names_that_BUILD_files_know(tmp_path: Path) -> None:
    text = 'filegroup(\n    name = "f",\n    srcs = glob(["*.txt"]),\n)\n'
    status, lines, err = lint(tmp_path, {"BUILD": text})
    assert (status, lines) == (0, [])
    assert err.endswith("2 files: nothing found\n")


def test_files_that_load_each_other_are_looked_at_once(tmp_path: Path) -> None:
    files = {"BUILD": "", "a.bzl": 'load(":b.bzl", "b")\n\na = b\n', "b.bzl": 'load(":a.bzl", "a")\n\nb = a\n'}
    assert lint(tmp_path, files)[:2] == (0, [])


def test_folders_and_files_can_be_chosen(tmp_path: Path) -> None:
    files = {"BUILD": "", "a/BUILD": "x = unknown\n", "b/BUILD": "x = unknown\n", "b/c.bzl": "x = unknown\n"}
    rows = json.loads("\n".join(lint(tmp_path, files, "--json", "b")[1]))
    assert {row["file"] for row in rows} == {"b/BUILD", "b/c.bzl"}
    assert {row["file"] for row in json.loads("\n".join(lint(tmp_path, files, "--json", "a/BUILD")[1]))} == {"a/BUILD"}


@pytest.mark.parametrize("path", ["none", "../x"])
def test_what_is_not_there_is_refused(tmp_path: Path, path: str) -> None:
    status, _, err = lint(tmp_path, {"BUILD": ""}, path)
    assert status == 2
    assert f'cannot lint "{path}"' in err


@pytest.mark.skipif(not shutil.which("buildifier"), reason="buildifier is not installed")
def test_formatting_is_checked_and_made(tmp_path: Path) -> None:
    files = {"BUILD": "filegroup(name='f')\n"}
    status, lines, _ = lint(tmp_path / "1", files)
    assert (status, lines) == (1, ["BUILD: warning: it is not formatted as buildifier does it; --fix does [format]"])
    commands = Commands(tmp_path / "2", {"distroless.toml": TOML, **files})
    assert commands.run("lint", "--fix").status == 0
    assert (commands.root / "BUILD").read_text() == 'filegroup(name = "f")\n'


@pytest.mark.parametrize("folder", ["examples", "examples/own"])
def test_the_examples_are_clean(tmp_path: Path, folder: str) -> None:
    commands = Commands(tmp_path, {"distroless.toml": TOML})
    shutil.rmtree(commands.root)
    shutil.copytree(ROOT / folder, commands.root, ignore=shutil.ignore_patterns("distroless-out"))
    ran = commands.run("lint")
    assert (ran.status, ran.out) == (0, "")
