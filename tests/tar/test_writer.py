"""Headers are what tarfile and GNU tar read, whatever an entry is called and however large its numbers are."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distroless_rules.errors import FormatError
from distroless_rules.tar.writer import BLOCK, END, header, padding
from distroless_rules.values.tree import Entry, Kind

FILE, LINK, HARD, FOLDER = Kind.FILE, Kind.SYMLINK, Kind.HARDLINK, Kind.DIRECTORY

# Components as bytes, so that names that are not UTF-8 come up too.
COMPONENT = st.one_of(
    st.text("abcXYZ.-_ =+\n", min_size=1, max_size=160).map(str.encode),
    st.text(min_size=1, max_size=40).filter(lambda t: t.isprintable()).map(str.encode),
    st.binary(min_size=1, max_size=40),
).filter(lambda part: b"/" not in part and b"\0" not in part and part not in (b".", b".."))
PATH = st.lists(COMPONENT, min_size=1, max_size=6).map(lambda parts: os.fsdecode(b"/".join(parts)))
ID = st.one_of(st.integers(0, 70000), st.integers(0, (1 << 32) - 2))
XATTR = st.tuples(
    st.text("abc.XYZ_é", min_size=1, max_size=200).map("user.".__add__), st.binary(max_size=300).map(bytes.hex)
)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    kind = draw(st.sampled_from([FILE, LINK, HARD, FOLDER]))
    size = draw(st.one_of(st.integers(0, 10**6), st.integers(0, (1 << 63) - 1)))
    return Entry(
        draw(PATH),
        kind,
        draw(st.integers(0, 0o7777)),
        uid=draw(ID),
        gid=draw(ID),
        size=size if kind is FILE else 0,
        target=draw(PATH) if kind in (LINK, HARD) else "",
        xattrs=tuple(sorted(dict(draw(st.lists(XATTR, max_size=3))).items())),
    )


def read(blocks: bytes) -> tuple[Entry, float]:
    """Give the first entry of an archive as tarfile reads it, and its time."""
    with tarfile.open(fileobj=io.BytesIO(blocks + END), mode="r:", encoding="utf-8", errors="surrogateescape") as tar:
        member = tar.next()
    assert member is not None
    prefix = "SCHILY.xattr."
    xattrs = {
        key[len(prefix) :]: os.fsencode(value).hex()
        for key, value in member.pax_headers.items()
        if key.startswith(prefix)
    }
    assert (member.uname, member.gname) == ("", "")
    entry = Entry(
        member.name,
        Kind(member.type.decode()),
        member.mode,
        member.uid,
        member.gid,
        member.size,
        member.linkname,
        xattrs=tuple(sorted(xattrs.items())),
    )
    return entry, member.mtime


@settings(deadline=None)
@given(entries(), st.one_of(st.integers(0, 2 * 10**9), st.integers(0, 0o77777777777)))
def test_tarfile_reads_what_is_written(entry: Entry, mtime: int) -> None:
    blocks = header(entry, mtime)
    assert len(blocks) % BLOCK == 0
    assert read(blocks) == (entry, mtime)


@settings(deadline=None)
@given(entries())
def test_numbers_and_names_that_fit_need_no_pax_records(entry: Entry) -> None:
    path, target = os.fsencode(entry.path), os.fsencode(entry.target)
    fits = (
        path.isascii()
        and len(path) + (entry.kind is FOLDER) <= 100
        and target.isascii()
        and len(target) <= 100
        and max(entry.uid, entry.gid) < 1 << 21
        and entry.size < 1 << 33
        and not entry.xattrs
    )
    if fits:
        assert len(header(entry, 0)) == BLOCK
    elif len(path) <= 100:
        assert header(entry, 0)[156:157] == b"x"


def test_a_plain_header_byte_for_byte() -> None:
    fields = [
        b"usr/bin/env".ljust(100, b"\0"),
        b"0004755\0" + b"0000001\0" + b"0000002\0",  # mode, uid, gid
        b"00000000003\0" + b"00000000004\0",  # size, mtime
        b"CHECKSUM",
        b"0" + bytes(100),  # a file, no target
        b"ustar\0" + b"00" + bytes(32 + 32 + 8 + 8) + bytes(155 + 12),
    ]
    plain = b"".join(fields)
    block = header(Entry("usr/bin/env", FILE, 0o4755, 1, 2, 3), 4)
    assert block == plain.replace(b"CHECKSUM", b"%06o\0 " % sum(plain.replace(b"CHECKSUM", b" " * 8)))


@pytest.mark.parametrize(
    ("path", "name", "prefix"),
    [
        ("a" * 100, "a" * 100, ""),
        ("a/" + "b" * 100, "b" * 100, "a"),
        ("p" * 155 + "/" + "b" * 100, "b" * 100, "p" * 155),
        ("p" * 100 + "/" + "q" * 54 + "/" + "b" * 45, "q" * 54 + "/" + "b" * 45, "p" * 100),
    ],
)
def test_long_paths_are_split_at_a_slash(path: str, name: str, prefix: str) -> None:
    block = header(Entry(path, FILE, 0o644), 0)
    assert len(block) == BLOCK
    assert block[:100].rstrip(b"\0").decode() == name
    assert block[345:500].rstrip(b"\0").decode() == prefix
    assert read(block)[0].path == path


@pytest.mark.parametrize("path", ["a" * 101, "p" * 156 + "/" + "b" * 100, "a/" + "b" * 101, "b/" * 200 + "c"])
def test_paths_that_cannot_be_split_are_pax_records(path: str) -> None:
    blocks = header(Entry(path, FILE, 0o644), 0)
    assert blocks[156:157] == b"x"
    assert read(blocks)[0].path == path


def test_the_root() -> None:
    assert header(Entry.directory(""), 0)[:100].rstrip(b"\0") == b"./"


@pytest.mark.parametrize("digits", [8, 9, 10, 97, 98, 99, 100, 989, 990, 991, 997, 998])
def test_a_record_counts_its_own_digits(digits: int) -> None:
    entry = Entry("é" + "x" * digits, FILE, 0o644)
    assert read(header(entry, 0))[0] == entry


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, (1 << 33) + 5])
def test_padding(size: int) -> None:
    assert (size + padding(size)) % BLOCK == 0
    assert 0 <= padding(size) < BLOCK


@pytest.mark.parametrize(
    ("entry", "mtime", "message"),
    [
        (Entry("dev/null", Kind.CHARACTER_DEVICE, 0o666), 0, 'write "/dev/null" to a layer: it is a device or pipe'),
        (Entry("pipe", Kind.FIFO, 0o666), 0, 'write "/pipe" to a layer: it is a device or pipe'),
        (Entry("a", FILE, 0o644, size=-1), 0, "its size is -1"),
        (Entry("a", FILE, 0o644, size=1 << 63), 0, "its size is 9223372036854775808"),
        (Entry("a", FOLDER, 0o755, size=1), 0, "it is no file and has 1 bytes"),
        (Entry("a", LINK, 0o777, target="b", size=1), 0, "it is no file and has 1 bytes"),
        (Entry("a", FILE, 0o10000), 0, "its mode is 4096"),
        (Entry("a", FILE, -1), 0, "its mode is -1"),
        (Entry("a", FILE, 0o644, uid=-1), 0, "its uid is -1"),
        (Entry("a", FILE, 0o644, gid=(1 << 32) - 1), 0, "its gid is 4294967295"),
        (Entry("a", FILE, 0o644), -1, "its mtime is -1"),
        (Entry("a", FILE, 0o644), 1 << 33, "its mtime is 8589934592"),
        (Entry("a", LINK, 0o777), 0, "it is a link to nothing"),
        (Entry("a\0b", FILE, 0o644), 0, "a name holds a NUL byte"),
        (Entry("a", LINK, 0o777, target="b\0"), 0, "a name holds a NUL byte"),
        (Entry("a\ud800", FILE, 0o644), 0, "a name has no bytes: surrogates not allowed"),
        (Entry("a", FILE, 0o644, xattrs=(("user.a=b", ""),)), 0, "an extended attribute named 'user.a=b'"),
        (Entry("a", FILE, 0o644, xattrs=(("", ""),)), 0, "an extended attribute named ''"),
        (Entry("a", FILE, 0o644, xattrs=(("user.a", "0x"),)), 0, "attribute 'user.a' is not hexadecimal"),
    ],
)
def test_what_no_layer_can_hold(entry: Entry, mtime: int, message: str) -> None:
    with pytest.raises(FormatError) as error:
        header(entry, mtime)
    assert message in str(error.value)


AWKWARD = [
    Entry.directory("d"),
    Entry("d/plain", FILE, 0o4755),
    Entry("d/Főtanúsítvány.crt", FILE, 0o600),
    Entry(os.fsdecode(b"d/\xff\xfe latin"), FILE, 0o644),
    Entry("d/" + "n" * 200, FILE, 0o644),
    Entry("d/" + "m" * 90 + "/" + "n" * 90, FILE, 0o644),
    Entry("d/line\nbreak", FILE, 0o644),
    Entry.symlink("d/soft", "t" * 300),
    Entry.symlink("d/é", "è"),
    Entry("d/hard", HARD, 0o4755, target="d/plain"),
    Entry("d/big", FILE, 0o644, uid=3_000_000_000, gid=2_100_000),
]


def test_gnu_tar_reads_it_too(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"".join(header(entry, 86400) for entry in AWKWARD) + END)
    listing = subprocess.run(
        ["tar", "--list", "--verbose", "--numeric-owner", "--utc", "--quoting-style=escape", "--file", "a.tar"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
    )
    lines = [" ".join(line.split()) for line in listing.stdout.decode().splitlines()]
    assert listing.stderr == b""
    assert lines == [
        "drwxr-xr-x 0/0 0 1970-01-02 00:00 d/",
        "-rwsr-xr-x 0/0 0 1970-01-02 00:00 d/plain",
        "-rw------- 0/0 0 1970-01-02 00:00 d/Főtanúsítvány.crt",
        r"-rw-r--r-- 0/0 0 1970-01-02 00:00 d/\377\376 latin",
        "-rw-r--r-- 0/0 0 1970-01-02 00:00 d/" + "n" * 200,
        "-rw-r--r-- 0/0 0 1970-01-02 00:00 d/" + "m" * 90 + "/" + "n" * 90,
        r"-rw-r--r-- 0/0 0 1970-01-02 00:00 d/line\nbreak",
        "lrwxrwxrwx 0/0 0 1970-01-02 00:00 d/soft -> " + "t" * 300,
        "lrwxrwxrwx 0/0 0 1970-01-02 00:00 d/é -> è",
        "hrwsr-xr-x 0/0 0 1970-01-02 00:00 d/hard link to d/plain",
        "-rw-r--r-- 3000000000/2100000 0 1970-01-02 00:00 d/big",
    ]


def test_headers_are_quick() -> None:
    many = [Entry(f"usr/share/doc/package-{number}/copyright", FILE, 0o644, size=number) for number in range(20_000)]
    start = time.process_time()
    for entry in many:
        header(entry, 0)
    assert time.process_time() - start < 1  # 0.06 s when it was written; tarfile takes 0.4 s
