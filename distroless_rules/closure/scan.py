"""Files in, facts out: which of them are ELF files and scripts, and what those say.

Each file is looked at by its first bytes; only of what begins as an ELF file is more read, and of that what matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from distroless_rules.closure.facts import Facts
from distroless_rules.elf import read as elf
from distroless_rules.elf.header import Buffer
from distroless_rules.errors import FormatError
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Read", "Whole", "scan"]

Read = Callable[[Entry, int], bytes]
"""Gives the first bytes of a regular file, at most as many as asked for."""
Whole = Callable[[Entry], Buffer]
"""Gives a regular file, without reading what nobody looks at."""

_LINE = 256  # bytes: linux/binfmts.h, BINPRM_BUF_SIZE
_MAX_ELF = 1 << 30


def scan(entries: Iterable[Entry], read: Read, whole: Whole) -> dict[str, Facts]:
    """Give the facts of regular files, by the SHA-256 of their bytes.

    Raises:
        OSError: if bytes cannot be read.
    """
    found: dict[str, Facts] = {}
    for entry in entries:
        if entry.kind is not Kind.FILE or entry.size < len(elf.MAGIC) or entry.sha256 in found:
            continue
        first = read(entry, _LINE)
        if first.startswith(elf.MAGIC):
            found[entry.sha256] = _elf(entry, whole)
        elif first.startswith(b"#!"):
            line = first[2:].partition(b"\n")[0].partition(b"\0")[0]
            found[entry.sha256] = Facts(script=line.decode("utf-8", "surrogateescape").strip(" \t"))
    return found


def _elf(entry: Entry, whole: Whole) -> Facts:
    if entry.size > _MAX_ELF:
        return Facts(broken=f"it has more than {_MAX_ELF >> 20} MiB")
    try:
        return Facts(elf.read(whole(entry)))
    except FormatError as error:
        return Facts(broken=error.cause)
