"""Tar archives in; listings out: what GNU tar, pax, ustar and older programs write."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.tar import reader
from distroless_rules.values.tree import Entry, Kind
from tests.support.debs import listing, member, pax, tar

SIGNS = {Kind.SYMLINK: "->", Kind.HARDLINK: "=>", Kind.DIRECTORY: "/", Kind.FILE: ""}


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def entries(*members: bytes, size: int = 1000) -> list[Entry]:
    return list(reader.entries(pieces(tar(*members), size), "data.tar", "blob"))


def read(*members: bytes) -> list[str]:
    """Give a line for each entry: mode, owner, path, and what a link names or how long a file is."""
    return [f"{e.mode:o} {e.uid}:{e.gid} {e.path}{SIGNS[e.kind]}{e.target or e.size or ''}" for e in entries(*members)]


def test_every_kind_of_entry() -> None:
    assert read(
        *listing(
            """
            4755 0:42 usr/bin/su = text
            usr/bin/hi -> ../hello
            usr/bin/hey => usr/bin/su
            1777 tmp/
            """
        )
    ) == [
        "755 0:0 /",
        "755 0:0 usr/",
        "755 0:0 usr/bin/",
        "4755 0:42 usr/bin/su4",
        "777 0:0 usr/bin/hi->../hello",
        "644 0:0 usr/bin/hey=>usr/bin/su",
        "1777 0:0 tmp/",
    ]


@pytest.mark.parametrize("size", [1, 511, 512, 513, 1 << 20])
def test_where_the_bytes_are(size: int) -> None:
    data = [bytes([number]) * length for number, length in enumerate([0, 1, 512, 513, 3000])]
    archive = tar(*(member(f"./f{at}", data=each) for at, each in enumerate(data)))
    for entry, each in zip(reader.entries(pieces(archive, size), "it", "blob"), data, strict=True):
        assert archive[entry.offset : entry.offset + entry.size] == each
        assert entry.sha256 == hashlib.sha256(each).hexdigest()
        assert (entry.source, entry.mtime) == ("blob", 1_700_000_000)


def test_a_file_is_read_in_the_same_way() -> None:
    archive = tar(*listing("a/b = text"))
    assert list(reader.read(io.BytesIO(archive), "blob")) == entries(*listing("a/b = text"))


@pytest.mark.parametrize("path", ["a", "./a", "/a", "//a", "./././a", ".//a/./"])
def test_paths_are_made_relative(path: str) -> None:
    assert [entry.path for entry in entries(member(path, "5"))] == ["a"]


LONG = "/".join(["deep"] * 200)


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_what_other_programs_write(kind: int) -> None:
    long = LONG if kind != tarfile.USTAR_FORMAT else f"{'x' * 150}/{'y' * 90}"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        for name, link in ((long, b"0"), ("link", b"2"), ("hard", b"1"), ("caf\u00e9\udcff", b"0")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = link, "" if link == b"0" else long[:100], 0o4711
            info.uid = 0o7777777 if kind == tarfile.USTAR_FORMAT else 1 << 31
            if name == "hard":
                info.linkname = long
            if kind == tarfile.USTAR_FORMAT and name == "hard":
                continue
            archive.addfile(info)
    found = list(reader.read(io.BytesIO(buffer.getvalue()), "blob"))
    with tarfile.open(fileobj=io.BytesIO(buffer.getvalue())) as archive:
        assert [(e.path, e.uid, e.target) for e in found] == [(m.name, m.uid, m.linkname) for m in archive]


def test_gnu_long_names() -> None:
    long = member("././@LongLink", "L", LONG.encode() + b"\0")
    link = member("././@LongLink", "K", LONG.encode() + b"\0")
    assert read(long, member("short")) == [f"644 0:0 {LONG}"]
    assert read(link, long, member("short", "2", link="short")) == [f"777 0:0 {LONG}->{LONG}"]
    assert read(long, member("a"), member("b")) == [f"644 0:0 {LONG}", "644 0:0 b"]


def test_pax_records() -> None:
    records: dict[str, str | bytes] = {
        "path": LONG,
        "uid": "4000000000",
        "gid": "7",
        "mtime": "12.5",
        "comment": "x",
        "SCHILY.xattr.b": b"\0=\n",
    }
    (entry,) = entries(pax({**records, "SCHILY.xattr.a": "v"}), member("short"))
    assert (entry.path, entry.uid, entry.gid, entry.mtime) == (LONG, 4_000_000_000, 7, 12)
    assert entry.xattrs == (("a", b"v".hex()), ("b", b"\0=\n".hex()))
    assert entries(pax({"mtime": "-3.5"}), member("a"))[0].mtime == 0
    assert read(pax({"size": "3"}), member("a", data=b"abc")) == ["644 0:0 a3"]
    assert read(pax({"linkpath": LONG}), member("a", "2", link="b")) == [f"777 0:0 a->{LONG}"]


def test_pax_records_for_all_that_follow() -> None:
    shared = pax({"uid": "9", "gid": "8"}, "g")
    assert read(shared, pax({"uid": "1"}), member("a"), member("b")) == ["644 1:8 a", "644 9:8 b"]


def test_numbers_in_base_256() -> None:
    large = {108: b"\x80" + (1 << 31).to_bytes(7, "big"), 124: b"\x80" + bytes(10) + b"\3", 136: b"\xff" * 12}
    (entry,) = entries(member("a", data=b"abc", fields=large))
    assert (entry.uid, entry.size, entry.mtime) == (1 << 31, 3, 0)


def test_archives_older_than_posix() -> None:
    old = {"magic": bytes(8), "prefix": b"not a prefix"}
    assert read(member("./d/", "\0", **old), member("d/f", "\0", b"x", **old), member("r", "7")) == [  # type: ignore[arg-type]
        "644 0:0 d/",
        "644 0:0 d/f1",
        "644 0:0 r",
    ]
    assert read(member("f", magic=b"ustar  \0", prefix=b"times")) == ["644 0:0 f"]
    assert read(member("f", prefix=b"dir")) == ["644 0:0 dir/f"]
    assert read(member("f", magic=b"ustar\0  ", prefix=b"dir")) == ["644 0:0 dir/f"]


def test_checksums_of_signed_bytes() -> None:
    block = member(b"caf\xe9")
    signed = sum(block) - sum(block[148:156]) + 8 * 32 - 256
    assert read(member(b"caf\xe9", checksum=signed)) == ["644 0:0 caf\udce9"]


def test_the_same_twice_is_once() -> None:
    assert read(*listing("a/ \n a/f = x"), *listing("a/ \n a/f = x")) == ["755 0:0 /", "755 0:0 a/", "644 0:0 a/f1"]


def test_zeros_after_the_end_are_taken() -> None:
    taken = 0

    def given_() -> Iterator[bytes]:
        nonlocal taken
        for piece in pieces(tar(member("a")) + bytes(4000), 512):
            taken += len(piece)
            yield piece

    assert [entry.path for entry in reader.entries(given_(), "it")] == ["a"]
    assert taken == 512 + 1024 + 4000


@pytest.mark.parametrize("locale", ["C", "C.utf8"])
def test_long_names_are_the_same_in_every_locale(locale: str) -> None:
    archive = tar(pax({"path": "\u20ac" * 80}), member("a"))
    code = (
        "import io, sys; from distroless_rules.tar import reader;"
        f"print([ascii(e.path) for e in reader.read(io.BytesIO({archive!r}), '')])"
    )
    environment = {**os.environ, "LC_ALL": locale, "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-X", "utf8=0", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (run.stdout, run.stderr) == (f"{[ascii(chr(0x20AC) * 80)]}\n", "")


names = st.lists(st.sampled_from(["a", "b", "caf\u00e9", "x" * 90]), min_size=1, max_size=4).map("/".join)


@given(
    st.dictionaries(names, st.binary(max_size=1500), max_size=6),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_files_come_back(files: dict[str, bytes], kind: int) -> None:
    leaves = {path: data for path, data in files.items() if not any(other.startswith(f"{path}/") for other in files)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        for path, data in leaves.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    whole = buffer.getvalue()
    found = {e.path: whole[e.offset : e.offset + e.size] for e in reader.entries(pieces(whole, 999), "it")}
    assert found == leaves
