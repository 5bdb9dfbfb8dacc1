"""How layers are compressed: always the same bytes, on every machine and with any number of threads.

A layer is cut into pieces of fixed size; each becomes a gzip member or zstd frame of its own by one call, and what
these give is concatenated (RFC 1952 section 2.2, RFC 8878 section 3.1). The recipe - library, version, level, size of
a piece - is part of a layer's key and of the lock. See ``docs/decisions/compressors.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from distroless_rules.errors import AnalysisError

__all__ = ["NAMES", "Compressor", "compressor", "recipe"]

NAMES = ("gzip", "zstd", "none")
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Compressor:
    """A way to compress.

    Attributes:
        recipe: all that its bytes depend on.
        media_type: of a layer that is compressed so (OCI image-spec 1.1, layer.md).
        piece: how many bytes are compressed at a time.
        compress: compresses one piece; None when there is nothing to do.
    """

    recipe: str
    media_type: str
    piece: int
    compress: Callable[[bytearray], bytes] | None


def recipe(name: str) -> str:
    """Give the recipe of ``gzip``, ``zstd`` or ``none`` with the library that is installed."""
    return compressor(name).recipe


def compressor(name: str) -> Compressor:
    """Give the compressor ``gzip``, ``zstd`` or ``none``.

    Raises:
        AnalysisError: for any other name.
    """
    if name == "gzip":
        return _gzip()
    if name == "zstd":
        return _zstd()
    if name == "none":
        return Compressor("none", _LAYER, _MEBIBYTE, None)
    raise AnalysisError(f'compress with "{name}"', f"expected one of {', '.join(NAMES)}")


def _gzip() -> Compressor:
    import deflate

    def compress(data: bytearray) -> bytes:
        return bytes(deflate.gzip_compress(data, 6))

    text = f"libdeflate of deflate {deflate.__version__}, level 6, members of 1 MiB"
    return Compressor(text, _LAYER + "+gzip", _MEBIBYTE, compress)


def _zstd() -> Compressor:
    import zstandard

    def compress(data: bytearray) -> bytes:
        return zstandard.ZstdCompressor(level=3, write_content_size=True, threads=0).compress(data)

    version = ".".join(str(part) for part in zstandard.ZSTD_VERSION)
    text = f"zstd {version} of zstandard {zstandard.__version__}, level 3, frames of 4 MiB"
    return Compressor(text, _LAYER + "+zstd", 4 * _MEBIBYTE, compress)
