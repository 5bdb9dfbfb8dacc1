"""Compressed members in; their bytes, or one named error, out: every format, whole, joined, cut, padded, hostile."""

from __future__ import annotations

import io
import random
import time
import tracemalloc
from collections import deque
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.errors import FormatError
from distroless_rules.tar.compression import SUFFIXES, Member, decode
from tests.support.debs import PACKERS
from tests.support.workbench import map_on

PACK: dict[str, Callable[[bytes], bytes]] = dict(PACKERS.values())
PACKED = [suffix for suffix in SUFFIXES if suffix]
JOINED = [suffix for suffix in PACKED if suffix != ".lzma"]  # its streams do not say where they end
TEXT = b"".join(b"%d green bottles\n" % number for number in range(20_000))
NOISE = random.Random(1).randbytes(5 << 18)


def read(packed: bytes, suffix: str, threads: int = 0) -> bytes:
    """Decode a member that has other bytes before and after it."""
    file = io.BytesIO(b"before" + packed + b"after")
    member = Member(f"data.tar{suffix}", 6, len(packed))
    return b"".join(decode(file, member, suffix, "x.deb", map_on(threads) if threads else None))


def refusal(packed: bytes, suffix: str, threads: int = 0) -> str:
    with pytest.raises(FormatError) as caught:
        read(packed, suffix, threads)
    return str(caught.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("data", [b"", b"x", TEXT, NOISE], ids=["empty", "byte", "text", "noise"])
def test_gives_back_what_was_packed(suffix: str, data: bytes) -> None:
    assert read(PACK[suffix](data), suffix) == data
    assert read(PACK[suffix](data), suffix, threads=2) == data


@pytest.mark.parametrize("suffix", JOINED)
def test_streams_one_after_the_other(suffix: str) -> None:
    assert read(PACK[suffix](TEXT) + PACK[suffix](b"") + PACK[suffix](NOISE), suffix, threads=2) == TEXT + NOISE


@pytest.mark.parametrize("suffix", [".xz", ".gz"])
def test_zeros_between_and_after_streams(suffix: str) -> None:
    packed = PACK[suffix](TEXT)
    assert read(packed + bytes(8) + packed + bytes(1 << 20), suffix, threads=2) == TEXT + TEXT


@pytest.mark.parametrize("suffix", JOINED)
def test_something_else_after_the_last_stream(suffix: str) -> None:
    assert refusal(PACK[suffix](TEXT) + b"junk", suffix, 2).startswith(
        f"cannot read data.tar{suffix} of x.deb: it is malformed: "
    )


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2", ".lzma"])
def test_cut_off(suffix: str) -> None:
    packed = PACK[suffix](TEXT)
    for size in (1, 10, len(packed) // 2, len(packed) - 1):
        assert (
            refusal(packed[:size], suffix, 2)
            == f"cannot read data.tar{suffix} of x.deb: it is malformed: it is cut off"
        )


def test_the_file_is_shorter_than_the_member() -> None:
    with pytest.raises(FormatError, match=r"cannot read data.tar of x.deb: it is malformed: it is cut off"):
        list(decode(io.BytesIO(b"abc"), Member("data.tar", 0, 4), "", "x.deb"))


@pytest.mark.parametrize("suffix", PACKED)
def test_not_compressed_at_all(suffix: str) -> None:
    assert refusal(TEXT, suffix, 2).startswith(f"cannot read data.tar{suffix} of x.deb: it is malformed: ")


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("suffix", [".xz", ".bz2", ".zst"])
def test_a_bomb_ends_in_time_and_in_little_memory(suffix: str, threads: int) -> None:
    packed = PACK[suffix](bytes(32 << 20)) * 3
    assert len(packed) < 15 << 10
    file, member = io.BytesIO(packed), Member("data.tar", 0, len(packed))
    begun = time.perf_counter()
    tracemalloc.start()
    try:
        with pytest.raises(FormatError) as caught:
            deque(decode(file, member, suffix, "x.deb", map_on(threads) if threads else None), maxlen=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(caught.value) == (
        f"cannot read data.tar of x.deb: {len(packed)} bytes unpack to more than 67108864: a decompression bomb"
    )
    assert peak < 8 << 20
    assert time.perf_counter() - begun < 5


def test_what_is_small_may_unpack_to_a_lot() -> None:
    assert read(PACK[".xz"](bytes(60 << 20)), ".xz") == bytes(60 << 20)


def test_a_dictionary_larger_than_memory_is_not_asked_for() -> None:
    packed = bytearray(PACK[".lzma"](TEXT))
    packed[1:5] = (1 << 30).to_bytes(4, "little")  # the dictionary's size
    assert refusal(bytes(packed), ".lzma") == (
        "cannot read data.tar.lzma of x.deb: it is malformed: Memory usage limit exceeded"
    )


def test_a_window_larger_than_memory_is_not_asked_for() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=30)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = packer.compress(TEXT) + packer.flush()
    assert "it is malformed: zstd decompress error: Frame requires too much memory" in refusal(packed, ".zst")


damage = st.tuples(st.floats(0, 1), st.integers(0, 4), st.binary(max_size=4))


@given(st.sampled_from(JOINED), damage, st.sampled_from([0, 2]))
def test_any_damage_is_one_named_error_or_harmless(suffix: str, how: tuple[float, int, bytes], threads: int) -> None:
    share, gone, new = how
    packed = PACK[suffix](TEXT[:5000])
    at = int(share * len(packed))
    try:
        found = read(packed[:at] + new + packed[at + gone :], suffix, threads)
    except FormatError:
        return
    assert len(found) < 64 << 20
