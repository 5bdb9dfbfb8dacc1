"""``distroless analyze``: a small fat image in, what is printed, as text and as JSON, and what is written out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distroless_rules.oci.config import Start
from tests.anatomy.test_groups import FAST, LIBC, PROGRAM, TOOLS
from tests.support.command import Commands, Ran
from tests.support.fat import fat
from tests.support.image import file


@pytest.fixture
def image(tmp_path: Path) -> Path:
    later = [file("srv/.wh.old"), file("srv/data", b"x" * 2000)]
    own: dict[str, bytes | str] = {"srv/run": PROGRAM, "srv/old": b"o" * 5000}
    return fat(tmp_path / "image", [LIBC, *TOOLS, FAST], own, later, start=Start(("/bin/sh", "-c", "exec /srv/run")))


def analyze(folder: Path, *words: str) -> Ran:
    return Commands(folder / "commands", {}).run("analyze", *words)


def test_groups_layers_and_what_stays_are_shown(image: Path, tmp_path: Path) -> None:
    ran = analyze(tmp_path, str(image))
    assert ran.status == 0, ran.err
    lines = [line.split() for line in ran.out.splitlines()]
    counts = {line[0]: line[1:3] for line in lines if len(line) > 3 and line[1].isdecimal() and line[0].isalpha()}
    assert {name: int(debs) for name, (debs, _) in counts.items()} == {
        "application": 0, "runtime": 1, "shared": 2, "build": 2, "manager": 3, "unused": 1, "system": 0, "hidden": 0,
    }  # fmt: skip
    assert "  runtime and build and manager and unused: libc6" in ran.out
    assert "  build and manager (goes): libgmp" in ran.out
    assert "      5.0 kB  /srv/old, in layer 1, hidden by layer 2" in ran.out
    assert "the shell form 'exec /srv/run' became the words of its program, without a shell" in ran.out
    assert "contents: libfast1" in ran.out


def test_everything_is_there_for_programs(image: Path, tmp_path: Path) -> None:
    found = json.loads(analyze(tmp_path, str(image), "--json").out)
    assert found["debs"]["libgmp"]["needed_by"] == ["build", "manager"]
    assert found["debs"]["libfast1"]["stays"] is True
    assert found["contents"] == ["libfast1"]
    assert found["application"] == ["/srv/data", "/srv/run"]
    assert found["hidden"] == 5000
    assert found["start"]["Entrypoint"] == ["/srv/run"]
    assert sum(group["size"] for group in found["groups"].values()) == found["size"]


def test_a_workspace_is_written_once(image: Path, tmp_path: Path) -> None:
    ran = analyze(tmp_path, str(image), "--output", str(tmp_path / "new"))
    assert "now try: cd" in ran.err
    assert (tmp_path / "new/BUILD").is_file()
    again = analyze(tmp_path, str(image), "--output", str(tmp_path / "new"))
    assert (again.status, again.out) == (2, "")
    assert "there is something already; name a folder that is not there" in again.err


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["none"], 'cannot read the image "none": No such file or directory'),
        (["docker://example/app"], "images are read from folders and archives; copy it first: skopeo copy"),
        (["none", "--platform", "linux/none"], 'cannot use platform "linux/none": it is not known'),
    ],
)
def test_what_cannot_be_analyzed(tmp_path: Path, words: list[str], error: str) -> None:
    ran = analyze(tmp_path, *words)
    assert ran.status == 2
    assert error in ran.err


def test_names_in_an_image_do_not_reach_the_terminal_as_they_are(tmp_path: Path) -> None:
    evil = "srv/\x1b[31m\udcff"
    fat(tmp_path / "image", [LIBC], {evil: b"x" * 10_000}, [file(f"srv/.wh.{evil[4:]}")])
    ran = analyze(tmp_path, str(tmp_path / "image"))
    assert ran.status == 0, ran.err
    assert "\x1b" not in ran.out
    assert "/srv/\\x1b[31m\\udcff" in ran.out or "/srv/\\x1b[31m\\xdcff" in ran.out
