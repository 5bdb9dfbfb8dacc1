"""Digests, image paths, platforms and file trees."""

from __future__ import annotations

import hashlib
import os
import posixpath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from distroless_rules.errors import FormatError
from distroless_rules.values import tree
from distroless_rules.values.digest import EMPTY, Digest
from distroless_rules.values.path import MAX_PATH_BYTES, clean, fold_usr, parents, resolve_link, sort_key
from distroless_rules.values.platform import HOST, Platform
from distroless_rules.values.tree import Entry, Kind
from tests.support.workspace import fails

# --- digests


def test_digest_of_bytes() -> None:
    digest = Digest.of(b"abc")
    assert digest == Digest(hashlib.sha256(b"abc").hexdigest(), 3)
    assert digest.oci == f"sha256:{digest.hash}"
    assert Digest.of(memoryview(b"xabcx")[1:4]) == digest
    assert str(EMPTY) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0"


@given(st.binary())
def test_a_digest_is_read_again_as_it_is_written(data: bytes) -> None:
    digest = Digest.of(data)
    assert Digest.parse(str(digest)) == digest


@pytest.mark.parametrize(
    "text",
    ["", "/", "a/1", "0" * 64, f"{'0' * 64}/", f"{'0' * 64}/-1", f"{'0' * 63}/1", f"{'0' * 65}/1", f"{'A' * 64}/1",
     f"{'0' * 64}/1/2", f"{'0' * 64}/1 ", f"{'0' * 64}\n/1", f"{'0' * 64}/\u0661", f"{'0' * 64}/0x1",
     f"{'0' * 64}/{'9' * 5000}"],
)  # fmt: skip
def test_what_is_no_digest(text: str) -> None:
    with pytest.raises(FormatError):
        Digest.parse(text)


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(FormatError, match="negative size -1"):
        Digest("0" * 64, -1)


# --- paths


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("./usr/bin/", "usr/bin"),
        ("/usr/bin", "usr/bin"),
        ("usr//bin/./x", "usr/bin/x"),
        (".", ""),
        ("/", ""),
        ("", ""),
        ("...", "..."),
        ("a..b/..c", "a..b/..c"),
        ("a\nb", "a\nb"),
        ("caf\udce9", "caf\udce9"),
    ],
)
def test_clean_paths(raw: str, path: str) -> None:
    assert clean(raw) == path


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        ("..", 'path ".." climbs out with ".."'),
        ("a/../b", 'path "a/../b" climbs out with ".."'),
        ("/../etc", 'path "/../etc" climbs out with ".."'),
        ("a\0b", "path 'a\\x00b' holds a NUL byte"),
    ],
)
def test_paths_that_are_refused(raw: str, cause: str) -> None:
    assert fails(lambda: clean(raw, what="layer")) == f"cannot read layer: {cause}"


def test_paths_may_be_as_long_as_a_kernel_takes() -> None:
    assert clean("é" * (MAX_PATH_BYTES // 2)) == "é" * (MAX_PATH_BYTES // 2)
    assert "longer than 4096 bytes" in fails(lambda: clean("é" * (MAX_PATH_BYTES // 2) + "x"))


@given(st.text("ab./\\é\udcff ", max_size=12))
def test_a_clean_path_is_normal_and_stays_clean(raw: str) -> None:
    try:
        path = clean(raw)
    except FormatError:
        assert ".." in raw.split("/")
        return
    assert clean(path) == path
    assert path == "" or posixpath.normpath(path) == path
    assert not path.startswith("/")


def test_parents() -> None:
    assert list(parents("a/b/c")) == ["a", "a/b"]
    assert list(parents("a")) == list(parents("")) == []


def test_paths_are_ordered_by_their_bytes() -> None:
    assert sorted(["é", "z", "\udcff", "a/b", "a-b", "a"], key=sort_key) == ["a", "a-b", "a/b", "z", "é", "\udcff"]


@pytest.mark.parametrize(
    ("path", "folded"),
    [("lib/x.so", "usr/lib/x.so"), ("bin/sh", "usr/bin/sh"), ("sbin/x/y", "usr/sbin/x/y"), ("lib64/ld", "usr/lib64/ld"),
     ("bin", "bin"), ("usr/bin/x", "usr/bin/x"), ("libx/y", "libx/y"), ("etc/x", "etc/x"), ("", "")],
)  # fmt: skip
def test_fold_usr(path: str, folded: str) -> None:
    assert fold_usr(path) == folded


@given(st.lists(st.sampled_from(["a", "b", "..", "."]), max_size=6), st.booleans())
@example(["..", "..", "x"], False)
def test_links_resolve_as_the_kernel_does(parts: list[str], absolute: bool) -> None:
    target = ("/" if absolute else "") + "/".join(parts)
    if not target:
        assert resolve_link("d/e/link", target) is None
        return
    expected = posixpath.normpath(posixpath.join("/d/e", target)).lstrip("/")
    assert resolve_link("d/e/link", target) == expected


# --- platforms


@pytest.mark.parametrize(
    ("text", "oci", "deb", "multiarch"),
    [
        ("linux/amd64", "linux/amd64", "amd64", "x86_64-linux-gnu"),
        ("amd64", "linux/amd64", "amd64", "x86_64-linux-gnu"),
        ("linux/arm64/v8", "linux/arm64", "arm64", "aarch64-linux-gnu"),
        ("armhf", "linux/arm/v7", "armhf", "arm-linux-gnueabihf"),
        ("armel", "linux/arm/v6", "armel", "arm-linux-gnueabi"),
        ("linux/386", "linux/386", "i386", "i386-linux-gnu"),
        ("ppc64el", "linux/ppc64le", "ppc64el", "powerpc64le-linux-gnu"),
        ("s390x", "linux/s390x", "s390x", "s390x-linux-gnu"),
        ("riscv64", "linux/riscv64", "riscv64", "riscv64-linux-gnu"),
        ("loong64", "linux/loong64", "loong64", "loongarch64-linux-gnu"),
    ],
)
def test_platforms(text: str, oci: str, deb: str, multiarch: str) -> None:
    platform = Platform.parse(text)
    assert (str(platform), platform.deb, platform.multiarch) == (oci, deb, multiarch)
    assert Platform.parse(str(platform)) == Platform.of_deb(deb) == platform


@pytest.mark.parametrize(
    "text", ["", "linux", "windows/amd64", "linux/amd64/v2", "linux/amd46", "all", "//a:b", "LINUX/AMD64"]
)
def test_unknown_platforms(text: str) -> None:
    assert fails(lambda: Platform.parse(text)).startswith(f'cannot use platform "{text}": it is not known')


def test_a_platform_nearly_written_is_suggested() -> None:
    assert fails(lambda: Platform.parse("linux/arm46")).endswith('; did you mean "linux/arm64"?')
    assert fails(lambda: Platform.parse("amd46")).endswith('; did you mean "amd64"?')


def test_this_machine_is_a_platform() -> None:
    assert Platform.parse(str(HOST)) == HOST
    assert (HOST.architecture == "amd64") == (os.uname().machine == "x86_64")


# --- trees

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.just("caf\udce9")
_NUMBER = st.integers(0, 2**60)
_HASH = st.binary(min_size=32, max_size=32).map(bytes.hex) | st.just("")
_ENTRY = st.builds(
    Entry,
    path=_TEXT,
    kind=st.sampled_from(Kind),
    mode=st.integers(0, 0o7777),
    uid=_NUMBER,
    gid=_NUMBER,
    size=_NUMBER,
    target=_TEXT,
    sha256=_HASH,
    source=_HASH,
    offset=_NUMBER,
    xattrs=st.lists(st.tuples(_TEXT, st.binary(max_size=4).map(bytes.hex)), max_size=2).map(tuple),
    mtime=st.integers(-(2**40), 2**40),
)


@given(st.lists(_ENTRY, max_size=4))
def test_a_tree_is_read_again_as_it_is_written(entries: list[Entry]) -> None:
    assert tree.load(tree.dump(entries)) == entries


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"[]",
        b"[1]",
        b'{"a":1}',
        b"[" * 100,
        b"[" * 100_000,
        b'["a"]\n["b"',
        b'["p","9",0,0,0,0,"","","",0,[],0]',
        b"\xff",
    ],
)
def test_what_is_no_tree(data: bytes) -> None:
    with pytest.raises(FormatError, match="not one of ours"):
        tree.load(data)


def test_folders_come_before_what_is_in_them() -> None:
    entries = [Entry.directory(path) for path in ("usr/lib", "usr", "usr-x", "", "usr/lib/é", "bin")]
    assert [entry.path for entry in tree.order(entries)] == ["", "bin", "usr", "usr-x", "usr/lib", "usr/lib/é"]


def test_entries_for_short() -> None:
    link = Entry.symlink("bin", "usr/bin")
    assert (link.kind, link.mode, link.target) == (Kind.SYMLINK, 0o777, "usr/bin")
    assert link.moved("sbin") == Entry.symlink("sbin", "usr/bin")
    assert Entry.directory("x", 0o700, 1, 2) == Entry("x", Kind.DIRECTORY, 0o700, 1, 2)
