"""``distroless cache``: what it counts, what it removes, what it finds damaged; the build after it is right."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import Commands
from tests.support.scene import ROOT

FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "write_file")

        write_file(name = "one", out = "one.txt", content = ["1" * 2500])
        write_file(name = "two", out = "two.txt", content = ["2" * 2500])
        """
}


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    commands = Commands(tmp_path, FILES)
    assert commands.run("build", "//...").status == 0
    return commands


def _blobs(commands: Commands) -> list[Path]:
    return sorted(path for path in (commands.cache / "cas").rglob("*") if path.is_file() and path.stat().st_size > 2500)


def test_what_is_in_it(commands: Commands) -> None:
    ran = commands.run("cache", "stats")
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == str(commands.cache)
    assert [line.split("  ")[1] for line in lines[1:]] == [
        "blobs",
        "action results",
        "laid-out trees",
        "source tables",
        "build states",
        "archive indexes",
        "downloads",
        "temporary",
        "corrupt",
    ]
    assert lines[2].split() == ["action", "results", "2", *lines[2].split()[-2:]]


def test_an_empty_one_and_one_of_another_name(commands: Commands, tmp_path: Path) -> None:
    ran = commands.run("cache", "stats", "--cache-dir", "other")
    assert ran.out.splitlines()[0] == str(commands.root / "other")
    assert {line.split()[-2] for line in ran.out.splitlines()[1:]} == {"0"}
    assert not (commands.root / "other").exists()
    outside = tmp_path / "outside"
    outside.mkdir()
    assert commands.run("cache", "stats", folder="../outside").out == commands.run("cache", "stats").out


def test_the_workspaces_own_folder(tmp_path: Path) -> None:
    settings = '[workspace]\nname = "w"\n\n[cache]\npath = "mine"\n'
    commands = Commands(tmp_path, {"distroless.toml": settings, "sub/text": ""})
    env = {name: value for name, value in os.environ.items() if name not in ("DISTROLESS_CACHE", "PWD")}
    env |= {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "home")}
    for folder, found in (("sub", commands.root / "mine"), ("..", tmp_path / "home/distroless")):
        command = [sys.executable, "-m", "distroless_rules", "cache", "stats"]
        ran = subprocess.run(command, cwd=commands.root / folder, env=env, capture_output=True, text=True, check=True)
        assert ran.stdout.splitlines()[0] == str(found)


def test_settings_that_are_wrong_are_not_passed_over(commands: Commands) -> None:
    commands.write({"distroless.toml": '[workspace]\nname = "w"\n\n[cache]\npaht = "mine"\n'})
    ran = commands.run("cache", "gc", "--max-size", "0")
    assert ran.status == 2
    assert ran.err.startswith('distroless: distroless.toml:5:1: cannot read "paht" in [cache]: no such key')
    assert len(_blobs(commands)) == 2


@pytest.mark.parametrize(
    ("size", "left"), [("0", 0), ("1TiB", 2), ("1tb", 2), ("5000000", 2), (" 5 MB ", 2), ("0.5k", 0)]
)
def test_making_it_smaller(commands: Commands, size: str, left: int) -> None:
    ran = commands.run("cache", "gc", "--max-size", size)
    assert (ran.status, ran.out) == (0, "")
    assert len(_blobs(commands)) == left
    assert ran.err.startswith("removed 0 files (0 B), kept" if left else "removed ")
    again = commands.run("build", "//...")
    assert again.status == 0, again.err
    assert (commands.root / "distroless-out/one.txt").read_text("utf-8") == "1" * 2500 + "\n"


def test_damage_is_found_once_and_mended(commands: Commands) -> None:
    assert commands.run("cache", "verify").err == "every blob is what its name says\n"
    damaged = _blobs(commands)[0]
    damaged.chmod(0o644)
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    ran = commands.run("cache", "verify")
    assert ran.status == 1
    assert ran.out.splitlines() == [f"{damaged.relative_to(commands.cache)}: {ran.out.partition(': ')[2].strip()}"]
    assert ran.err == (
        "distroless: cannot trust the cache: "
        "1 file was damaged and is set aside; what was in there will be made again\n"
    )
    assert commands.run("cache", "verify").status == 0
    assert commands.run("build", "//...").status == 0
    for name, digit in (("one", "1"), ("two", "2")):
        assert (commands.root / f"distroless-out/{name}.txt").read_text("utf-8") == digit * 2500 + "\n"
