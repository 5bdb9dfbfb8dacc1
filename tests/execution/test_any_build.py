"""Builds of any graph, on any number of threads, after any loss and damage, beside a model of what they must give."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact, Root
from tests.support.workshop import Workshop, action, locked, source

DEBS = {f"{number}.deb": b"deb %d " % number for number in range(2)}


@st.composite
def graphs(draw: st.DrawFn) -> list[Action]:
    """Draw actions that join outputs of those before them, sources and debs."""
    actions: list[Action] = []
    for number in range(draw(st.integers(1, 8))):
        choices: list[Artifact] = [source("s0"), source("s1"), *(locked(path, data) for path, data in DEBS.items())]
        for earlier in actions:
            choices += [named.artifact for named in earlier.outputs]
        chosen = draw(st.lists(st.sampled_from(choices), max_size=4))
        inputs = {str(at): artifact for at, artifact in enumerate(chosen)}
        names = draw(st.sampled_from([["out"], ["other", "out"]]))
        text = draw(st.sampled_from(["", "x", "yy"]))
        parameters = {"outputs": names, "text": text}
        actions.append(action(str(number), "Join", inputs, names, parameters, draw(st.integers(0, 9))))
    return actions


def _expected(actions: list[Action], sources: dict[str, bytes]) -> dict[str, bytes]:
    """Give the bytes of each output by path."""
    made: dict[str, bytes] = {}
    for each in actions:
        data = b""
        for named in each.inputs:
            where = {Root.SOURCE: sources, Root.LOCKED: DEBS, Root.DERIVED: made}[named.artifact.root]
            data += where[named.artifact.path]
        text = each.parameters.partition('"text":"')[2].partition('"')[0]
        made.update((named.artifact.path, data + text.encode()) for named in each.outputs)
    return made


def _harm(path: Path, how: str) -> None:
    if how == "remove":
        path.unlink()
    elif how == "damage":
        data = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if data else b"?")


@settings(max_examples=120, deadline=None)
@given(actions=graphs(), data=st.data())
def test_any_build(actions: list[Action], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(Path(folder), jobs=data.draw(st.integers(1, 3)), mirror=dict(DEBS))
        everything = [named.artifact for each in actions for named in each.outputs]
        for _ in range(3):
            sources = {name: data.draw(st.sampled_from([b"", b"1", b"22"])) for name in ("s0", "s1")}
            for name, content in sources.items():
                shop.write(name, content)
            wanted = data.draw(st.lists(st.sampled_from(everything), min_size=1, unique=True))
            built = shop.build(actions, *wanted)
            assert built.errors == []
            expected = _expected(actions, sources)
            assert {artifact.path: shop.read(built, artifact) for artifact in wanted} == {
                artifact.path: expected[artifact.path] for artifact in wanted
            }
            counts = built.outcome.counts
            assert (counts.cached + counts.ran, counts.failed, counts.skipped) == (counts.total, 0, 0)
            again = shop.build(actions, *wanted)
            assert (again.ran, again.fetched) == ([], [])
            # One number, whatever the threads left: how many files there are may differ from run to run.
            fate = data.draw(st.integers(0, 2**32))
            for kind in ("cas", "ac"):
                for path in sorted(path for path in (shop.cache / kind).rglob("*") if path.is_file()):
                    _harm(path, random.Random(f"{fate} {path.name}").choice(["keep", "keep", "remove", "damage"]))
