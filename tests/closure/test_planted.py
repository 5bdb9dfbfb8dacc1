"""The gate's planted faults in images that are really built: each error names the file, and the deb to add."""

from __future__ import annotations

import re

import pytest

from distroless_rules.elf.read import Dlopen
from tests.closure.test_gate import FAULTS, NEAR
from tests.support.gate import APP, LIB, PY, Image, exe, lib, script
from tests.support.gated import gated

CONTENTS = {
    "libc6": f"{LIB}/libc.so.6",
    "liba": f"{LIB}/a.so",
    "libfoo-1.2-0": f"{LIB}/libfoo-1.2.so.0",
    "libmagic1t64": f"{LIB}/libmagic.so.1",
    "libssl3t64": f"{LIB}/libssl.so.3 {LIB}/libcrypto.so.3",
    "libx1": f"{LIB}/libx.so.1",
    "libx2": f"{LIB}/libx.so.2",
    "odd-name": f"{LIB}/libodd.so.7",
    "zlib1g": f"{LIB}/libz.so.1",
    "musl": "usr/lib/ld-musl-x86_64.so.1",
    "bash": "usr/bin/bash",
    "coreutils": "usr/bin/env usr/bin/true",
    "dash": "usr/bin/dash usr/bin/sh",
    "nodejs": "usr/bin/node",
    "perl-base": "usr/bin/perl",
    "python3.14-minimal": "usr/bin/python3.14",
    "redis-server": "usr/bin/redis-server",
    "ruby": "usr/bin/ruby",
    "tini": "usr/bin/tini",
    "python3-gdbm": "usr/lib/python3/dist-packages/_gdbm.cpython-313-x86_64-linux-gnu.so",
    "python3-numpy": "usr/lib/python3/dist-packages/numpy/__init__.py",
    "python3-pil": "usr/lib/python3/dist-packages/PIL/__init__.py",
    "python3-requests": "usr/lib/python3/dist-packages/requests/__init__.py",
    "python3-six": "usr/lib/python3/dist-packages/six.py",
    "python3-tk": "usr/lib/python3.13/tkinter/__init__.py",
}
# Those of the gate's own table whose error names a deb.
DEBS = {
    "a library of a program": "libssl3t64",
    "a library of a library": "zlib1g",
    "a library of a deb's library that the program needs": "libssl3t64",
    "a library that is named like a version": "libfoo-1.2-0",
    "a library where nobody looks": "liba",
    "a library for another processor": "liba",
    "a library that is a link to nothing": "liba",
    "a library that is no library": "liba",
    "a library that is a program": "liba",
    "a library that a note says is required": "libx2",
    "a library that a program names to open it": "libx1",
    "a version": "libc6",
    "a version that a library needs": "libc6",
    "the loader": "musl",
    "a script's interpreter": "bash",
    "an interpreter that env is to find": "nodejs",
    "env itself": "coreutils",
    "a module": "python3-requests",
    "a module that a function opens later": "python3-tk",
}
# Fault -> image, file, deb.
MORE: dict[str, tuple[Image, str, str]] = {
    "a server that is started": (Image({}, start=("/usr/bin/redis-server",)), "/usr/bin/redis-server", "redis-server"),
    "an init that is found in PATH": (Image({"app/run": APP}, start=("tini", "/app/run")), "/tini", "tini"),
    "a link to a program": (Image({"app/run": APP, "app/true": "-> /bin/true"}), "/app/true", "coreutils"),
    "the program, a link to an interpreter": (Image({"app/run": "-> /usr/bin/ruby"}), "/app/run", "ruby"),
    "a library whose deb no rule names": (Image({"app/run": exe("libodd.so.7")}), "/app/run", "odd-name"),
    "a library of a plugin that is named": (
        Image({"app/run": APP, "app/plugins/x.so": lib("libmagic.so.1")}), "/app/plugins/x.so", "libmagic1t64",
    ),
    "a library for 32 bits": (
        Image({"app/run": exe("libz.so.1"), f"deb=other:{LIB}/libz.so.1": lib(machine="EM_386", bits=32)}),
        "/app/run", "zlib1g",
    ),
    "a library with too few versions": (
        Image({
            "app/run": exe("libssl.so.3", needs=(("libssl.so.3", "OPENSSL_3.4.0"),)),
            f"deb=old:{LIB}/libssl.so.3": lib(soname="libssl.so.3", defines=("OPENSSL_3.0.0",)),
        }),
        "/app/run", "libssl3t64",
    ),
    "a library that another folder's run path would find": (
        Image({"app/run": exe("libx.so.2", runpath=("$ORIGIN/lib",)), "app/libs/libx.so.2": lib()}),
        "/app/run", "libx2",
    ),
    "a library that a library's note says is required": (
        Image({
            "app/run": exe("a.so", runpath=("$ORIGIN",)),
            "app/a.so": lib(dlopen=(Dlopen(("libcrypto.so.3",), "required", "tls"),)),
        }),
        "/app/a.so", "libssl3t64",
    ),
    "a shell": (Image({"app/run": script("/bin/sh -e")}), "/app/run", "dash"),
    "an interpreter with options": (Image({"app/run": script("/usr/bin/perl -wT")}), "/app/run", "perl-base"),
    "another version's interpreter": (
        Image(PY | {"app/run": script("/usr/bin/python3.14")}), "/app/run", "python3.14-minimal",
    ),
    "an interpreter behind env and its options": (
        Image({"app/run": script("/usr/bin/env -S ruby -w"), "deb:usr/bin/env": APP}), "/app/run", "ruby",
    ),
    "a module's submodule": (
        Image(PY | {"app/run": APP, "app/a.py": b"from numpy.linalg import inv"}), "/app/a.py", "python3-numpy",
    ),
    "a module whose deb is named otherwise": (
        Image(PY | {"app/run": APP, "app/a.py": b"from PIL import Image"}), "/app/a.py", "python3-pil",
    ),
    "a module of one file": (Image(PY | {"app/run": APP, "app/b/c.py": b"import six"}), "/app/b/c.py", "python3-six"),
    "an extension module, in a method": (
        Image(PY | {"app/run": APP, "app/a.py": b"class A:\n    def f(self):\n        import _gdbm"}),
        "/app/a.py", "python3-gdbm",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give what is said of all images, built once."""
    tables = [(name, image) for name, (image, *_) in (*FAULTS.items(), *MORE.items(), *NEAR.items())]
    index = "".join(f"{path} misc/{deb}\n" for deb, paths in CONTENTS.items() for path in paths.split())
    return gated(tmp_path_factory.mktemp("planted"), dict(tables), index)


def test_each_fault_is_said_with_its_file_and_deb(said: dict[str, str]) -> None:
    for name in said.keys() & FAULTS.keys():
        head = re.split(" of //:app |; add |; take |it ends before", FAULTS[name][1])[0]
        assert said[name].startswith(head), name
    expected = {name: (None, deb) for name, deb in DEBS.items()} | {name: row[1:] for name, row in MORE.items()}
    for name, (file, deb) in expected.items():
        assert re.search(rf'add "@a\d+//{re.escape(deb)}" to contents', said[name]), (name, said[name])
        assert file is None or said[name].startswith(f'"{file}" of '), (name, said[name])
    assert len(expected) >= 36
    assert len([name for name in said if name in FAULTS or name in MORE]) >= 50


def test_what_is_near_to_a_fault_is_none(said: dict[str, str]) -> None:
    near = {name: said[name] for name in NEAR if name in said}
    assert len(near) >= 30
    assert set(near.values()) == {""}, near
