"""The floor: what the machine needs to turn debs into one layer, by a bare script that decides nothing.

Usage: ``python benchmarks/floor.py FOLDER gzip|zstd|none OUT``. It decodes every deb below FOLDER on all cores, the
largest first and xz in blocks where there are several, merges the members of their data archives in order of path (the
first of each path counts), hashes, compresses in pieces on all cores, and writes OUT. No modes, links or paths are
changed, nothing is checked or cached. Prints seconds and peak memory; needs only ``deflate`` and ``zstandard``.
"""

from __future__ import annotations

import hashlib
import itertools
import lzma
import os
import resource
import sys
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import deflate
import zstandard

PIECE = {"gzip": 1 << 20, "zstd": 4 << 20, "none": 1 << 20}
COMPRESS: dict[str, Callable[[bytearray], bytes | bytearray]] = {
    "gzip": lambda data: deflate.gzip_compress(data, 6),
    "zstd": lambda data: zstandard.ZstdCompressor(level=3).compress(data),
    "none": lambda data: data,
}
DECODE: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": lambda data: zlib.decompress(data, 31),
    ".xz": lzma.decompress,
    ".zst": lambda data: zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read(),
}


def data_member(deb: bytes) -> tuple[str, bytes]:
    """Give the suffix and the bytes of ``data.tar`` in a deb (deb(5))."""
    at = 8
    while at < len(deb):
        name, size = deb[at : at + 16].rstrip(b" /").decode(), int(deb[at + 48 : at + 58])
        if name.startswith("data.tar"):
            return name[len("data.tar") :], deb[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    raise SystemExit("a deb without data.tar")


def number(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte; give it and where the next starts (.xz file format 1.1, section 1.2)."""
    value = 0
    for shift in itertools.count(0, 7):
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise AssertionError


def xz_blocks(xz: bytes) -> Iterator[bytes]:
    """Give each block of an .xz file as an .xz file of its own (.xz file format 1.1, sections 2 to 4)."""
    length = (int.from_bytes(xz[-8:-4], "little") + 1) * 4
    index = xz[-12 - length : -12]
    count, at = number(index, 1)
    start = 12
    for _ in range(count):
        first = at
        size, at = number(index, at)
        _, at = number(index, at)
        own = b"\0\1" + index[first:at]
        own += bytes(-len(own) % 4)
        own += zlib.crc32(own).to_bytes(4, "little")
        foot = (len(own) // 4 - 1).to_bytes(4, "little") + xz[6:8]
        block = xz[start : start + size + -size % 4]
        yield b"".join((xz[:12], block, own, zlib.crc32(foot).to_bytes(4, "little"), foot, b"YZ"))
        start += len(block)


def decoded(debs: Iterable[Path], pool: ThreadPoolExecutor) -> Iterator[bytes]:
    """Give the data archives of debs."""
    parts = []
    for order, deb in enumerate(debs):
        suffix, data = data_member(deb.read_bytes())
        blocks = xz_blocks(data) if suffix == ".xz" else (data,)
        parts += [(order, place, DECODE[suffix], block) for place, block in enumerate(blocks)]
    futures: dict[tuple[int, int], Future[bytes]] = {}
    for order, place, decode, block in sorted(parts, key=lambda part: -len(part[3])):
        futures[order, place] = pool.submit(decode, block)
    for _, group in itertools.groupby(sorted(futures), key=lambda key: key[0]):
        archive = [futures.pop(key).result() for key in group]
        yield archive[0] if len(archive) == 1 else b"".join(archive)


def members(tar: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Give path and blocks of each member; long names and pax records stay with the member that they are for."""
    at = start = 0
    long = b""
    while at < len(tar) and tar[at]:
        size = int(tar[at + 124 : at + 135], 8)
        end = at + 512 + size + -size % 512
        if tar[at + 156 : at + 157] == b"L":
            long = tar[at + 512 : at + 511 + size]
        elif tar[at + 156 : at + 157] not in (b"K", b"x"):
            yield long or tar[at : at + 100].rstrip(b"\0"), memoryview(tar)[start:end]
            start, long = end, b""
        at = end


def pieces(parts: Iterable[bytes | memoryview], size: int) -> Iterator[bytearray]:
    """Cut bytes into pieces of ``size``."""
    piece = bytearray()
    for part in parts:
        done = 0
        while done < len(part):
            taken = part[done : done + size - len(piece)]
            piece += taken
            done += len(taken)
            if len(piece) == size:
                yield piece
                piece = bytearray()
    if piece:
        yield piece


def on_all(
    pool: ThreadPoolExecutor, jobs: int, function: Callable[[bytearray], bytes | bytearray], items: Iterable[bytearray]
) -> Iterator[bytes | bytearray]:
    """Apply a function on all threads, giving results in order and reading few items ahead."""
    ahead: deque[Future[bytes | bytearray]] = deque()
    for item in items:
        ahead.append(pool.submit(function, item))
        if len(ahead) > 2 * jobs:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def main(folder: str, compression: str, out: str) -> None:
    """Write the layer, print what it took."""
    begun = time.perf_counter()
    jobs = len(os.sched_getaffinity(0))
    plain, packed = hashlib.sha256(), hashlib.sha256()

    def counted(items: Iterable[bytearray]) -> Iterator[bytearray]:
        for item in items:
            plain.update(item)
            yield item

    with ThreadPoolExecutor(jobs) as pool, Path(out).open("wb", buffering=0) as file:
        tree: dict[bytes, memoryview] = {}
        for archive in decoded(sorted(Path(folder).rglob("*.deb")), pool):
            for path, blocks in members(archive):
                tree.setdefault(path, blocks)
        parts: list[bytes | memoryview] = [*(tree[path] for path in sorted(tree)), bytes(1024)]
        for data in on_all(pool, jobs, COMPRESS[compression], counted(pieces(parts, PIECE[compression]))):
            packed.update(data)
            file.write(data)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.perf_counter() - begun:.3f} s, {memory:.0f} MiB, sha256:{packed.hexdigest()} of {plain.hexdigest()}")


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[2] not in PIECE:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
