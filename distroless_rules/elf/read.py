"""An ELF file: its bytes in, a frozen ``Elf`` out - what it needs, what it gives, how it is hardened.

pyelftools reads the header and the program headers; the arrays behind them are unpacked here, from the segments that a
loader would map, so that files without section headers are read as well and a large one costs no more than a small one.
Every offset and count is checked, so a damaged file is a ``FormatError`` in bounded time and memory.

Source: System V ABI, chapters 4 and 5; LSB 5.0 Core, chapter 10 (symbol versions); the ELF dlopen metadata
specification of the UAPI group (``.note.dlopen``).
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from distroless_rules.errors import FormatError

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

__all__ = ["MAGIC", "Dlopen", "Elf", "Hardening", "read"]

MAGIC = b"\x7fELF"

_MAX_SEGMENTS = 4096
_MAX_TAGS = 65_536
_MAX_NAMES = 16_384
_MAX_NAME = 4_096  # bytes
_MAX_NOTES = 1 << 20  # bytes

_NULL, _NEEDED, _STRTAB, _STRSZ, _SONAME, _RPATH, _TEXTREL, _BIND_NOW = 0, 1, 5, 10, 14, 15, 22, 24
_RUNPATH, _FLAGS, _FLAGS_1, _VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM = (
    29, 30, 0x6FFFFFFB, 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF,
)  # fmt: skip
_DF_TEXTREL, _DF_BIND_NOW = 0x4, 0x8
_DF_1_NOW, _DF_1_NODEFLIB, _DF_1_PIE = 0x1, 0x800, 0x0800_0000
_VER_FLG_BASE, _VER_FLG_WEAK = 0x1, 0x2
_NOTE_DLOPEN = 0x407C0C0A


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
    hardening: Hardening = field(default_factory=Hardening)
    dynamic: bool = False

    @property
    def abi(self) -> tuple[str, int, bool]:
        """What two files must share to be loaded into one process."""
        return self.machine, self.bits, self.big_endian


_KINDS = {"ET_REL": "rel", "ET_EXEC": "exec", "ET_DYN": "dyn", "ET_CORE": "core"}


def read(data: bytes, what: str = "an ELF file") -> Elf:
    """Read an ELF file.

    Args:
        data: the whole file.
        what: what it is, for the message.

    Raises:
        FormatError: if it is none, or damaged.
    """
    from elftools.elf.elffile import ELFFile

    doing = f"read {what}"
    try:
        return _Reader(ELFFile(io.BytesIO(data)), data).elf()
    except FormatError as error:
        raise FormatError(doing, error.cause) from error
    except _damages() as error:
        raise FormatError(doing, f"it is no whole ELF file ({type(error).__name__})") from error


def _damages() -> tuple[type[Exception], ...]:
    """Give what reading a damaged file raises: pyelftools checks little, so most are Python's own."""
    from elftools.common.exceptions import ELFError
    from elftools.construct import ConstructError

    return (
        ELFError,
        ConstructError,
        struct.error,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        MemoryError,
        NotImplementedError,
        OSError,
        RecursionError,
        TypeError,
        ValueError,
    )


@dataclass(frozen=True, slots=True)
class _Segment:
    type: str | int
    flags: int
    offset: int
    address: int
    size: int


class _Reader:
    """The parts of one file."""

    def __init__(self, file: ELFFile, data: bytes) -> None:
        self._data = data
        self._order = "<" if file.little_endian else ">"
        self._bits = int(file.elfclass)
        self._header: Any = file.header
        if file.num_segments() > _MAX_SEGMENTS:
            raise FormatError("", f"it has more than {_MAX_SEGMENTS} segments")
        self._segments = [
            _Segment(s["p_type"], s["p_flags"], s["p_offset"], s["p_vaddr"], s["p_filesz"])
            for s in (segment.header for segment in file.iter_segments())
        ]
        self._loads = [segment for segment in self._segments if segment.type == "PT_LOAD"]
        self._tags = self._read_tags()
        self._strings = self._read_strings()

    def elf(self) -> Elf:
        tags, paths = self._tags, self._paths
        runpath = paths(_RUNPATH)
        flags_1 = self._first(_FLAGS_1)
        return Elf(
            machine=str(self._header["e_machine"]),
            bits=self._bits,
            big_endian=self._order == ">",
            kind=_KINDS.get(self._header["e_type"], "other"),
            interpreter=self._interpreter(),
            soname=self._name(tags[_SONAME][0]) if _SONAME in tags else "",
            needed=tuple(self._name(at) for at in tags.get(_NEEDED, ())),
            rpath=() if runpath else paths(_RPATH),
            runpath=runpath,
            no_default=bool(flags_1 & _DF_1_NODEFLIB),
            needs=tuple(dict.fromkeys(self._version_needs())),
            defines=tuple(dict.fromkeys(self._version_definitions())),
            dlopen=tuple(self._dlopen()),
            hardening=self._hardening(flags_1),
            dynamic=bool(tags),
        )

    def _first(self, tag: int) -> int:
        return self._tags[tag][0] if tag in self._tags else 0

    def _bytes(self, segment: _Segment) -> bytes:
        data = self._data[segment.offset : segment.offset + segment.size]
        if len(data) != segment.size:
            raise FormatError("", "it ends before a segment does")
        return data

    def _at(self, address: int, size: int) -> bytes:
        """Give bytes by the address at which they are loaded."""
        for load in self._loads:
            if load.address <= address and address + size <= load.address + load.size:
                start = load.offset + address - load.address
                data = self._data[start : start + size]
                if len(data) == size:
                    return data
        raise FormatError("", f"nothing of it is loaded at {address:#x}")

    def _read_tags(self) -> dict[int, list[int]]:
        tags: dict[int, list[int]] = {}
        for segment in self._segments:
            if segment.type != "PT_DYNAMIC":
                continue
            row = struct.Struct(self._order + ("qQ" if self._bits == 64 else "iI"))
            # Debugging symbols that were split off keep the header of a section whose bytes are elsewhere.
            data = self._bytes(segment)[: _MAX_TAGS * row.size]
            for tag, value in row.iter_unpack(data[: len(data) // row.size * row.size]):
                if tag == _NULL:
                    break
                tags.setdefault(tag, []).append(value)
            break
        return tags

    def _read_strings(self) -> bytes:
        if _STRTAB not in self._tags:
            return b""
        return self._at(self._first(_STRTAB), self._first(_STRSZ))

    def _name(self, at: int) -> str:
        end = self._strings.find(b"\0", at, at + _MAX_NAME)
        if not 0 <= at < len(self._strings) or end == -1:
            raise FormatError("", "a name in its dynamic section has no end")
        return self._strings[at:end].decode("utf-8", "surrogateescape")

    def _paths(self, tag: int) -> tuple[str, ...]:
        texts = [self._name(at) for at in self._tags.get(tag, ())[:1]]
        return tuple(part for text in texts for part in text.split(":") if part)

    def _interpreter(self) -> str:
        for segment in self._segments:
            if segment.type == "PT_INTERP" and segment.size <= _MAX_NAME:
                return self._bytes(segment).split(b"\0")[0].decode("utf-8", "surrogateescape")
        return ""

    def _chain(self, address: int, count: int, row: str, next_at: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Give the address and fields of records each of which says how far the next one is."""
        form = struct.Struct(self._order + row)
        if count > _MAX_NAMES:
            raise FormatError("", f"it has a table of more than {_MAX_NAMES} versions")
        for _ in range(count):
            fields = form.unpack(self._at(address, form.size))
            yield address, fields
            if not fields[next_at]:
                return
            address += fields[next_at]

    def _version_needs(self) -> Iterator[tuple[str, str]]:
        # Elf64_Verneed: version, cnt, file, aux, next; Elf64_Vernaux: hash, flags, other, name, next.
        left = _MAX_NAMES
        for at, (_, count, file, aux, _) in self._chain(self._first(_VERNEED), self._first(_VERNEEDNUM), "HHIII", 4):
            left -= count
            if left < 0:
                raise FormatError("", f"it needs more than {_MAX_NAMES} versions")
            for _, (_, flags, _, name, _) in self._chain(at + aux, count, "IHHII", 4):
                if not flags & _VER_FLG_WEAK:
                    yield self._name(file), self._name(name)

    def _version_definitions(self) -> Iterator[str]:
        # Elf64_Verdef: version, flags, ndx, cnt, hash, aux, next; Elf64_Verdaux: name, next.
        for at, fields in self._chain(self._first(_VERDEF), self._first(_VERDEFNUM), "HHHHIII", 6):
            if not fields[1] & _VER_FLG_BASE:
                yield from (self._name(name) for _, (name, _) in self._chain(at + fields[5], 1, "II", 1))

    def _dlopen(self) -> Iterator[Dlopen]:
        for segment in self._segments:
            if segment.type == "PT_NOTE" and segment.size <= _MAX_NOTES:
                for owner, kind, data in self._notes(self._bytes(segment)):
                    if owner == b"FDO\0" and kind == _NOTE_DLOPEN:
                        yield from _dlopen_rows(data)

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
        has_relro = any(segment.type == "PT_GNU_RELRO" for segment in self._segments)
        stacks = [segment.flags for segment in self._segments if segment.type == "PT_GNU_STACK"]
        static = not self._tags
        return Hardening(
            pie=self._header["e_type"] != "ET_EXEC",
            relro="none" if not has_relro else "full" if now or static else "partial",
            nx=bool(stacks) and not stacks[0] & 1,
            rwx=any(load.flags & 3 == 3 for load in self._loads),
            textrel=bool(flags & _DF_TEXTREL or _TEXTREL in self._tags),
            canary=b"\0__stack_chk_" in self._strings,
            fortified=b"_chk\0" in self._strings.replace(b"__stack_chk_", b""),
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
