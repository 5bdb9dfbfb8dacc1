from __future__ import annotations

import gzip
import lzma
import time

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.deb.packed import SUFFIXES, unpack
from distroless_rules.errors import FormatError

PACKERS = {"": bytes, ".xz": lzma.compress, ".gz": gzip.compress, ".zst": zstandard.compress}
DATA = b"".join(b"Package: %d\n" % n for n in range(20_000))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_gives_back_what_was_packed(suffix: str) -> None:
    packed = PACKERS[suffix](DATA)
    assert unpack(packed, suffix, len(DATA), "it") == DATA
    assert unpack(packed + packed, suffix, 2 * len(DATA), "it") == DATA + DATA


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".zst"])
def test_an_empty_file(suffix: str) -> None:
    assert unpack(PACKERS[suffix](b""), suffix, 0, "it") == b""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_more_than_allowed_is_refused(suffix: str) -> None:
    with pytest.raises(FormatError, match="unpacks to more than the"):
        unpack(PACKERS[suffix](DATA), suffix, len(DATA) - 1, "it")


@pytest.mark.parametrize("suffix", [".xz", ".gz"])
def test_cut_off_or_with_something_after(suffix: str) -> None:
    packed = PACKERS[suffix](DATA)
    for bad in (packed[:-1], packed[:-9], packed[:10], b"", packed + b"junk", packed + b"Package: evil"):
        with pytest.raises(FormatError, match="cannot read it: it is malformed"):
            unpack(bad, suffix, len(DATA), "it")


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".zst"])
def test_a_bomb_costs_no_more_than_its_limit(suffix: str) -> None:
    zeros = bytes(64 << 20)
    packed = PACKERS[suffix](zeros) * 8
    start = time.perf_counter()
    with pytest.raises(FormatError, match="unpacks to more than"):
        unpack(packed, suffix, 1 << 20, "it")
    assert time.perf_counter() - start < 1


@given(st.sampled_from([".xz", ".gz", ".zst"]), st.integers(0, 10**6), st.binary(min_size=1, max_size=4))
def test_any_damage_is_one_named_error_or_seen_by_the_digest(suffix: str, place: int, new: bytes) -> None:
    packed = PACKERS[suffix](DATA)
    at = place % len(packed)
    try:
        unpack(packed[:at] + new + packed[at + len(new) :], suffix, len(DATA), "it")
    except FormatError:
        return
