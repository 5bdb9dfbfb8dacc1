"""What the policy must know of a file's bytes: secrets, and what kind of thing it is; read once for each deb or tree.

Going in: files and how to read them. Going out: marks by the SHA-256 of a file's bytes; files of which nothing is to be
said have none. The rows that cross between actions are a JSON object in order of the keys.

Source: ar(5); "Java Object Serialization", sun.security.provider.JavaKeyStore (key stores); passwd(5), shadow(5).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from distroless_rules.errors import FormatError
from distroless_rules.policy import secrets
from distroless_rules.policy.secrets import Secret
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Marks", "Read", "dumps", "loads", "screen"]

Read = Callable[[Entry, int], bytes]
"""Gives the first bytes of a regular file, at most as many as asked for."""

_CHUNK = 8 << 20
_OVERLAP = 16 << 10  # the longest secret that two chunks could divide
_HEAD = 1024
_ACCOUNTS = ("etc/passwd", "etc/shadow", "etc/gshadow")
_MAX_ACCOUNTS = 1 << 20
_NO_PASSWORD = re.compile(rb"x|\*.*|!.*")  # of passwd(5) and shadow(5): no text hashes to these
_ELF = b"\x7fELF"
_AR = b"!<arch>\n"
_JKS = b"\xfe\xed\xfe\xed\0\0\0"
# What a program of each language holds, however it was stripped.
_GO = b"\xff Go buildinf:"
_RUST = (b"/rustc/", b"/rustc-1.", b"rustc version ")
_SHELLS = (b"BusyBox is copyrighted", b"Toybox is", b"GNU bash, version", b"toysh")


@dataclass(frozen=True, slots=True)
class Marks:
    """What is said of a file.

    Attributes:
        kinds: ``archive`` (of a linker), ``go``, ``rust``, ``shell``, ``key-store``, ``password:<account>``,
            ``root:<account>``.
        secrets: what was found in it.
    """

    kinds: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.kinds or self.secrets)


def screen(
    entries: Iterable[Entry], read: Read, is_public: Callable[[str], bool] = lambda path: False
) -> dict[str, Marks]:
    """Give the marks of regular files, by the SHA-256 of their bytes.

    Args:
        entries: the files, each at its path in the image where that is known.
        read: gives their bytes.
        is_public: true for paths whose bytes everybody has who has the archive that they come from; of secrets only
            private keys are looked for there.

    Raises:
        OSError: if bytes cannot be read.
    """
    found: dict[str, Marks] = {}
    for entry in entries:
        if entry.kind is Kind.FILE and entry.size and entry.sha256 not in found:
            marks = _marks(entry, read, is_public(entry.path))
            if marks:
                found[entry.sha256] = marks
    return found


def _marks(entry: Entry, read: Read, public: bool) -> Marks:
    head = read(entry, _HEAD)
    if head.startswith(_ELF) and public:
        return Marks()
    kinds: dict[str, None] = {}
    if head.startswith(_AR) and not head.startswith(b"debian-binary", len(_AR)):
        kinds["archive"] = None
    if head.startswith(_JKS) and _has_key(read(entry, _CHUNK)):
        kinds["key-store"] = None
    if entry.path in _ACCOUNTS:
        kinds |= dict.fromkeys(_accounts(entry.path, read(entry, _MAX_ACCOUNTS)))
    if public and b"\0" in head:
        return Marks(tuple(kinds))
    hits: dict[Secret, None] = {}
    for data, line in _chunks(entry, read):
        hits |= dict.fromkeys(secrets.find(data, keys_only=public, first_line=line))
        if head.startswith(_ELF):
            kinds |= dict.fromkeys(_languages(data))
    return Marks(tuple(kinds), tuple(hits))


def _chunks(entry: Entry, read: Read) -> Iterator[tuple[bytes, int]]:
    """Give the parts of a file, which overlap, with the number of the line that each begins on."""
    at, line = 0, 1
    while True:
        data = read(replace(entry, offset=entry.offset + at, size=entry.size - at), _CHUNK)
        yield data, line
        if at + len(data) >= entry.size:
            return
        step = len(data) - _OVERLAP
        line += data.count(b"\n", 0, step)
        at += step


def _languages(data: bytes) -> Iterator[str]:
    if _GO in data:
        yield "go"
    if any(text in data for text in _RUST):
        yield "rust"
    if any(text in data for text in _SHELLS):
        yield "shell"


def _accounts(path: str, data: bytes) -> Iterator[str]:
    """Find accounts that have a password, or need none, and such as are root by another name."""
    is_passwd = path.endswith("/passwd")
    for row in data.splitlines():
        fields = row.split(b":")
        if len(fields) < 4 or not fields[0] or fields[0].startswith(b"#"):
            continue
        name = fields[0].decode("utf-8", "replace")
        empty_is_open = not path.endswith("/gshadow")
        if not _NO_PASSWORD.fullmatch(fields[1]) and (fields[1] or empty_is_open):
            yield f"password:{name}"
        if is_passwd and fields[2] == b"0" and name != "root":
            yield f"root:{name}"


def _has_key(data: bytes) -> bool:
    """Tell whether a Java key store holds a key besides certificates."""
    if len(data) < 12:
        return False
    version, count, at = data[7], int.from_bytes(data[8:12], "big"), 12
    for _ in range(count):
        tag = int.from_bytes(data[at : at + 4], "big")
        if tag != 2 or version not in (1, 2) or at + 4 > len(data):
            return tag in (1, 3)
        at += 4
        at += 2 + int.from_bytes(data[at : at + 2], "big") + 8  # alias, date
        at += (2 + int.from_bytes(data[at : at + 2], "big")) if version == 2 else 0  # the certificate's type
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    return False


def dumps(marks: Mapping[str, Marks]) -> bytes:
    """Write marks by the SHA-256 of the bytes that they are about; equal marks give equal bytes."""
    rows = {
        sha256: [each.kinds, [[hit.kind, hit.line, hit.shown] for hit in each.secrets]]
        for sha256, each in sorted(marks.items())
    }
    return json.dumps(rows, separators=(",", ":")).encode("ascii")


def loads(data: bytes) -> dict[str, Marks]:
    """Read what ``dumps`` wrote.

    Raises:
        FormatError: if it is anything else.
    """
    try:
        return {
            sha256: Marks(tuple(kinds), tuple(Secret(kind, line, shown) for kind, line, shown in hits))
            for sha256, (kinds, hits) in json.loads(data).items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError("read what was screened", f"it is not ours: {error}") from error
