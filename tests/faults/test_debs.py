"""Debs that an archive has signed, and that are broken or hostile all the same: nothing is written but the cache."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.debs import ar, deb_of, make_deb, member, pax, tar
from tests.support.scene import BUILD, Scene, scene

EVIL = {"BUILD": BUILD.replace("small", "evil")}
CONTROL = tar(member("control", data=b"Package: evil\nVersion: 1.0\nArchitecture: amd64\n"))
GOOD = make_deb("etc/file = x", {"Package": "evil"})


OUTSIDE = Path("/tmp/distroless-rules-evil")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("debs")) as made:
        yield made


@pytest.fixture
def built(good: Scene) -> Iterator[Scene]:
    """A scene whose BUILD file and lock are put back in the end, when all must be as if nothing had been."""
    lock = (good.root / "distroless.lock").read_bytes()
    yield good
    good.write({"BUILD": BUILD})
    (good.root / "distroless.lock").write_bytes(lock)
    good.recovers()
    assert not OUTSIDE.exists()


def lock_evil(it: Scene, deb: bytes) -> None:
    """Let the archive have one deb only, and the workspace want it."""
    it.archive.clear()
    it.archive.add_stanza("Package: evil\nVersion: 1.0", deb)
    it.archive.publish("trixie")
    it.write(EVIL)
    assert it.run("lock").status == 0


def holding(*members: str | bytes) -> bytes:
    return make_deb(members, {"Package": "evil"})


DATA = "distroless: cannot read data.tar.xz of evil_1.0_amd64.deb: "
CASES: dict[str, tuple[bytes, str]] = {
    "nothing much": (b"\n", "distroless: cannot read evil_1.0_amd64.deb: it is no ar archive, so no deb"),
    "no deb": (b"<html>not found</html>", "distroless: cannot read evil_1.0_amd64.deb: it is no ar archive, so no deb"),
    "cut off": (GOOD[:-40], 'distroless: cannot read evil_1.0_amd64.deb: it is cut off in member "data.tar.xz"'),
    "no data": (
        GOOD[: GOOD.index(b"data.tar.xz")],
        'distroless: cannot read evil_1.0_amd64.deb: it has no member "data"',
    ),
    "damaged data": (
        GOOD[:-60] + b"damage" + GOOD[-54:],
        DATA + "it is malformed: Corrupt input data",
    ),
    "another compression": (
        ar([("debian-binary", b"2.0\n"), ("control.tar.br", b""), ("data.tar.br", b"")]),
        'distroless: cannot read evil_1.0_amd64.deb: "control.tar.br" is compressed in a way that is not known',
    ),
    "a path that climbs out": (
        holding(member("../../../../tmp/distroless-rules-evil", data=b"x")),
        DATA + 'path "../../../../tmp/distroless-rules-evil" climbs out with ".."',
    ),
    "a path that climbs out of a folder": (
        holding(member("usr/../../evil", data=b"x")),
        DATA + 'path "usr/../../evil" climbs out with ".."',
    ),
    "a hard link that climbs out": (
        holding(member("a", "1", link="../../../etc/passwd")),
        DATA + 'path "../../../etc/passwd" climbs out with ".."',
    ),
    "a hard link to this machine's file": (
        holding(member("a", "1", link="/etc/passwd")),
        DATA + '"a" is a hard link to "etc/passwd", no file before it',
    ),
    "a file through a link": (
        holding(member("a", "2", link="/tmp"), member("a/evil", data=b"x")),
        DATA + '"a/evil" lies beneath "a", which is no folder there',
    ),
    "a folder that becomes a link": (
        holding(member("a", "5"), member("a", "2", link="/tmp"), member("a/evil", data=b"x")),
        DATA + 'it has "a" twice, with different content',
    ),
    "a link beneath which something lies": (
        holding(member("a/evil"), member("a", "2", link="/tmp")),
        DATA + '"a" is no folder, and a path before it lies beneath it',
    ),
    "a character device": (
        holding(member("dev/mem", "3")),
        DATA + '"dev/mem" is a character device',
    ),
    "a block device": (
        holding(member("dev/sda", "4")),
        DATA + '"dev/sda" is a block device',
    ),
    "a named pipe": (
        holding(member("run/pipe", "6")),
        DATA + '"run/pipe" is a named pipe',
    ),
    "a sparse file": (
        holding(pax({"GNU.sparse.major": "1"}), member("a")),
        DATA + '"a" is a sparse file, which is not supported',
    ),
    "a root that is a link": (
        deb_of(CONTROL, tar(member("./", "5"), member(".", "2", link="/"))),
        DATA + "its root is no folder",
    ),
    "a NUL in a path": (
        holding(pax({"path": b"a\0b"}), member("a")),
        DATA + "path 'a\\x00b' holds a NUL byte",
    ),
    "a path that a terminal obeys": (
        holding(member("\x1b[2J/../x")),
        DATA + 'path "\\x1b[2J/../x" climbs out with ".."',
    ),
    "a path too long": (
        holding(pax({"path": "x/" * 3000}), member("a")),
        DATA + 'path "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/..." is longer than 4096 bytes',
    ),
    "a name too long": (
        holding(pax({"path": "x" * 300}), member("a")),
        DATA + 'the name "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..." is longer than 255 bytes',
    ),
    "an owner that is none": (
        holding(pax({"gid": "9" * 18}), member("a")),
        DATA + '"a" belongs to 0:999999999999999999, which no file can',
    ),
    "a control archive that is a bomb": (
        deb_of(CONTROL + bytes(65 << 20), tar(), "gzip"),
        "distroless: cannot read control.tar.gz of evil_1.0_amd64.deb: it unpacks to more than 67108864 bytes",
    ),
    "another deb's name": (
        make_deb("", {"Package": "good"}),
        'distroless: cannot unpack evil_1.0_amd64.deb: its control file says Package: "good" and not "evil"',
    ),
    "another version": (
        make_deb("", {"Package": "evil", "Version": "2.0"}),
        'distroless: cannot unpack evil_1.0_amd64.deb: its control file says Version: "2.0" and not "1.0"',
    ),
    "another architecture": (
        make_deb("", {"Package": "evil", "Architecture": "arm64"}),
        'distroless: cannot unpack evil_1.0_amd64.deb: its control file says Architecture: "arm64" and not "amd64"',
    ),
}


@pytest.mark.parametrize(("deb", "error"), CASES.values(), ids=list(CASES))
def test_a_hostile_deb(built: Scene, deb: bytes, error: str) -> None:
    lock_evil(built, deb)
    begun = time.perf_counter()
    built.fails(1, error)
    assert time.perf_counter() - begun < 5


def test_a_decompression_bomb(built: Scene) -> None:
    deb = holding(member("zeros", data=bytes(160 << 20)))
    lock_evil(built, deb)
    packed = int(deb[deb.index(b"data.tar.xz") :][48:58])
    built.fails(1, f"{DATA}{packed} bytes unpack to more than 67108864: a decompression bomb")


def test_a_path_from_the_root_of_this_machine_is_one_in_the_image(built: Scene) -> None:
    licence = member("./usr/share/doc/evil/copyright", data=b"free")
    lock_evil(built, holding(member(str(OUTSIDE), data=b"x"), licence))
    assert built.build().status == 0
    assert not OUTSIDE.exists()
    assert f"{str(OUTSIDE)[1:]}" in built.run("inspect", "//:image", "--files").out
