"""Blobs that vanish from the cache while a build uses them: made or fetched again, or one clear error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from distroless_rules import build as spine
from distroless_rules import outputs
from distroless_rules.actions.analysed import Wanted
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.errors import LockError
from distroless_rules.execution import events
from distroless_rules.project import open_project
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.store import MissingBlobError
from distroless_rules.tools.tool import Workbench
from distroless_rules.values.digest import Digest
from distroless_rules.values.label import Label, Pattern
from distroless_rules.values.request import Request
from tests.support.scene import Scene, scene
from tests.support.workshop import Workshop, action, locked, out, source, tools_with, write_out


def _empty(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()


def _build(it: Scene, event: type[events.Event], act: Callable[[], None], *, times: int) -> spine.Built:
    """Build with the library, and do something the first times that an event is heard."""

    def listen(heard: events.Event, /) -> None:
        nonlocal times
        if isinstance(heard, event) and times:
            times -= 1
            act()

    project = open_project(it.root, str(it.cache), lambda _: None)
    return spine.build(project, Request((Pattern.parse("//:image"),)), spine.Options(), listen)


def _forget(it: Scene) -> None:
    """Let the next build execute: a new comment is evaluated."""
    (it.root / "BUILD").write_text((it.root / "BUILD").read_text() + "# more\n")


def test_outputs_that_vanish_before_they_are_placed_are_made_again(tmp_path: Path) -> None:
    with scene(tmp_path) as it:
        _forget(it)
        built = _build(it, events.Counts, lambda: _empty(it.cache / "cas"), times=1)
        assert [result.digest for result in built.results] == [it.digest] == [it.output()]
        assert built.counts is not None
        assert built.counts.fetched == 2
        assert "up to date" in it.build().err


def test_outputs_that_vanish_again_and_again_are_an_error(tmp_path: Path) -> None:
    with scene(tmp_path) as it:
        _forget(it)
        with pytest.raises(MissingBlobError, match=r"cannot read blob sha256:.*: the store does not hold it"):
            _build(it, events.Counts, lambda: _empty(it.cache / "cas"), times=9)
        assert it.output() == it.digest
        it.recovers()


def test_a_blob_that_vanishes_between_its_check_and_its_use(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    turns: list[bytes] = []

    def perform(bench: Workbench) -> None:
        file = bench.inputs["in"].path
        if not turns:
            file.unlink()
        turns.append(b"")
        write_out(bench, file.read_bytes())

    shop.tools = tools_with(perform)
    shop.mirror["a.deb"] = b"deb"
    use = action("use", "Tool", {"in": locked("a.deb", b"deb")})
    built = shop.build([use], out("use"))
    assert (built.errors, built.ran, built.fetched) == ([], ["use", "use"], ["a.deb", "a.deb"])
    assert shop.read(built, out("use")) == b"deb"


def test_a_source_file_that_vanishes_between_its_check_and_its_use(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    file = shop.write("file", b"text")

    def perform(bench: Workbench) -> None:
        file.unlink()
        write_out(bench, bench.inputs["in"].path.read_bytes())

    shop.tools = tools_with(perform)
    built = shop.build([action("use", "Tool", {"in": source("file")})], out("use"))
    assert built.errors == ['cannot read source file "file": no such file or directory']


def test_outputs_that_vanish_once_they_are_placed_do_not_stand(tmp_path: Path) -> None:
    folder, artifact, digest = tmp_path / "out", Artifact(Root.DERIVED, "linux-amd64/x"), Digest.of(b"bytes")
    with DiskStore(tmp_path / "cache") as store:
        with store.sink(digest) as sink:
            sink.write(b"bytes")
        placed = outputs.Outputs(folder, {artifact: digest}, store)
        placed.place(Wanted(Label.parse("//:x"), "r", (artifact,)))
    assert outputs.stands(placed.marks(), folder)
    (folder / "x").unlink()
    assert not outputs.stands(placed.marks(), folder)


def test_a_lock_that_changes_during_the_build(tmp_path: Path) -> None:
    with scene(tmp_path) as it:
        _empty(it.cache / "cas")
        _empty(it.cache / "ac")
        _forget(it)
        lock = it.root / "distroless.lock"
        text = lock.read_text()

        def change() -> None:
            lock.write_text(text.replace("small", "other"))

        with pytest.raises(LockError) as caught:
            _build(it, events.BuildStarted, change, times=1)
        assert "distroless.lock has changed since the build began and does not have it any more; build again" in str(
            caught.value
        )
        lock.write_text(text)
        it.recovers()
