"""Merkle trees: what is in one message, what is shared, and that the same files are the same tree."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.errors import FormatError
from distroless_rules.execution.merkle import Builder, Merkle, of_entries
from distroless_rules.execution.roots import Roots
from distroless_rules.storage import wire
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.messages import Directory, Tree
from distroless_rules.storage.store import MissingBlobError, copy_in
from distroless_rules.tar import reader
from distroless_rules.values.digest import EMPTY, Digest
from distroless_rules.values.tree import Entry, Kind
from tests.support.image import directory, file, hardlink, symlink, tar

ONE = Digest.of(b"one")


def shown(merkle: Merkle, digest: Digest | None = None, at: str = "") -> list[str]:
    """Write a tree for people: a line for each path."""
    folder = wire.decode(Directory, merkle.directories[digest or merkle.root])
    lines = [
        f"{at}{node.name} {node.digest.size if node.digest else '-'}{'*' * node.is_executable}" for node in folder.files
    ]
    lines += [f"{at}{node.name} -> {node.target}" for node in folder.symlinks]
    for node in folder.directories:
        lines.append(f"{at}{node.name}/")
        if node.digest in merkle.directories:
            lines += shown(merkle, node.digest, f"{at}{node.name}/")
    return lines


def test_an_archive_becomes_a_tree() -> None:
    archive = tar(
        directory("./"),
        directory("empty"),
        file("usr/bin/tool", b"#!/bin/sh\n", 0o755),
        file("etc/b", b"1"),
        file("etc/a", b"22", 0o4711),
        hardlink("usr/bin/same", "usr/bin/tool"),
        symlink("bin", "usr/bin"),
    )
    merkle = of_entries(reader.read(io.BytesIO(archive), "0" * 64))
    assert shown(merkle) == [
        "bin -> usr/bin",
        "empty/",
        "etc/",
        "etc/a 2*",
        "etc/b 1",
        "usr/",
        "usr/bin/",
        "usr/bin/same 10*",
        "usr/bin/tool 10*",
    ]
    assert merkle.files == {Digest.of(b"1"), Digest.of(b"22"), Digest.of(b"#!/bin/sh\n")}


def test_times_are_said_to_be_zero() -> None:
    builder = Builder()
    builder.file("a", ONE, executable=False)
    top = wire.decode(Directory, next(iter(builder.seal().directories.values())))
    properties = top.files[0].node_properties
    assert properties is not None
    assert properties.mtime is not None
    assert (properties.mtime.seconds, properties.mtime.nanos) == (0, 0)


def test_a_tree_is_known_by_its_root_alone_where_it_is_grafted() -> None:
    toolchain = of_entries([Entry("usr/gcc", Kind.FILE, 0o755, size=3, sha256=ONE.hash), Entry.directory("build")])
    builder = Builder(toolchain.top())
    builder.file("build/src/main.c", ONE, executable=False)
    builder.graft("build/lib", Digest.of(b"of another"))
    composed = builder.seal()
    assert shown(composed) == ["build/", "build/lib/", "build/src/", "build/src/main.c 3", "usr/"]
    assert len(composed.directories) == 3, "the messages of the toolchain's folders are not made again"
    assert composed.files == {ONE}


def test_a_folder_that_is_known_by_its_root_stays_what_it_is() -> None:
    root = of_entries([Entry("tmp/x", Kind.FILE, 0o644, size=3, sha256=ONE.hash), Entry.directory("dev")])
    builder = Builder(root.top())
    for name in ("tmp", "dev", "proc"):
        builder.folder(name)
    builder.file("dev/null", ONE, executable=False)
    assert shown(builder.seal()) == ["dev/", "dev/null 3", "proc/", "tmp/"]
    with pytest.raises(FormatError):
        builder.file("tmp/y", ONE, executable=False)


@pytest.mark.parametrize("path", ["usr/gcc", "usr/gcc/x", "tree", "tree/x"])
def test_nothing_stands_where_something_stands(path: str) -> None:
    builder = Builder()
    builder.file("usr/gcc", ONE, executable=True)
    builder.graft("tree", ONE)
    with pytest.raises(FormatError, match=r"in(to)? a tree"):
        builder.file(path, ONE, executable=False)


@pytest.mark.parametrize("entry", [Entry.symlink("a", "\udcff"), Entry.symlink("\udcff", "a")])
def test_what_is_not_unicode_cannot_be_said(entry: Entry) -> None:
    with pytest.raises(FormatError, match="it is not Unicode"):
        of_entries([entry])


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=3).filter(
    lambda name: name not in (".", "..")
)
FILES = st.dictionaries(NAMES, st.tuples(st.binary(max_size=3), st.booleans()), max_size=6)


@given(st.dictionaries(NAMES, FILES, max_size=4))
def test_order_does_not_matter_and_what_is_written_is_read(
    tree: dict[str, dict[str, tuple[bytes, bool]]],
) -> None:
    def entries(names: list[str]) -> list[Entry]:
        return [
            Entry(f"{name}/{each}", Kind.FILE, 0o755 if bit else 0o644, size=len(data), sha256=Digest.of(data).hash)
            for name in names
            for each, (data, bit) in tree[name].items()
        ]

    merkle = of_entries(entries(list(tree)))
    assert of_entries(reversed(entries(sorted(tree)))) == merkle
    assert Merkle.load(merkle.tree()) == merkle
    children = wire.decode(Tree, merkle.tree()).children
    assert len(children) == len(merkle.directories) - 1


def test_a_tree_is_computed_once_ever(tmp_path: Path) -> None:
    archive = tar(directory("./"), file("a/b", b"bytes", 0o755), file("c", b""))
    with DiskStore(tmp_path / "cache") as store:
        digest = copy_in(store, archive)
        first = Roots(store, store)
        merkle = first.of(digest)
        assert first.of(digest) is merkle
        places = first.places(digest)
        for found, offset in places.items():
            assert Digest.of(archive[offset : offset + found.size]) == found
        assert set(places) == merkle.files == {Digest.of(b"bytes"), EMPTY}
        store.path(digest).unlink()
        assert Roots(store, store).of(digest) == merkle, "it is remembered without the archive"
        with pytest.raises(MissingBlobError):
            Roots(store, store).of(Digest.of(b"never put"))
