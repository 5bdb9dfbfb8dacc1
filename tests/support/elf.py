"""ELF files made by hand: what one says in, its bytes out; no compiler, for any processor.

    make_elf(needed=["libc.so.6"], needs=[("libc.so.6", "GLIBC_2.34")], interpreter="/lib64/ld-linux-x86-64.so.2")

Everything lies in one readable segment, and a dynamic section tells where. Source: System V ABI, chapters 4 and 5;
LSB 5.0 Core, chapter 10.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence

__all__ = ["MACHINES", "make_elf"]

MACHINES = {"amd64": 62, "arm64": 183, "386": 3, "arm": 40, "riscv64": 243, "s390x": 22, "bpf": 247}
_KINDS = {"rel": 1, "exec": 2, "dyn": 3, "core": 4}


class _Strings:
    """A string table."""

    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        at = len(self.data)
        self.data += text.encode("utf-8", "surrogateescape") + b"\0"
        return at


def make_elf(
    *,
    needed: Sequence[str] = (),
    soname: str = "",
    interpreter: str = "",
    rpath: str = "",
    runpath: str = "",
    needs: Sequence[tuple[str, str]] = (),
    weak: Sequence[tuple[str, str]] = (),
    defines: Sequence[str] = (),
    dlopen: Sequence[Mapping[str, object]] = (),
    symbols: Sequence[str] = (),
    machine: str = "amd64",
    bits: int = 64,
    big_endian: bool = False,
    kind: str = "dyn",
    stack: int | None = 6,
    relro: bool = True,
    flags: int = 8,
    flags_1: int = 1,
    load: int = 4,
    tags: Sequence[tuple[int, int]] = (),
    static: bool = False,
    segments: Sequence[tuple[int, int, int, int, int]] = (),
) -> bytes:
    """Give an ELF file.

    Args:
        needed: DT_NEEDED.
        soname: DT_SONAME.
        interpreter: PT_INTERP.
        rpath: DT_RPATH.
        runpath: DT_RUNPATH.
        needs: (library, version) of version needs.
        weak: the same, weak.
        defines: versions defined, besides the file's own name.
        dlopen: rows of a note of dlopen metadata.
        symbols: names in the string table.
        machine: one of ``MACHINES``.
        bits: 32 or 64.
        big_endian: the order of bytes.
        kind: ``rel``, ``exec``, ``dyn`` or ``core``.
        stack: flags of PT_GNU_STACK, None for none.
        relro: whether there is a PT_GNU_RELRO.
        flags: DT_FLAGS; 8 is BIND_NOW.
        flags_1: DT_FLAGS_1; 1 is NOW.
        load: flags of the segment.
        tags: further rows of the dynamic section.
        static: whether there is no dynamic section.
        segments: further program headers: type, flags, offset, address, size.
    """
    order, wide = ">" if big_endian else "<", bits == 64
    header, row, word = (64, 56, "Q") if wide else (52, 32, "I")
    strings = _Strings()
    rows = [(1, strings.add(name)) for name in needed]
    rows += [(tag, strings.add(text)) for tag, text in ((14, soname), (15, rpath), (29, runpath)) if text]
    for name in symbols:
        strings.add(name)
    need_rows = _needs(order, strings, needs, weak)
    define_rows = _defines(order, strings, soname or "itself", defines)
    note = _note(order, dlopen)
    count = 2 + (not static) + bool(interpreter) + (stack is not None) + relro + len(segments)
    start = header + count * row
    parts: dict[str, tuple[int, int]] = {}
    body = b""
    named = {
        "interpreter": interpreter.encode() + b"\0" if interpreter else b"",
        "strings": strings.data,
        "needs": need_rows,
        "defines": define_rows,
        "note": note,
    }
    for name, data in named.items():
        body += bytes(-len(body) % 8)
        parts[name] = (start + len(body), len(data))
        body += data
    body += bytes(-len(body) % 8)
    rows += [(5, parts["strings"][0]), (10, len(strings.data))]
    if need_rows:
        rows += [(0x6FFFFFFE, parts["needs"][0]), (0x6FFFFFFF, len({library for library, _ in (*needs, *weak)}))]
    if define_rows:
        rows += [(0x6FFFFFFC, parts["defines"][0]), (0x6FFFFFFD, len(defines) + 1)]
    rows += [(30, flags), (0x6FFFFFFB, flags_1), *tags, (0, 0)]
    dynamic = b"".join(struct.pack(order + word + word, *each) for each in rows)
    parts["dynamic"] = (start + len(body), len(dynamic))
    body += dynamic
    size = start + len(body)
    table = [(1, load, 0, 0, size), *segments, _plain(4, 4, *parts["note"])]
    if not static:
        table.append(_plain(2, 6, *parts["dynamic"]))
    if interpreter:
        table.append(_plain(3, 4, *parts["interpreter"]))
    if stack is not None:
        table.append((0x6474E551, stack, 0, 0, 0))
    if relro:
        table.append(_plain(0x6474E552, 4, *parts["dynamic"]))
    programs = b"".join(_program(order, wide, *each) for each in table)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 2 if big_endian else 1, 1]) + bytes(9)
    rest = struct.pack(
        f"{order}HHI{word}{word}{word}IHHHHHH",
        *(_KINDS[kind], MACHINES[machine], 1, 0, header, 0, 0, header, row, count, 0, 0, 0),
    )
    return ident + rest + programs + body


def _plain(kind: int, flags: int, offset: int, size: int) -> tuple[int, int, int, int, int]:
    """Give a program header of what is loaded where it stands in the file."""
    return kind, flags, offset, offset, size


def _program(order: str, wide: bool, kind: int, flags: int, offset: int, address: int, size: int) -> bytes:
    if wide:
        return struct.pack(f"{order}IIQQQQQQ", kind, flags, offset, address, address, size, size, 8)
    return struct.pack(f"{order}IIIIIIII", kind, offset, address, address, size, size, flags, 4)


def _needs(order: str, strings: _Strings, needs: Sequence[tuple[str, str]], weak: Sequence[tuple[str, str]]) -> bytes:
    libraries: dict[str, list[tuple[str, int]]] = {}
    for pairs, flag in ((needs, 0), (weak, 2)):
        for library, version in pairs:
            libraries.setdefault(library, []).append((version, flag))
    data = b""
    for number, (library, versions) in enumerate(libraries.items()):
        last = number == len(libraries) - 1
        size = 16 + 16 * len(versions)
        data += struct.pack(order + "HHIII", 1, len(versions), strings.add(library), 16, 0 if last else size)
        for at, (version, flag) in enumerate(versions):
            end = at == len(versions) - 1
            data += struct.pack(order + "IHHII", 0, flag, 0, strings.add(version), 0 if end else 16)
    return data


def _defines(order: str, strings: _Strings, base: str, defines: Sequence[str]) -> bytes:
    if not defines:
        return b""
    data = b""
    names = [(base, 1), *((name, 0) for name in defines)]
    for at, (name, flag) in enumerate(names):
        end = at == len(names) - 1
        data += struct.pack(order + "HHHHIII", 1, flag, at + 1, 1, 0, 20, 0 if end else 28)
        data += struct.pack(order + "II", strings.add(name), 0)
    return data


def _note(order: str, rows: Sequence[Mapping[str, object]]) -> bytes:
    if not rows:
        return b""
    text = json.dumps(list(rows)).encode() + b"\0"
    return struct.pack(order + "III", 4, len(text), 0x407C0C0A) + b"FDO\0" + text + bytes(-len(text) % 4)
