"""Reading ELF files: made by hand for each thing that one can say, the machine's own, and damaged ones."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distroless_rules.elf.read import Dlopen, Elf, Hardening, read
from distroless_rules.errors import FormatError
from tests.support.elf import MACHINES, make_elf

SAID: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "libraries": ({"needed": ["liba.so.1", "libc.so.6"]}, {"needed": ("liba.so.1", "libc.so.6")}),
    "a name": ({"soname": "liba.so.1"}, {"soname": "liba.so.1"}),
    "a loader": ({"interpreter": "/lib/ld.so"}, {"interpreter": "/lib/ld.so"}),
    "a run path": ({"runpath": "$ORIGIN:/opt/lib"}, {"runpath": ("$ORIGIN", "/opt/lib")}),
    "an old run path": ({"rpath": "/opt/lib"}, {"rpath": ("/opt/lib",)}),
    "both run paths": ({"rpath": "/a", "runpath": "/b"}, {"rpath": (), "runpath": ("/b",)}),
    "no folders of the loader": ({"flags_1": 0x801}, {"no_default": True}),
    "version needs": (
        {"needs": [("libc.so.6", "GLIBC_2.2.5"), ("libc.so.6", "GLIBC_2.34"), ("libm.so.6", "GLIBC_2.29")]},
        {"needs": (("libc.so.6", "GLIBC_2.2.5"), ("libc.so.6", "GLIBC_2.34"), ("libm.so.6", "GLIBC_2.29"))},
    ),
    "weak version needs": ({"weak": [("libc.so.6", "GLIBC_2.99")]}, {"needs": ()}),
    "versions": ({"soname": "liba.so.1", "defines": ["A_1", "A_2"]}, {"defines": ("A_1", "A_2")}),
    "libraries opened later": (
        {"dlopen": [{"soname": ["libz.so.1", "libz.so.0"], "priority": "required", "feature": "zip"}]},
        {"dlopen": (Dlopen(("libz.so.1", "libz.so.0"), "required", "zip"),)},
    ),
    "libraries opened later, without a priority": (
        {"dlopen": [{"soname": ["libz.so.1"]}, {"soname": "no list"}]},
        {"dlopen": (Dlopen(("libz.so.1",)),)},
    ),
    "a name that is not UTF-8": ({"needed": ["lib\udcff.so"]}, {"needed": ("lib\udcff.so",)}),
    "no dynamic section": ({"static": True}, {"dynamic": False, "needed": ()}),
}


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("big_endian", [False, True], ids=["little", "big"])
@pytest.mark.parametrize("what", SAID)
def test_what_a_file_says(what: str, bits: int, big_endian: bool) -> None:
    given_, expected = SAID[what]
    found = read(make_elf(bits=bits, big_endian=big_endian, **given_))
    assert {name: getattr(found, name) for name in expected} == expected
    assert (found.bits, found.big_endian) == (bits, big_endian)


STRINGS = b"libz.so.1\0libx.so\0/usr/lib/liby.so.2\0lib%s.so.1\0see libq.so.1\0libw.so.1 \0libz.so.1\0libv.so.2"


@pytest.mark.parametrize(
    ("symbols", "opens"),
    [(["dlopen"], ("libx.so", "libz.so.1")), (["dlmopen"], ("libx.so", "libz.so.1")), (["dlopens", "open"], ())],
)
def test_what_it_names_to_open_it(symbols: list[str], opens: tuple[str, ...]) -> None:
    data = make_elf(symbols=symbols, needed=["libc.so.6"]) + b"\0" + STRINGS
    assert [name for name in read(data).opens if name != "libc.so.6"] == list(opens)
    assert read(memoryview(data)).opens == read(data).opens


@pytest.mark.parametrize("machine", MACHINES)
def test_its_processor(machine: str) -> None:
    names = {"amd64": "EM_X86_64", "arm64": "EM_AARCH64", "386": "EM_386", "arm": "EM_ARM"}
    names |= {"riscv64": "EM_RISCV", "s390x": "EM_S390", "bpf": "EM_BPF"}
    assert read(make_elf(machine=machine)).machine == names[machine]


HARDENED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "hard": ({}, {"pie": True, "relro": "full", "nx": True, "rwx": False, "textrel": False}),
    "at a fixed address": ({"kind": "exec"}, {"pie": False}),
    "bound late": ({"flags": 0, "flags_1": 0}, {"relro": "partial"}),
    "bound at once by the old tag": ({"flags": 0, "flags_1": 0, "tags": [(24, 0)]}, {"relro": "full"}),
    "without relro": ({"relro": False}, {"relro": "none"}),
    "with an executable stack": ({"stack": 7}, {"nx": False}),
    "that says nothing of its stack": ({"stack": None}, {"nx": False}),
    "writable code": ({"load": 7}, {"rwx": True}),
    "relocated code": ({"flags": 12}, {"textrel": True}),
    "relocated code by the old tag": ({"tags": [(22, 0)]}, {"textrel": True}),
    "a canary": ({"symbols": ["__stack_chk_fail"]}, {"canary": True, "fortified": False}),
    "checked functions": ({"symbols": ["__memcpy_chk"]}, {"canary": False, "fortified": True}),
}


@pytest.mark.parametrize("what", HARDENED)
def test_how_it_is_hardened(what: str) -> None:
    given_, expected = HARDENED[what]
    hardening = read(make_elf(**given_)).hardening
    assert {name: getattr(hardening, name) for name in expected} == expected


def test_a_program_of_this_machine() -> None:
    found = read(Path(sys.executable).resolve().read_bytes())
    assert found.interpreter.startswith("/lib")
    assert any(name.startswith("libc.so") for name in found.needed)
    assert ("libc.so.6", "GLIBC_2.34") in found.needs
    assert found.hardening != Hardening()


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "it is no whole ELF file"),
        (b"\x7fELF", "it is no whole ELF file"),
        (b"#!/bin/sh\n", "it is no whole ELF file"),
        (make_elf(needed=["liba.so"])[:200], "it"),
        (make_elf(tags=[(0x6FFFFFFE, 1 << 40), (0x6FFFFFFF, 3)]), "nothing of it is loaded at 0x10000000000"),
        (make_elf(defines=["A"], tags=[(0x6FFFFFFD, 5)]).replace(b"A\0", b"A\0"), ""),
        (make_elf(tags=[(0x6FFFFFFC, 64), (0x6FFFFFFD, 1 << 30)]), "it has a table of more than 16384 versions"),
        (make_elf(tags=[(14, 1 << 30)]), "a name in its dynamic section has no end"),
    ],
)
def test_damaged_files_are_one_error(data: bytes, cause: str) -> None:
    if not cause:
        assert read(data).defines == ("A",)
        return
    with pytest.raises(FormatError, match="cannot read usr/bin/x") as caught:
        read(data, "usr/bin/x")
    assert cause in str(caught.value)


WHOLE = make_elf(
    needed=["liba.so.1"],
    soname="libb.so",
    interpreter="/lib/ld.so",
    runpath="$ORIGIN",
    needs=[("liba.so.1", "A_1")],
    defines=["B_1"],
    dlopen=[{"soname": ["libz.so.1"]}],
)


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_damage_is_read_or_one_error(dice: random.Random) -> None:
    data = bytearray(WHOLE)
    for _ in range(dice.randint(1, 12)):
        data[dice.randrange(len(data))] = dice.choice([0, 1, 0x7F, 0xFF, dice.randrange(256)])
    try:
        found = read(bytes(data[: dice.choice([len(data), dice.randrange(len(data))])]))
    except FormatError:
        return
    assert isinstance(found, Elf)
