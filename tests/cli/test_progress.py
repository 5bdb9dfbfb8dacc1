"""What a build shows while it runs: on a terminal, and where there is none."""

from __future__ import annotations

import os
import re
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.cli import progress as shown
from distroless_rules.cli.progress import Progress
from distroless_rules.execution import events
from distroless_rules.values.digest import Digest
from tests.support.command import SLOW
from tests.support.scene import ROOT, Scene, scene
from tests.support.screen import Terminal
from tests.support.server import Fault

CODE = "from distroless_rules.cli.main import main; main()"
BUILD = [sys.executable, "-c", CODE, "build", "//:image"]


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Scene]:
    """Give a workspace that was never built, on an archive that takes its time."""
    with scene(tmp_path, built=False) as made:
        made.server.plant("*", Fault(delay=0.3))
        yield made


def _options(scene: Scene, **more: str) -> dict[str, object]:
    removed = ("CI", "NO_COLOR", "COLUMNS", "PWD")
    env = {name: value for name, value in os.environ.items() if name not in removed}
    env |= {"TERM": "xterm", "DISTROLESS_CACHE": str(scene.cache), "PYTHONPATH": str(ROOT)} | more
    return {"cwd": scene.root, "env": env}


def _plain(scene: Scene, text: str) -> list[str]:
    return [re.sub(r"\d+(\.\d)? k?B", "<size>", line) for line in scene.shown(text).splitlines()]


def test_a_build_on_a_terminal(slow: Scene) -> None:
    with Terminal(200) as terminal:
        process = terminal.start(BUILD, **_options(slow))
        seen = "\n".join(terminal.watch(process))
        assert process.wait() == 0
        assert _plain(slow, terminal.text()) == [
            "Locking debs: there is no distroless.lock",
            "  distroless-out/image sha256:<digest> (<size>)",
            "1 target, 13 actions: 0 up to date, 0 disk hits, 13 run locally, 2 debs fetched (<size>) (<seconds>)",
        ]
        assert re.search(r"^Locking debs: \d\S* k?B fetched$", seen, re.MULTILINE)
        assert re.search(r"^\[0/13\] actions, 0 cached\n  Fetching (lib)?small 0 %\n  Fetching ", seen, re.MULTILINE)
        assert terminal.screen.escapes == {"A", "K", "h", "l", "m"}


def test_a_build_with_nothing_to_do_draws_nothing(slow: Scene) -> None:
    assert slow.build().status == 0
    with Terminal(200) as terminal:
        process = terminal.start(BUILD, **_options(slow))
        terminal.watch(process)
        assert _plain(slow, terminal.text())[-1] == "1 target up to date (<seconds>)"
        assert terminal.screen.escapes == set()


@pytest.mark.parametrize("variable", ["TERM=dumb", "TERM=", "CI=true"])
def test_a_terminal_that_shows_no_display(slow: Scene, variable: str) -> None:
    name, _, value = variable.partition("=")
    with Terminal(200) as terminal:
        process = terminal.start(BUILD, **_options(slow, **{name: value}))
        terminal.watch(process)
        text = SLOW.sub("", terminal.text())
        assert text.startswith("Locking debs: there is no distroless.lock\n  distroless-out/image")
        assert terminal.screen.escapes == set()


def test_no_colour(slow: Scene) -> None:
    with Terminal(200) as terminal:
        terminal.watch(terminal.start(BUILD, **_options(slow, NO_COLOR="1")))
        assert "A" in terminal.screen.escapes
        assert "m" not in terminal.screen.escapes


def test_ctrl_c_leaves_the_terminal_as_it_was(slow: Scene) -> None:
    with Terminal(200) as terminal:
        before = termios.tcgetattr(terminal.descriptor)
        process = terminal.start(BUILD, **_options(slow))
        terminal.watch(process, until="Fetching")
        terminal.type(b"\x03")
        terminal.watch(process)
        assert process.wait() == 3
        assert terminal.text() == (
            "Locking debs: there is no distroless.lock\ndistroless: cannot finish the build: it was interrupted"
        )
        assert termios.tcgetattr(terminal.descriptor) == before


def test_results_are_apart_from_the_display(slow: Scene, tmp_path: Path) -> None:
    with Terminal(200) as terminal, (tmp_path / "out").open("wb") as out:
        process = terminal.start([*BUILD, "--json"], **_options(slow), stdout=out)
        terminal.watch(process)
        assert "A" in terminal.screen.escapes
    assert (tmp_path / "out").read_text("utf-8").startswith("[\n  {\n")


def _action(progress: str) -> Action:
    return Action("WriteFile", "//:x", "{}", (), (), progress=progress)


def _deb(name: str, size: int) -> Artifact:
    return Artifact(Root.LOCKED, f"trixie/pool/{name}_1_amd64.deb", digest=Digest("0" * 64, size))


def test_plain_lines_now_and_then(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "_SECONDS_BETWEEN_LINES", 0)
    one, two, deb = _action("Making one"), _action("Making two"), _deb("small", 4_000_000)
    with Progress() as progress:
        progress.status("a message")
        progress.received(1000)
        progress.received(-1000)
        for event in (
            events.BuildStarted(3),
            events.FetchStarted(deb),
            events.FetchProgress(deb, 3_000_000),
            events.FetchProgress(deb, 0),  # thrown away, and begun again
            events.FetchProgress(deb, 2_500_000),
            events.FetchFinished(deb),
            events.ActionFinished(one, events.Ending.CACHED, 0),
            events.ActionStarted(one),  # what it made is gone
            events.ActionStarted(two),
            events.ActionFinished(one, events.Ending.RAN, 5),
            events.ActionFinished(two, events.Ending.FAILED, 5),
        ):
            progress.listen(event)
    assert capsys.readouterr().err.splitlines() == [
        "a message",
        "Locking debs: 1.0 kB fetched",
        "Locking debs: fetching",
        "[0/3] actions, 0 cached",
        "[0/3] actions, 0 cached; Fetching small",
        "[0/3] actions, 0 cached, 3.0 MB fetched; Fetching small",
        "[0/3] actions, 0 cached; Fetching small",
        "[0/3] actions, 0 cached, 2.5 MB fetched; Fetching small",
        "[0/3] actions, 0 cached, 2.5 MB fetched",
        "[1/3] actions, 1 cached, 2.5 MB fetched",
        "[1/3] actions, 1 cached, 2.5 MB fetched; Making one",
        "[1/3] actions, 1 cached, 2.5 MB fetched; Making one",
        "[1/3] actions, 1 cached, 2.5 MB fetched; Making two",
        "[2/3] actions, 1 cached, 2.5 MB fetched",
    ]


def test_lines_are_seconds_apart(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        for number in range(1000):
            progress.listen(events.BuildStarted(number))
    assert capsys.readouterr().err == ""
