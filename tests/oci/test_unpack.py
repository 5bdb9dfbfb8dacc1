"""Layers laid out on disk: what is there in the end, and that nothing is ever outside."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distroless_rules.errors import DistrolessError, FormatError
from distroless_rules.oci import layout
from distroless_rules.oci.unpack import Root, unpack
from tests.support.disk import let_everyone_in
from tests.support.image import Member, device, directory, file, hardlink, layout_of, symlink, tar
from tests.support.process import become_nobody, in_child


def made(folder: Path, *layers: list[Member], compression: str = "gzip") -> Root:
    layout_of(folder / "image", [tar(*layer) for layer in layers], compression=compression)
    (folder / "root").mkdir()
    return unpack(layout.read(folder / "image"), folder / "root")


def listing(root: Path) -> dict[str, str]:
    """Give each path with its type, mode and content; links with their target."""
    found = {}
    for path in sorted(root.rglob("*")):
        name, status = path.relative_to(root).as_posix(), path.lstat()
        if stat.S_ISLNK(status.st_mode):
            found[name] = f"-> {os.readlink(path)}"
        else:
            text = "/" if stat.S_ISDIR(status.st_mode) else path.read_text()
            found[name] = f"{stat.S_IMODE(status.st_mode):o} {text}"
    return found


def modelled(root: Root) -> set[str]:
    """Give every path that the model knows."""
    found, waiting = set(), [("", root.top)]
    while waiting:
        at, node = waiting.pop()
        for name, child in node.children.items():
            below = f"{at}/{name}" if at else name
            found.add(below)
            waiting.append((below, child))
    return found


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_layers_are_laid_over_each_other(tmp_path: Path, compression: str) -> None:
    root = made(
        tmp_path,
        [directory("./", 0o711), directory("etc"), file("etc/a", b"1", 0o640), symlink("lib", "usr/lib")],
        [directory("etc", 0o700), file("etc/a", b"2", 0o604), hardlink("etc/b", "etc/a"), directory("usr/lib", 0o555)],
        [file("lib/so", b"3"), file("usr/lib/.keep", b"4")],
        compression=compression,
    )
    assert listing(root.folder) == {
        "etc": "700 /",
        "etc/a": "604 2",
        "etc/b": "604 2",
        "lib": "-> usr/lib",
        "usr": "755 /",
        "usr/lib": "555 /",
        "usr/lib/.keep": "644 4",
        "usr/lib/so": "644 3",
    }
    assert stat.S_IMODE(root.folder.stat().st_mode) == 0o711
    assert (root.folder / "etc/a").stat().st_ino == (root.folder / "etc/b").stat().st_ino
    assert (root.folder / "etc/a").stat().st_mtime == 0
    assert modelled(root) == set(listing(root.folder))


@pytest.mark.parametrize(
    ("second", "left"),
    [
        ([file("a", b"file")], {"a": "644 file"}),
        ([symlink("a", "/x")], {"a": "-> /x"}),
        ([directory("a", 0o700)], {"a": "700 /", "a/b": "755 /", "a/b/c": "644 old", "a/d": "-> b"}),
        ([directory("a/d")], {"a": "755 /", "a/b": "755 /", "a/b/c": "644 old", "a/d": "755 /"}),
        ([file("a/b", b"new")], {"a": "755 /", "a/b": "644 new", "a/d": "-> b"}),
        (
            [file("a/d/e", b"new")],
            {"a": "755 /", "a/b": "755 /", "a/b/c": "644 old", "a/b/e": "644 new", "a/d": "-> b"},
        ),
        ([file(".wh.a")], {}),
        ([file("a/.wh.b")], {"a": "755 /", "a/d": "-> b"}),
        ([file("a/.wh.nothing")], {"a": "755 /", "a/b": "755 /", "a/b/c": "644 old", "a/d": "-> b"}),
        ([file("a/.wh..wh..opq")], {"a": "755 /"}),
        ([file("a/new"), file("a/.wh..wh..opq")], {"a": "755 /", "a/new": "644 "}),
        ([file("a/.wh..wh..opq"), file("a/new")], {"a": "755 /", "a/new": "644 "}),
        ([file("a/b/new"), file("a/.wh..wh..opq")], {"a": "755 /", "a/b": "755 /", "a/b/new": "644 "}),
        ([file("a/b/new"), file("a/.wh.b")], {"a": "755 /", "a/b": "755 /", "a/b/new": "644 ", "a/d": "-> b"}),
        ([file(".wh.a"), file("a")], {"a": "644 "}),
    ],
)
def test_later_layers_replace_and_hide(tmp_path: Path, second: list[Member], left: dict[str, str]) -> None:
    first = [directory("a"), directory("a/b"), file("a/b/c", b"old"), symlink("a/d", "b")]
    root = made(tmp_path, first, second)
    assert listing(root.folder) == left
    assert modelled(root) == set(left)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (symlink("out", "/"), file("out/evil", b"x")),
        (symlink("out", ".."), file("out/evil", b"x")),
        (symlink("out", "../../../../.."), file("out/tmp/evil", b"x")),
        (symlink("out", "a/../../.."), file("out/evil", b"x")),
        (symlink("out", "/no/such/folder"), file("out/evil", b"x")),
    ],
)
def test_links_lead_nowhere_but_into_the_root(tmp_path: Path, first: Member, second: Member) -> None:
    root = made(tmp_path, [first], [second])
    inside = [path for path in root.folder.rglob("evil") if not path.is_symlink()]
    assert len(inside) == 1
    assert not list(tmp_path.glob("evil"))
    assert {path.name for path in tmp_path.iterdir()} == {"image", "image.store", "root"}


@pytest.mark.parametrize(
    ("layers", "cause"),
    [
        ([[file("../evil")]], 'climbs out with ".."'),
        ([[symlink("a", "a")], [file("a/b")]], "it lies beneath something that is no folder"),
        ([[symlink("a", "b"), symlink("b", "a")], [file("a/c")]], "it lies beneath something that is no folder"),
        ([[file("a")], [file("a/b")]], "it lies beneath something that is no folder"),
        ([[hardlink("a", "/etc/passwd")]], "no file before it"),
        ([[device("null")]], "is a character device"),
        ([[device("disk", tarfile.BLKTYPE)]], "is a block device"),
        ([[device("pipe", tarfile.FIFOTYPE)]], "is a named pipe"),
        ([[file(".wh.")]], "it is a whiteout of nothing"),
        ([[file("a/.wh...")]], "it is a whiteout of nothing"),
        ([[file("a"), directory("a")]], "with different content"),
    ],
)
def test_hostile_layers_are_refused(tmp_path: Path, layers: list[list[Member]], cause: str) -> None:
    with pytest.raises(FormatError) as caught:
        made(tmp_path, *layers)
    assert cause in str(caught.value)


def test_damaged_layers_are_refused(tmp_path: Path) -> None:
    layout_of(tmp_path / "image", [tar(file("a"))], diff_ids=["sha256:" + "0" * 64])
    (tmp_path / "root").mkdir()
    with pytest.raises(FormatError, match="its diff ID is"):
        unpack(layout.read(tmp_path / "image"), tmp_path / "root")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_owners_and_special_bits_are_kept(tmp_path: Path) -> None:
    info, data = file("tool", b"x", 0o4755, 7, 8)
    info.pax_headers = {"SCHILY.xattr.user.note": "hello"}
    root = made(tmp_path, [directory("d", 0o2775, 5, 6), (info, data), symlink("link", "tool")])
    shown = {path.name: path.lstat() for path in root.folder.iterdir()}
    assert [(s.st_uid, s.st_gid, stat.S_IMODE(s.st_mode)) for s in (shown["d"], shown["tool"])] == [
        (5, 6, 0o2775),
        (7, 8, 0o4755),
    ]
    with suppress(OSError):  # a file system may not have attributes of users
        assert os.getxattr(root.folder / "tool", "user.note") == b"hello"


def test_anybody_can_unpack(tmp_path: Path) -> None:
    layers = [
        [directory("a", 0o555, 5, 6), file("a/secret", b"x", 0o000, 7, 8), directory("b", 0o000)],
        [file("a/more", b"y"), file("b/.wh.none")],
    ]
    layout_of(tmp_path / "image", [tar(*layer) for layer in layers])
    let_everyone_in(tmp_path)

    def work() -> dict[str, str]:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "root").mkdir()
            unpack(layout.read(tmp_path / "image"), Path(folder) / "root")
            modes = {
                path.relative_to(folder).as_posix(): oct(stat.S_IMODE(path.lstat().st_mode))
                for path in (Path(folder) / "root").rglob("*")
            }
            for name in ("a", "b"):
                os.chmod(Path(folder) / "root" / name, 0o700)
            return modes

    done = in_child(_as_nobody(work)) if os.geteuid() == 0 else work()
    assert done == {"root/a": "0o555", "root/a/secret": "0o0", "root/a/more": "0o644", "root/b": "0o0"}


def _as_nobody(work: Callable[[], dict[str, str]]) -> Callable[[], dict[str, str]]:
    def run() -> dict[str, str]:
        become_nobody()
        return work()

    return run


def test_files_are_found_by_what_links_say(tmp_path: Path) -> None:
    root = made(
        tmp_path,
        [
            directory("etc"),
            symlink("etc/passwd", "../usr/passwd"),
            symlink("etc/shadow", "/../../../../../etc/shadow"),
            directory("usr"),
            file("usr/passwd", b"root:x:0:0"),
            symlink("bin", "usr"),
        ],
    )
    assert root.read("etc/passwd", 100) == b"root:x:0:0"
    assert root.read("bin/passwd", 4) == b"root"
    assert root.read("etc/shadow", 100) == b""
    assert root.read("etc", 100) == b""


def test_same_tree_as_umoci(tmp_path: Path) -> None:
    if not shutil.which("umoci"):
        pytest.skip("umoci is not installed")
    layers = [
        [directory("etc"), file("etc/a", b"1"), directory("opt/x"), file("opt/x/y", b"2"), symlink("lib", "usr/lib")],
        [file("etc/.wh.a"), file("etc/b", b"3"), directory("usr/lib"), file("lib/z", b"4"), hardlink("w", "etc/b")],
        [directory("opt", 0o711), file("opt/.wh..wh..opq"), file("opt/new", b"5")],
    ]
    root = made(tmp_path, *layers)
    command = ["umoci", "unpack", "--rootless", "--image", f"{tmp_path}/image:latest", f"{tmp_path}/bundle"]
    subprocess.run(command, check=True, capture_output=True)
    assert listing(root.folder) == listing(tmp_path / "bundle/rootfs")


_NAMES = st.sampled_from(["a", "b", "c", "a", "b", ".wh.a", ".wh..wh..opq"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map("/".join)
_TARGETS = st.lists(st.sampled_from(["", "a", "b", "c", "..", "."]), min_size=1, max_size=5).map("/".join)
MEMBERS = st.one_of(
    st.builds(directory, _PATHS, st.sampled_from([0o755, 0o555])),
    st.builds(lambda path: file(path, b"x"), _PATHS),
    st.builds(symlink, _PATHS, _TARGETS.filter(bool)),
    st.builds(hardlink, _PATHS, _PATHS),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(MEMBERS, max_size=5), min_size=1, max_size=4))
def test_model_and_disk_agree_and_nothing_is_outside(layers: list[list[Member]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        guard = folder / "guard"
        guard.mkdir()
        layout_of(guard / "image", [tar(*layer) for layer in layers], compression="none")
        (guard / "root").mkdir()
        before = set(folder.rglob("*"))
        try:
            root = unpack(layout.read(guard / "image"), guard / "root")
        except DistrolessError:
            root = None
        outside = {path for path in folder.rglob("*") if guard / "root" not in path.parents}
        assert outside == before
        if root is not None:
            assert modelled(root) == {path.relative_to(root.folder).as_posix() for path in _walk(root.folder)}


def _walk(folder: Path) -> list[Path]:
    found = []
    for at, folders, files in os.walk(folder):
        found += [Path(at) / name for name in (*folders, *files)]
    return found
