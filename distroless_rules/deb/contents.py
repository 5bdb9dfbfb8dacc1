"""Contents indexes: which deb of an archive has a file; a stream of the index in, a small index of our own out.

An archive's Contents says of every file in which debs it is: 600 MB for a distribution. Only what images are found to
lack is asked for - libraries, programs, modules of Python - so that is kept, a hundredth part of it, as lines of a path
and the names of its debs.

Source: Debian repository format, "Contents indices"; the header that old archives put before the table is passed over.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from distroless_rules.errors import FormatError
from distroless_rules.values.path import fold_usr

__all__ = ["Hit", "compact", "lookup", "unzipped"]

# Most lines are about nothing of this, and a search for such text is the fastest way to pass over them.
_MARKS = (b".so", b"\nusr/bin/", b"\nusr/sbin/", b"\nbin/", b"\nsbin/", b"\nusr/games/", b"\nusr/lib/python3")
_KEPT = re.compile(
    rb"((?:usr/)?(?:s?bin|games)/[^/\s]+"  # programs
    rb"|usr/lib/python3(?:\.[0-9]+)?/(?:dist-packages/|lib-dynload/)?[^/\s]+(?:/__init__)?\.(?:py|[^/\s]*so)"  # modules
    rb"|(?:[^/\s]+/){1,4}[^/\s]+\.so(?:\.[^/\s]*)?)"  # libraries; those of deeper folders are a program's own
    rb"[ \t]+(\S+)"
)
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Hit:
    """A file that a deb has: its path, without the first slash and at its place under merged ``/usr``, and the deb."""

    path: str
    deb: str


def unzipped(chunks: Iterable[bytes], limit: int, what: str) -> Iterator[bytes]:
    """Unpack a gzip file as it comes, RFC 1952.

    Args:
        chunks: its bytes.
        limit: how many bytes may come out.
        what: what is read, for the message.

    Raises:
        FormatError: if it is malformed, cut off, or larger.
    """
    stream, size, is_whole = zlib.decompressobj(wbits=31), 0, False
    try:
        for chunk in chunks:
            data = chunk
            while data:
                out = stream.decompress(data, _CHUNK)
                is_whole = stream.eof
                size += len(out)
                if size > limit:
                    raise FormatError(f"read {what}", f"it unpacks to more than the {limit} bytes it should")
                yield out
                data = stream.unconsumed_tail
                if stream.eof:
                    data, stream = stream.unused_data.lstrip(b"\0"), zlib.decompressobj(wbits=31)
    except zlib.error as error:
        raise FormatError(f"read {what}", f"it is malformed: {error}") from error
    if not is_whole:
        raise FormatError(f"read {what}", "it is cut off")


def compact(chunks: Iterable[bytes]) -> bytes:
    """Give the lines of an index that may be asked for: path, tabulator, names of debs with commas between.

    Args:
        chunks: the index, unpacked, in pieces.
    """
    kept: list[bytes] = []
    rest = b"\n"
    for chunk in chunks:
        block = rest + chunk
        cut = block.rfind(b"\n")
        kept += _kept(block[: cut + 1])
        rest = block[cut:] if len(block) - cut < _CHUNK else b"\n"  # no line of an index is as long
    kept += _kept(rest + b"\n")
    return b"\n" + b"\n".join(sorted({*kept})) + b"\n"


def _kept(block: bytes) -> Iterator[bytes]:
    """Give what is kept of whole lines, which begin and end with a line end."""
    for mark in _MARKS:
        at = block.find(mark)
        while at >= 0:
            start, end = block.rfind(b"\n", 0, at + 1) + 1, block.find(b"\n", at + 1)
            match = _KEPT.fullmatch(block, start, end)
            if match:
                yield match[1] + b"\t" + b",".join(deb.rpartition(b"/")[2] for deb in match[2].split(b","))
            at = block.find(mark, end)


def lookup(index: bytes, wants: str) -> list[Hit]:
    """Give what would supply something, in no order.

    Args:
        index: what ``compact`` gave.
        wants: as ``closure.gate.Finding.wants``: a library's or program's name, a path, ``python:<module>``.
    """
    module = wants.removeprefix("python:")
    if module != wants:
        name = re.escape(module.encode("utf-8", "surrogateescape"))
        folders = rb"usr/lib/python3(?:\.[0-9]+)?/(?:dist-packages/|lib-dynload/)?"
        path = rb"%s%s(?:/__init__\.py|\.py|\.(?:cpython-|abi3)?[^/\n\t]*so)" % (folders, name)
    elif "/" in wants:
        name = re.escape(fold_usr(wants.strip("/")).encode("utf-8", "surrogateescape"))
        path = rb"(?:%s|%s)" % (name, name.removeprefix(b"usr/"))
    elif ".so" in wants:
        path = rb"[^\t\n]*/%s" % re.escape(wants.encode("utf-8", "surrogateescape"))
    else:
        path = rb"(?:usr/)?(?:s?bin|games)/%s" % re.escape(wants.encode("utf-8", "surrogateescape"))
    found = re.finditer(rb"\n(%s)\t([^\n]+)(?=\n)" % path, index)
    return [
        Hit(fold_usr(match[1].decode("utf-8", "surrogateescape")), deb)
        for match in found
        for deb in match[2].decode("ascii", "replace").split(",")
    ]
