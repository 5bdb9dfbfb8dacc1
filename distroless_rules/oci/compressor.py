"""How layers are compressed: always the same bytes, on every machine and with any number of threads.

A layer is cut into pieces of fixed size; each becomes a gzip member or zstd frame of its own by one call, and what
these give is concatenated (RFC 1952 section 2.2, RFC 8878 section 3.1). The recipe - library, version, level, size of
a piece - is part of a layer's key and of the lock. It is written down here, so that it can be told without the
library; whoever compresses is held to it. See ``docs/decisions/compressors.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from distroless_rules.errors import AnalysisError, ConfigError

__all__ = ["NAMES", "Compressor", "compressor", "recipe"]

NAMES = ("gzip", "zstd", "none")
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_MEBIBYTE = 1 << 20

# The versions that pyproject.toml requires; another may give other bytes.
_DEFLATE, _GZIP_LEVEL = "0.9.0", 6
_ZSTANDARD, _ZSTD, _ZSTD_LEVEL = "0.25.0", "1.5.7", 3
_RECIPES = {
    "gzip": f"libdeflate of deflate {_DEFLATE}, level {_GZIP_LEVEL}, members of 1 MiB",
    "zstd": f"zstd {_ZSTD} of zstandard {_ZSTANDARD}, level {_ZSTD_LEVEL}, frames of 4 MiB",
    "none": "none",
}


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
    compress: Callable[[bytearray], bytes | bytearray] | None


def recipe(name: str) -> str:
    """Give the recipe of ``gzip``, ``zstd`` or ``none``, without a look at the library.

    Raises:
        AnalysisError: for any other name.
    """
    if name not in _RECIPES:
        raise AnalysisError(f'compress with "{name}"', f"expected one of {', '.join(NAMES)}")
    return _RECIPES[name]


def compressor(name: str) -> Compressor:
    """Give the compressor ``gzip``, ``zstd`` or ``none``.

    Raises:
        AnalysisError: for any other name.
        ConfigError: if the library that is installed is not the recipe's.
    """
    text = recipe(name)
    if name == "gzip":
        return Compressor(text, f"{_LAYER}+gzip", _MEBIBYTE, _gzip())
    if name == "zstd":
        return Compressor(text, f"{_LAYER}+zstd", 4 * _MEBIBYTE, _zstd())
    return Compressor(text, _LAYER, _MEBIBYTE, None)


def _gzip() -> Callable[[bytearray], bytearray]:
    import deflate

    _check("deflate", _DEFLATE, deflate.__version__)

    def compress(data: bytearray) -> bytearray:
        packed: bytearray = deflate.gzip_compress(data, _GZIP_LEVEL)
        return packed

    return compress


def _zstd() -> Callable[[bytearray], bytes]:
    import zstandard

    _check("zstandard", _ZSTANDARD, zstandard.__version__)
    # A build of zstandard may use the system's zstd in place of its own.
    _check("zstd", _ZSTD, ".".join(str(part) for part in zstandard.ZSTD_VERSION))

    def compress(data: bytearray) -> bytes:
        # Threads would give other bytes. No checksums: every layer is checked against its digest.
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_content_size=True, threads=0).compress(data)

    return compress


def _check(library: str, wanted: str, installed: str) -> None:
    if installed != wanted:
        raise ConfigError(
            "compress a layer",
            f"{library} {installed} is installed, and {library} {wanted} is needed for the same bytes everywhere",
            hint="install distroless-rules with the versions that it requires",
        )
