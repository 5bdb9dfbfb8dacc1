"""Actions as an engine takes them: what is in each message, and what makes another action."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from distroless_rules.actions.action import Action
from distroless_rules.actions.command import ROOT
from distroless_rules.errors import FormatError
from distroless_rules.execution.key import key
from distroless_rules.execution.merkle import Merkle
from distroless_rules.execution.remote_action import RemoteAction, compose
from distroless_rules.execution.roots import Roots
from distroless_rules.storage import wire
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.messages import Action as ActionMessage
from distroless_rules.storage.messages import Directory
from distroless_rules.storage.store import copy_in
from distroless_rules.values.digest import Digest
from tests.support.commands import made, run, tree
from tests.support.image import directory, file, symlink, tar
from tests.support.protos import official
from tests.support.workshop import out, source

ROOT_TREE = tar(directory("./"), directory("build"), file("usr/bin/sh", b"\x7fELF", 0o755), symlink("bin", "usr/bin"))
FOLDER = tar(directory("./"), file("x", b"x"))


class Desk:
    """Composes actions from inputs given as bytes."""

    def __init__(self, store: DiskStore, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.roots = Roots(store, store)

    def compose(
        self,
        action: Action,
        data: Mapping[str, bytes] = MappingProxyType({}),
        properties: tuple[tuple[str, str], ...] = (),
    ) -> RemoteAction:
        """Compose an action; an input that is not given is the text of its name."""
        inputs = {ROOT: copy_in(self.store, ROOT_TREE)}
        files = {}
        for named in action.inputs:
            if named.name == ROOT:
                continue
            content = FOLDER if named.artifact.tree else data.get(named.name, os.fsencode(named.name))
            inputs[named.name] = copy_in(self.store, content)
            if not named.artifact.tree:
                files[named.name] = self.folder / named.name.replace("/", "_")
                files[named.name].write_bytes(content)
        return compose(action, key(action, inputs, "1"), inputs, files, self.roots, properties)

    def listing(self, composed: RemoteAction) -> list[str]:
        """Give what is in the input root, a line for each path; of trees the root's name alone."""
        action = wire.decode(ActionMessage, composed.messages[composed.digest])
        assert action.input_root_digest is not None
        known = {**composed.messages, **self.roots.of(copy_in(self.store, FOLDER)).directories}
        return _listing(Merkle(action.input_root_digest, known, frozenset()), action.input_root_digest, "")


def _listing(merkle: Merkle, digest: Digest, at: str) -> list[str]:
    data = merkle.directories.get(digest)
    if data is None:
        return [f"{at}..."]
    folder = wire.decode(Directory, data)
    lines = [f"{at}{node.name}{'*' * node.is_executable}" for node in folder.files]
    lines += [f"{at}{node.name} -> {node.target}" for node in folder.symlinks]
    for node in folder.directories:
        assert node.digest is not None
        lines += _listing(merkle, node.digest, f"{at}{node.name}/") or [f"{at}{node.name}/"]
    return lines


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "files").mkdir()
    return Desk(DiskStore(tmp_path / "cache"), tmp_path / "files")


def action(script: str = "true", outputs: tuple[str, ...] = ("out",), **environment: str) -> Action:
    inputs = [source("app/tool.sh"), source("main.c"), out("a", "made"), made("lib", "d", folder=True)]
    return run("a", script, tree(ROOT_TREE), inputs, [made("a", name) for name in outputs], environment)


def test_the_input_root_is_all_that_a_command_sees(desk: Desk) -> None:
    composed = desk.compose(action(), {"app/tool.sh": b"#!/bin/sh\n"})
    assert desk.listing(composed) == [
        "bin -> usr/bin",
        "build/main.c",
        "build/.inputs/distroless-out/a/made",
        "build/app/tool.sh*",
        "build/distroless-out/a/made -> /build/.inputs/distroless-out/a/made",
        "build/distroless-out/lib/d/x",
        "dev/",
        "proc/",
        "tmp/",
        "usr/...",
    ]
    assert composed.trees == (Digest.of(ROOT_TREE), Digest.of(FOLDER))


def test_messages_are_what_the_api_says(desk: Desk) -> None:
    composed = desk.compose(action(Z="1", A="2"), properties=(("b", "2"), ("a", "1")))
    read = official("build.bazel.remote.execution.v2.Action").FromString(composed.messages[composed.digest])
    told = composed.messages[Digest(read.command_digest.hash, read.command_digest.size_bytes)]
    command = official("build.bazel.remote.execution.v2.Command").FromString(told)
    assert list(command.arguments) == ["/bin/sh", "-e", "-c", "true"]
    names = [each.name for each in command.environment_variables]
    assert names == sorted(names)
    assert {"A", "Z", "PATH", "OUT"} <= set(names)
    assert (command.working_directory, list(command.output_paths)) == ("build", ["distroless-out/a"])
    assert [(each.name, each.value) for each in read.platform.properties] == [("a", "1"), ("b", "2")]
    assert read.platform == command.platform
    assert (read.timeout.seconds, read.do_not_cache) == (120, False)
    assert read.salt == bytes.fromhex(key(action(Z="1", A="2"), _digests(), "1").hash)
    assert read.SerializeToString(deterministic=True) == composed.messages[composed.digest]


def _digests() -> dict[str, Digest]:
    names = ("app/tool.sh", "main.c", "distroless-out/a/made")
    digests = {name: Digest.of(name.encode()) for name in names}
    return {**digests, ROOT: Digest.of(ROOT_TREE), "distroless-out/lib/d": Digest.of(FOLDER)}


def test_what_makes_another_action(desk: Desk) -> None:
    base = desk.compose(action())
    others = [
        desk.compose(action("false")),
        desk.compose(action(X="")),
        desk.compose(action(outputs=("out", "more"))),
        desk.compose(action(), properties=(("pool", "big"),)),
        desk.compose(action(), {"main.c": b"other"}),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == 1 + len(others)
    assert desk.compose(action()).digest == base.digest


def test_an_input_that_is_not_unicode_cannot_be_said(desk: Desk) -> None:
    with pytest.raises(FormatError, match="it is not Unicode"):
        desk.compose(run("a", "true", tree(ROOT_TREE), [source("caf\udce9")]))
