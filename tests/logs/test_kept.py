"""Logs in the cache folder and in files of anybody's: kept by many at once, killed, damaged, and made to harm."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import zstandard

from distroless_rules import state
from distroless_rules.errors import FormatError, RequestError
from distroless_rules.logs import file as files
from distroless_rules.logs.file import pack, unpack
from distroless_rules.logs.kept import MAX_LOGS, Kept, folder_of, keep, kept
from distroless_rules.project import Project, open_project
from tests.support.command import Commands
from tests.support.disk import fill_up, needs_root, small_disk
from tests.support.logs import assembled, logs_of, parts_of
from tests.support.process import bounded, in_child, killed_at

FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "write_file")

        write_file(name = "one", out = "one.txt", content = ["one"])
        write_file(name = "two", out = "two.txt", content = ["two"])
        """,
}


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    made = Commands(tmp_path_factory.mktemp("kept"), FILES)
    assert made.run("build", "//...").status == 0
    return made


@pytest.fixture(scope="module")
def text(commands: Commands) -> bytes:
    """The text of a log."""
    return unpack(logs_of(commands)[0], "a log")


def _project(folder: Path) -> Project:
    commands = Commands(folder, FILES)
    return open_project(commands.root, str(commands.cache), print)


def _keep(project: Project, text: bytes) -> None:
    head, *lines = text.decode().splitlines()
    keep(project, head, lines)


def test_as_many_as_are_kept_and_no_more(tmp_path: Path, text: bytes) -> None:
    project = _project(tmp_path)
    for _ in range(MAX_LOGS + 5):
        _keep(project, text)
    numbers = [log.number for log in kept(project)]
    assert numbers == list(range(MAX_LOGS + 5, 5, -1)), "the oldest went, and no number is given twice"


def test_many_at_once_have_a_number_each(tmp_path: Path, text: bytes) -> None:
    project = _project(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: _keep(project, text), range(32)))
    assert sorted(log.number for log in kept(project)) == list(range(1, 33))
    assert not list(folder_of(project).glob("*.partial"))


def test_two_builds_at_once_leave_a_log_each(tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    words = [sys.executable, "-m", "distroless_rules", "build", "--cache-dir", str(commands.cache)]
    builds = [
        subprocess.Popen([*words, label], cwd=commands.root, stderr=subprocess.DEVNULL)
        for label in ("//:one", "//:two")
    ]
    assert [build.wait() for build in builds] == [0, 0]
    asked = [tuple(Kept(path, "it").read().head.patterns) for path in logs_of(commands)]
    assert sorted(asked) == [("//:one",), ("//:two",)]


def test_killed_at_any_point_there_is_a_whole_log_or_none(tmp_path: Path, text: bytes) -> None:
    project = _project(tmp_path)
    _keep(project, text)
    points = in_child(partial(_calls, project, text))
    assert points >= 4
    for point in range(1, points + 1):
        assert threading.active_count() == 1 or all(t.daemon for t in threading.enumerate()[1:])
        killed_at(partial(_keep, project, text), point)
        for log in kept(project):
            assert log.read().head.ending == "done"
    left = list(folder_of(project).glob("*.partial"))
    assert left, "something was under way when it was killed"
    for path in left:
        os.utime(path, (0, 0))
    _keep(project, text)
    assert not list(folder_of(project).glob("*.partial")), "what was left long ago is removed"


def _calls(project: Project, text: bytes) -> int:
    calls = 0

    def count(event: str, _: object) -> None:
        nonlocal calls
        calls += event.startswith(("open", "os.", "fcntl."))

    sys.addaudithook(count)
    _keep(project, text)
    return calls


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    (commands.cache / "state").mkdir(parents=True)
    (commands.cache / "state/logs").write_text("in the way")
    ran = commands.run("build", "//...")
    assert ran.status == 0, ran.err
    assert [line for line in ran.err.splitlines() if "warning" in line] == [
        "warning: cannot keep the log of the build: not a directory"
    ]
    shutil.rmtree(commands.cache / "state")
    (commands.cache / "state").write_text("in the way")
    ran = commands.run("build", "//...")
    assert ran.status == 0, ran.err
    assert [line for line in ran.err.splitlines() if "warning" in line] == [
        "warning: cannot remember the build: file exists"
    ], "one for all that cannot be kept"


@needs_root
def test_a_full_disk_is_a_warning(tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    commands.cache.mkdir()
    with small_disk(commands.cache / "state", "64k") as disk:
        filler = fill_up(disk)
        ran = commands.run("build", "//...")
        assert ran.status == 0, ran.err
        (warning,) = (line for line in ran.err.splitlines() if "warning" in line)
        assert "no space left on device; free some space" in warning
        filler.unlink()
        assert not logs_of(commands)


def _refused(path: Path) -> str:
    """Say how a file is refused; whatever else happens is an error."""
    try:
        log = Kept(path, "the log").read()
    except (FormatError, RequestError) as error:
        return str(error)
    assert log.head.id
    return ""


def test_cut_short_anywhere_it_is_refused(commands: Commands, tmp_path: Path) -> None:
    data = logs_of(commands)[0].read_bytes()
    good = Kept(logs_of(commands)[0], "it").read()
    for size in (*range(0, len(data), 7), *range(len(data) - 8, len(data))):
        (tmp_path / "log").write_bytes(data[:size])
        said = _refused(tmp_path / "log")
        if not said and size >= len(data) - 4:  # nothing but the last checksum is cut
            assert Kept(tmp_path / "log", "it").read() == good
        else:
            assert said.startswith("cannot read the log: "), size


def test_a_bit_that_is_other_is_found(commands: Commands, tmp_path: Path) -> None:
    data = logs_of(commands)[0].read_bytes()
    chance = random.Random(5)
    good = Kept(logs_of(commands)[0], "it").read()
    for _ in range(300):
        damaged = bytearray(data)
        damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        (tmp_path / "log").write_bytes(damaged)
        if not _refused(tmp_path / "log"):  # a bit of a frame's header that says nothing of the bytes
            assert Kept(tmp_path / "log", "it").read() == good


@pytest.mark.parametrize("at", [0, 1])
def test_what_expands_without_end_is_refused(
    text: bytes, tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 8 << 20)
    head, _, rest = text.partition(b"\n")
    bomb = zstandard.ZstdCompressor(level=3).compress(bytes(1 << 30))
    frames = [zstandard.ZstdCompressor().compress(part) for part in (head + b"\n", rest)]
    (tmp_path / "log").write_bytes(b"".join([*frames[:at], bomb]))
    assert bounded(partial(_refused, tmp_path / "log"), mebibytes=256).startswith(
        "cannot read the log: it has more than "
    )


@pytest.mark.parametrize(
    ("edit", "cause"),
    [
        ({"format": "distroless-log-2"}, "it is no log of a build; "),
        ({"counts": {"total": 10**400}}, "it is malformed: "),
        ({"time": 1e300}, "it is malformed: ValueError: 1e+300 is no such number"),
        ({"traffic": [-1, 0]}, "it is malformed: ValueError: -1 is no such number"),
        ({"traffic": [0] * 100_000}, "it is malformed: ValueError: too many values"),
        (
            {"made": [{"label": "//:x", "digest": "", "wanted": ["nowhere"], "files": []}]},
            "it is malformed: ValueError",
        ),
    ],
)
def test_what_a_head_may_not_say(text: bytes, tmp_path: Path, edit: dict[str, object], cause: str) -> None:
    parts = parts_of(text)
    parts["head"] |= edit
    head, *lines = assembled(parts).decode().splitlines()
    (tmp_path / "log").write_bytes(pack(head, lines))
    assert _refused(tmp_path / "log").startswith(f"cannot read the log: {cause}")


@pytest.mark.parametrize(
    "rest",
    ["", "\n", "[" * 100_000, '{"sources":{}}\n{"declared":null}\n{"actions":1000000000000}', '{"sources":[]}\n'],
)
def test_what_may_not_follow(text: bytes, tmp_path: Path, rest: str) -> None:
    head = text.decode().partition("\n")[0]
    (tmp_path / "log").write_bytes(pack(head, rest.split("\n")))
    assert _refused(tmp_path / "log").startswith("cannot read the log: it")


def test_a_damaged_log_harms_no_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_RACY_NS", 0)
    commands = Commands(tmp_path, FILES)
    assert commands.run("build", "//...").status == 0
    (log,) = logs_of(commands)
    log.write_bytes(log.read_bytes()[:100])
    shutil.rmtree(commands.root / "distroless-out")
    ran = commands.run("build", "//...")
    assert ran.status == 0, ran.err
    assert "0 up to date, 2 disk hits" in ran.err, "nothing is known of the build before"
    assert " cannot be read: " in commands.run("log").out
    assert json.loads(commands.run("log", "what-missed", "--json").out)["missed"] == []
