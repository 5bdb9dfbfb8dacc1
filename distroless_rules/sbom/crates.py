"""What a program in Rust says of the crates in it: its bytes in; crates out, its own first.

cargo-auditable puts a section ``.dep-v0`` into what it builds: packages as JSON, compressed. A program without it says
nothing, and nothing is guessed: a ``Cargo.lock`` lists what other platforms, tests and build scripts need, too.

Source: cargo-auditable, PARSING.md and its JSON schema; System V ABI, chapter 4 (sections); RFC 1950.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

__all__ = ["rust_crates"]

_SECTION = b".dep-v0"
_MAX_PACKED = 16 << 20
_MAX_TEXT = 16 << 20
_MAX_CRATES = 100_000
_MAX_SECTIONS = 65_536
_ORDERS = {1: "<", 2: ">"}  # by EI_DATA
# By EI_CLASS: where the header has the table's place, and its rows' size, number and that of the names; a row's form.
_TABLES = {1: (32, "I", 46, "10I"), 2: (40, "Q", 58, "2I4Q2I2Q")}


def rust_crates(program: bytes) -> list[tuple[str, str]]:
    """Give (crate, version) of those that are linked into a program, its own first; none if it does not say."""
    for packed in _sections(program):
        try:
            said = json.loads(zlib.decompressobj().decompress(packed, _MAX_TEXT))
        except (zlib.error, ValueError, RecursionError):
            return []
        return _crates(said)
    return []


def _crates(said: Any) -> list[tuple[str, str]]:
    rows = said.get("packages") if isinstance(said, dict) else None
    found: list[tuple[str, str]] = []
    for row in rows[:_MAX_CRATES] if isinstance(rows, list) else ():
        name, version = (row.get("name"), row.get("version")) if isinstance(row, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(version, str) or not name or row.get("kind") == "build":
            continue
        found.insert(0 if row.get("root") is True else len(found), (name, version))
    return found


def _sections(program: bytes) -> Iterator[bytes]:
    """Give the bytes of the sections of that name; none of a file that is damaged."""
    table, order = (_TABLES.get(program[4]), _ORDERS.get(program[5])) if len(program) > 64 else (None, None)
    if table is None or order is None or not program.startswith(b"\x7fELF"):
        return
    place, word, counts, form = table
    (start,) = struct.unpack_from(order + word, program, place)
    size, count, names = struct.unpack_from(f"{order}3H", program, counts)
    row = struct.Struct(order + form)
    if size < row.size or start + count * size > len(program) or not names < count <= _MAX_SECTIONS:
        return
    rows = [row.unpack_from(program, start + number * size) for number in range(count)]
    texts, length = rows[names][4:6]
    for found in rows:
        at, (begin, held) = texts + found[0], found[4:6]
        is_named = found[0] < length and program[at : at + len(_SECTION) + 1] == _SECTION + b"\0"
        if is_named and held <= _MAX_PACKED and begin + held <= len(program):
            yield program[begin : begin + held]
