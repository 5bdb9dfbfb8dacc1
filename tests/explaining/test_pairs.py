"""Which step of one build is which of another: paths of what two builds make in, pairs out."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.explaining.pairs import pairs
from distroless_rules.logs.log import Entry


@dataclass(frozen=True)
class Made:
    actions: tuple[Entry, ...]
    platform: str = "linux/amd64"


def made(*paths: str, platform: str = "linux/amd64") -> Made:
    return Made(tuple(Entry(_action(path), "1", {}, {}, "1") for path in paths), platform)


def _action(path: str) -> Action:
    return Action("DebUnpack", "//:a", "{}", (), (Named("index", Artifact(Root.DERIVED, path)),))


def deb(archive: str, version: str, architecture: str = "amd64") -> str:
    return f"debs/{archive}/libc6_{version}_{architecture}_0123456789ab/index"


OLD, NEW, NEWER = deb("bookworm", "2.36-9"), deb("trixie", "2.41-12"), deb("trixie", "2.41-13")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((OLD,), (OLD,), {OLD: OLD}),
        ((NEW,), (NEWER,), {NEWER: NEW}),  # an update
        ((OLD,), (NEW,), {NEW: OLD}),  # another archive
        ((NEW, OLD), (NEWER,), {NEWER: NEW}),  # of two archives one is built no longer
        ((OLD, NEW), (NEWER, OLD), {NEWER: NEW, OLD: OLD}),
        ((OLD,), (NEW, OLD), {NEW: None, OLD: OLD}),  # a second archive is new
        ((), (NEW,), {NEW: None}),
        (("linux-amd64/app/x",), ("linux-amd64/app/x", "linux-amd64/app/y"), {"linux-amd64/app/y": None}),
    ],
)
def test_a_step_is_the_one_that_makes_the_same(
    old: tuple[str, ...], new: tuple[str, ...], expected: dict[str, str | None]
) -> None:
    found = {_path(pair.new): _path(pair.old) for pair in pairs(made(*old), made(*new))}
    assert {path: found[path] for path in expected} == expected


def test_another_platform_has_other_folders() -> None:
    old = made("linux-amd64/app/x", deb("trixie", "1"))
    new = made("linux-arm64/app/x", deb("trixie", "1", "arm64"), platform="linux/arm64")
    assert [_path(pair.old) for pair in pairs(old, new)] == ["linux-amd64/app/x", deb("trixie", "1")]


def _path(entry: Entry | None) -> str | None:
    return entry.action.outputs[0].artifact.path if entry else None
