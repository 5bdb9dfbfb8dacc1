"""xz in blocks, as ``xz`` itself writes it: in blocks and as one stream the same bytes come out, and damage is seen."""

from __future__ import annotations

import io
import lzma
import subprocess
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.errors import FormatError
from distroless_rules.tar import xz
from distroless_rules.tar.compression import Member, decode
from tests.support.workbench import map_on

TEXT = b"".join(b"%d green bottles\n" % number for number in range(20_000))


def pack(data: bytes, *options: str) -> bytes:
    return subprocess.run(["xz", "-c", "-1", *options], input=data, capture_output=True, check=True).stdout


def crc(data: bytes | bytearray) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


BLOCKS = pack(TEXT, "--block-size=65536")


def blocks(packed: bytes) -> list[xz.Block] | None:
    return xz.blocks(io.BytesIO(b"before" + packed + b"after"), 6, len(packed))


def plain(block: xz.Block) -> bytes:
    return b"".join(xz.decode(block))


def stream(block: xz.Block) -> bytes:
    return block.head + block.read(block.offset, block.size) + block.tail


def read(packed: bytes, threads: int) -> bytes:
    map_ = map_on(threads) if threads else None
    return b"".join(decode(io.BytesIO(packed), Member("data.tar.xz", 0, len(packed)), ".xz", "x.deb", map_))


@pytest.mark.parametrize("check", ["none", "crc32", "crc64", "sha256"])
@pytest.mark.parametrize("size", [1, 4096, 4099, 1 << 16])
def test_each_block_is_a_stream_of_its_own(check: str, size: int) -> None:
    data = TEXT[: 40 * size]
    packed = pack(data, f"--check={check}", f"--block-size={size}")
    found = blocks(packed)
    assert found is not None
    assert len(found) == -(-len(data) // size)
    assert [plain(each) for each in found] == [data[at : at + size] for at in range(0, len(data), size)]
    assert [lzma.decompress(stream(each)) for each in found] == [plain(each) for each in found]
    assert read(packed, 2) == data


def test_blocks_of_different_sizes() -> None:
    packed = pack(TEXT, "--block-list=1,100,70000,0")
    found = blocks(packed)
    assert found is not None
    assert [len(plain(each)) for each in found] == [1, 100, 70000, len(TEXT) - 70101]


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(pack(TEXT), id="one block"),
        pytest.param(pack(b""), id="no block"),
        pytest.param(BLOCKS + BLOCKS, id="two streams"),
        pytest.param(BLOCKS + bytes(4), id="padding after the stream"),
        pytest.param(pack(bytes(34 << 20), "--block-size=35000000"), id="large blocks"),
        pytest.param(BLOCKS[:-1], id="cut off"),
        pytest.param(BLOCKS[:31], id="next to nothing"),
        pytest.param(TEXT, id="no xz"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_better_read_as_one_stream(packed: bytes) -> None:
    assert blocks(packed) is None


def test_streams_of_blocks_and_padding_give_the_same_either_way() -> None:
    for packed in (BLOCKS + BLOCKS, BLOCKS + bytes(4), BLOCKS + bytes(8) + pack(TEXT)):
        assert read(packed, 2) == read(packed, 0)


def test_an_index_that_lies_about_the_number_of_blocks() -> None:
    footer = len(BLOCKS) - 12
    length = (int.from_bytes(BLOCKS[footer + 4 : footer + 8], "little") + 1) * 4
    start = footer - length
    index = bytearray(BLOCKS[start : footer - 4])
    index[1:2] = b"\x7f"
    lying = BLOCKS[:start] + index + crc(index) + BLOCKS[footer:]
    assert blocks(lying) is None
    with pytest.raises(FormatError, match=r"cannot read data.tar.xz of x.deb: it is malformed"):
        read(lying, 2)


def test_an_index_that_lies_about_a_size() -> None:
    found = blocks(BLOCKS)
    assert found is not None
    lying = bytearray(BLOCKS)
    footer = len(BLOCKS) - 12
    start = footer - (int.from_bytes(BLOCKS[footer + 4 : footer + 8], "little") + 1) * 4
    at = lying.index(b"\x80\x80\x04", start)  # the first 65536
    lying[at : at + 3] = b"\x81\x80\x04"
    lying[footer - 4 : footer] = crc(lying[start : footer - 4])
    assert blocks(bytes(lying)) is not None
    with pytest.raises(FormatError, match=r"cannot read data.tar.xz of x.deb: it is malformed"):
        read(bytes(lying), 2)


FRAMES = [*range(24), *range(len(BLOCKS) - 80, len(BLOCKS))]


@pytest.mark.parametrize("bit", [1, 128])
def test_a_flipped_bit_of_the_stream_s_ends_and_index_is_seen_either_way(bit: int) -> None:
    for at in FRAMES:
        damaged = bytearray(BLOCKS)
        damaged[at] ^= bit
        assert outcome(bytes(damaged), 0) is None, at
        assert outcome(bytes(damaged), 2) is None, at


def test_an_index_that_goes_on_after_its_records() -> None:
    footer = len(BLOCKS) - 12
    length = (int.from_bytes(BLOCKS[footer + 4 : footer + 8], "little") + 1) * 4
    start = footer - length
    index = BLOCKS[start : footer - 4] + bytes(4)
    size = (len(index) // 4).to_bytes(4, "little") + BLOCKS[6:8]
    longer = BLOCKS[:start] + index + crc(index) + crc(size) + size + b"YZ"
    assert blocks(longer) is None
    assert outcome(longer, 2) is None


def test_an_index_that_calls_a_whole_stream_and_more_a_block() -> None:
    first, hidden, last = (pack(data, "--block-size=65536") for data in (b"first" * 9, b"hidden" * 99, b"last" * 9))
    body = first[12:] + hidden + last[12:-24]  # so that a stream ends within the first block
    assert len(body) % 4 == 0
    block = len(body) - len(last[12:-24])
    index = bytearray(b"\0\2")
    for number in (block, 45, len(last[12:-24]), 36):
        index += bytes([number & 0x7F | 0x80, number >> 7])
    index += bytes(-len(index) % 4)
    size = (len(index) // 4).to_bytes(4, "little") + first[6:8]
    lying = first[:12] + body + index + crc(index) + crc(size) + size + b"YZ"
    found = blocks(lying)
    assert found is not None
    with pytest.raises(ValueError, match="not as long as the index says"):
        xz.decode(found[0])
    assert outcome(lying, 2) is None
    assert outcome(lying, 0) is None


def test_a_long_block_comes_in_pieces() -> None:
    found = blocks(pack(bytes(24 << 20) + TEXT, "-T2", "--block-size=25165824"))
    assert found is not None
    assert [len(piece) for piece in xz.decode(found[0])] == [1 << 20] * 24


@given(st.floats(0, 1), st.integers(0, 4), st.binary(max_size=4))
def test_damage_is_seen_in_blocks_as_it_is_in_one_stream(share: float, gone: int, new: bytes) -> None:
    at = int(share * len(BLOCKS))
    damaged = BLOCKS[:at] + new + BLOCKS[at + gone :]
    assert outcome(damaged, 0) == outcome(damaged, 2)


def outcome(packed: bytes, threads: int) -> bytes | None:
    try:
        return read(packed, threads)
    except FormatError:
        return None
