"""An image for the gate as a table: paths and what is there in, what is left out and found out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from distroless_rules.closure import verdict
from distroless_rules.closure.facts import Facts
from distroless_rules.closure.gate import Gate
from distroless_rules.closure.imports import imports
from distroless_rules.closure.mentions import Mentions
from distroless_rules.closure.owner import Owner
from distroless_rules.closure.program import Program
from distroless_rules.closure.view import View
from distroless_rules.elf.read import Elf
from distroless_rules.values.tree import Entry, Kind

__all__ = ["APP", "BASE", "LIB", "LOADER", "PY", "X86", "Image", "exe", "lib", "script"]

X86 = Elf("EM_X86_64", 64, dynamic=True)
LOADER = "/lib64/ld-linux-x86-64.so.2"
LIB = "usr/lib/x86_64-linux-gnu"


def lib(*needed: str, **more: Any) -> Elf:
    return replace(X86, needed=needed, **more)


def exe(*needed: str, **more: Any) -> Elf:
    return lib(*needed, **{"interpreter": LOADER, **more})


def script(line: str) -> Facts:
    return Facts(script=line)


@dataclass
class Image:
    """An image as a table: path -> what is there; ``deb:``, ``tree:`` before a path say who brings it."""

    files: dict[str, Any]
    start: tuple[str, ...] = ("/app/run",)
    env: dict[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    strict: dict[str, tuple[str, ...]] = field(default_factory=dict)
    platform: str = "linux/amd64"

    def settled(self) -> tuple[str, str]:
        """Give what is left out, and the findings' message."""
        dropped, gate = self._held()
        found = gate.findings()
        return " ".join(f"{rule}:{path}" for path, rule in sorted(dropped.items())), (
            str(verdict.error(found)).removeprefix("cannot put the image together: ") if found else ""
        )

    def idle(self) -> list[str]:
        """Give what is allowed to miss and does not."""
        return self._held()[1].idle()

    def _held(self) -> tuple[dict[str, str], Gate]:
        entries: dict[str, Entry] = {}
        facts: dict[str, Facts] = {}
        mentions: dict[str, Mentions] = {}
        owners: dict[str, Owner] = {}
        for name, what in BASE.items() | self.files.items():
            kind, colon, path = name.rpartition(":")
            owners[path] = Owner(*(kind.split("=") if "=" in kind else (kind or "file", "d" if colon else "//:app")))
            entries[path] = entry = _entry(path, what)
            if isinstance(what, Elf):
                facts[entry.sha256] = Facts(what)
            elif isinstance(what, Facts):
                facts[entry.sha256] = what
            elif isinstance(what, bytes):
                mentions[entry.sha256] = Mentions(imports=tuple(imports(what.decode())))
        program = Program(self.platform, self.start, self.env, "/app", self.volumes)

        def gate(left: dict[str, Entry]) -> Gate:
            return Gate(View(left, facts), owners, program, mentions, self.allow, self.strict)

        dropped = gate(entries).unusable(lambda path: False)
        return dropped, gate({path: entry for path, entry in entries.items() if path not in dropped})


BASE = {
    "deb=libc6:usr/lib64/ld-linux-x86-64.so.2": lib(soname="ld-linux-x86-64.so.2"),
    f"deb=libc6:{LIB}/libc.so.6": lib(soname="libc.so.6", defines=("GLIBC_2.2.5", "GLIBC_2.34")),
    "image:lib64": "-> usr/lib64",
    "image:bin": "-> usr/bin",
    "image:usr/bin": "dir",
}


def _entry(path: str, what: Any) -> Entry:
    if isinstance(what, str) and what.startswith("-> "):
        return Entry.symlink(path, what[3:])
    if what == "dir":
        return Entry.directory(path)
    mode = 0o644 if isinstance(what, (bytes, str)) else 0o755
    return Entry(path, Kind.FILE, mode, size=9, sha256=f"sha of {path}")


PY = {"deb=python3.13-minimal:usr/bin/python3.13": exe("libc.so.6"), "deb:usr/lib/python3.13/os.py": "x"}
APP = exe("libc.so.6", needs=(("libc.so.6", "GLIBC_2.34"),))
