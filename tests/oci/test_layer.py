"""Layers: entries and blobs in, the same bytes out whoever compresses them, read back by others."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import tarfile
import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from distroless_rules.errors import FormatError, StorageError
from distroless_rules.oci import layer
from distroless_rules.oci.compressor import compressor
from distroless_rules.values.tree import Entry, Kind
from tests.oci.test_compressor import MEBIBYTE, sample
from tests.support.workbench import Buffer, map_on

FILE, LINK, HARD, FOLDER = Kind.FILE, Kind.SYMLINK, Kind.HARDLINK, Kind.DIRECTORY


class Blobs(dict[str, Path]):
    """Blobs in a folder, by their SHA-256."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, path: str, data: bytes, before: bytes = b"", after: bytes = b"", mode: int = 0o644) -> Entry:
        """Put bytes into a blob, among others, and give the entry of a file with them."""
        whole = before + data + after
        name = hashlib.sha256(whole).hexdigest()
        self[name] = self.folder / name
        self[name].write_bytes(whole)
        return Entry(path, FILE, mode, size=len(data), source=name, offset=len(before))


def write(
    entries: Sequence[Entry], blobs: Mapping[str, Path], name: str = "none", threads: int = 2, mtime: int = 0
) -> tuple[bytes, layer.Written]:
    sink = Buffer()
    written = layer.write(entries, blobs, sink.write, compressor(name), map_on(threads), mtime)
    return bytes(sink.data), written


def unpack(name: str, data: bytes) -> bytes:
    if name == "gzip":
        return gzip.decompress(data)
    if name == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()
    return data


def listing(data: bytes) -> str:
    """Show an archive, a line an entry: type, mode, owner, size or target, time, path, and what is in it."""
    lines = []
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            about = f"-> {member.linkname}" if member.linkname else repr(file.read().decode()) if file else ""
            lines.append(
                f"{member.type.decode()} {member.mode:04o} {member.uid}:{member.gid} {member.mtime}"
                f" {member.name} {about}".rstrip()
            )
    return "\n".join(lines)


def example(blobs: Blobs) -> list[Entry]:
    return [
        Entry.directory(""),
        Entry.directory("etc", 0o1777),
        blobs.file("etc/hosts", b"127.0.0.1 localhost\n", before=b"x" * 700, after=b"y"),
        Entry("etc/empty", FILE, 0o600, uid=65532, gid=42),
        Entry("etc/hosts.same", HARD, 0o644, target="etc/hosts"),
        Entry.symlink("etc/mtab", "/proc/mounts"),
        blobs.file("passwd", b"root\n", mode=0o4755),
    ]


@pytest.mark.parametrize("name", ["none", "gzip", "zstd"])
def test_what_goes_in_comes_out(name: str, tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    data, written = write(example(blobs), blobs, name, mtime=86400)
    plain = unpack(name, data)
    assert listing(plain) == (
        "5 0755 0:0 86400 .\n"
        "5 1777 0:0 86400 etc\n"
        "0 0644 0:0 86400 etc/hosts '127.0.0.1 localhost\\n'\n"
        "0 0600 65532:42 86400 etc/empty ''\n"
        "1 0644 0:0 86400 etc/hosts.same -> etc/hosts\n"
        "2 0777 0:0 86400 etc/mtab -> /proc/mounts\n"
        "0 4755 0:0 86400 passwd 'root\\n'"
    )
    assert written == layer.Written("sha256:" + hashlib.sha256(plain).hexdigest(), len(plain), 5)
    assert plain.endswith(bytes(1024))
    assert len(plain) == 7 * 512 + 2 * 512 + 2 * 512


def test_gnu_tar_unpacks_it(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    (tmp_path / "layer").write_bytes(write(example(blobs), blobs, "gzip")[0])
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(["tar", "-xzf", "../layer", "--no-same-owner"], cwd=root, check=True)
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*")) == [
        "etc",
        "etc/empty",
        "etc/hosts",
        "etc/hosts.same",
        "etc/mtab",
        "passwd",
    ]
    assert (root / "etc/hosts").read_bytes() == b"127.0.0.1 localhost\n"
    assert (root / "etc/hosts").stat().st_ino == (root / "etc/hosts.same").stat().st_ino
    assert os.readlink(root / "etc/mtab") == "/proc/mounts"
    assert (root / "etc/empty").stat().st_mode & 0o7777 == 0o600


def large(blobs: Blobs, split: bool) -> list[Entry]:
    """Give 9.5 MiB of files of all sizes, some larger than a piece; with ``split``, a blob each."""
    data = sample(9 * MEBIBYTE + MEBIBYTE // 2)
    entries, at, size = [Entry.directory("")], 0, 1
    whole = blobs.file("", data)
    while at < len(data):
        part = data[at : at + size]
        path = f"{len(entries):04}"
        entry = Entry(path, FILE, 0o644, size=len(part), source=whole.source, offset=at)
        entries.append(blobs.file(path, part) if split else entry)
        at, size = at + size, size * 3 if size < MEBIBYTE else 511
    return entries


# Pinned: a change of one of these changes the digest of every layer.
@pytest.mark.parametrize(
    ("name", "digest"),
    [("none", "ab1ee4a03aa8b45c"), ("gzip", "d608bee7f3f9c3de"), ("zstd", "9504756e109cc2dc")],
)
def test_the_bytes_depend_on_nothing_else(name: str, digest: str, tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    together, apart = large(blobs, split=False), large(blobs, split=True)
    made = {hashlib.sha256(write(together, blobs, name, threads)[0]).hexdigest()[:16] for threads in (1, 2, 8)}
    made.add(hashlib.sha256(write(apart, blobs, name)[0]).hexdigest()[:16])
    assert made == {digest}


def test_pieces_are_members_of_fixed_size(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    entries = large(blobs, split=False)
    plain = write(entries, blobs)[0]
    compress = compressor("gzip").compress
    assert compress is not None
    members = [compress(bytearray(plain[at : at + MEBIBYTE])) for at in range(0, len(plain), MEBIBYTE)]
    assert write(entries, blobs, "gzip")[0] == b"".join(members)
    assert len(members) == 10


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 1100), st.integers(MEBIBYTE - 3000, MEBIBYTE + 3000)), max_size=6))
def test_files_end_anywhere_in_a_piece(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    data = [sample(size) for size in sizes]
    entries = [blobs.file(str(number), part, before=b"b" * number) for number, part in enumerate(data)]
    plain, written = write(entries, blobs)
    with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
        files = [tar.extractfile(member) for member in tar]
        assert [file.read() for file in files if file] == data
    assert written.bytes == len(plain) == sum(512 + size + -size % 512 for size in sizes) + 1024


def file(path: str, **fields: object) -> Entry:
    return Entry(path, FILE, 0o644, **fields)  # type: ignore[arg-type]


A, D = file("a"), Entry.directory("d")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([A, A], '/a" to a layer: it is there twice'),
        ([D, D], '/d" to a layer: it is there twice'),
        ([A, Entry.directory("")], '/" to a layer: the root is not the first entry'),
        ([file("")], '/" to a layer: the root is not a folder'),
        ([file("d/a"), D], '/d/a" to a layer: its folder does not come before it'),
        ([A, file("a/b")], '/a/b" to a layer: its folder does not come before it'),
        ([Entry.symlink("d", "e"), file("d/b")], '/d/b" to a layer: its folder does not come before it'),
        ([file("../a")], 'path "../a" climbs out with ".."'),
        ([file("/a")], '//a" to a layer: its path is not normal'),
        ([D, file("d//a")], '/d//a" to a layer: its path is not normal'),
        ([file("a/")], '/a/" to a layer: its path is not normal'),
        ([Entry("b", HARD, 0o644, target="a"), A], '/b" to a layer: it is a hard link to "/a", no file before it'),
        ([D, Entry("b", HARD, 0o644, target="d")], 'it is a hard link to "/d", no file before it'),
        ([Entry("b", HARD, 0o644)], 'it is a hard link to "/", no file before it'),
        ([Entry("n", Kind.CHARACTER_DEVICE, 0o644)], '/n" to a layer: it is a device or pipe'),
        ([file("a", size=-1)], '/a" to a layer: its size is -1'),
        ([file("a", size=1)], '/a" to a layer: no input has the SHA-256 ""'),
        ([file("a", size=1, source="0" * 64)], f'/a" to a layer: no input has the SHA-256 "{"0" * 64}"'),
        ([file("a", size=6, source="blob")], '/a" to a layer: the blob with its bytes ends before they do'),
        ([file("a", size=5, source="blob", offset=1)], '/a" to a layer: the blob with its bytes ends before they do'),
        ([file("a", size=1, source="blob", offset=99)], '/a" to a layer: the blob with its bytes ends before they do'),
        ([file("a", size=1, source="blob", offset=-1)], '/a" to a layer: its bytes start at -1'),
        ([file("a", size=1, source="blob", offset=1 << 63)], '/a" to a layer: its bytes start at 9223372036854775808'),
    ],
)
@pytest.mark.parametrize("name", ["none", "gzip"])
def test_what_is_no_layer(entries: list[Entry], message: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"bytes")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FormatError) as error:
        write(entries, {"blob": tmp_path / "blob"}, name)
    assert message in str(error.value)
    assert os.listdir("/proc/self/fd") == before


def test_a_hard_link_to_a_hard_link() -> None:
    data, _ = write([A, Entry("b", HARD, 0o644, target="a"), Entry("c", HARD, 0o644, target="b")], {})
    assert listing(data) == "0 0644 0:0 0 a ''\n1 0644 0:0 0 b -> a\n1 0644 0:0 0 c -> b"


def test_an_empty_layer() -> None:
    data, written = write([], {})
    assert (data, written.bytes, written.files) == (bytes(1024), 1024, 0)


def test_a_blob_that_cannot_be_read(tmp_path: Path) -> None:
    for path, cause in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(StorageError, match=f'cannot write "/a" to a layer: .* cannot be read: .*{cause}'):
            write([file("a", size=1, source="blob")], {"blob": path})


def test_few_files_are_open_at_a_time(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    entries = [blobs.file(f"{number:03}", b"%d" % number * 40_000) for number in range(100)]
    before, most = len(os.listdir("/proc/self/fd")), 0

    def sink(_: bytes | bytearray) -> None:
        nonlocal most
        most = max(most, len(os.listdir("/proc/self/fd")))

    layer.write(
        [*entries, *(entry.moved(f"again-{entry.path}") for entry in entries)],
        blobs,
        sink,
        compressor("none"),
        map_on(1),
    )
    assert 10 < most - before <= 32
    assert len(os.listdir("/proc/self/fd")) == before


def test_memory_does_not_grow_with_the_layer(tmp_path: Path) -> None:
    with (tmp_path / "blob").open("wb") as blob:
        blob.truncate(256 * MEBIBYTE)
    size = 0

    def sink(data: bytes | bytearray) -> None:
        nonlocal size
        size += len(data)

    tracemalloc.start()
    try:
        entry = file("zeros", size=256 * MEBIBYTE, source="blob")
        layer.write([entry], {"blob": tmp_path / "blob"}, sink, compressor("gzip"), map_on(2))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 256 * MEBIBYTE / 1100 < size < 256 * MEBIBYTE / 900
    assert peak < 16 * MEBIBYTE
