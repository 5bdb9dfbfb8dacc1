"""Debs made by hand: a listing in, the bytes of a deb out, the same every time; and pieces for hostile ones.

    make_deb('''
        usr/share/doc/hello/            a folder; folders above a path come by themselves
        usr/bin/hello = #!/bin/sh       a file and its text, in which \\n breaks the line; without " = " it is empty
        usr/bin/hi -> hello             a symbolic link
        usr/bin/hey => usr/bin/hello    a hard link
        4755 0:42 usr/bin/su = text     mode, and owner with group, come first
    ''', {"Package": "hello", "Version": "2"}, compression="zstd")

``member`` makes one tar member of any type and with any lie in its header, ``tar`` an archive of them, ``ar`` the
outer archive. Source: deb(5), ar(5), POSIX.1-1988 (ustar).
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import zstandard

__all__ = ["PACKERS", "ar", "deb_of", "listing", "make_deb", "member", "pax", "tar"]

PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "none": ("", bytes),
    "gzip": (".gz", lambda data: gzip.compress(data, 6, mtime=0)),
    "xz": (".xz", lambda data: lzma.compress(data, preset=1)),
    "zstd": (".zst", lambda data: zstandard.ZstdCompressor(3).compress(data)),
    "bzip2": (".bz2", lambda data: bz2.compress(data, 1)),
    "lzma": (".lzma", lambda data: lzma.compress(data, lzma.FORMAT_ALONE, preset=1)),
}
"""Name -> the member's suffix, and what compresses."""

_LINE = re.compile(r"(?:([0-7]{3,4}) )?(?:(\d+):(\d+) )?(\S+)(?: (->|=>|=)(?: (.*))?)?")


def make_deb(
    entries: str | Iterable[str | bytes] = "",
    control: Mapping[str, str] | None = None,
    scripts: Mapping[str, str] | None = None,
    conffiles: Sequence[str] = (),
    md5sums: str | None = None,
    compression: str = "xz",
    triggers: str = "",
) -> bytes:
    """Give a deb.

    Args:
        entries: what it holds, as a listing or its lines; ``bytes`` are tar members as they stand.
        control: fields that are added to, or take the place of, those of ``small 1.0 amd64``.
        scripts: maintainer scripts by name.
        conffiles: absolute paths.
        md5sums: the text of that file; made from the files of the listing when None, left out when empty.
        compression: of the control and the data archive, one of ``PACKERS``.
        triggers: the text of that file.
    """
    lines = entries.splitlines() if isinstance(entries, str) else list(entries)
    if md5sums is None:
        md5sums = _md5sums(listing(line for line in lines if isinstance(line, str)))
    conf = "".join(f"{path}\n" for path in conffiles)
    texts = {"control": _control(control or {}), "conffiles": conf, "md5sums": md5sums, "triggers": triggers}
    files = [member(f"./{name}", data=text.encode()) for name, text in texts.items() if text]
    files += [member(f"./{name}", data=text.encode(), mode=0o755) for name, text in (scripts or {}).items()]
    return deb_of(tar(member("./", "5", mode=0o755), *files), tar(*listing(lines)), compression)


def deb_of(control: bytes, data: bytes, compression: str = "xz") -> bytes:
    """Give a deb of two tar archives, whatever is in them."""
    suffix, pack = PACKERS[compression]
    parts = {"debian-binary": b"2.0\n", f"control.tar{suffix}": pack(control), f"data.tar{suffix}": pack(data)}
    return ar(parts.items())


def ar(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Give an ar archive."""
    out = bytearray(b"!<arch>\n")
    for name, data in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return bytes(out)


def tar(*members: bytes) -> bytes:
    """Give a tar archive of members."""
    return b"".join(members) + bytes(1024)


def member(
    path: str | bytes,
    type_: str = "0",
    data: bytes = b"",
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    link: str | bytes = "",
    *,
    size: int | None = None,
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    fields: Mapping[int, bytes] | None = None,
    checksum: int | None = None,
) -> bytes:
    """Give one tar member: its header, and its bytes up to a full block.

    Args:
        path: the name field, at most 100 bytes.
        type_: the type flag.
        data: what follows the header.
        mode: permission bits.
        uid: the owner's number.
        gid: the group's number.
        link: the field for what a link names.
        size: what the header says; the size of ``data`` when None.
        magic: bytes 257 to 264.
        prefix: the field for the path's beginning.
        fields: further bytes of the header by offset, whatever else they overwrite.
        checksum: what the header says; what is right when None.
    """
    block = bytearray(512)

    def put(at: int, value: bytes) -> None:
        block[at : at + len(value)] = value

    name = path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")
    assert len(name) <= 100, name
    put(0, name)
    for at, number in ((100, mode), (108, uid), (116, gid)):
        put(at, b"%07o\0" % number)
    put(124, b"%011o\0" % (len(data) if size is None else size))
    put(136, b"%011o\0" % 1_700_000_000)
    put(156, type_.encode())
    put(157, link if isinstance(link, bytes) else link.encode("utf-8", "surrogateescape"))
    put(257, magic)
    put(345, prefix)
    for at, value in (fields or {}).items():
        put(at, value)
    assert len(block) == 512
    put(148, b" " * 8)
    put(148, b"%06o\0 " % (sum(block) if checksum is None else checksum))
    return bytes(block) + data + bytes(-len(data) % 512)


def pax(records: Mapping[str, str | bytes], type_: str = "x") -> bytes:
    """Give the pax header that goes before a member (``x``), or before all that follow (``g``)."""
    data = b""
    for key, value in records.items():
        body = b" %s=%s\n" % (key.encode(), value.encode() if isinstance(value, str) else value)
        length = len(body) + len(str(len(body)))
        length = len(body) + len(str(length))
        data += b"%d%s" % (length, body)
    return member("././@PaxHeader", type_, data)


def listing(entries: str | Iterable[str | bytes]) -> list[bytes]:
    """Give the tar members of a listing, with the folders above them."""
    made: dict[str, bytes] = {"./": member("./", "5", mode=0o755)}
    for line in entries.splitlines() if isinstance(entries, str) else entries:
        if isinstance(line, bytes):
            made[f"raw {len(made)}"] = line
        elif line.strip():
            made.update(_line(line.strip(), made))
    return list(made.values())


def _line(line: str, made: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    match = _LINE.fullmatch(line)
    assert match, line
    mode, uid, gid, path, sign, text = match.groups()
    owner = (int(uid or 0), int(gid or 0))
    parts = path.rstrip("/").split("/")
    for depth in range(1, len(parts)):
        folder = f"./{'/'.join(parts[:depth])}/"
        if folder not in made:
            yield folder, member(folder, "5", b"", 0o755)
    if path.endswith("/"):
        yield f"./{path}", member(f"./{path}", "5", b"", int(mode or "755", 8), *owner)
    elif sign == "->":
        yield f"./{path}", member(f"./{path}", "2", b"", 0o777, *owner, text)
    elif sign == "=>":
        yield f"./{path}", member(f"./{path}", "1", b"", int(mode or "644", 8), *owner, f"./{text}")
    else:
        data = (text or "").replace("\\n", "\n").encode("utf-8", "surrogateescape")
        yield f"./{path}", member(f"./{path}", "0", data, int(mode or "644", 8), *owner)


def _control(fields: Mapping[str, str]) -> str:
    known = {"Package": "small", "Version": "1.0", "Architecture": "amd64"}
    known |= {"Maintainer": "Small Archive <archive@example.com>", "Description": "made for a test"}
    return "".join(f"{name}: {value}\n" for name, value in {**known, **fields}.items())


def _md5sums(members: Sequence[bytes]) -> str:
    lines = []
    with tarfile.open(fileobj=io.BytesIO(tar(*members))) as archive:
        for info in archive:
            found = archive.extractfile(info) if info.isreg() else None
            if found:
                digest = hashlib.md5(found.read(), usedforsecurity=False).hexdigest()
                lines.append(f"{digest}  {info.name.removeprefix('./')}\n")
    return "".join(lines)
