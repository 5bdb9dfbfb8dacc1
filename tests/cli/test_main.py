"""The command line as a whole: help, verbs, exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from distroless_rules import __version__
from distroless_rules.cli import main as cli
from tests.support.command import Commands


def _commands(tmp_path: Path, **files: str) -> Commands:
    return Commands(tmp_path, files)


def test_help_lists_every_verb_and_imports_none(tmp_path: Path) -> None:
    ran = _commands(tmp_path).run("--help")
    assert ran.status == 0
    for verb in ("init", "build", "run", "lock", "query", "plan", "inspect", "sbom", "cache"):
        assert f"\n  {verb} " in ran.out


@pytest.mark.parametrize("verb", ["init", "build", "run", "lock", "query", "plan", "inspect", "sbom", "cache"])
def test_every_verb_has_help(tmp_path: Path, verb: str) -> None:
    ran = _commands(tmp_path).run(verb, "--help")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: distroless {verb} ")


def test_version(tmp_path: Path) -> None:
    assert _commands(tmp_path).run("--version").out == f"distroless {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "offered"), [("bu", "build"), ("build --keep", "--keep-going"), ("cache v", "verify")]
)
def test_completion(typed: str, offered: str) -> None:
    words = ["distroless", *typed.split()]
    env = os.environ | {"_DISTROLESS_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words)}
    ran = subprocess.run(
        [sys.executable, "-m", "distroless_rules"],
        env=env | {"COMP_CWORD": str(len(words) - 1)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ran.stdout, ran.stderr) == (f"plain,{offered}\n", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["biuld", "//..."], 'there is no verb "biuld"; did you mean "build"?'),
        (["build"], "Missing argument 'PATTERNS...'"),
        (["build", "--colour", "//..."], "No such option"),
        (["build", "-j", "-1", "//..."], "Invalid value for '-j'"),
        (["cache", "gc"], "Missing option '--max-size'"),
    ],
)
def test_wrong_usage_has_status_2(tmp_path: Path, words: list[str], message: str) -> None:
    ran = _commands(tmp_path).run(*words)
    assert ran.status == 2
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_outside_of_a_workspace(tmp_path: Path) -> None:
    commands = _commands(tmp_path)
    (commands.root / "distroless.toml").unlink()
    ran = commands.run("build", "//...")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("distroless: cannot ")
    assert "distroless.toml" in ran.err


def test_a_fault_of_ours_is_named_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("seven")

    commands = _commands(tmp_path)
    monkeypatch.setattr(cli.command, "main", broken)
    ran = commands.run("build", "//...")
    assert ran.status == 3
    assert ran.err.startswith("distroless: internal error: ZeroDivisionError: seven (")
    with pytest.raises(ZeroDivisionError):
        commands.run("build", "//...", "--debug")


def test_an_interrupt_has_status_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    commands = _commands(tmp_path)
    monkeypatch.setattr(cli.command, "main", interrupted)
    ran = commands.run("build", "//...")
    assert (ran.status, ran.err) == (3, "distroless: interrupted\n")
