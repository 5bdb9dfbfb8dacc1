"""Verdicts as SARIF, which code-scanning services read: verdicts in, one run of a SARIF log out.

A result's physical location is the target in its BUILD file, or the image that was looked at; its logical location is
the path in the image. What is waived is there with its reason, as suppressed.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0, 3.14 (run), 3.17 (run automation details), 3.27
(result), 3.35 (suppression), 3.49 (reporting descriptor).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from distroless_rules.policy.check import CHECKS
from distroless_rules.policy.verdict import Held, Verdict

__all__ = ["Place", "dump"]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_RULES = {check: number for number, check in enumerate(CHECKS)}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image is declared, or lies.

    Attributes:
        file: a path below the workspace's root, or one on this machine.
        line: counted from 1; 0 for none.
        is_source: whether it is one below the workspace's root.
    """

    file: str
    line: int = 0
    is_source: bool = True


def dump(verdicts: Iterable[tuple[Verdict, Place]]) -> bytes:
    """Write verdicts, each with where its image is declared, as a SARIF log."""
    driver = {
        "name": "distroless",
        "rules": [_rule(check) for check in CHECKS],
    }
    given = list(verdicts)
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": " ".join(["distroless", *(verdict.image for verdict, _ in given)])},
        "columnKind": "unicodeCodePoints",
        "results": [_result(held, verdict, place) for verdict, place in given for held in verdict.held],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=1).encode("ascii") + b"\n"


def _rule(name: str) -> dict[str, Any]:
    check = CHECKS[name]
    words = name.split("-")
    return {
        "id": name,
        "name": "".join(word.capitalize() for word in words),
        "shortDescription": {"text": f"An image has {check.what}."},
        "fullDescription": {"text": f"An image has {check.what}: {check.why}."},
        "help": {"text": f"{check.advice[0].upper()}{check.advice[1:]}."},
        "defaultConfiguration": {"level": check.level},
        "properties": {"tags": ["security", "container"]},
    }


def _result(held: Held, verdict: Verdict, place: Place) -> dict[str, Any]:
    violation = held.violation
    owner = f" ({violation.owner})" if violation.owner and violation.kind != "image" else ""
    line = f", line {violation.line}" if violation.line else ""
    result: dict[str, Any] = {
        "ruleId": violation.check,
        "ruleIndex": _RULES[violation.check],
        "level": held.level,
        "message": {"text": f"{verdict.image}: {violation.subject}{line}{owner} {violation.message}."},
        "locations": [_location(held, verdict, place)],
        "partialFingerprints": {"subject/v1": _fingerprint(held, verdict)},
    }
    if held.waived:
        result["suppressions"] = [{"kind": "inSource", "status": "accepted", "justification": held.waived}]
    return result


def _location(held: Held, verdict: Verdict, place: Place) -> dict[str, Any]:
    uri = quote(place.file, safe="/-._~!$&'()*+,;=@")
    artifact = {"uri": uri, "uriBaseId": "%SRCROOT%"} if place.is_source else {"uri": uri}
    physical: dict[str, Any] = {"artifactLocation": artifact}
    if place.line:
        physical["region"] = {"startLine": place.line}
    subject = held.violation.subject
    logical = {
        "name": subject.rpartition("/")[2] or subject,
        "fullyQualifiedName": f"{verdict.image}{'' if subject.startswith('/') else ' '}{subject}",
        "kind": "resource" if subject.startswith("/") else "property",
    }
    return {"physicalLocation": physical, "logicalLocations": [logical]}


def _fingerprint(held: Held, verdict: Verdict) -> str:
    """Give what stays the same when a BUILD file's lines move."""
    said = "\0".join((verdict.image, held.violation.check, held.violation.subject, str(held.violation.line)))
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:32]
