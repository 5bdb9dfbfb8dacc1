"""Layers, read: a blob in, its tar archive as checked pieces out, and its entries as a checked model.

Source: OCI image-spec 1.1, layer.md; what a tar archive may hold is settled in ``tar.reader``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from distroless_rules.errors import FormatError
from distroless_rules.oci.descriptor import LAYERS, Descriptor
from distroless_rules.tar import compression
from distroless_rules.tar import reader as tar
from distroless_rules.tar.compression import Member
from distroless_rules.values.tree import Entry

__all__ = ["compression_of", "entries", "pieces"]

_READ = 1 << 20
_SUFFIXES = {"none": "", "gzip": ".gz", "zstd": ".zst"}


def entries(pieces_: Iterable[bytes], descriptor: Descriptor) -> Iterator[Entry]:
    """Give the entries of a layer; ``offset`` is where a file's bytes start in the layer's tar archive.

    Args:
        pieces_: what ``pieces`` gives.
        descriptor: what the manifest says of the layer.

    Raises:
        FormatError: as ``pieces`` does, and if the archive is malformed or hostile.
    """
    return tar.entries(pieces_, _what(descriptor))


def pieces(blob: Path, descriptor: Descriptor, diff_id: str) -> Iterator[bytes]:
    """Give the bytes of a layer's tar archive.

    Args:
        blob: the file with the layer.
        descriptor: what the manifest says of it.
        diff_id: what the config says of it: ``sha256:`` and the archive's SHA-256.

    Raises:
        FormatError: if the blob is not there, is not what the descriptor names, or cannot be decompressed - before
            the first piece where that can be told; after the last piece if the archive is not what the config names.
    """
    what = _what(descriptor)
    suffix = _SUFFIXES[compression_of(descriptor)]
    state = hashlib.sha256()
    try:
        with blob.open("rb") as file:
            packed = hashlib.sha256()
            while data := file.read(_READ):
                packed.update(data)
            if (packed.hexdigest(), file.tell()) != (descriptor.digest.hash, descriptor.digest.size):
                raise FormatError(f"read {what}", "the blob is damaged")
            for piece in compression.decode(file, Member("the blob", 0, descriptor.digest.size), suffix, what):
                state.update(piece)
                yield piece
    except OSError as error:
        raise FormatError(f"read {what}", error.strerror or str(error)) from error
    if f"sha256:{state.hexdigest()}" != diff_id:
        raise FormatError(f"read {what}", f"its diff ID is sha256:{state.hexdigest()}, not {diff_id[:80]}")


def compression_of(descriptor: Descriptor) -> str:
    """Say how a layer is compressed: ``gzip``, ``zstd`` or ``none``.

    Raises:
        FormatError: if the descriptor is not a layer's.
    """
    found = LAYERS.get(descriptor.media_type)
    if found is None:
        raise FormatError(f"read {_what(descriptor)}", f'"{descriptor.media_type[:100]}" is no layer')
    return found


def _what(descriptor: Descriptor) -> str:
    return f"layer {descriptor.digest.oci}"
