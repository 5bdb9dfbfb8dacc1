"""Where things come from: licences of debs, files of nobody, maintainer scripts that nobody has modelled, budgets.

Source: Debian policy 4.7, 12.5 (copyright files), chapter 6 (maintainer scripts).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from distroless_rules.policy.subject import Subject
from distroless_rules.policy.violation import Violation
from distroless_rules.values.tree import Kind

__all__ = ["check"]

_SCRIPT = re.compile(r"(\S+) of (\S+), line ([0-9]+): (.*)", re.DOTALL)
_RECORDS = re.compile(r"var/lib/dpkg/.*|etc/(?:passwd|group|shadow|gshadow|hosts|hostname|resolv\.conf|mtab)")


def check(subject: Subject) -> Iterator[Violation]:
    """Give what nobody answers for."""
    bringing = {owner.name for path, owner in subject.owners.items() if owner.kind == "deb" and _is_file(subject, path)}
    for deb in subject.debs:
        entry = subject.view.at(f"usr/share/doc/{deb}/copyright")
        if (entry is None or entry.kind is not Kind.FILE) and deb in bringing:
            yield Violation("licence", f"/usr/share/doc/{deb}/copyright", "is not there", f'deb "{deb}"', "deb")
    for text in subject.accepted:
        found = _SCRIPT.fullmatch(text)
        script, deb, line, command = found.groups() if found else ("script", "", "0", text)
        message = f'has a {script} script whose line {line} nobody has modelled: "{command[:80]}"'
        yield Violation("unmodelled-script", f"deb {deb}".strip(), message, f'deb "{deb}"', "deb")
    if not subject.is_built:
        for path, _ in subject.files():
            if path not in subject.owners and not _RECORDS.fullmatch(path):
                yield subject.of_path("unowned-file", path, "belongs to no deb")


def _is_file(subject: Subject, path: str) -> bool:
    entry = subject.entries.get(path)
    return entry is not None and entry.kind is Kind.FILE
