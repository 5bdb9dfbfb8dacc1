"""Layers above each other: what is there in the end, what lies hidden, and what is refused."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distroless_rules.errors import DistrolessError, FormatError
from distroless_rules.oci import layout
from distroless_rules.oci.layers import Layers
from distroless_rules.oci.opened import open_image
from distroless_rules.oci.unpack import unpack
from distroless_rules.values.tree import Kind
from tests.support.image import Member, device, directory, file, hardlink, layout_of, symlink, tar


def read(folder: Path, *layers: list[Member]) -> Layers:
    layout_of(folder / "image", [tar(*layer) for layer in layers])
    with open_image(str(folder / "image")) as image:
        return Layers.read(image)


def listing(layers: Layers) -> dict[str, str]:
    """Give each path with its layer, and the content of files, the target of links."""
    found = {}
    for path, entry in layers.entries.items():
        if entry.kind is Kind.FILE:
            what = layers.bytes_of(entry).decode()
        else:
            what = {Kind.DIRECTORY: "/", Kind.SYMLINK: f"-> {entry.target}"}.get(entry.kind, entry.kind.name)
        found[path] = f"{layers.layer_of[path]} {what}"
    return found


def test_later_layers_hide_earlier_ones(tmp_path: Path) -> None:
    layers = read(
        tmp_path,
        [
            file("etc/a", b"1234"),
            file("etc/b", b"12"),
            symlink("lib", "usr/lib"),
            directory("usr/lib"),
            device("dev/null"),
        ],
        [file("etc/a", b"new"), file("lib/so", b"so"), file("etc/.wh.b")],
        [file("opt/x/1", b"123456"), file("opt/x/2", b"1")],
        [file("opt/.wh.x"), file("opt/y", b"y")],
    )
    assert listing(layers) == {
        "dev": "0 /",
        "dev/null": "0 CHARACTER_DEVICE",
        "etc": "1 /",
        "etc/a": "1 new",
        "lib": "0 -> usr/lib",
        "opt": "3 /",
        "opt/y": "3 y",
        "usr": "1 /",
        "usr/lib": "1 /",
        "usr/lib/so": "1 so",
    }
    assert [(each.path, each.size, each.layer, each.by) for each in layers.hidden] == [
        ("opt/x/1", 6, 2, 3),
        ("etc/a", 4, 0, 1),
        ("etc/b", 2, 0, 1),
        ("opt/x/2", 1, 2, 3),
    ]
    assert [(each.size, each.hidden, each.whiteouts) for each in layers.tallies] == [
        (6, 6, 0), (5, 0, 1), (7, 7, 0), (1, 0, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_an_opaque_folder_hides_what_is_below_it_whatever_the_order(tmp_path: Path, first: bool) -> None:
    opaque = file("srv/.wh..wh..opq")
    fresh = [file("srv/new", b"n"), directory("srv/kept"), file("srv/kept/new", b"m")]
    upper = [directory("srv"), opaque, *fresh] if first else [directory("srv"), *fresh, opaque]
    layers = read(tmp_path, [file("srv/old", b"o"), file("srv/kept/old", b"p")], upper)
    assert set(listing(layers)) == {"srv", "srv/new", "srv/kept", "srv/kept/new"}
    assert {each.path for each in layers.hidden} == {"srv/old", "srv/kept/old"}


def test_a_hard_link_keeps_the_bytes_of_a_file_that_is_gone(tmp_path: Path) -> None:
    layers = read(tmp_path, [file("a", b"bytes"), hardlink("b", "a")], [file(".wh.a")])
    assert listing(layers) == {"b": "0 bytes"}
    assert layers.hidden == []


def test_whiteouts_of_what_is_not_there_and_reserved_names_change_nothing(tmp_path: Path) -> None:
    layers = read(tmp_path, [file("a", b"1")], [file(".wh.none"), file("no/folder/.wh.x"), file(".wh..wh.plnk")])
    assert set(listing(layers)) == {"a", "no", "no/folder"}


@pytest.mark.parametrize(
    ("layers", "cause"),
    [
        ([[file("a", b"1")], [file("a/b", b"2")]], "lies beneath something that is no folder"),
        ([[symlink("l", "l")], [file("l/x")]], "lies beneath something that is no folder"),
        ([[symlink("x", "y"), symlink("y", "x")], [file("x/z")]], "lies beneath something that is no folder"),
        ([[file(".wh.")]], "a whiteout of nothing"),
        ([[file(".wh...")]], "a whiteout of nothing"),
        ([[file("../etc/passwd", b"x")]], "climbs out"),
        ([[file("a")], [file("b"), hardlink("c", "a")]], "hard link"),
    ],
)
def test_what_is_hostile_is_refused(tmp_path: Path, layers: list[list[Member]], cause: str) -> None:
    with pytest.raises(FormatError, match=cause):
        read(tmp_path, *layers)


def test_a_link_out_of_the_image_stays_within_it(tmp_path: Path) -> None:
    layers = read(tmp_path, [symlink("out", "../../../../etc")], [file("out/passwd", b"x")])
    assert set(listing(layers)) == {"out", "etc", "etc/passwd"}


def test_layers_of_too_many_paths_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distroless_rules.oci.layers._MAX_PATHS", 10)
    with pytest.raises(FormatError, match="more than 10 paths"):
        read(tmp_path, [file(f"a{n}") for n in range(6)], [file(f"a{n}") for n in range(6)])


def test_a_damaged_layer_leaves_nothing_behind(tmp_path: Path) -> None:
    layout_of(tmp_path / "image", [tar(file("a", b"1"))], diff_ids=["sha256:" + "0" * 64])
    before = len(os.listdir("/proc/self/fd"))
    with open_image(str(tmp_path / "image")) as image, pytest.raises(FormatError, match="its diff ID is"):
        Layers.read(image)
    assert len(os.listdir("/proc/self/fd")) == before


NAMES = st.sampled_from(["a", "b", "a/b", "a/c", "b/a", "a/b/c", "l", "l/a", "a/l", "a/l/b"])
MEMBERS = st.one_of(
    st.builds(file, NAMES, st.binary(max_size=3)),
    st.builds(directory, NAMES),
    st.builds(symlink, st.sampled_from(["l", "a/l", "b"]), st.sampled_from(["a", "..", "/a", "b", "a/b"])),
    st.builds(lambda name: file(f"{name.rpartition('/')[0]}/.wh.{name.rpartition('/')[2]}".strip("/")), NAMES),
    st.builds(lambda name: file(f"{name}/.wh..wh..opq"), NAMES),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.lists(MEMBERS, max_size=6), min_size=1, max_size=4))
def test_what_is_there_is_what_unpacking_gives(
    tmp_path_factory: pytest.TempPathFactory, layers: list[list[Member]]
) -> None:
    folder = tmp_path_factory.mktemp("image")
    layout_of(folder / "image", [tar(*layer) for layer in layers])
    (folder / "root").mkdir()
    try:
        unpack(layout.read(folder / "image"), folder / "root")
    except DistrolessError:
        with open_image(str(folder / "image")) as image, pytest.raises(DistrolessError):
            Layers.read(image)
        return
    with open_image(str(folder / "image")) as image, Layers.read(image) as found:
        paths = {path.relative_to(folder / "root").as_posix(): path for path in (folder / "root").rglob("*")}
        assert set(found.entries) == set(paths)
        for path, entry in found.entries.items():
            if entry.kind is Kind.FILE:
                assert found.bytes_of(entry) == paths[path].read_bytes()
            elif entry.kind is Kind.SYMLINK:
                assert entry.target == os.readlink(paths[path])
        stored = sum(info.size for layer in layers for info, _ in layer if info.type == tarfile.REGTYPE)
        assert sum(each.size for each in found.tallies) <= stored
