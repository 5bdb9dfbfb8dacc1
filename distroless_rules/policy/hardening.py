"""How programs and libraries were compiled and linked, by what their ELF files say.

Source: System V ABI (segments, dynamic section); ld(1), options -z and -rpath; ld.so(8), run paths.
"""

from __future__ import annotations

from collections.abc import Iterator

from distroless_rules.closure.facts import Facts
from distroless_rules.elf.read import Elf
from distroless_rules.policy.subject import Subject
from distroless_rules.policy.violation import Violation
from distroless_rules.values.tree import Kind

__all__ = ["check"]

_ORIGIN = ("$ORIGIN", "${ORIGIN}")
_SHARED = ("tmp", "var/tmp", "dev/shm", "run/user")


def check(subject: Subject) -> Iterator[Violation]:
    """Give what is soft about an image's ELF files; objects and kernel modules are none of these."""
    for path, _ in subject.files():
        facts = subject.view.facts(path)
        if facts is not None and facts.elf is not None and facts.elf.kind in ("exec", "dyn"):
            kinds = subject.marked(path).kinds
            yield from _linked(subject, path, facts.elf, is_go="go" in kinds)
            yield from _compiled(subject, path, facts.elf, is_safe="go" in kinds or "rust" in kinds)
            yield from _run_path(subject, path, facts)


def _linked(subject: Subject, path: str, elf: Elf, *, is_go: bool) -> Iterator[Violation]:
    hard = elf.hardening
    # Go's own linker makes neither, and its programs have no relocations that a C library would leave writable.
    level = "note" if is_go else ""
    if not hard.pie:
        yield subject.of_path("pie", path, "is loaded at a fixed address (no PIE)", level=level)
    if hard.relro != "full":
        said = "has no RELRO" if hard.relro == "none" else "has partial RELRO only"
        yield subject.of_path("relro", path, said, level=level)
    if not hard.nx:
        yield subject.of_path("executable-stack", path, "asks for an executable stack")
    if hard.rwx:
        yield subject.of_path("writable-code", path, "has a segment that is writable and executable")
    if hard.textrel:
        yield subject.of_path("text-relocations", path, "has relocations in its code")


def _compiled(subject: Subject, path: str, elf: Elf, *, is_safe: bool) -> Iterator[Violation]:
    if elf.dynamic and elf.needed and not elf.hardening.canary and not is_safe:
        yield subject.of_path("stack-canary", path, "does not check its stack")


def _run_path(subject: Subject, path: str, facts: Facts) -> Iterator[Violation]:
    assert facts.elf is not None
    for folder in (*facts.elf.rpath, *facts.elf.runpath):
        problem = _open_folder(subject, path, folder)
        if problem:
            yield subject.of_path("run-path", path, f'looks for libraries in "{folder}", {problem}')


def _open_folder(subject: Subject, path: str, folder: str) -> str:
    """Say why others than root can put libraries into a folder, ``""`` if they cannot."""
    for word in _ORIGIN:
        if folder.startswith(word):
            folder = f"/{path.rpartition('/')[0]}{folder[len(word) :]}"
    if not folder.startswith("/"):
        return "wherever it is started"
    above = ""
    for part in folder.strip("/").split("/"):
        above = f"{above}/{part}" if above else part
        if above in _SHARED:
            return "where everybody may write"
        entry = subject.view.at(above)
        if entry is None:
            return ""  # only who may write to the folder above, which was looked at, can make it
        if entry.kind is Kind.DIRECTORY and (entry.uid or entry.mode & 0o002 or (entry.gid and entry.mode & 0o020)):
            return f'where others than root may write ("/{above}")'
    return ""
