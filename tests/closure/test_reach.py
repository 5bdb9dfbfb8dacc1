"""What is reached: files of an image and what they say in, the paths that the program may open out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from distroless_rules.closure.extras import EXTRAS
from distroless_rules.closure.facts import Facts
from distroless_rules.closure.imports import imports
from distroless_rules.closure.mentions import Mentions
from distroless_rules.closure.program import Program
from distroless_rules.closure.python_path import PythonPath
from distroless_rules.closure.reach import Reach
from distroless_rules.closure.view import View
from distroless_rules.elf.read import Dlopen, Elf
from distroless_rules.values.tree import Entry, Kind

X86 = Elf("EM_X86_64", 64, dynamic=True)
LIB = "usr/lib/x86_64-linux-gnu"


def elf(*needed: str, **more: Any) -> Facts:
    return Facts(replace(X86, needed=needed, **more))


@dataclass(frozen=True)
class Says:
    """A file that names things; ``python`` is a source's text."""

    paths: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    python: str = ""
    facts: Facts = field(default_factory=Facts)


def reached(files: dict[str, Any], *wanted: str, start: str = "/app/run", env: dict[str, str] | None = None) -> str:
    """Give the paths that are reached; of a deb are those whose first part says so: ``deb=name:path``."""
    entries, facts, mentions, debs = {}, {}, {}, {}
    for name, what in files.items():
        deb, _, path = name.rpartition(":")
        debs[path] = deb
        sha = f"sha of {path}"
        if isinstance(what, str):
            entries[path] = Entry.symlink(path, what)
            continue
        entries[path] = Entry(path, Kind.FILE, 0o755, size=1, sha256=sha)
        if isinstance(what, Facts):
            facts[sha] = what
        elif what is not None:
            facts[sha] = what.facts
            mentions[sha] = Mentions(what.paths, what.libraries, tuple(imports(what.python)))
    view = View(entries, facts)
    program = Program("linux/amd64", (start,), env or {}, "/app")
    walk = Reach(view, mentions, program, PythonPath(view, ("app",), env or {}), lambda path: debs.get(path, ""))
    walk.walk(wanted)
    return " ".join(sorted(walk.reached))


RUN = {"app/run": None}
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "the program": ({"app/run": None, "app/other": None}, "app/run"),
    "links on the way": (
        {"app/run": "bin/real", "app/bin": "../opt", "opt/real": None, "opt/not": None},
        "app/bin app/run opt/real",
    ),
    "a loader and libraries": (
        {
            "app/run": elf("a.so.1", interpreter="/lib64/ld.so"),
            "lib64": "usr/lib64",
            "usr/lib64/ld.so": elf(),
            f"{LIB}/a.so.1": "a.so.1.2",
            f"{LIB}/a.so.1.2": elf("b.so"),
            f"{LIB}/b.so": elf(),
            f"{LIB}/c.so": elf(),
        },
        f"app/run lib64 {LIB}/a.so.1 {LIB}/a.so.1.2 {LIB}/b.so usr/lib64/ld.so",
    ),
    "libraries opened later": (
        {"app/run": elf(dlopen=(Dlopen(("z.so.2", "z.so.1")),)), f"{LIB}/z.so.1": elf(), f"{LIB}/y.so": elf()},
        f"app/run {LIB}/z.so.1",
    ),
    "libraries that are named": (
        {"app/run": Says(libraries=("libz.so",), facts=elf()), "opt/x/libz.so": elf("libq.so"), "opt/x/libq.so": elf()},
        "app/run opt/x/libq.so opt/x/libz.so",
    ),
    "an interpreter": (
        {"app/run": Facts(script="/usr/bin/env -S lua -i"), "usr/bin/env": None, "usr/bin/lua": None},
        "app/run usr/bin/env usr/bin/lua",
    ),
    "paths that are named": (
        {"app/run": Says(("etc/a.conf", "usr/gone")), "etc/a.conf": Says(("usr/share/a/b",)), "usr/share/a/b": None},
        "app/run etc/a.conf usr/share/a/b",
    ),
    "a folder of one deb": (
        {"app/run": Says(("usr/share/a",)), "d:usr/share/a/b/c": None, "d:usr/share/a/d": "b", "d:usr/share/x": None},
        "app/run usr/share/a/b/c usr/share/a/d",
    ),
    "no folder of several debs": (
        {"app/run": Says(("usr/share/a",)), "d:usr/share/a/b": None, "e:usr/share/a/c": None}, "app/run",
    ),
    "no folder that all have": ({"app/run": Says(("usr/share",)), "d:usr/share/a": None}, "app/run"),
    "modules": (
        {
            "app/run": Says(python="import a.b\nfrom c import d, e\nfrom .f import g\nimport gone"),
            "usr/bin/python3.13": None,
            "usr/lib/python3.13/a/__init__.py": None,
            "usr/lib/python3.13/a/b.py": None,
            "usr/lib/python3.13/a/x.py": None,
            "usr/lib/python3/dist-packages/c/__init__.py": Says(python="from . import data"),
            "usr/lib/python3/dist-packages/c/data.json": None,
            "usr/lib/python3/dist-packages/c/d.cpython-313-x86_64-linux-gnu.so": elf("libz.so.1"),
            f"{LIB}/libz.so.1": elf(),
            "app/f.py": None,
            "app/x.py": None,
        },
        "app/f.py app/run usr/lib/python3.13/a/__init__.py usr/lib/python3.13/a/b.py "
        "usr/lib/python3/dist-packages/c/__init__.py "
        "usr/lib/python3/dist-packages/c/d.cpython-313-x86_64-linux-gnu.so usr/lib/python3/dist-packages/c/data.json "
        f"{LIB}/libz.so.1",
    ),
    "what an interpreter starts with": (
        {
            "app/run": Facts(script="/usr/bin/python3.13"),
            "usr/bin/python3.13": None,
            "usr/lib/python3.13/site.py": Says(python="import os"),
            "usr/lib/python3.13/os.py": None,
            "usr/lib/python3.13/json.py": None,
            "usr/lib/python3.13/encodings/__init__.py": None,
            "usr/lib/python3.13/encodings/cp1252.py": None,
        },
        "app/run usr/bin/python3.13 usr/lib/python3.13/encodings/__init__.py usr/lib/python3.13/encodings/cp1252.py "
        "usr/lib/python3.13/os.py usr/lib/python3.13/site.py",
    ),
    "what no file can name": (
        {
            "app/run": elf("libc.so.6"),
            f"{LIB}/libc.so.6": elf(),
            f"{LIB}/libnss_files.so.2": elf(),
            f"{LIB}/gconv/UTF-16.so": elf(),
            "usr/lib/ssl/openssl.cnf": None,
        },
        f"app/run {LIB}/gconv/UTF-16.so {LIB}/libc.so.6 {LIB}/libnss_files.so.2",
    ),
    "links in a circle": ({"app/run": "x", "app/x": "run"}, ""),
    "files that lead to each other": (
        {"app/run": Says(("opt/a/b",)), "opt/a/b": Says(("opt/a/c",)), "opt/a/c": Says(("opt/a/b",))},
        "app/run opt/a/b opt/a/c",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_reached(case: str) -> None:
    files, expected = CASES[case]
    assert sorted(reached(files).split()) == sorted(expected.split())


def test_what_is_wanted_is_reached_too() -> None:
    assert reached(RUN | {"etc/a": Says(("opt/x/y",)), "opt/x/y": None}, "etc/a") == "app/run etc/a opt/x/y"


def test_every_extra_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs/decisions/closure.md").read_text("utf-8")
    table = text.partition("### What no file can say")[2].partition("###")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert rows == [
        f"| {extra.name} | `{extra.when}` | {' '.join(f'`{also}`' for also in extra.also)} | {extra.reason} |"
        for extra in EXTRAS
    ]
    assert len({extra.name for extra in EXTRAS}) == len(EXTRAS)
