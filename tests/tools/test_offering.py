"""Debs of the build stage and a library that is lost in, the deb that is taken or the error that names both out."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from distroless_rules.closure import facts
from distroless_rules.closure.facts import Facts
from distroless_rules.closure.gate import Finding
from distroless_rules.closure.owner import Owner
from distroless_rules.deb import package
from distroless_rules.deb.package import DebIndex
from distroless_rules.elf.read import Elf
from distroless_rules.tools.offering import Offers
from distroless_rules.tools.tool import InputFile
from distroless_rules.values.digest import Digest
from distroless_rules.values.tree import Entry, Kind
from tests.support.workspace import fails

LIB = "usr/lib/x86_64-linux-gnu"
X86 = Elf("EM_X86_64", 64, dynamic=True)
ARM = Elf("EM_AARCH64", 64, dynamic=True)
NEEDS = replace(X86, needed=("libfoo.so.1",), needs=(("libfoo.so.1", "FOO_2"),))
LOST = Finding("app/run", Owner("file", "//:app"), "", "libfoo.so.1", searched=(LIB, "usr/lib"))
V2 = ("FOO_1", "FOO_2")

TAKEN: dict[str, tuple[dict[str, tuple[str, Elf]], list[str]]] = {
    "one deb": ({"small/libfoo1": (LIB, replace(X86, defines=V2))}, ["libfoo1"]),
    "the one with the version": (
        {"small/libfoo1": (LIB, replace(X86, defines=V2)), "small/libold1": (LIB, replace(X86, defines=("FOO_1",)))},
        ["libfoo1"],
    ),
    "the one for the processor": ({"small/libfoo1": (LIB, X86), "small/cross": (LIB, ARM)}, ["libfoo1"]),
    "the one where the loader looks": ({"small/libfoo1": ("usr/lib", X86), "small/private": ("opt", X86)}, ["libfoo1"]),
    "one of a folder of its own": ({"small/impl": (f"{LIB}/impl", X86), "small/private": ("opt", X86)}, ["impl"]),
    "none": ({"small/private": ("opt", X86)}, []),
}  # fmt: skip


@pytest.mark.parametrize("case", TAKEN)
def test_the_deb_that_is_taken(tmp_path: Path, case: str) -> None:
    debs, expected = TAKEN[case]
    made = offers(tmp_path, debs)
    assert made.take([(LOST, NEEDS)]) == bool(expected)
    assert list(made.taken) == expected
    if expected:
        assert made.taken[expected[0]].reason == {"by": "", "needed": [["/app/run", "libfoo.so.1"]]}


@pytest.mark.parametrize("folders", [(LIB, LIB), (LIB, "usr/lib"), (f"{LIB}/one", f"{LIB}/two")])
def test_of_two_debs_people_choose(tmp_path: Path, folders: tuple[str, str]) -> None:
    made = offers(tmp_path, {"small/libfoo1": (folders[0], X86), "other/libfoo1-fast": (folders[1], X86)})
    assert fails(lambda: made.take([(LOST, NEEDS)])) == (
        'cannot put the image together: "/app/run" of //:app needs the library "libfoo.so.1", and the build stage '
        'has it from "@small//libfoo1" and "@other//libfoo1-fast"; add one of them to contents'
    )
    assert not made.taken


def offers(folder: Path, debs: dict[str, tuple[str, Elf]]) -> Offers:
    """Give offers of debs, ``archive/name``, each with ``libfoo.so.1`` in a folder."""
    inputs, rows = {}, []
    for number, (key, (where, elf)) in enumerate(debs.items()):
        archive, _, name = key.partition("/")
        entry = Entry(f"{where}/libfoo.so.1", Kind.FILE, 0o644, size=9, sha256=f"{number:064}")
        index = package.dumps(DebIndex({"Package": name, "Version": "1"}, entries=[entry]), "0" * 64)
        for what, data in (("index", index), ("facts", facts.dumps({entry.sha256: Facts(elf)}))):
            file = folder / f"{archive}-{name}-{what}"
            file.write_bytes(data)
            inputs[f"offer/{key}/{what}"] = InputFile(file, Digest(hashlib.sha256(data).hexdigest(), len(data)))
        rows.append({"archive": archive, "deb": name, "needs": [name], "depends": [], "cuts": []})
    return Offers(rows, inputs)
