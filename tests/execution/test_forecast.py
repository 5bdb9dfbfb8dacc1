"""What is foreseen is what happens: forecasts are compared with the builds that follow them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from distroless_rules import build as spine
from distroless_rules import outputs
from distroless_rules.execution import events
from distroless_rules.execution.forecast import State, forecast
from distroless_rules.execution.plan import make
from distroless_rules.machine import Machine
from distroless_rules.project import Project, open_project
from distroless_rules.values.label import Pattern
from distroless_rules.values.request import Request
from tests.support.command import Commands

_FILES = {
    "rules.bzl": """
        # A chain of files, each made from the one before: what is written, filled in, filled in again.
        def _steps(ctx):
            last = ctx.actions.declare_file(ctx.label.name + ".0")
            ctx.actions.write(last, ctx.attr.text)
            for number, word in enumerate(ctx.attr.words):
                out = ctx.actions.declare_file("%s.%d" % (ctx.label.name, number + 1))
                ctx.actions.expand_template(template = last, output = out, substitutions = {word: "x"})
                last = out
            return [DefaultInfo(files = depset([last]))]

        def _fill(ctx):
            ctx.actions.expand_template(
                template = ctx.file.template,
                output = ctx.outputs.out,
                substitutions = ctx.attr.substitutions,
            )

        steps = rule(implementation = _steps, attrs = {"text": attr.string(), "words": attr.string_list()})
        fill = rule(implementation = _fill, attrs = {
            "template": attr.label(allow_single_file = True),
            "out": attr.output(),
            "substitutions": attr.string_dict(),
        })
        """,
    "BUILD": """
        load("//:rules.bzl", "fill", "steps")
        steps(name = "chain", text = "a b c", words = ["a", "b", "c"])
        fill(name = "one", template = "source.txt", out = "one.txt", substitutions = {"@a@": "1"})
        fill(name = "two", template = ":one", out = "two.txt", substitutions = {"@b@": "2"})
        filegroup(name = "all_of_it", srcs = [":chain", ":two"])
        """,
    "source.txt": "@a@ @b@ @c@\n",
}
Change = Callable[[Commands], None]


def _edit_source(text: str) -> Change:
    return lambda commands: commands.write({"source.txt": text})


def _lose_blobs(*contents: str) -> Change:
    """Take the blobs that hold these bytes out of the store; results in the action cache go on naming them."""

    def change(commands: Commands) -> None:
        for path in [path for path in commands.cache.rglob("*") if path.is_file()]:
            if path.read_bytes() in [content.encode() for content in contents]:
                path.unlink()
        shutil.rmtree(commands.root / "distroless-out", ignore_errors=True)

    return change


def _edit_rule(commands: Commands) -> None:
    text = (commands.root / "BUILD").read_text()
    commands.write({"BUILD": text.replace('"@b@": "2"', '"@b@": "3"')})


_CHANGES: dict[str, tuple[list[Change], set[str]]] = {
    "nothing": ([], set()),
    "a source": ([_edit_source("new @a@ @b@\n")], {"//:one", "//:two"}),
    "a source, with the same result": ([_edit_source("1 @b@ @c@\n")], {"//:one"}),
    "a parameter": ([_edit_rule], {"//:two"}),
    "the wanted blob is gone": ([_lose_blobs("1 2 @c@\n")], {"//:two"}),
    "a blob in between is gone": ([_lose_blobs("1 @b@ @c@\n", "x b c", "x x c")], set()),
    "the wanted blob and what it is made from are gone": (
        [_lose_blobs("1 2 @c@\n", "1 @b@ @c@\n")],
        {"//:one", "//:two"},
    ),
    "a chain is gone": ([_lose_blobs("a b c", "x b c", "x x c", "x x x")], {"//:chain"}),
    "a parameter, and what it is made from": ([_edit_rule, _lose_blobs("1 @b@ @c@\n")], {"//:one", "//:two"}),
}


def _open(commands: Commands) -> tuple[Project, Request]:
    project = open_project(commands.root, str(commands.cache), lambda _: None)
    return project, Request((Pattern.parse("//:all_of_it"),))


def _foreseen(commands: Commands) -> dict[str, State]:
    """Give the state of each action, by its progress text."""
    project, request = _open(commands)
    analysis, _ = spine.analysed(project, request, spine.Options())
    wanted = [artifact for target in analysis.wanted for artifact in outputs.artifacts(target)]
    plan = make(analysis.actions, wanted)
    with Machine(project, 1, events.ignore) as machine:
        found = forecast(plan, wanted, machine.executor, machine.supply)
    return {f"{plan.actions[at].owner} {plan.actions[at].progress}": found.states[at] for at in plan.needed}


def _happened(commands: Commands) -> dict[str, events.Ending]:
    project, request = _open(commands)
    endings: dict[str, events.Ending] = {}

    def listen(event: object) -> None:
        if isinstance(event, events.ActionFinished):
            name = f"{event.action.owner} {event.action.progress}"
            if endings.get(name) is not events.Ending.RAN:
                endings[name] = event.ending

    spine.build(project, request, spine.Options(jobs=1), listen)
    return endings


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_everything_runs_at_first(tmp_path: Path) -> None:
    commands = Commands(tmp_path, _FILES)
    states = _foreseen(commands)
    assert len(states) == 6
    assert State.CACHED not in states.values()
    assert set(_happened(commands).values()) == {events.Ending.RAN}


@pytest.mark.parametrize("change", _CHANGES)
def test_forecasts_come_true(tmp_path: Path, change: str) -> None:
    commands = Commands(tmp_path, _FILES)
    _happened(commands)
    changes, runs = _CHANGES[change]
    for each in changes:
        each(commands)
    before = _snapshot(tmp_path)
    states = _foreseen(commands)
    assert _snapshot(tmp_path) == before, "a forecast changes nothing"
    happened = _happened(commands)
    if not changes:  # then the build may see at once that there is nothing to do
        assert set(states.values()) == {State.CACHED}
        assert set(happened.values()) <= {events.Ending.SAME}
        return
    assert {name.partition(" ")[0] for name, ending in happened.items() if ending is events.Ending.RAN} == runs
    for name, ending in happened.items():
        expected = {
            State.CACHED: {events.Ending.SAME},
            State.RUN: {events.Ending.RAN},
            State.OPEN: {events.Ending.SAME, events.Ending.RAN},
        }[states[name]]
        assert ending in expected, name
    assert states.keys() == happened.keys()
