"""The same bytes everywhere: recipes are kept, and what they give is pinned."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import struct
import subprocess
import sys
from pathlib import Path

import deflate
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from distroless_rules.errors import AnalysisError, ConfigError
from distroless_rules.oci.compressor import NAMES, compressor, recipe

MEBIBYTE = 1 << 20
WORDS = b"usr lib share doc copyright python3 \x7fELF\0\0\0\0 GNU root root 0644 the and of licence".split(b" ")


def sample(size: int) -> bytes:
    """Give bytes that are part text and part noise, the same on every machine."""
    data = bytearray()
    for number in range(size // 64 + 1):
        noise = hashlib.sha256(b"%d" % number).digest()
        data += b" ".join(WORDS[byte % len(WORDS)] for byte in noise[:12]) + noise[: noise[12] % 16]
    return bytes(data[:size])


def unpack(name: str, data: bytes) -> bytes:
    if name == "gzip":
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()


def test_recipes_and_media_types() -> None:
    shown = [
        f"{compressor(name).recipe} -> {compressor(name).media_type} by {compressor(name).piece}" for name in NAMES
    ]
    assert shown == [
        "libdeflate of deflate 0.9.0, level 6, members of 1 MiB"
        " -> application/vnd.oci.image.layer.v1.tar+gzip by 1048576",
        "zstd 1.5.7 of zstandard 0.25.0, level 3, frames of 4 MiB"
        " -> application/vnd.oci.image.layer.v1.tar+zstd by 4194304",
        "none -> application/vnd.oci.image.layer.v1.tar by 1048576",
    ]
    assert [recipe(name) for name in NAMES] == [compressor(name).recipe for name in NAMES]


def test_the_recipes_name_the_versions_that_are_required() -> None:
    required = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    for name, library in (("gzip", "deflate"), ("zstd", "zstandard")):
        pinned = re.search(rf'"{library}==([0-9.]+)"', required)
        assert pinned is not None
        assert f"{library} {pinned[1]}," in recipe(name)


def test_telling_a_recipe_imports_no_library() -> None:
    code = (
        "import sys; from distroless_rules.oci.compressor import NAMES, recipe; [recipe(name) for name in NAMES];"
        "print([name for name in ('deflate', 'zstandard') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


@pytest.mark.parametrize("name", ["", "GZIP", "xz", "brotli"])
def test_an_unknown_name(name: str) -> None:
    for function in (compressor, recipe):
        with pytest.raises(AnalysisError) as error:
            function(name)
        assert str(error.value) == f'cannot compress with "{name}": expected one of gzip, zstd, none'


@pytest.mark.parametrize(
    ("name", "library", "attribute", "value", "shown"),
    [
        ("gzip", deflate, "__version__", "0.7.0", "deflate 0.7.0"),
        ("zstd", zstandard, "__version__", "0.24.0", "zstandard 0.24.0"),
        ("zstd", zstandard, "ZSTD_VERSION", (1, 5, 6), "zstd 1.5.6"),
    ],
)
def test_another_version_is_refused(
    name: str, library: object, attribute: str, value: object, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, attribute, value)
    with pytest.raises(ConfigError, match=f"cannot compress a layer: {shown} is installed, and .* is needed"):
        compressor(name)
    assert recipe(name)


# Pinned: a change of these is a change of the digest of every layer, and needs another recipe.
@pytest.mark.parametrize(
    ("name", "size", "packed", "digest"),
    [
        ("gzip", 0, 23, "30e6fa98fb48c2b1"),
        ("gzip", 5000, 1647, "46071ce7cb892cda"),
        ("gzip", MEBIBYTE, 306438, "70340ecbe5e7d313"),
        ("zstd", 0, 9, "6fb8543883dafcc2"),
        ("zstd", 5000, 1700, "d110c214225aa538"),
        ("zstd", 4 * MEBIBYTE, 1279710, "255de940312b4f14"),
    ],
)
def test_the_bytes(name: str, size: int, packed: int, digest: str) -> None:
    compress = compressor(name).compress
    assert compress is not None
    data = compress(bytearray(sample(size)))
    assert (len(data), hashlib.sha256(data).hexdigest()[:16]) == (packed, digest)
    assert unpack(name, bytes(data)) == sample(size)


def test_gzip_headers_tell_nothing_of_the_machine() -> None:
    compress = compressor("gzip").compress
    assert compress is not None
    magic, method, flags, mtime, extra, system = struct.unpack("<HBBIBB", compress(bytearray(b"a" * 1000))[:10])
    assert (magic, method, flags, mtime, extra, system) == (0x8B1F, 8, 0, 0, 0, 255)


def test_zstd_frames_tell_their_size_and_have_no_checksum() -> None:
    compress = compressor("zstd").compress
    assert compress is not None
    frame = zstandard.get_frame_parameters(compress(bytearray(sample(5000))))
    assert (frame.content_size, frame.has_checksum, frame.dict_id) == (5000, False, 0)


@settings(deadline=None)
@given(st.sampled_from(["gzip", "zstd"]), st.lists(st.binary(max_size=2000), min_size=1, max_size=4))
def test_pieces_can_be_put_together(name: str, pieces: list[bytes]) -> None:
    compress = compressor(name).compress
    assert compress is not None
    assert unpack(name, b"".join(compress(bytearray(piece)) for piece in pieces)) == b"".join(pieces)
