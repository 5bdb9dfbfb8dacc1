"""Crates that programs in Rust name: ELF files with a list of cargo-auditable's in, the crates out."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.sbom.crates import rust_crates
from distroless_rules.sbom.languages import find
from tests.support.billed import files

SAID = {
    "packages": [
        {"name": "cc", "version": "1.2.0", "source": "crates.io", "kind": "build"},
        {"name": "itoa", "version": "1.0.15", "source": "crates.io"},
        {"name": "ryu", "version": "1.0.20", "source": "registry", "kind": "runtime"},
        {"name": "server", "version": "0.1.0", "source": "local", "dependencies": [0, 1, 2], "root": True},
    ]
}
CRATES = [("server", "0.1.0"), ("itoa", "1.0.15"), ("ryu", "1.0.20")]


def program(said: Any, bits: int = 64, order: str = "<", section: bytes = b".dep-v0") -> bytes:
    """Give an ELF file with three sections: none, the list, and the names of sections."""
    packed = said if isinstance(said, bytes) else zlib.compress(json.dumps(said).encode())
    head, row, word = (64, "2I4Q2I2Q", "Q") if bits == 64 else (52, "10I", "I")
    names = b"\0" + section + b"\0.shstrtab\0"
    place = head + len(packed) + len(names)
    ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    rest = struct.pack(
        f"{order}HHI{word}{word}{word}IHHHHHH",
        *(3, 62, 1, 0, 0, place, 0, head, 0, 0, struct.calcsize(order + row), 3, 2),
    )
    rows = [
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (1, 1, 0, 0, head, len(packed), 0, 0, 1, 0),
        (len(section) + 2, 3, 0, 0, head + len(packed), len(names), 0, 0, 1, 0),
    ]
    return ident + rest + packed + names + b"".join(struct.pack(order + row, *each) for each in rows)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_program_names_its_crates_without_those_that_only_build_it(bits: int, order: str) -> None:
    assert rust_crates(program(SAID, bits, order)) == CRATES


def test_a_program_is_its_crate_and_needs_the_others() -> None:
    found = {each.purl: each for each in find(files({"app/server": program(SAID)}), frozenset())}
    assert set(found) == {f"pkg:cargo/{name}@{version}" for name, version in CRATES}
    own = found["pkg:cargo/server@0.1.0"]
    assert own.files == ("app/server",)
    assert own.depends == ("pkg:cargo/itoa@1.0.15", "pkg:cargo/ryu@1.0.20")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x7fELF",
        program(SAID, section=b".dep-v1"),
        program(b"not compressed"),
        program(zlib.compress(b"[" * 100_000)),
        program(zlib.compress(b"{" + b" " * (17 << 20))),
        program([]),
        program({"packages": [1, {"name": "x"}, {"name": "", "version": "1"}, {"name": 1, "version": "1"}]}),
    ],
)
def test_what_is_no_list_names_nothing(data: bytes) -> None:
    assert rust_crates(data) == []


@given(st.binary(max_size=80), st.integers(0, 600), st.integers(0, 600))
def test_damaged_programs_name_nothing_or_some(noise: bytes, start: int, end: int) -> None:
    data = program(SAID)
    assert set(rust_crates(data[:start] + noise + data[end:])) <= set(CRATES)
