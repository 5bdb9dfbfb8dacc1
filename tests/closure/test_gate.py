"""The gate: files of an image in, what could not run out, with the deb to add; and what is near to a fault but none."""

from __future__ import annotations

import pytest

from distroless_rules.closure import verdict
from distroless_rules.closure.facts import Facts
from distroless_rules.elf.read import Dlopen, Elf
from tests.support.gate import APP, LIB, PY, Image, exe, lib, script

ABSENT = ", and the image has none; "

FAULTS: dict[str, tuple[Image, str]] = {
    "a library of a program": (
        Image({"app/run": exe("libssl.so.3")}),
        f'"/app/run" of //:app needs the library "libssl.so.3"{ABSENT}add libssl3 to contents, or say '
        'allow_missing = ["libssl.so.3"]',
    ),
    "a library of a library": (
        Image({"app/run": exe("a.so", runpath=("$ORIGIN",)), "app/a.so": lib("libz.so.1")}),
        f'"/app/a.so" of //:app needs the library "libz.so.1"{ABSENT}add libz1 to contents, or say',
    ),
    "a library of a deb's library that the program needs": (
        Image({"app/run": exe("a.so"), f"deb=liba:{LIB}/a.so": lib("libcrypto.so.3")}),
        f'"/{LIB}/a.so" of deb "liba" needs the library "libcrypto.so.3"{ABSENT}add libssl3',
    ),
    "a library that is named like a version": (
        Image({"app/run": exe("libfoo-1.2.so.0")}),
        f'"/app/run" of //:app needs the library "libfoo-1.2.so.0"{ABSENT}add libfoo-1.2-0',
    ),
    "a library where nobody looks": (
        Image({"app/run": exe("a.so"), "app/a.so": lib()}),
        '"/app/run" of //:app needs the library "a.so"; the loader does not look for it in "/app"; add',
    ),
    "a library for another processor": (
        Image({"app/run": exe("a.so"), f"deb:{LIB}/a.so": Elf("EM_AARCH64", 64)}),
        f'"/app/run" of //:app needs the library "a.so"; "/{LIB}/a.so" is for aarch64 (64 bits); add',
    ),
    "a library that is a link to nothing": (
        Image({"app/run": exe("a.so"), f"deb:{LIB}/a.so": "-> a.so.1"}),
        f'"/app/run" of //:app needs the library "a.so"{ABSENT}add',
    ),
    "a library that is no library": (
        Image({"app/run": exe("a.so"), f"deb:{LIB}/a.so": Facts(broken="it is no whole ELF file")}),
        f'"/app/run" of //:app needs the library "a.so"{ABSENT}add',
    ),
    "a library that is a program": (
        Image({"app/run": exe("a.so"), f"deb:{LIB}/a.so": exe("libc.so.6", kind="exec")}),
        f'"/app/run" of //:app needs the library "a.so"; "/{LIB}/a.so" is no library; add what is missing',
    ),
    "a plugin's library, where the image excludes what its deb depends on": (
        Image(
            {"app/run": APP, "deb=server:usr/lib/server/jit.so": lib("libLLVM.so.19")},
            strict={"server": ("libllvm19",)},
        ),
        f'"/usr/lib/server/jit.so" of deb "server" needs the library "libLLVM.so.19"{ABSENT}take libllvm19 out of',
    ),
    "a plugin's library, of a tree": (
        Image({"app/run": APP, "tree:app/site-packages/x.so": lib("libgomp.so.1")}),
        f'"/app/site-packages/x.so" of d needs the library "libgomp.so.1"{ABSENT}add libgomp1',
    ),
    "a library that a note says is required": (
        Image({"app/run": exe("libc.so.6", dlopen=(Dlopen(("libx.so.2", "libx.so.1"), "required", "x"),))}),
        f'"/app/run" of //:app opens the library "libx.so.2" for x{ABSENT}add libx2 to contents, or say',
    ),
    "a library that a program names to open it": (
        Image({"app/run": exe("libc.so.6", opens=("libc.so.6", "libx.so.1", "libx.so.2"))}),
        f'"/app/run" of //:app opens the library "libx.so.1"{ABSENT}add libx1 to contents, or say',
    ),
    "a version": (
        Image({"app/run": exe("libc.so.6", needs=(("libc.so.6", "GLIBC_2.41"),))}),
        f'"/app/run" of //:app needs version GLIBC_2.41 of "libc.so.6", which "/{LIB}/libc.so.6" does not have; '
        "add libc6 to contents",
    ),
    "a version that a library needs": (
        Image({"app/run": exe("a.so"), f"deb=liba:{LIB}/a.so": lib("libc.so.6", needs=(("libc.so.6", "GLIBC_9"),))}),
        f'"/{LIB}/a.so" of deb "liba" needs version GLIBC_9 of "libc.so.6"',
    ),
    "the loader": (
        Image({"app/run": exe(interpreter="/lib/ld-musl-x86_64.so.1")}),
        f'"/app/run" of //:app asks for the loader "/lib/ld-musl-x86_64.so.1"{ABSENT}add musl to contents',
    ),
    "a program for another processor": (
        Image({"app/run": Elf("EM_AARCH64", 64)}),
        '"/app/run" of //:app is for aarch64 (64 bits), and the image for linux/amd64',
    ),
    "another file for another processor": (
        Image({"app/run": APP, "app/tool": Elf("EM_386", 32)}),
        '"/app/tool" of //:app is for 386 (32 bits), and the image for linux/amd64',
    ),
    "a script's interpreter": (
        Image({"app/run": script("/bin/bash -e")}),
        '"/app/run" of //:app is a script for "/bin/bash", and the image has none; add bash to contents',
    ),
    "an interpreter that env is to find": (
        Image({"app/run": APP, "app/tool": script("/usr/bin/env -S node --x"), "deb:usr/bin/env": APP}),
        f'"/app/tool" of //:app is a script for "node"{ABSENT}add nodejs to contents',
    ),
    "env itself": (
        Image({"app/run": APP, "app/tool": script("/usr/bin/env python3")}),
        f'"/app/tool" of //:app is a script for "/usr/bin/env"{ABSENT}add coreutils to contents',
    ),
    "an interpreter whose line ends as in Windows": (
        Image({"app/run": APP, "app/tool": script("/usr/bin/python3\r"), "deb:usr/bin/python3": APP}),
        '"/app/tool" of //:app is a script for "/usr/bin/python3\\r", and the image has none; let its lines end in '
        '"\\n" alone, as a kernel takes "\\r" for a part of the name, or say allow_missing = ["/app/tool"]',
    ),
    "arguments that nobody splits": (
        Image(
            {
                "app/run": APP,
                "app/tool": script("/usr/bin/env node --x"),
                "deb:usr/bin/env": APP,
                "deb:usr/bin/node": APP,
            }
        ),
        f'"/app/tool" of //:app is a script for "node --x"{ABSENT}say env -S, as a kernel does not split what follows',
    ),
    "an interpreter that is not executable": (
        Image({"app/run": APP, "app/tool": script("/opt/i"), "deb:opt/i": "x"}),
        '"/app/tool" of //:app is a script for "/opt/i"',
    ),
    "an interpreter that is a folder": (
        Image({"app/run": APP, "app/tool": script("/usr/bin")}),
        '"/app/tool" of //:app is a script for "/usr/bin"',
    ),
    "the program": (
        Image({}),
        '"/app/run" of the image is what the image starts, and is not in it; add it to contents, or correct',
    ),
    "the program in PATH": (
        Image({"app/run": APP}, start=("run",), env={"PATH": "/usr/bin"}),
        '"/run" of the image is what the image starts, and is not in it',
    ),
    "the program, behind a link": (
        Image({"app/run": "-> /opt/run"}),
        '"/app/run" of //:app is a link to "/opt/run"; add what is missing',
    ),
    "a program that is a folder": (
        Image({"app/run": "dir"}),
        '"/app/run" of the image is what the image starts, and is a folder',
    ),
    "a program that nobody may execute": (
        Image({"app/run": b"pass"}),
        '"/app/run" of the image is what the image starts, and is not executable (mode 0644); put it there with '
        'mode = "0755"',
    ),
    "a program without a #! line": (
        Image({"app/run": None}),
        '"/app/run" of the image is what the image starts, and is neither an ELF file nor a script with a #! line',
    ),
    "a damaged program": (
        Image({"app/run": Facts(broken="it ends before a segment does")}),
        '"/app/run" of the image is what the image starts, and it ends before a segment does',
    ),
    "a link of a BUILD file": (
        Image({"app/run": APP, "app/conf": "-> ../etc/app.conf"}),
        '"/app/conf" of //:app is a link to "../etc/app.conf"',
    ),
    "links in a circle": (
        Image({"app/run": APP, "app/a": "-> b", "app/b": "-> a"}),
        '"/app/a" of //:app is a link to "b"',
    ),
    "a module": (
        Image(PY | {"app/run": APP, "app/a.py": b"import requests.sessions"}),
        f'"/app/a.py" of //:app imports "requests"{ABSENT}add python3-requests to contents, or say '
        'allow_missing = ["python:requests"]',
    ),
    "a module of the standard library": (
        Image(PY | {"app/run": APP, "app/a.py": b"import json"}),
        f'"/app/a.py" of //:app imports "json"{ABSENT}add python3 to contents',
    ),
    "a module that a function opens later": (
        Image(PY | {"app/run": APP, "app/a.py": b"def f():\n    import tkinter"}),
        f'"/app/a.py" of //:app imports "tkinter"{ABSENT}add python3-tk to contents',
    ),
    "a module of the own package": (
        Image(PY | {"app/run": APP, "app/a/b.py": b"from .c import d"}),
        '"/app/a/b.py" of //:app imports ".c"',
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    image, expected = FAULTS[fault]
    _, message = image.settled()
    assert message.startswith(expected), message


def test_there_are_enough_faults() -> None:
    assert len(FAULTS) >= 30


NEAR: dict[str, tuple[Image, str]] = {
    "a program and its library": (Image({"app/run": APP}), ""),
    "a program without libraries": (Image({"app/run": Elf("EM_X86_64", 64, kind="exec")}), ""),
    "a library by a run path": (Image({"app/run": exe("a.so", runpath=("$ORIGIN",)), "app/a.so": lib()}), ""),
    "a library by LD_LIBRARY_PATH": (
        Image({"app/run": exe("a.so"), "opt/a.so": lib()}, env={"LD_LIBRARY_PATH": "/x:/opt"}), "",
    ),
    "a library without versions": (
        Image({"app/run": exe("a.so", needs=(("a.so", "A_1"),)), f"deb:{LIB}/a.so": lib()}), "",
    ),
    "a library that a note only recommends": (
        Image({"app/run": exe("libc.so.6", dlopen=(Dlopen(("libx.so.2",)), Dlopen(("liby.so.1",), "suggested")))}), "",
    ),
    "the second of the libraries that a note asks for": (
        Image({
            "app/run": exe("libc.so.6", dlopen=(Dlopen(("libx.so.2", "libx.so.1"), "required"),)),
            f"deb=libx1:{LIB}/libx.so.1": lib(),
        }), "",
    ),
    "one of the versions that a program names": (
        Image({
            "app/run": exe("libc.so.6", opens=("libx.so.1", "libx.so.2")), f"deb=libx1:{LIB}/libx.so.1": lib(),
        }), "",
    ),
    "what a note says is optional and the program names": (
        Image({
            "app/run": exe("libc.so.6", dlopen=(Dlopen(("libx.so.2",), "suggested"),), opens=("libx.so.2",)),
        }), "",
    ),
    "what a deb's file, and a file of a tree, name to open": (
        Image({
            "app/run": APP, f"deb:{LIB}/liba.so.1": lib(opens=("libx.so.1",)),
            "tree:app/b.so": lib(opens=("libx.so.1",)),
        }), "",
    ),
    "arguments that env splits": (
        Image({
            "app/run": APP, "app/tool": script("/usr/bin/env -S node --x"), "deb:usr/bin/env": APP,
            "deb:usr/bin/node": APP,
        }), "",
    ),
    "what a note of a deb's file asks for": (
        Image({"app/run": APP, f"deb:{LIB}/libq.so.1": lib(dlopen=(Dlopen(("libx.so.2",), "required"),))}), "",
    ),
    "a plugin's library that its program has loaded": (
        Image({"app/run": APP, "deb:usr/lib/jvm/lib/a.so": lib("jvm.so"), "deb:usr/lib/jvm/lib/server/jvm.so": lib()}),
        "",
    ),
    "a deb's plugin whose library nobody depends on": (
        Image({"app/run": APP, "deb:opt/x/a.so": lib("x.so"), "deb:opt/x/b.so": lib("a.so", rpath=("$ORIGIN",))}),
        "plugin:opt/x/a.so plugin:opt/x/b.so",
    ),
    "a deb's script without its interpreter": (
        Image({"app/run": APP, "deb:usr/bin/ldd": script("/bin/bash")}), "script:usr/bin/ldd",
    ),
    "a deb's module that could be started": (
        Image({"app/run": APP, "deb:usr/lib/python3.13/pydoc.py": script("/usr/bin/env python3")}), "",
    ),
    "a deb's link to a script that is left out": (
        Image({"app/run": APP, "deb:usr/bin/ldd": script("/bin/bash"), "deb:usr/bin/l": "-> ldd"}),
        "dangling:usr/bin/l script:usr/bin/ldd",
    ),
    "a deb's link to nothing": (
        Image({"app/run": APP, "deb:usr/lib/ssl/cert.pem": "-> /etc/ssl/cert.pem"}), "dangling:usr/lib/ssl/cert.pem",
    ),
    "a link into a folder that a runtime fills": (
        Image({"app/run": APP, "deb:etc/mtab": "-> ../proc/self/mounts", "app/x": "-> /run/x", "app/y": "-> x"}), "",
    ),
    "a link into a volume": (Image({"app/run": APP, "app/data": "-> /data/x"}, volumes=("data",)), ""),
    "a script that is read, not started": (Image({"app/run": APP, "app/a.sh": "text"}), ""),
    "a deb's file for another processor": (Image({"app/run": APP, "deb:usr/lib/x.so": Elf("EM_AARCH64", 64)}), ""),
    "an object file for another processor": (
        Image({"app/run": APP, "app/x.o": Elf("EM_BPF", 64, kind="rel")}), "",
    ),
    "a tree's script without its interpreter": (Image({"app/run": APP, "tree:app/x": script("/bin/bash")}), ""),
    "an image that starts nothing": (Image({}, start=()), ""),
    "a program that a volume brings": (Image({}, start=("/data/run",), volumes=("data",)), ""),
    "a program in PATH": (
        Image({"usr/bin/run": APP}, start=("run",), env={"PATH": "/opt:/usr/bin"}), "",
    ),
    "a program below the working folder": (Image({"app/bin/run": APP}, start=("bin/run",)), ""),
    "a script with its interpreter": (
        Image({"app/run": script("/bin/python3"), "deb:usr/bin/python3": "-> python3.13"} | PY), "",
    ),
    "an interpreter that env finds": (
        Image({"app/run": script("/usr/bin/env python3.13"), "deb:usr/bin/env": APP} | PY), "",
    ),
    "a module that is caught": (
        Image(PY | {"app/run": APP, "app/a.py": b"try:\n    import ujson\nexcept ImportError:\n    pass"}), "",
    ),
    "a module for one system": (Image(PY | {"app/run": APP, "app/a.py": b"if x:\n    import winreg"}), ""),
    "a module that is linked in": (Image(PY | {"app/run": APP, "app/a.py": b"import sys, time"}), ""),
    "a module beside it": (Image(PY | {"app/run": APP, "app/a.py": b"import b", "app/b.py": b""}), ""),
    "a module of a wheel": (
        Image(PY | {"app/run": APP, "app/a.py": b"import b.c", "tree:app/site-packages/b/c.py": b"import gone"}), "",
    ),
    "a module of a deb": (
        Image(PY | {"app/run": APP, "app/a.py": b"import b", "deb:usr/lib/python3/dist-packages/b/c.py": "x"}), "",
    ),
    "an extension module": (
        Image(
            PY | {"app/run": APP, "app/a.py": b"import b", "deb:usr/lib/python3.13/lib-dynload/b.cpython-313.so": lib()}
        ), "",
    ),
    "a module in PYTHONPATH": (
        Image(PY | {"app/run": APP, "app/a.py": b"import b", "tree:srv/x/b.py": b""}, env={"PYTHONPATH": "/srv/x"}), "",
    ),
    "a source without an interpreter": (Image({"app/run": APP, "app/a.py": b"import gone"}), ""),
    "what is waived": (
        Image({"app/run": exe("libssl.so.3", "libcrypto.so.3")}, allow=("libssl.so.3", "libcr*")), "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("near", NEAR)
def test_what_is_near_to_a_fault_passes(near: str) -> None:
    image, dropped = NEAR[near]
    assert image.settled() == (dropped, "")


def test_what_is_waived_in_vain() -> None:
    image = Image({"app/run": exe("libssl.so.3")}, allow=("libssl.so.?", "libcr*", "libssl.so.3", "python:ssl"))
    assert image.idle() == ["libcr*", "python:ssl"]


NAMES = {
    "libssl.so.3": "libssl3 libssl3t64",
    "libstdc++.so.6": "libstdc++6 libstdc++6t64",
    "libgdk_pixbuf-2.0.so.0": "libgdk-pixbuf-2.0-0 libgdk-pixbuf-2.0-0t64",
    "libbfd-2.44.so": "libbfd-2.44",
    "libm.so.6": "libc6",
    "/lib64/ld-linux-x86-64.so.2": "libc6",
    "/usr/bin/perl": "perl",
    "/bin/sh": "dash",
    "/opt/x": "",
    "python:yaml": "python3-yaml",
    "python:asyncio": "python3",
}


@pytest.mark.parametrize("wants", NAMES)
def test_the_deb_that_has_it(wants: str) -> None:
    assert " ".join(verdict.deb_names(wants)) == NAMES[wants]
