"""Findings held to a policy: what counts, what is waived and why; as JSON, as a table, as the error of a build.

Going in: what was found in an image, and its policy. Going out: a verdict. The same findings may be held to any policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from distroless_rules.errors import ActionError, FormatError
from distroless_rules.policy.check import CHECKS, LEVELS
from distroless_rules.policy.rules import Policy, Waiver
from distroless_rules.policy.violation import Findings, Violation

__all__ = ["Held", "Verdict", "error", "hold"]

_SHOWN = 4  # findings of one check
_CHECKS = 8


@dataclass(frozen=True, slots=True)
class Held:
    """A violation held to a policy.

    Attributes:
        violation: what was found.
        level: what it counts for.
        waived: the reason for which it passes, ``""`` if it does not.
    """

    violation: Violation
    level: str
    waived: str = ""

    @property
    def fails(self) -> bool:
        """Whether the image does not pass by it."""
        return self.level == "error" and not self.waived


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an image stands to a policy.

    Attributes:
        image: the image's label, or where it is.
        policy: the policy's label.
        held: every violation, what counts most first.
        files: how many files and links it has.
        size: bytes of its files, unpacked.
    """

    image: str
    policy: str
    held: tuple[Held, ...] = ()
    files: int = 0
    size: int = 0

    @property
    def passes(self) -> bool:
        """Whether nothing that counts as an error is left."""
        return not any(each.fails for each in self.held)

    def count(self, level: str) -> int:
        """Give how many violations count as this and are not waived."""
        return sum(each.level == level and not each.waived for each in self.held)

    @property
    def stated(self) -> str:
        """The policy, for people."""
        return f"its policy {self.policy}" if self.policy and self.policy[0] != "@" else "the default policy"

    @property
    def waived(self) -> int:
        """How many violations are waived."""
        return sum(bool(each.waived) for each in self.held)

    def document(self) -> dict[str, Any]:
        """Give the verdict as JSON values."""
        return {
            "image": self.image,
            "policy": self.policy,
            "passes": self.passes,
            "files": self.files,
            "bytes": self.size,
            "summary": {**{f"{level}s": self.count(level) for level in reversed(LEVELS)}, "waived": self.waived},
            "violations": [_row(each) for each in self.held],
        }

    def dump(self) -> bytes:
        """Write the verdict as JSON."""
        return json.dumps(self.document(), indent=1).encode("ascii") + b"\n"

    @staticmethod
    def load(data: bytes) -> Verdict:
        """Read what ``dump`` wrote.

        Raises:
            FormatError: if it is anything else.
        """
        try:
            rows = json.loads(data)
            held = tuple(_held(row) for row in rows["violations"])
            return Verdict(rows["image"], rows["policy"], held, rows["files"], rows["bytes"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise FormatError("read a verdict of the policy", f"it is not ours: {error}") from error


def _row(held: Held) -> dict[str, Any]:
    row = asdict(held.violation)
    return {**row, "level": held.level, "waived": held.waived or None, "advice": CHECKS[held.violation.check].advice}


def _held(row: dict[str, Any]) -> Held:
    names = ("check", "subject", "message", "owner", "kind", "line")
    return Held(Violation(**{name: row[name] for name in names}), row["level"], row["waived"] or "")


def hold(image: str, findings: Findings, policy: Policy) -> Verdict:
    """Hold an image to a policy."""
    used: set[Waiver] = set()
    held = []
    for violation in (*findings.violations, *policy.budget(findings)):
        waivers = [waiver for waiver in policy.waivers if waiver.holds_for(violation)]
        used.update(waivers)
        held.append(Held(violation, policy.level(violation), waivers[0].reason if waivers else ""))
    for waiver in policy.waivers:
        if waiver not in used:
            idle = Violation("unused-waiver", f"waiver {waiver.key}", "waives nothing here")
            held.append(Held(idle, policy.level(idle)))
    held.sort(key=lambda each: (bool(each.waived), -LEVELS.index(each.level), each.violation.check))
    return Verdict(image, policy.name, tuple(held), findings.files, findings.size)


def error(verdict: Verdict) -> ActionError:
    """Give the error of an image that does not pass: which checks, where, who brings it, and how to waive it."""
    failed = sorted((each.violation for each in verdict.held if each.fails), key=lambda each: each.check)
    groups = [(check, list(found)) for check, found in groupby(failed, key=lambda each: each.check)]
    lines = [line for check, found in groups[:_CHECKS] for line in _lines(check, found)]
    if len(groups) > _CHECKS:
        lines.append(f"  and {len(groups) - _CHECKS} more checks")
    count = f"{len(failed)} violation{'' if len(failed) == 1 else 's'} of {verdict.stated}"
    waivers = ", ".join(f'"{check}": "<why>"' for check, _ in groups[:_CHECKS])
    hint = f"mend them, or give the image waive = {{{waivers}}}; `distroless check {verdict.image}` shows all"
    return ActionError(f"let {verdict.image} pass", "\n".join([count, *lines]), hint=hint)


def _lines(check: str, found: Sequence[Violation]) -> Iterator[str]:
    for violation in found[:_SHOWN]:
        owner = f" ({violation.owner})" if violation.owner and violation.kind != "image" else ""
        line = f":{violation.line}" if violation.line else ""
        yield f"  {check}: {violation.subject}{line}{owner} {violation.message}"
    if len(found) > _SHOWN:
        yield f"  {check}: and {len(found) - _SHOWN} more"
    yield f"    {CHECKS[check].advice}"
