"""Tar archives that lie, climb, hide and never end: one named error for each, in little time and memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.errors import FormatError
from distroless_rules.tar import reader
from distroless_rules.values.tree import Kind
from tests.support.debs import listing, member, pax, tar


def refusal(*members: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        list(reader.entries([tar(*members)], "data.tar"))
    return str(caught.value).removeprefix("cannot read data.tar: ")


REFUSED = {
    "climbing out": ([member("../a")], 'path "../a" climbs out with ".."'),
    "climbing out on the way": ([member("./a/../../b")], 'path "./a/../../b" climbs out with ".."'),
    "climbing out in a pax record": ([pax({"path": "../a"}), member("a")], 'path "../a" climbs out with ".."'),
    "a hard link that climbs out": (
        [member("a", "1", link="../../etc/passwd")],
        'path "../../etc/passwd" climbs out with ".."',
    ),
    "a hard link to nothing": (
        [member("a", "1", link="/etc/passwd")],
        '"a" is a hard link to "etc/passwd", no file before it',
    ),
    "a hard link to itself": ([member("a", "1", link="a")], '"a" is a hard link to "a", no file before it'),
    "a hard link to a folder": (
        [member("a/", "5"), member("b", "1", link="a")],
        '"b" is a hard link to "a", no file before it',
    ),
    "a hard link to a link": (
        [member("a", "2", link="/etc/shadow"), member("b", "1", link="a")],
        '"b" is a hard link to "a", no file before it',
    ),
    "a hard link with bytes": ([member("a"), member("b", "1", b"x", link="a")], '"b" is no file and yet has 1 bytes'),
    "a folder with bytes": ([member("a", "5", b"x")], '"a" is no file and yet has 1 bytes'),
    "beneath a link": (
        [member("a", "2", link="/etc"), member("a/b")],
        '"a/b" lies beneath "a", which is no folder there',
    ),
    "deep beneath a link": (
        [member("a", "2", link="/etc"), member("a/b/c/d")],
        '"a/b/c/d" lies beneath "a", which is no folder there',
    ),
    "beneath a file": ([member("a"), member("a/b")], '"a/b" lies beneath "a", which is no folder there'),
    "a link put above": (
        [member("a/b"), member("a", "2", link="/etc")],
        '"a" is no folder, and a path before it lies beneath it',
    ),
    "a folder becomes a link": (
        [member("a/", "5"), member("a", "2", link="/etc"), member("a/b")],
        'it has "a" twice, with different content',
    ),
    "a link becomes a folder": (
        [member("a", "2", link="/etc"), member("a/", "5"), member("a/b")],
        'it has "a" twice, with different content',
    ),
    "two contents": ([member("a", data=b"x"), member("./a", data=b"y")], 'it has "a" twice, with different content'),
    "two modes": ([member("a"), member("a", mode=0o4755)], 'it has "a" twice, with different content'),
    "a root that is a link": ([member(".", "2", link="/")], "its root is no folder"),
    "a root that is a file": ([member(".")], "its root is no folder"),
    "a character device": ([member("dev/null", "3")], '"dev/null" is a character device'),
    "a block device": ([member("dev/sda", "4")], '"dev/sda" is a block device'),
    "a named pipe": ([member("pipe", "6")], '"pipe" is a named pipe'),
    "a sparse file": ([member("a", "S")], '"a" is a sparse file'),
    "a sparse file in a pax record": (
        [pax({"GNU.sparse.major": "1"}), member("a")],
        '"a" is a sparse file, which is not supported',
    ),
    "a part": ([member("a", "M")], '"a" is a part of a file'),
    "an unknown type": ([member("a", "Z")], "\"a\" has the unknown type 'Z'"),
    "a NUL in a path": ([pax({"path": b"a\0b"}), member("a")], "path 'a\\x00b' holds a NUL byte"),
    "a NUL in a link": ([pax({"linkpath": b"a\0b"}), member("a", "2", link="b")], 'the link "a" names nothing'),
    "a link to nothing": ([member("a", "2")], 'the link "a" names nothing'),
    "a long target": (
        [pax({"linkpath": "x" * 4096}), member("a", "2")],
        'the link "a" names a path of 4096 bytes',
    ),
    "a long target of few characters": (
        [pax({"linkpath": "\u20ac" * 1400}), member("a", "2")],
        'the link "a" names a path of 4200 bytes',
    ),
    "a member in what a pax record calls bytes of another": (
        [pax({"size": "512"}), member("a", size=0), member("hidden")],
        '"a" has 0 bytes by its header and 512 by its pax record',
    ),
    "a size for all that follow": (
        [pax({"size": "1"}, "g"), member("a", data=b"x"), member("b")],
        '"b" has 0 bytes by its header and 1 by its pax record',
    ),
    "two long names": (
        [member("L", "L", b"one\0"), pax({"path": "two"}), member("a")],
        "two headers before one member differ in path",
    ),
    "two long targets": (
        [pax({"linkpath": "one"}), pax({"linkpath": "two"}), member("a", "2", link="x")],
        "two headers before one member differ in linkpath",
    ),
    "a second archive after the first": ([tar(member("a")), member("b")], "it goes on after its end"),
    "a member after one block of zeros": ([member("a"), bytes(512), member("b")], "it goes on after its end"),
    "many pax records": (
        [pax({f"comment{number}": "x" for number in range(257)}), member("a")],
        "a pax header has more than 256 records",
    ),
    "a long path": ([pax({"path": "x" * 4097}), member("a")], f'path "{"x" * 60}..." is longer than 4096 bytes'),
    "a long name": (
        [pax({"path": "a/" + "\u00e9" * 128}), member("a")],
        'the name "' + "\u00e9" * 30 + '..." is longer than 255 bytes',
    ),
    "an owner that is none": (
        [pax({"uid": str(1 << 32)}), member("a")],
        '"a" belongs to 4294967296:0, which no file can',
    ),
    "a wrong checksum": ([member("a", checksum=1)], "a tar header's checksum is wrong"),
    "no tar archive": ([b"x" * 512], "a tar header holds the number b'xxxxxxxx'"),
    "a number that is none": ([member("a", fields={108: b"12a4567\0"})], "a tar header holds the number b'12a4567'"),
    "a number with a sign": (
        [member("a", fields={124: b"-0000000001\0"})],
        "a tar header holds the number b'-0000000001'",
    ),
    "a negative size": ([member("a", fields={124: b"\xff" * 12})], "a tar header holds the number -1"),
    "a size beyond all": (
        [member("a", fields={124: b"\x80\0\0\0" + b"\xff" * 8})],
        f"a tar header holds the number {(1 << 64) - 1}",
    ),
    "a size beyond the end": ([member("a", size=1 << 30)], "it is cut off"),
    "a negative size in a pax record": ([pax({"size": "-1"}), member("a")], "a pax header holds size=b'-1'"),
    "a pax number that is none": ([pax({"uid": "1e9"}), member("a")], "a pax header holds uid=b'1e9'"),
    "a huge pax number": ([pax({"gid": "9" * 20}), member("a")], f"a pax header holds gid=b'{'9' * 20}'"),
    "a huge extended header": (
        [member("a", "x", size=1 << 32)],
        f"extended headers of {1 << 32} bytes are more than {1 << 20}",
    ),
    "a huge long name": (
        [member("a", "L", size=1 << 33)],
        f"extended headers of {1 << 33} bytes are more than {1 << 20}",
    ),
}
REFUSED |= {
    f"a malformed pax record {data!r}": ([member("a", "x", data), member("a")], "a pax header is malformed")
    for data in (
        b"x",
        b"5 a=",
        b"6 a=bc",
        b"9 a=b\n",
        b"-6 a=b\n",
        b"0 a=b\n",
        b"6 aab\n",
        b"6 =ab\n",
        b"99999999999999999999 a=b\n",
    )
}


@pytest.mark.parametrize(("members", "cause"), REFUSED.values(), ids=list(REFUSED))
def test_refused(members: list[bytes], cause: str) -> None:
    assert refusal(*members) == cause


@pytest.mark.parametrize("size", [0, 1, 511, 512, 600, 1024, 1535])
def test_cut_off(size: int) -> None:
    archive = tar(member("a", data=bytes(600)))
    with pytest.raises(FormatError, match="cannot read it: it is cut off"):
        list(reader.entries([archive[:size]], "it"))


@pytest.mark.parametrize("type_", ["x", "g"])
def test_many_long_headers_are_refused(type_: str) -> None:
    values = (pax({f"SCHILY.xattr.{number}": "x" * 500_000}, type_) for number in range(3))
    assert refusal(*values) == "extended headers of 1500051 bytes are more than 1048576"
    keys = (pax({f"SCHILY.xattr.{number}{'x' * 500_000}": ""}, type_) for number in range(3))
    assert refusal(*keys) == "extended headers of 1500051 bytes are more than 1048576"
    many = (pax({f"SCHILY.xattr.{number}": ""}, type_) for number in range(257))
    assert refusal(*many) == "extended headers of more than 256 records"


def bounded(members: Iterator[bytes]) -> tuple[str, float]:
    """Read an endless archive; give why it is refused and the mebibytes that it took."""
    tracemalloc.start()
    begun = time.perf_counter()
    try:
        with pytest.raises(FormatError) as caught:
            for _ in reader.entries(members, "it"):
                pass
        assert time.perf_counter() - begun < 20
        return str(caught.value), tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_names_without_end_are_refused() -> None:
    attributes = pax({"SCHILY.xattr.a": bytes(500_000)}, "g")
    endless = (part for number in range(10**9) for part in (attributes, member(f"f{number}")))
    cause, mebibytes = bounded(endless)
    assert cause == f"cannot read it: its names take more than {128 << 20} bytes"
    assert mebibytes < 200


def test_attributes_without_a_value_are_counted() -> None:
    attributes = pax({f"SCHILY.xattr.{number:0400}": "" for number in range(256)}, "g")
    cause, mebibytes = bounded(chain([attributes], (member(f"f{number}") for number in range(10**9))))
    assert cause == f"cannot read it: its names take more than {128 << 20} bytes"
    assert mebibytes < 250


def test_characters_of_four_bytes_are_counted() -> None:
    wide = "\U0001f600" + "/x" * 2000
    endless = (pax({"linkpath": f"{number}{wide}"}) + member(f"f{number}", "2") for number in range(10**9))
    cause, mebibytes = bounded(endless)
    assert cause == f"cannot read it: its names take more than {128 << 20} bytes"
    assert mebibytes < 200


def test_folders_that_nobody_told_of_are_counted() -> None:
    deep = "/".join("x" * 2000)
    endless = (pax({"path": f"{number}/{deep}"}) + member("f") for number in range(10**9))
    cause, mebibytes = bounded(endless)
    assert cause == f"cannot read it: its names take more than {128 << 20} bytes"
    assert mebibytes < 200


def test_entries_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_MAX_ENTRIES", 1000)
    cause, _ = bounded(member(f"f{number}") for number in range(10**9))
    assert cause == "cannot read it: it has more than 1000 entries"


GOOD = tar(
    *listing("4755 0:42 usr/bin/su = text\nusr/bin/hi -> su\nusr/bin/hey => usr/bin/su"),
    pax({"path": "deep/" * 99}),
    member("x"),
)


@given(st.integers(0, len(GOOD)), st.integers(0, 600), st.binary(max_size=20))
def test_any_damage_is_one_named_error_or_a_tree_within_the_root(at: int, gone: int, new: bytes) -> None:
    damaged = GOOD[:at] + new + GOOD[at + gone :]
    try:
        found = list(reader.entries([damaged[:700], damaged[700:]], "it"))
    except FormatError:
        return
    kinds = {entry.path: entry.kind for entry in found}
    assert len(kinds) == len(found)
    for entry in found:
        assert not entry.path.startswith("/")
        assert ".." not in entry.path.split("/")
        above = entry.path.rpartition("/")[0]
        assert kinds.get(above, Kind.DIRECTORY) is Kind.DIRECTORY
        assert entry.kind in (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK, Kind.HARDLINK)
