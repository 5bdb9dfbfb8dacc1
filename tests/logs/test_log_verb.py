"""``distroless log``: builds in, what is printed of them out."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from distroless_rules import state
from distroless_rules.logs.file import unpack
from tests.support.command import Commands
from tests.support.logs import logs_of, parts_of, written

FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "write_file")

        write_file(name = "one", out = "one.txt", content = ["one"])
        write_file(name = "two", out = "two.txt", content = ["two"])
        """,
}
TWO = """
    load("@distroless_rules//rules:defs.bzl", "write_file")

    write_file(name = "one", out = "one.txt", content = ["one"])
    write_file(name = "two", out = "two.txt", content = ["2"])
    """
RUN = {"environment": {"PORT": "80", "PATH": "/bin"}, "arguments": ["cc", "-O1"], "log": "", "seconds": 9}


def seen(commands: Commands, *words: str, status: int = 0) -> str:
    """Give what ``distroless log`` prints, times and ids left out."""
    ran = commands.run("log", *words)
    assert ran.status == status, ran.err
    text = (ran.out + ran.err).replace(str(commands.cache), "<cache>").replace(str(commands.root.parent), "")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "<time>", re.sub(r"( ?) *\d+\.\d\d s\b", r"\1<seconds>", text))
    return re.sub(r"\b[0-9a-f]{16}\b", "<id>", re.sub(r"\b[0-9a-f]{32}\b", "<workspace>", text))


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """Three builds: of all, of one, and of all with something changed."""
    made = Commands(tmp_path_factory.mktemp("log"), FILES)
    before, state._RACY_NS = state._RACY_NS, 0
    try:
        for words in (("//...",), ("//:one",)):
            assert made.run("build", *words).status == 0
        made.write({"BUILD": TWO})
        assert made.run("build", "//...").status == 0
    finally:
        state._RACY_NS = before
    return made


def test_list(commands: Commands) -> None:
    rows = """\
   3  <time>  <id>  done <seconds>  build //...
   2  <time>  <id>  done <seconds>  build //:one
   1  <time>  <id>  done <seconds>  build //...
3 logs in <cache>/state/logs/<workspace>
"""
    assert seen(commands) == rows
    assert seen(commands, "list") == rows
    documents = json.loads(commands.run("log", "list", "--json").out)
    assert [(each["log"], each["ending"]) for each in documents] == [(3, "done"), (2, "done"), (1, "done")]


def test_what_ran(commands: Commands) -> None:
    assert (
        seen(commands, "what-ran")
        == """\
log 3: build //..., <time>, done in <seconds>
  run locally <seconds>  WriteFile  Writing two.txt
2 targets, 2 actions: 1 up to date, 0 disk hits, 1 run locally (<seconds>)
"""
    )
    every = seen(commands, "what-ran", "last", "--all")
    assert re.search(r"^  up to date +WriteFile  Writing one.txt$", every, re.MULTILINE)
    assert seen(commands, "what-ran", "2").splitlines()[1] == (
        "1 target, 1 action: 1 up to date, 0 disk hits, 0 run locally (<seconds>)"
    )
    document = json.loads(commands.run("log", "what-ran", "1", "--json").out)
    assert {row["label"] for row in document["actions"]} == {"//:one", "//:two"}
    (row,) = (row for row in document["actions"] if row["label"] == "//:one")
    assert (row["where"], row["bytes"], len(row["key"])) == ("run locally", 4, 64)


def test_what_missed(commands: Commands) -> None:
    assert (
        seen(commands, "what-missed")
        == """\
log 3: build //..., <time>, done in <seconds>
  WriteFile of //:two: Writing two.txt
    parameters: content: "two\\n" -> "2\\n" (since log 1)
1 of 2 actions missed
"""
    )
    assert seen(commands, "what-missed", "1").splitlines()[1:3] == [
        "  WriteFile of //:one: Writing one.txt",
        "    no earlier log has this step",
    ]
    (row,) = json.loads(commands.run("log", "what-missed", "--json").out)["missed"]
    assert (row["kind"], row["since"], row["reason"]["what"]) == ("changed", "log 1", "parameters: content")


def test_diff(commands: Commands) -> None:
    assert (
        seen(commands, "diff", "1")
        == """\
log 1: build //..., <time>, done in <seconds>
log 3: build //..., <time>, done in <seconds>
~ WriteFile of //:two: Writing two.txt
    parameters: content: "two\\n" -> "2\\n"
  1 step that did not change: run locally, then up to date
2 steps: 1 changed, 1 same
"""
    )
    assert seen(commands, "diff", "last~2", "last~1").splitlines()[2:] == [
        "  patterns: //... -> //:one",
        "- WriteFile of //:two: Writing two.txt",
        "  1 step that did not change: run locally, then up to date",
        "2 steps: 1 gone, 1 same",
    ]
    document = json.loads(commands.run("log", "diff", "1", "3", "--json").out)
    assert (document["same"], [row["kind"] for row in document["steps"]]) == (1, ["changed"])


def test_the_log_of_another_machine(commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "theirs.log.zst"
    file.write_bytes(logs_of(commands)[0].read_bytes())
    assert seen(commands, "diff", str(file), "3").splitlines()[-1] == "2 steps: 1 changed, 1 same"
    missed = seen(commands, "what-missed", "--against", str(file))
    assert f'\ncompared with "{file}"\n' in missed
    assert '-> "2\\n"\n' in missed
    id_ = json.loads(commands.run("log", "list", "--json").out)[0]["id"]
    assert seen(commands, "what-ran", id_[:6]) == seen(commands, "what-ran", "3")


def _edited(commands: Commands, folder: Path, **edits: Any) -> list[str]:
    """Give what ``diff`` says of two logs whose first action is a command, the later one edited."""
    old = parts_of(unpack(logs_of(commands)[0], "a log"))
    for number, row in enumerate(old["actions"]):
        row |= {"run": True, "mnemonic": "Compile", "parameters": copy.deepcopy(RUN), "progress": f"Compiling {number}"}
        row["inputs"] = [["in.c", "source", "in.c", f"{'a' * 64}/7"]]
    new = copy.deepcopy(old)
    row = new["actions"][0]
    row["inputs"][0][3] = edits.pop("digest", row["inputs"][0][3])
    row["outputs"][0][3] = edits.pop("output", row["outputs"][0][3])
    row["version"] = edits.pop("version", row["version"])
    row["parameters"]["environment"] |= edits.pop("environment", {})
    row["parameters"]["arguments"] = edits.pop("arguments", row["parameters"]["arguments"])
    assert not edits
    for name, parts in (("old", old), ("new", new)):
        (folder / name).write_bytes(written(parts))
    ran = commands.run("log", "diff", str(folder / "old"), str(folder / "new"))
    assert ran.status == 0, ran.err
    return [line.strip() for line in ran.out.splitlines() if line.startswith("    ")]


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"environment": {"PORT": "81"}}, 'environment variable PORT: "80" -> "81"'),
        ({"environment": {"NEW": "x"}}, 'environment variable NEW: nothing -> "x"'),
        ({"arguments": ["cc", "-O2"]}, 'arguments: "-O1" -> "-O2"'),
        (
            {"digest": f"{'b' * 64}/8"},
            "input in.c (in.c): 7 bytes, sha256:aaaaaaaaaaaa -> 8 bytes, sha256:bbbbbbbbbbbb",
        ),
        ({"version": "run 9"}, "version of the code: 1 -> run 9"),
    ],
)
def test_what_made_a_command_miss(commands: Commands, tmp_path: Path, edits: dict[str, Any], said: str) -> None:
    assert _edited(commands, tmp_path, **edits) == [said]


def test_a_step_that_is_not_reproducible(commands: Commands, tmp_path: Path) -> None:
    (said,) = _edited(commands, tmp_path, output=f"{'c' * 64}/5")
    assert re.fullmatch(
        r"NOT REPRODUCIBLE: same inputs, other output (content|file|\S+): 4 bytes, sha256:\w+ -> 5 bytes, sha256:c{12}",
        said,
    )


def test_what_is_no_log(commands: Commands, tmp_path: Path) -> None:
    hint = "`distroless log` lists those that there are"
    assert seen(commands, "what-ran", "99", status=2) == (
        f'distroless: cannot find log "99": it is the number or id of no log here, and no file; {hint}\n'
    )
    ran = Commands(tmp_path, FILES).run("log", "what-missed")
    assert (ran.status, ran.err) == (2, 'distroless: cannot find log "last": no build has left a log here\n')
    assert Commands(tmp_path / "other", FILES).run("log").out == "no build has left a log here\n"


def test_a_build_that_fails_leaves_a_log(tmp_path: Path) -> None:
    commands = Commands(tmp_path, {"BUILD": 'fail("not today")\n'})
    assert commands.run("build", "//...").status == 2
    assert " failed " in commands.run("log").out
    assert "not today" in commands.run("log", "what-ran").out
    assert commands.run("explain", "//:x", "--no-build").status == 2
