"""An ELF file: its bytes in, a frozen ``Elf`` out - what it needs, what it gives, how it is hardened.

What stands behind the header - the dynamic section, versions, notes - is unpacked from the segments that a loader would
map, so files without section headers are read as well and a large file costs no more than a small one; only of one that
calls dlopen(3) all bytes are looked through, for names of libraries. Every offset and
count is checked, and what a file may say in all is bounded, so a damaged one is a ``FormatError`` in bounded time and
memory.

Source: System V ABI, chapters 4 and 5; LSB 5.0 Core, chapter 10 (symbol versions); the ELF dlopen metadata
specification of the UAPI group (``.note.dlopen``).
"""

from __future__ import annotations

import json
import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from distroless_rules.elf import header as headers
from distroless_rules.elf.header import MAGIC, Buffer, Header, Segment
from distroless_rules.errors import FormatError

__all__ = ["MAGIC", "Dlopen", "Elf", "Hardening", "read"]

# Each is tens of times what the largest file of Debian has.
_MAX_TAGS = 65_536
_MAX_NEEDED = 2_048
_MAX_FOLDERS = 256
_MAX_VERSIONS = 16_384
_MAX_NAME = 4_096  # bytes
_MAX_NAMES = 1 << 20  # bytes of all names that it says
_MAX_NOTES = 1 << 20  # bytes of all notes

_NULL, _NEEDED, _STRTAB, _STRSZ, _SONAME, _RPATH, _TEXTREL, _BIND_NOW = 0, 1, 5, 10, 14, 15, 22, 24
_RUNPATH, _FLAGS, _FLAGS_1, _VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM = (
    29, 30, 0x6FFFFFFB, 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF,
)  # fmt: skip
_DF_TEXTREL, _DF_BIND_NOW = 0x4, 0x8
_DF_1_NOW, _DF_1_NODEFLIB, _DF_1_PIE = 0x1, 0x800, 0x0800_0000
_VER_FLG_BASE, _VER_FLG_WEAK = 0x1, 0x2
_NOTE_DLOPEN = 0x407C0C0A
_DLOPEN = (b"\0dlopen\0", b"\0dlmopen\0")
_LIBRARY = re.compile(rb"\0(lib[A-Za-z0-9_+.-]{1,120}\.so(?:\.[0-9]{1,9}){0,6})(?=\0)")


@dataclass(frozen=True, slots=True)
class Dlopen:
    """Libraries that a file opens when it runs, as its ``.note.dlopen`` says.

    Attributes:
        sonames: any one of them serves, the first that is there is taken.
        priority: ``required``, ``recommended`` or ``suggested``.
        feature: what they are for, ``""`` if it does not say.
    """

    sonames: tuple[str, ...]
    priority: str = "recommended"
    feature: str = ""


@dataclass(frozen=True, slots=True)
class Hardening:
    """How hard a file is to misuse.

    Attributes:
        pie: whether it is loaded at a random address; true of libraries.
        relro: ``full``, ``partial`` or ``none``: how much of what relocations wrote is read-only afterwards.
        nx: whether its stack is not executable.
        rwx: whether a segment is writable and executable.
        textrel: whether relocations write into its code.
        canary: whether it checks its stack for overwriting.
        fortified: whether it calls checked variants of functions of the C library.
    """

    pie: bool = True
    relro: str = "none"
    nx: bool = False
    rwx: bool = False
    textrel: bool = False
    canary: bool = False
    fortified: bool = False


@dataclass(frozen=True, slots=True)
class Elf:
    """What an ELF file says of itself.

    Attributes:
        machine: the processor as the ABI names it: ``EM_X86_64``, or the number of one that pyelftools does not know.
        bits: 32 or 64.
        big_endian: the order of its bytes.
        kind: ``exec``, ``dyn``, ``rel``, ``core`` or ``other``.
        interpreter: the loader that it asks for, ``""`` for none.
        soname: its name as a library.
        needed: names of the libraries that must be loaded before it.
        rpath: folders of DT_RPATH; empty where there is a DT_RUNPATH, as the loader ignores it then.
        runpath: folders of DT_RUNPATH.
        no_default: whether the loader's own folders are not searched (DF_1_NODEFLIB).
        needs: (library, version) pairs that must be there; weak ones are left out.
        defines: versions that it defines.
        dlopen: what it says it opens later.
        opens: of a file that calls dlopen(3), the names of libraries that are whole strings in it.
        hardening: how it was linked.
        dynamic: whether it has a dynamic section.
    """

    machine: str
    bits: int
    big_endian: bool = False
    kind: str = "dyn"
    interpreter: str = ""
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    no_default: bool = False
    needs: tuple[tuple[str, str], ...] = ()
    defines: tuple[str, ...] = ()
    dlopen: tuple[Dlopen, ...] = ()
    opens: tuple[str, ...] = ()
    hardening: Hardening = field(default_factory=Hardening)
    dynamic: bool = False

    @property
    def abi(self) -> tuple[str, int, bool]:
        """What two files must share to be loaded into one process."""
        return self.machine, self.bits, self.big_endian


_KINDS = {"ET_REL": "rel", "ET_EXEC": "exec", "ET_DYN": "dyn", "ET_CORE": "core"}


def read(data: Buffer, what: str = "an ELF file") -> Elf:
    """Read an ELF file.

    Args:
        data: the whole file.
        what: what it is, for the message.

    Raises:
        FormatError: if it is none, or damaged.
    """
    try:
        return _Reader(headers.header(data), data).elf()
    except FormatError as error:
        raise FormatError(f"read {what}", error.cause) from error


class _Reader:
    """The parts of one file."""

    def __init__(self, header: Header, data: Buffer) -> None:
        self._data = data
        self._header = header
        self._order = header.order
        self._segments = header.segments
        # In order of address, as they should be anyway; of overlapping ones the later is what is mapped.
        loads = [segment for segment in header.segments if segment.type == headers.LOAD]
        self._loads = sorted(loads, key=lambda load: load.address)
        self._starts = [load.address for load in self._loads]
        self._names_left = _MAX_NAMES
        self._tags = self._read_tags()
        self._strings = self._read_strings()

    def elf(self) -> Elf:
        tags, paths = self._tags, self._paths
        runpath = paths(_RUNPATH)
        flags_1 = self._first(_FLAGS_1)
        return Elf(
            machine=self._header.machine,
            bits=self._header.bits,
            big_endian=self._order == ">",
            kind=_KINDS.get(self._header.kind, "other"),
            interpreter=self._interpreter(),
            soname=self._name(tags[_SONAME][0]) if _SONAME in tags else "",
            needed=self._needed(),
            rpath=() if _RUNPATH in tags else paths(_RPATH),
            runpath=runpath,
            no_default=bool(flags_1 & _DF_1_NODEFLIB),
            needs=tuple(dict.fromkeys(self._version_needs())),
            defines=tuple(dict.fromkeys(self._version_definitions())),
            dlopen=tuple(self._dlopen()),
            opens=self._opens(),
            hardening=self._hardening(flags_1),
            dynamic=bool(tags),
        )

    def _needed(self) -> tuple[str, ...]:
        wanted = self._tags.get(_NEEDED, [])
        if len(wanted) > _MAX_NEEDED:
            raise FormatError("", f"it needs more than {_MAX_NEEDED} libraries")
        return tuple(self._name(at) for at in wanted)

    def _first(self, tag: int) -> int:
        return self._tags[tag][0] if tag in self._tags else 0

    def _bytes(self, segment: Segment) -> bytes:
        data = bytes(self._data[segment.offset : segment.offset + segment.size])
        if len(data) != segment.size:
            raise FormatError("", "it ends before a segment does")
        return data

    def _at(self, address: int, size: int) -> bytes:
        """Give bytes by the address at which they are loaded."""
        before = bisect_right(self._starts, address)
        if before:
            load = self._loads[before - 1]
            if address + size <= load.address + load.size:
                start = load.offset + address - load.address
                data = bytes(self._data[start : start + size])
                if len(data) == size:
                    return data
        raise FormatError("", f"nothing of it is loaded at {address:#x}")

    def _read_tags(self) -> dict[int, list[int]]:
        tags: dict[int, list[int]] = {}
        segment = next((each for each in self._segments if each.type == headers.DYNAMIC), None)
        if segment is None:
            return tags
        row = struct.Struct(self._order + ("qQ" if self._header.bits == 64 else "iI"))
        # Debugging symbols that were split off keep the header of a section whose bytes are elsewhere.
        data = self._bytes(segment)
        for number, (tag, value) in enumerate(row.iter_unpack(data[: len(data) // row.size * row.size])):
            if tag == _NULL:
                break
            if number >= _MAX_TAGS:
                raise FormatError("", f"its dynamic section has more than {_MAX_TAGS} rows")
            tags.setdefault(tag, []).append(value)
        return tags

    def _read_strings(self) -> bytes:
        if _STRTAB not in self._tags:
            return b""
        return self._at(self._first(_STRTAB), self._first(_STRSZ))

    def _name(self, at: int) -> str:
        end = self._strings.find(b"\0", at, at + _MAX_NAME)
        if not 0 <= at < len(self._strings) or end == -1:
            raise FormatError("", "a name in its dynamic section has no end")
        self._names_left -= end - at
        if self._names_left < 0:
            raise FormatError("", f"the names in its dynamic section have more than {_MAX_NAMES >> 20} MiB")
        return self._strings[at:end].decode("utf-8", "surrogateescape")

    def _paths(self, tag: int) -> tuple[str, ...]:
        texts = [self._name(at) for at in self._tags.get(tag, ())[:1]]
        found = tuple(dict.fromkeys(part for text in texts for part in text.split(":") if part))
        if len(found) > _MAX_FOLDERS:
            raise FormatError("", f"its run path has more than {_MAX_FOLDERS} folders")
        return found

    def _interpreter(self) -> str:
        for segment in self._segments:
            if segment.type == headers.INTERP and segment.size <= _MAX_NAME:
                return self._bytes(segment).split(b"\0")[0].decode("utf-8", "surrogateescape")
        return ""

    def _chain(self, address: int, count: int, row: str, next_at: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Give the address and fields of records each of which says how far the next one is."""
        form = struct.Struct(self._order + row)
        if count > _MAX_VERSIONS:
            raise FormatError("", f"it has a table of more than {_MAX_VERSIONS} versions")
        for _ in range(count):
            fields = form.unpack(self._at(address, form.size))
            yield address, fields
            if not fields[next_at]:
                return
            address += fields[next_at]

    def _version_needs(self) -> Iterator[tuple[str, str]]:
        # Elf64_Verneed: version, cnt, file, aux, next; Elf64_Vernaux: hash, flags, other, name, next.
        left = _MAX_VERSIONS
        for at, (_, count, file, aux, _) in self._chain(self._first(_VERNEED), self._first(_VERNEEDNUM), "HHIII", 4):
            left -= count
            if left < 0:
                raise FormatError("", f"it needs more than {_MAX_VERSIONS} versions")
            library = self._name(file)
            for _, (_, flags, _, name, _) in self._chain(at + aux, count, "IHHII", 4):
                if not flags & _VER_FLG_WEAK:
                    yield library, self._name(name)

    def _version_definitions(self) -> Iterator[str]:
        # Elf64_Verdef: version, flags, ndx, cnt, hash, aux, next; Elf64_Verdaux: name, next.
        for at, fields in self._chain(self._first(_VERDEF), self._first(_VERDEFNUM), "HHHHIII", 6):
            if not fields[1] & _VER_FLG_BASE:
                yield from (self._name(name) for _, (name, _) in self._chain(at + fields[5], 1, "II", 1))

    def _dlopen(self) -> Iterator[Dlopen]:
        left = _MAX_NOTES
        for segment in self._segments:
            left -= segment.size if segment.type == headers.NOTE else 0
            if segment.type == headers.NOTE and left >= 0:
                for owner, kind, data in self._notes(self._bytes(segment)):
                    if owner == b"FDO\0" and kind == _NOTE_DLOPEN:
                        yield from _dlopen_rows(data)

    def _opens(self) -> tuple[str, ...]:
        if not any(name in self._strings for name in _DLOPEN):
            return ()
        found = {bytes(match[1]) for match in islice(_LIBRARY.finditer(self._data), _MAX_NEEDED)}
        return tuple(sorted(name.decode("ascii") for name in found))

    def _notes(self, data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
        form, at = struct.Struct(self._order + "III"), 0
        while at + form.size <= len(data):
            name_size, size, kind = form.unpack_from(data, at)
            at += form.size
            start = at + (name_size + 3 & ~3)
            yield data[at : at + name_size], kind, data[start : start + size]
            at = start + (size + 3 & ~3)

    def _hardening(self, flags_1: int) -> Hardening:
        flags = self._first(_FLAGS)
        now = bool(flags & _DF_BIND_NOW or flags_1 & _DF_1_NOW or _BIND_NOW in self._tags)
        has_relro = any(segment.type == headers.RELRO for segment in self._segments)
        stacks = [segment.flags for segment in self._segments if segment.type == headers.STACK]
        static = not self._tags
        return Hardening(
            pie=self._header.kind != "ET_EXEC",
            relro="none" if not has_relro else "full" if now or static else "partial",
            nx=bool(stacks) and not stacks[0] & 1,
            rwx=any(load.flags & 3 == 3 for load in self._loads),
            textrel=bool(flags & _DF_TEXTREL or _TEXTREL in self._tags),
            canary=b"\0__stack_chk_" in self._strings,
            fortified=b"_chk\0" in self._strings,
        )


def _dlopen_rows(data: bytes) -> Iterator[Dlopen]:
    """Read the JSON of a note; what is malformed in it says nothing."""
    try:
        rows = json.loads(data.rstrip(b"\0"))
    except (ValueError, RecursionError):
        return
    for row in rows if isinstance(rows, list) else ():
        names = row.get("soname") if isinstance(row, dict) else None
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            priority = row.get("priority")
            known = priority if priority in ("required", "recommended", "suggested") else "recommended"
            yield Dlopen(tuple(names), known, str(row.get("feature", "")))
