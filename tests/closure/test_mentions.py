"""What files name in their bytes: bytes in, paths, libraries and modules out; facts and mentions, written and read."""

from __future__ import annotations

import hashlib

import pytest

from distroless_rules.closure import facts, mentions, scan
from distroless_rules.errors import FormatError
from distroless_rules.values.tree import Entry, Kind
from tests.support.elf import make_elf

ELF = make_elf(static=True)
CASES: dict[str, tuple[str, bytes, str]] = {
    "paths of a program": ("a", ELF + b"x\0/usr/share/a/b\0/etc/c.conf:/opt/dd\0", "usr/share/a/b etc/c.conf opt/dd"),
    "no paths within words": ("a", ELF + b"https://x/usr/share/a\0$PREFIX/usr/lib/b\0", ""),
    "no paths of the machine that made it": ("a", ELF + b"/home/x/y\0/build/z\0", ""),
    "libraries of a program": ("a", ELF + b"libz.so.1\0liba-2.so\0notlibx.so.1\0libq.sox\0", "libz.so.1 liba-2.so"),
    "paths of a configuration": (
        "etc/x.conf",
        b"dir = /usr/lib/x/\n# see /usr/share/doc.\n",
        "usr/lib/x usr/share/doc",
    ),
    "paths of a script": ("usr/bin/x", b"#!/bin/sh\nexec /usr/lib/x/y\n", "bin/sh usr/lib/x/y"),
    "nothing of data": ("usr/share/x.dat", b"/usr/lib/x/y", ""),
    "nothing of a text with NUL bytes": ("etc/x", b"/usr/lib/x\0", ""),
    "modules of a source": ("x.py", b"import json\n", "json"),
    "modules of a script": ("usr/bin/x", b"#!/usr/bin/python3\nimport json\n", "usr/bin/python3 json"),
    "modules of an extension module": ("x.so", ELF + b"PyInit_x\0zoneuuidinfo\0os\0dis1", "uuid os"),
    "no modules of an interpreter": ("x", ELF + b"PyInit_x\0Py_RunMain\0uuid\0", ""),
}


def entry(path: str, data: bytes) -> Entry:
    sha256 = hashlib.sha256(data).hexdigest()
    return Entry(path, Kind.FILE, 0o644, size=len(data), sha256=sha256)


@pytest.mark.parametrize("case", CASES)
def test_what_a_file_names(case: str) -> None:
    path, data, expected = CASES[case]
    found = mentions.scan([entry(path, data)], lambda _, size: data[:size], map)
    names = [n for m in found.values() for n in (*m.paths, *m.libraries, *(one.module for one in m.imports))]
    assert sorted(names) == sorted(expected.split())
    assert mentions.loads(mentions.dumps(found)) == found


def test_programs_need_not_be_read() -> None:
    files = {"a": ELF + b"libz.so.1\0", "b": b"#!/usr/bin/python3\nimport json\n"}
    entries = [entry(path, data) for path, data in files.items()]
    found = mentions.scan(entries, lambda each, size: files[each.path][:size], map, texts=True)
    assert [*found] == [entries[1].sha256]


def test_facts_are_written_and_read() -> None:
    files = {
        "a": make_elf(needed=["libc.so.6"], needs=[("libc.so.6", "GLIBC_2.34")], dlopen=[{"soname": ["libz.so.1"]}]),
        "b": b"#! /usr/bin/env  node \nx",
        "c": b"\x7fELF and no more",
        "d": b"text",
        "e": b"",
    }
    entries = [entry(path, data) for path, data in files.items()]
    found = scan.scan(entries, lambda each, size: files[each.path][:size], lambda each: files[each.path])
    shown = {each.path: found.get(each.sha256) for each in entries}
    assert shown["a"] is not None
    assert shown["a"].elf is not None
    assert shown["a"].elf.needed == ("libc.so.6",)
    assert shown["b"] == facts.Facts(script="/usr/bin/env  node")
    assert shown["c"] is not None
    assert shown["c"].broken == "it is no whole ELF file"
    assert (shown["d"], shown["e"]) == (None, None)
    assert facts.loads(facts.dumps(found)) == found


@pytest.mark.parametrize("data", [b"", b"[]", b'{"a": 1}', b'{"a": [1]}', b'{"a": {"x": 1}}', b"\xff"])
def test_what_is_not_ours_is_refused(data: bytes) -> None:
    for read in (facts.loads, mentions.loads):
        with pytest.raises(FormatError):
            read(data)
