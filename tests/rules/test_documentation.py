"""``docs/rules.md``: what it says of rules, macros and providers is what they say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import Commands

PAGE = Path(__file__).resolve().parents[2] / "docs/rules.md"
MARK = "anew. -->\n\n"


def _printed(folder: Path, *files: str) -> str:
    commands = Commands(folder, {"distroless.toml": '[workspace]\nname = "w"\n', **FILES})
    ran = commands.run("docs", *files)
    assert (ran.status, ran.err) == (0, "")
    return ran.out


FILES = {
    "BUILD": "",
    "own.bzl": '''
MineInfo = provider(doc = "Mine.", fields = {"file": "A File | or none."})
_Hidden = provider()

def _mine(ctx):
    return [MineInfo(file = None)]

mine = rule(
    implementation = _mine,
    doc = "A rule.",
    attrs = {
        "_hidden": attr.string(),
        "level": attr.int(default = 3, doc = "How much."),
        "names": attr.string_list(mandatory = True, doc = "Which."),
        "on": attr.bool(default = True, doc = "Whether."),
    },
)

def mines(name, count = 2):
    """Several of them.

    Args:
        name: the first part
            of each name.
        count: how many.
    """
    for number in range(count):
        mine(name = name + str(number), names = [])

def undocumented():
    pass
''',
}


def test_the_page_is_current(tmp_path: Path) -> None:
    assert PAGE.read_text("utf-8").partition(MARK)[2] == _printed(tmp_path)


def test_rules_of_ones_own(tmp_path: Path) -> None:
    assert (
        _printed(tmp_path, "//:own.bzl")
        == """\
## mine

A rule.

| attribute | type | default | |
|---|---|---|---|
| `level` | int | `3` | How much. |
| `names` | list of strings | mandatory | Which. |
| `on` | bool | `True` | Whether. |

## mines

Several of them.

A macro: `load("//:own.bzl", "mines")`.

| argument | |
|---|---|
| `name` | the first part of each name. |
| `count` | how many. |

## MineInfo

Mine.

| field | |
|---|---|
| `file` | A File \\| or none. |
"""
    )


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("//:none.bzl", 'cannot load "//:none.bzl": there is no file none.bzl'),
        ("//:own.txt", 'cannot load "//:own.txt": there is no file own.txt'),
    ],
)
def test_a_file_that_is_not_there(tmp_path: Path, label: str, message: str) -> None:
    commands = Commands(tmp_path, {"distroless.toml": '[workspace]\nname = "w"\n', **FILES})
    ran = commands.run("docs", label)
    assert ran.status == 2
    assert message in ran.err


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        head = PAGE.read_text("utf-8").partition(MARK)[0]
        PAGE.write_text(head + MARK + _printed(Path(name)), "utf-8")
