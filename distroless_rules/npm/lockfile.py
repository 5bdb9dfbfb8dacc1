"""``package-lock.json``: its text and what is wanted of it in, the packages to install out.

Source: npm's "package-lock.json", lockfileVersion 2 and 3.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distroless_rules.errors import FormatError
from distroless_rules.values.platform import Platform

__all__ = ["Locked", "read"]

_CPUS = {"amd64": "x64", "386": "ia32", "arm": "arm", "loong64": "loong64", "ppc64le": "ppc64"}
_PART = r"(?:@[A-Za-z0-9._~-]+/)?[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
_PLACE = re.compile(rf"node_modules/{_PART}(?:/node_modules/{_PART})*")
_KINDS = ("dependencies", "devDependencies", "optionalDependencies")
_STRENGTHS = {"sha512": 64, "sha384": 48, "sha256": 32, "sha1": 20}  # the strongest first; bytes


@dataclass(frozen=True, slots=True)
class Locked:
    """A package to install.

    Attributes:
        place: where, below the folder that holds ``node_modules``: ``node_modules/a/node_modules/b``.
        name: its name in the registry.
        version: its version.
        resolved: the address of its archive, ``""`` if the file does not say.
        algorithm: of the digest, ``sha512``.
        digest: the digest of its archive.
        bin: the name of a command -> the path of its program in the package.
    """

    place: str
    name: str
    version: str
    resolved: str
    algorithm: str
    digest: bytes
    bin: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def read(text: str, manifest: str | None, name: str, platform: str, dev: bool) -> tuple[Locked, ...]:
    """Read a lock.

    Args:
        text: its text.
        manifest: the text of ``package.json``, to see that it fits; None: that is not looked at.
        name: the file's name, for messages.
        platform: ``linux/amd64``: what is for another one only is left out if it is optional.
        dev: whether what is needed for development only is taken too.

    Returns:
        The packages, sorted by place.

    Raises:
        FormatError: if it is malformed, does not fit ``package.json``, or names what no registry has.
    """
    packages = _packages(text, name)
    if manifest is not None:
        _check_manifest(packages.get("", {}), manifest, name)
    found = []
    for place, row in sorted(packages.items()):
        if place and _is_wanted(place, row, name, platform, dev):
            found.append(_locked(place, row, name))
    return tuple(found)


def _packages(text: str, name: str) -> Mapping[str, Any]:
    document = _object(text, name)
    version = document.get("lockfileVersion")
    packages = document.get("packages")
    if version not in (2, 3) or not isinstance(packages, dict):
        hint = "`npm install --package-lock-only` with npm 7 or later writes one"
        raise FormatError(f"read {name}", f"its lockfileVersion is {json.dumps(version)}, not 2 or 3", hint=hint)
    for place, row in packages.items():
        if not isinstance(row, dict):
            raise FormatError(f"read {name}", f'"{place[:200]}" is not an object')
    return packages


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"read {name}", f"it is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise FormatError(f"read {name}", "it is not an object")
    return document


def _check_manifest(locked: Mapping[str, Any], manifest: str, name: str) -> None:
    declared = _object(manifest, "package.json")
    for kind in _KINDS:
        now, was = declared.get(kind) or {}, locked.get(kind) or {}
        if not isinstance(now, dict) or not isinstance(was, dict):
            raise FormatError("read package.json", f'"{kind}" in it or in {name} is not an object')
        if now != was:
            odd = sorted(key for key in {*now, *was} if now.get(key) != was.get(key))[0]
            then, given = json.dumps(was.get(odd)), json.dumps(now.get(odd))
            cause = f'{name} was made when "{odd}" in {kind} was {then}; it is {given}'
            raise FormatError("use package.json", cause, hint="`npm install --package-lock-only` renews it")


def _is_wanted(place: str, row: Mapping[str, Any], name: str, platform: str, dev: bool) -> bool:
    if not dev and (row.get("dev") or row.get("devOptional")):
        return False
    if row.get("inBundle"):
        return False  # it comes in the archive of the package that it belongs to
    parsed = Platform.parse(platform)
    fits = (
        _allows(row.get("os"), parsed.os)
        and _allows(row.get("cpu"), _CPUS.get(parsed.architecture, parsed.architecture))
        and _allows(row.get("libc"), "glibc")
    )
    if not fits and not (row.get("optional") or row.get("devOptional")):
        raise FormatError(f"use {name}", f'"{place}" is not for {platform}, and is not optional')
    return fits


def _allows(rule: object, value: str) -> bool:
    """Say whether a list such as ``["linux", "!win32"]`` takes a value."""
    if rule is None:
        return True
    words: Sequence[object] = rule if isinstance(rule, list) else [rule]
    if f"!{value}" in words:
        return False
    plain = [word for word in words if not str(word).startswith("!")]
    return not plain or value in plain


def _locked(place: str, row: Mapping[str, Any], file: str) -> Locked:
    doing = f"read {file}"
    if not _PLACE.fullmatch(place) or ".." in place.split("/"):
        raise FormatError(
            doing, f'"{place[:200]}" is no place below node_modules', hint="workspaces are not taken here"
        )
    name = row.get("name") or place.rpartition("node_modules/")[2]
    version, resolved, integrity = row.get("version"), row.get("resolved", ""), row.get("integrity", "")
    if row.get("link") or not isinstance(version, str):
        raise FormatError(doing, f'"{place}" is a link to a folder; packages of the registry only are taken')
    if not isinstance(resolved, str) or (resolved and not resolved.startswith(("https://", "http://"))):
        raise FormatError(
            doing, f'"{place}" comes from "{str(resolved)[:80]}"; packages of the registry only are taken'
        )
    algorithm, digest = _digest(integrity, doing, place)
    commands = row.get("bin") or {}
    if isinstance(commands, str):
        commands = {str(name).rpartition("/")[2]: commands}
    if not isinstance(commands, dict):
        raise FormatError(doing, f'"bin" of "{place}" is not an object')
    bins = tuple(sorted((str(command), str(path)) for command, path in commands.items()))
    return Locked(place, str(name), version, resolved, algorithm, digest, bins)


def _digest(integrity: object, doing: str, place: str) -> tuple[str, bytes]:
    """Give the strongest digest of an integrity text, W3C's "Subresource Integrity"."""
    given = dict(part.partition("-")[::2] for part in str(integrity).split())
    for algorithm, size in _STRENGTHS.items():
        if algorithm in given:
            try:
                digest = base64.b64decode(given[algorithm].partition("?")[0], validate=True)
            except (binascii.Error, ValueError):
                digest = b""
            if len(digest) == size:
                return algorithm, digest
    raise FormatError(doing, f'"{place}" has no integrity', hint="`npm install --package-lock-only` adds it")
