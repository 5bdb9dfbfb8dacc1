"""A requirements file: its text and the Python it is for in, the lines that pip is to read out.

Every requirement must name one version and the hashes of its files, as pip-compile and uv write them; those whose
markers are not true for the target are left out here, since pip asks the Python that it runs in. Options that say
where to look pass through. Source: pip's "Requirements File Format".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distroless_rules.errors import FormatError, Location
from distroless_rules.pypi.target import Target

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Line", "check", "read"]

_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"--hash[= ](?P<hash>\S+)")
_ANYWAY = ("--prefer-binary", "--only-binary", "--no-binary")  # wheels only are taken, whatever they say
_INDEXES = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index", "--trusted-host")
_RIGHT = re.compile(r"sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})")
_RENEW = "renew it with `pip-compile --generate-hashes` or `uv pip compile --generate-hashes`"
_HOW = "write it with `pip-compile --generate-hashes` or `uv pip compile --generate-hashes`"


@dataclass(frozen=True, slots=True)
class Line:
    """What pip is to read.

    Attributes:
        text: the line.
        name: the project's normalised name; ``""`` of an option.
        version: the version that it names; ``""`` of an option.
    """

    text: str
    name: str = ""
    version: str = ""


def read(text: str, name: str, target: Target) -> tuple[Line, ...]:
    """Read a requirements file.

    Args:
        text: its text.
        name: what messages call it.
        target: the Python that the wheels are for.

    Raises:
        FormatError: with the line of what is malformed, names no version or has no hash.
    """
    from packaging.utils import canonicalize_name

    lines: dict[str, Line] = {}
    for number, line in _logical(text):
        at = Location(name, number)
        if line.startswith("-"):
            if _option(line, at):
                lines[line] = Line(line)
            continue
        requirement, hashes = _requirement(line, at)
        if requirement.marker is not None and not requirement.marker.evaluate(dict(target.markers())):
            continue
        project = canonicalize_name(requirement.name)
        if project in lines:
            raise FormatError(f'read the requirement "{requirement.name}"', "it is there twice", at=at)
        pinned = f"{requirement.name}{requirement.specifier}"
        version = next(iter(requirement.specifier)).version
        lines[project] = Line(" ".join([pinned, *(f"--hash={each}" for each in hashes)]), project, version)
    return tuple(lines.values())


def check(lines: Iterable[Line], name: str, source: str, source_name: str, target: Target) -> None:
    """See that a requirements file fits what it was made from.

    Args:
        lines: what ``read`` gave.
        name: what messages call the file.
        source: the text of the file that it was made from, ``requirements.in``; options in it are passed over.
        source_name: what messages call that.
        target: the Python that the wheels are for.

    Raises:
        FormatError: with the line of a requirement that is malformed or not met.
    """
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    versions = {line.name: line.version for line in lines if line.name}
    for number, line in _logical(source):
        at = Location(source_name, number)
        if line.startswith("-"):
            continue
        try:
            wanted = Requirement(line)
        except InvalidRequirement as error:
            raise FormatError(f'read the requirement "{line[:80]}"', str(error).split("\n", 1)[0], at=at) from error
        if wanted.url or (wanted.marker is not None and not wanted.marker.evaluate(dict(target.markers()))):
            continue
        version = versions.get(canonicalize_name(wanted.name))
        doing = f'meet the requirement "{wanted.name}{wanted.specifier}"'
        if version is None:
            raise FormatError(doing, f"{name} does not have it", at=at, hint=_RENEW)
        if not wanted.specifier.contains(version, prereleases=True):
            raise FormatError(doing, f"{name} has {version}", at=at, hint=_RENEW)


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Give lines with their numbers: comments taken away, those that end with a backslash joined."""
    begun, parts = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        begun = begun or number
        stripped = _COMMENT.sub("", line).strip()
        if stripped.endswith("\\"):
            parts += stripped[:-1] + " "
            continue
        whole = (parts + stripped).strip()
        if whole:
            yield begun, whole
        begun, parts = 0, ""
    if parts.strip():
        yield begun, parts.strip()


def _option(line: str, at: Location) -> bool:
    word = re.split(r"[ =]", line, maxsplit=1)[0]
    if word not in _INDEXES + _ANYWAY:
        raise FormatError(f'read the option "{word}"', "it is not taken here", at=at, hint=_HOW)
    return word not in _ANYWAY


def _requirement(line: str, at: Location) -> tuple[Requirement, list[str]]:
    from packaging.requirements import InvalidRequirement, Requirement

    hashes = [found["hash"] for found in _HASH.finditer(line)]
    plain = _HASH.sub("", line).strip()
    try:
        requirement = Requirement(plain)
    except InvalidRequirement as error:
        cause = str(error).split("\n", 1)[0]
        raise FormatError(f'read the requirement "{plain[:80]}"', cause, at=at) from error
    doing = f'read the requirement "{requirement.name}"'
    if requirement.url:
        raise FormatError(doing, "it is an address, not a version", at=at, hint=_HOW)
    exact = [each for each in requirement.specifier if each.operator in ("==", "===") and "*" not in each.version]
    if len(exact) != 1 or len(list(requirement.specifier)) != 1:
        raise FormatError(doing, 'it names no version: "==" is needed', at=at, hint=_HOW)
    if not hashes:
        raise FormatError(doing, "it has no hash", at=at, hint=_HOW)
    for each in hashes:
        if not _RIGHT.fullmatch(each):
            raise FormatError(doing, f'"{each[:80]}" is no hash of SHA-256, SHA-384 or SHA-512', at=at)
    return requirement, hashes
