"""What the hardening policy would hold against an image as it was: a declaration in, checks to waive out.

The equivalent of an image does what the image did, as who it was; what of that a policy forbids is written down, so
that the first build passes and a person sees what is left to mend (docs/policy.md).
"""

from __future__ import annotations

from collections.abc import Iterator

from distroless_rules.anatomy.anatomy import Anatomy
from distroless_rules.anatomy.declared import Declared
from distroless_rules.anatomy.packages import Deb
from distroless_rules.values.tree import Kind

__all__ = ["waivers"]

_REASON = "the image that this was made from is so"
_COMPILED = ("executable-stack", "pie", "relro", "run-path", "text-relocations", "writable-code")


def waivers(anatomy: Anatomy, declared: Declared) -> dict[str, str]:
    """Give check -> why it is waived.

    Raises:
        OSError: if a file of the image cannot be read.
    """
    return dict.fromkeys(sorted(_checks(anatomy, declared)), _REASON)


def _checks(anatomy: Anatomy, declared: Declared) -> Iterator[str]:
    if anatomy.begun.start.user.partition(":")[0] in ("", "0", "root"):
        yield "root-user"
    if anatomy.begun.keeps_shell:
        yield "shell-form"
    if any(deb.package.name in ("bash", "dash", "busybox") for deb in _kept(anatomy)):
        yield from ("shell", "interpreter")
    entries = [*declared.files.values(), *declared.folders.values()]
    if any(entry.uid or entry.gid or entry.mode & 0o022 for entry in entries):
        yield from ("owned-program", "read-only-root")
    if any(entry.mode & 0o002 for entry in entries):
        yield "world-writable"
    if any(entry.mode & 0o6000 and entry.kind is Kind.FILE for entry in entries):
        yield "setuid"
    if declared.links:
        yield from ("dangling-link", "escaping-link")
    facts = (anatomy.view.facts(path) for path in declared.files)
    if any(each is not None and each.elf is not None for each in facts):
        yield from _COMPILED


def _kept(anatomy: Anatomy) -> Iterator[Deb]:
    return (anatomy.database.debs[name] for name in anatomy.grouped.stays)
