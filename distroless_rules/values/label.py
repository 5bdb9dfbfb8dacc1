"""Labels and target patterns, parsed once at the border.

Source: Bazel's "Labels" and "Target patterns" documentation; the words are the same here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from distroless_rules.errors import LabelError, Location

__all__ = ["Label", "Pattern"]

_REPO = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_SEGMENT = re.compile(r"[A-Za-z0-9!%@^_\"#$&'()*+,;<=>?\[\]{|}~ .-]+")
_FORM = "expected //package:name, :name, //package or @archive//deb-name"


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """The name of a target or source file.

    Attributes:
        repo: ``""`` for the workspace, an archive's name, or ``distroless_rules``.
        package: the folder under the workspace, ``""`` for its root.
        name: the target's name in that package; a file's path below it.
    """

    repo: str
    package: str
    name: str

    @staticmethod
    def parse(text: str, *, repo: str = "", package: str = "", at: Location | None = None) -> Label:
        """Read a label as it stands in a file of ``package``.

        Args:
            text: ``//a/b:c``, ``//a/b`` (the same as ``//a/b:b``), ``:c``, ``c`` or ``@trixie//curl``.
            repo: the repository of the file it stands in.
            package: the package of the file it stands in.
            at: where it stands, for the message.

        Raises:
            LabelError: if it is not well formed.
        """
        rest = text
        if rest.startswith("@"):
            repo, slashes, rest = rest[1:].partition("//")
            if not slashes and not rest:
                slashes, rest = "//", f":{repo}"
            if repo and not _REPO.fullmatch(repo):
                raise LabelError(f'read label "{text}"', f'"{repo}" is not a repository name', at=at, hint=_FORM)
            rest = f"//{rest}"
        if rest.startswith("//"):
            package, colon, name = rest[2:].partition(":")
            name = name if colon else package.rpartition("/")[2]
        elif rest.startswith("/"):
            raise LabelError(f'read label "{text}"', "it starts with a single slash", at=at, hint=_FORM)
        else:
            name = rest[1:] if rest.startswith(":") else rest
        _check(text, package, name, at)
        return Label(repo, package, name)

    def __str__(self) -> str:
        """The canonical form: ``//a/b:c``, ``@trixie//curl``."""
        prefix = f"@{self.repo}//" if self.repo else "//"
        if self.repo and self.package == self.name:
            return prefix + self.package
        return f"{prefix}{self.package}:{self.name}"

    @property
    def path(self) -> str:
        """The path below the repository's root that a file of this name has."""
        return f"{self.package}/{self.name}" if self.package else self.name


def _check(text: str, package: str, name: str, at: Location | None) -> None:
    for what, value in (("package", package), ("name", name)):
        for segment in value.split("/") if value else ([] if what == "package" else [""]):
            if segment in (".", "..") or not _SEGMENT.fullmatch(segment):
                cause = f'the {what} "{value}" has the part "{segment}"' if value else f"its {what} is empty"
                raise LabelError(f'read label "{text}"', cause, at=at, hint=_FORM)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A set of targets: one label, all targets of a package, or of a package and all below it.

    Attributes:
        repo: the repository, ``""`` for the workspace.
        package: the package it starts at.
        name: the one target's name; ``""`` for all of the package or packages.
        recursive: whether packages below ``package`` belong to it.
        negative: whether the targets are taken away (``-//a/...``).
    """

    repo: str
    package: str
    name: str = ""
    recursive: bool = False
    negative: bool = False

    @staticmethod
    def parse(text: str, *, package: str = "") -> Pattern:
        """Read a pattern as typed in the folder ``package`` of the workspace.

        Args:
            text: ``//...``, ``//a/...``, ``//a:all``, ``//a:*``, ``:all``, ``...``, ``a/b:c``, a label; or ``-``
                and one of these.
            package: the folder of the workspace that the user stands in.

        Raises:
            LabelError: if it is not well formed.
        """
        negative = text.startswith("-")
        body = text[1:] if negative else text
        if not body.startswith(("//", "@", ":")):
            folder, colon, name = body.partition(":")
            head = "/".join(part for part in (package, folder) if part and part != ".")
            body = f"//{head}{colon}{name}"
        stem, _, name = body.partition(":")
        if not body.startswith(":") and (stem.endswith("/...") and name in ("", "all", "*", "all-targets")):
            stem = stem[: -len("/...")]
            stem = f"{stem}//" if stem.endswith((":", "/")) or stem in ("", "/") else stem
            label = Label.parse(f"{stem.rstrip('/') or '//'}:all" if stem.strip("/") else "//:all")
            return Pattern(label.repo, label.package, "", True, negative)
        label = Label.parse(body, package=package)
        if label.name in ("all", "*", "all-targets") and ":" in body:
            return Pattern(label.repo, label.package, "", False, negative)
        return Pattern(label.repo, label.package, label.name, False, negative)

    def __str__(self) -> str:
        prefix = f"{'-' if self.negative else ''}{f'@{self.repo}' if self.repo else ''}//{self.package}"
        if self.recursive:
            return f"{prefix}/..." if self.package else f"{prefix}..."
        return f"{prefix}:{self.name or 'all'}"
