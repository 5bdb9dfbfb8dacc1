"""A policy as a BUILD file states it: texts in, frozen values out, mistakes told.

A waiver is a check's id, or ``check:glob`` for some subjects only, and a reason. ``*`` in place of the id stands for
every check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from distroless_rules.errors import AnalysisError, did_you_mean
from distroless_rules.policy.check import CHECKS, LEVELS
from distroless_rules.policy.violation import Findings, Violation

__all__ = ["Policy", "Waiver"]

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(B|[kKMGT]i?B)?")
_UNITS = {"B": 1, "K": 1, "M": 2, "G": 3, "T": 4}
_ANY = "*"


@dataclass(frozen=True, slots=True)
class Waiver:
    """Something that a policy lets pass.

    Attributes:
        check: the check's id, ``*`` for all.
        glob: which subjects, ``*`` for all; ``*`` in it stands for any text.
        reason: why.
    """

    check: str
    glob: str
    reason: str

    @property
    def key(self) -> str:
        """The waiver as a BUILD file writes it."""
        return self.check if self.glob == _ANY else f"{self.check}:{self.glob}"

    def holds_for(self, violation: Violation) -> bool:
        """Tell whether a violation is waived."""
        return self.check in (_ANY, violation.check) and fnmatchcase(violation.subject, self.glob)


@dataclass(frozen=True, slots=True)
class Policy:
    """What an image is held to.

    Attributes:
        name: the label of the target that states it.
        waivers: what it lets pass.
        levels: check -> what its findings count for, where that is more than the check says.
        max_size: bytes that an image's files may have, unpacked; 0 for no limit.
        max_files: files and links that it may have; 0 for no limit.
    """

    name: str = ""
    waivers: tuple[Waiver, ...] = ()
    levels: Mapping[str, str] = field(default_factory=dict)
    max_size: int = 0
    max_files: int = 0

    @staticmethod
    def parse(given: Mapping[str, Any]) -> Policy:
        """Read what a rule says: ``name``, ``waive``, ``levels``, ``max_size``, ``max_files``.

        Raises:
            AnalysisError: for a check that is none, a waiver without a reason, a level or size that is not well formed.
        """
        waivers = tuple(_waiver(key, reason) for key, reason in given.get("waive", {}).items())
        levels = {
            _known(check, f'set the level of "{check}"'): level for check, level in given.get("levels", {}).items()
        }
        for check, level in levels.items():
            if level not in LEVELS or LEVELS.index(level) < LEVELS.index(CHECKS[check].level):
                higher = " or ".join(LEVELS[LEVELS.index(CHECKS[check].level) :])
                hint = f"expected {higher}; what is to count for less is waived"
                raise AnalysisError(f'set the level of "{check}"', f'"{level}" is not one that it can have', hint=hint)
        size = _size(given.get("max_size") or "")
        return Policy(given.get("name", ""), waivers, levels, size, given.get("max_files") or 0)

    def level(self, violation: Violation) -> str:
        """Give what a violation counts for."""
        own = violation.level or CHECKS[violation.check].level_of(violation.kind)
        return self.levels.get(violation.check, own)

    def budget(self, findings: Findings) -> Iterator[Violation]:
        """Give what an image has too much of."""
        if 0 < self.max_size < findings.size:
            yield Violation(
                "size-budget", "image", f"has {findings.size:,} bytes, of {self.max_size:,} that it may have"
            )
        if 0 < self.max_files < findings.files:
            yield Violation(
                "file-budget", "image", f"has {findings.files:,} files, of {self.max_files:,} that it may have"
            )


def _waiver(key: str, reason: str) -> Waiver:
    check, colon, glob = key.partition(":")
    if check != _ANY:
        _known(check, f'waive "{key}"')
    if colon and not glob:
        raise AnalysisError(f'waive "{key}"', "nothing follows its colon", hint=f'write "{check}:/path/*" or "{check}"')
    if not reason.strip():
        hint = f'write waive = {{"{key}": "<why>"}}'
        raise AnalysisError(f'waive "{key}"', "it has no reason", hint=hint)
    return Waiver(check, glob or _ANY, " ".join(reason.split()))


def _known(check: str, doing: str) -> str:
    if check not in CHECKS:
        hint = did_you_mean(check, CHECKS) or f"the checks are {', '.join(CHECKS)}"
        raise AnalysisError(doing, f'there is no check "{check}"', hint=hint)
    return check


def _size(text: str) -> int:
    if not text:
        return 0
    found = _SIZE.fullmatch(text)
    if not found:
        raise AnalysisError("set max_size", f'"{text}" is no size', hint='expected "200 MB", "1.5 GB" or "64 MiB"')
    unit = found[2] or "B"
    base = 1024 if "i" in unit else 1000
    return int(float(found[1]) * (1 if unit == "B" else base ** _UNITS[unit[0].upper()]))
