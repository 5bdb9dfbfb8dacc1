"""A deb read into an index: who it is, what its scripts are, what it holds and where the bytes are.

Unpacking (``tools.deb_unpack``) happens once for each deb; everything later works on the index and on the decoded data
archive. Source: deb(5), deb-control(5), deb-conffiles(5), deb-md5sums(5).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from distroless_rules.deb import ar, control, installed
from distroless_rules.errors import FormatError
from distroless_rules.tar import compression
from distroless_rules.tar import reader as tar
from distroless_rules.tar.compression import Member
from distroless_rules.values.path import clean
from distroless_rules.values.tree import Entry, Kind

__all__ = ["DebIndex", "dumps", "loads", "read", "read_control"]

SCRIPTS = ("config", "postinst", "postrm", "preinst", "prerm")
_MAX_CONTROL = 64 << 20  # bytes of a decoded control archive


@dataclass(frozen=True)
class DebIndex:
    """What is known of a deb.

    Attributes:
        control: the fields of its control file.
        scripts: its maintainer scripts by name.
        conffiles: the absolute paths of its configuration files.
        triggers: its triggers file.
        md5sums: image path -> MD5 as the deb states it.
        entries: what it holds, in the archive's order.
    """

    control: dict[str, str]
    scripts: dict[str, str] = field(default_factory=dict)
    conffiles: tuple[str, ...] = ()
    triggers: str = ""
    md5sums: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)


def read(file: BinaryIO, what: str, write: Callable[[bytes], object], map_: compression.Map) -> DebIndex:
    """Read a whole deb; files in the index have no ``source`` yet.

    Args:
        file: the deb.
        what: its name, for messages.
        write: takes the decoded data archive, piece by piece.
        map_: for work on all cores.

    Raises:
        FormatError: if it is malformed or hostile.
    """
    parts = _members(file, what)
    head = _control(file, *parts["control"], what)

    def pieces() -> Iterator[bytes]:
        for piece in compression.decode(file, *parts["data"], what, map_):
            write(piece)
            yield piece

    entries = list(tar.entries(pieces(), f"{parts['data'][0].name} of {what}"))
    return DebIndex(head.control, head.scripts, head.conffiles, head.triggers, head.md5sums, entries)


def read_control(path: Path) -> dict[str, str]:
    """Read the control fields of a deb, and nothing more of it.

    Raises:
        FormatError: if it is malformed.
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        return _control(file, *_members(file, path.name)["control"], path.name).control


def dumps(index: DebIndex, source: str) -> bytes:
    """Write an index whose files' bytes are in the blob ``source``; the counterpart of ``loads``."""
    rows = [
        [e.path, e.kind.value, e.mode, e.uid, e.gid, e.size, e.target, e.sha256, e.offset, e.xattrs, e.mtime]
        for e in index.entries
    ]
    head = {
        "control": index.control,
        "scripts": index.scripts,
        "conffiles": index.conffiles,
        "triggers": index.triggers,
        "md5sums": index.md5sums,
        "source": source,
        "entries": rows,
    }
    return json.dumps(head, separators=(",", ":")).encode("ascii")


def loads(data: bytes) -> DebIndex:
    """Read what ``dumps`` wrote.

    Raises:
        FormatError: if it is anything else.
    """
    try:
        head = json.loads(data)
        source = head["source"]
        entries = [
            Entry(p, Kind(k), m, u, g, s, t, h, source if h else "", o, tuple((n, v) for n, v in x), at)
            for p, k, m, u, g, s, t, h, o, x, at in head["entries"]
        ]
        conffiles = tuple(head["conffiles"])
        return DebIndex(head["control"], head["scripts"], conffiles, head["triggers"], head["md5sums"], entries)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FormatError("read the index of a deb", f"it is not one of ours: {error}") from error


def _members(file: BinaryIO, what: str) -> dict[str, tuple[Member, str]]:
    """Find the control and data members, each with its compression; deb(5) fixes their order."""
    found: dict[str, tuple[Member, str]] = {}
    expected = ["debian-binary", "control", "data"]
    for member in ar.members(file, what):
        if not expected:
            break  # what follows is for newer versions of the format
        if member.name.startswith("_"):
            continue
        stem, suffix = _stem(member.name, expected[0])
        if stem != expected[0]:
            cause = f'it has the member "{member.name}" where "{expected[0]}" should be'
            raise FormatError(f"read {what}", cause)
        if suffix not in compression.SUFFIXES:
            raise FormatError(f"read {what}", f'"{member.name}" is compressed in a way that is not known')
        if stem == "debian-binary":
            _check_version(file, member, what)
        found[expected.pop(0)] = (member, suffix)
    if expected:
        raise FormatError(f"read {what}", f'it has no member "{expected[0]}"')
    return found


def _stem(name: str, expected: str) -> tuple[str, str]:
    if expected == "debian-binary":
        return name, ""
    stem, dot, suffix = name.partition(".tar")
    return (stem, suffix) if dot else (name, "")


def _check_version(file: BinaryIO, member: Member, what: str) -> None:
    file.seek(member.offset)
    version = file.read(min(member.size, 16)).partition(b"\n")[0]
    if not version.startswith(b"2."):
        raise FormatError(f"read {what}", f'its format is "{version.decode("ascii", "replace")}"; only 2.x is known')


def _control(file: BinaryIO, member: Member, suffix: str, what: str) -> DebIndex:
    """Read everything but the data of a deb."""
    data, size = [], 0
    for piece in compression.decode(file, member, suffix, what):
        data.append(piece)
        size += len(piece)
        if size > _MAX_CONTROL:
            raise FormatError(f"read {member.name} of {what}", f"it unpacks to more than {_MAX_CONTROL} bytes")
    whole = b"".join(data)
    texts = {
        entry.path: whole[entry.offset : entry.offset + entry.size].decode("utf-8", "surrogateescape")
        for entry in tar.entries([whole], f"{member.name} of {what}")
        if entry.kind is Kind.FILE
    }
    if "control" not in texts:
        raise FormatError(f"read {what}", "it has no control file")
    fields = control.parse(texts["control"], f"control file of {what}")
    for name in ("Package", "Version", "Architecture"):
        if not fields.get(name):
            raise FormatError(f"read {what}", f"its control file has no {name}")
    return DebIndex(
        fields,
        {name: texts[name] for name in SCRIPTS if texts.get(name)},
        tuple(_conffiles(texts.get("conffiles", ""))),
        texts.get("triggers", ""),
        dict(_md5sums(texts.get("md5sums", ""), what)),
    )


def _conffiles(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        path = line.strip()
        if path.startswith("/"):  # a line with a flag before the path is about removal
            yield path


def _md5sums(text: str, what: str) -> Iterator[tuple[str, str]]:
    return ((clean(path, what=f"md5sums of {what}"), md5) for path, md5 in installed.sums(text))
