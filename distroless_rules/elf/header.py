"""The header of an ELF file and its segments: bytes in, where a loader finds things out.

pyelftools reads the header; one reader serves all files of a byte order and class, as making one costs more than using
it. The program headers are unpacked here, all in one go.

Source: System V ABI, chapter 4 (ELF header) and 5 (program header).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import Any

from distroless_rules.errors import FormatError

__all__ = ["MAGIC", "Buffer", "Header", "Segment", "header"]

MAGIC = b"\x7fELF"

Buffer = bytes | memoryview
"""The bytes of a file; those of a mapped one are read as far as they are looked at."""

_MAX_SEGMENTS = 1170  # as Linux: fs/binfmt_elf.c reads 64 KiB of them
_XNUM = 0xFFFF  # PN_XNUM: there are more than the field can say
_BITS = {1: 32, 2: 64}  # by EI_CLASS
_ORDERS = {1: "<", 2: ">"}  # by EI_DATA
_SIZES = {32: 52, 64: 64}  # bytes of a header, by class
_ROWS = {32: "8I", 64: "2I6Q"}  # of a program header
_INFO = {32: 28, 64: 44}  # where sh_info stands in a section header

LOAD, DYNAMIC, INTERP, NOTE, STACK, RELRO = 1, 2, 3, 4, 0x6474E551, 0x6474E552
"""Types of segments that matter here."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment: its type and flags, where it stands in the file, where it is loaded, and its bytes in the file."""

    type: int
    flags: int
    offset: int
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Header:
    """A header.

    Attributes:
        order: the order of bytes as ``struct`` writes it, ``<`` or ``>``.
        bits: 32 or 64.
        machine: as ``Elf.machine``.
        kind: the type as the ABI names it, ``ET_DYN``.
        segments: in the order of the file.
    """

    order: str
    bits: int
    machine: str
    kind: str
    segments: tuple[Segment, ...]


def header(data: Buffer) -> Header:
    """Read the header of a file.

    Raises:
        FormatError: if there is none, or the segments are not in the file.
    """
    ident = bytes(data[:6])
    bits, order = (_BITS.get(ident[4]), _ORDERS.get(ident[5])) if len(ident) == 6 else (None, None)
    if not ident.startswith(MAGIC) or bits is None or order is None:
        raise FormatError("", "it is no whole ELF file")
    first = _slice(data, 0, _SIZES[bits])
    found = _reader(order, bits).parse(first)
    return Header(order, bits, str(found["e_machine"]), str(found["e_type"]), _segments(data, order, bits, found))


@cache
def _reader(order: str, bits: int) -> Any:
    from elftools.elf.structs import ELFStructs

    structs = ELFStructs(little_endian=order == "<", elfclass=bits)
    structs.create_basic_structs()
    return structs.Elf_Ehdr


def _segments(data: Buffer, order: str, bits: int, found: Any) -> tuple[Segment, ...]:
    form, size, count = struct.Struct(order + _ROWS[bits]), found["e_phentsize"], found["e_phnum"]
    if count == _XNUM:
        at = found["e_shoff"] + _INFO[bits]
        count = int.from_bytes(_slice(data, at, 4), "little" if order == "<" else "big")
    if count > _MAX_SEGMENTS:
        raise FormatError("", f"it has more than {_MAX_SEGMENTS} segments")
    if count and size < form.size:
        raise FormatError("", f"its program headers have {size} bytes, fewer than {form.size}")
    rows = _slice(data, found["e_phoff"], count * size)
    each = (form.unpack_from(rows, at) for at in range(0, count * size, size or 1))
    if bits == 64:
        return tuple(Segment(kind, flags, offset, at, length) for kind, flags, offset, at, _, length, _, _ in each)
    return tuple(Segment(kind, flags, offset, at, length) for kind, offset, at, _, length, _, flags, _ in each)


def _slice(data: Buffer, at: int, size: int) -> bytes:
    found = bytes(data[at : at + size])
    if len(found) != size:
        raise FormatError("", "it is no whole ELF file: it ends before what its header says")
    return found
