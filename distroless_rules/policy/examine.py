"""All checks, one after the other: an image in, what they find out."""

from __future__ import annotations

from distroless_rules.policy import config, credentials, hardening, identity, origin, permissions, surface
from distroless_rules.policy.subject import Subject
from distroless_rules.policy.violation import Findings
from distroless_rules.values.tree import Kind

__all__ = ["examine"]

_GROUPS = (identity, surface, permissions, credentials, config, hardening, origin)


def examine(subject: Subject) -> Findings:
    """Give everything that is found in an image, whatever its policy says of it."""
    found = (violation for group in _GROUPS for violation in group.check(subject))
    things = [entry for entry in subject.entries.values() if entry.kind is not Kind.DIRECTORY]
    return Findings.of(found, len(things), sum(entry.size for entry in things))
