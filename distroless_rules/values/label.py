"""Labels and target patterns, parsed once at the border.

Source: Bazel's "Labels" and "Target patterns" documentation; the words are the same here.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass

from distroless_rules.errors import LabelError, Location

__all__ = ["Label", "Pattern"]

_REPO = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
# Beyond ASCII everything but control characters, and what turns or breaks the line that it is printed in.
_SEGMENT = re.compile(
    r"[A-Za-z0-9!%@^_\"#$&'()*+,;<=>?\[\]{|}~ .\-"
    r"\u00a1-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\U0010ffff]+"
)
_ALL = ("all", "*", "all-targets")
_LONGEST = 4096  # as long as Linux lets a path be
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
                raise LabelError(
                    f"read label {_quoted(text)}", f"{_quoted(repo)} is not a repository name", at=at, hint=_FORM
                )
            rest = f"//{rest}"
        if rest.startswith("//"):
            package, colon, name = rest[2:].partition(":")
            name = name if colon else package.rpartition("/")[2]
        elif rest.startswith("/"):
            raise LabelError(f"read label {_quoted(text)}", "it starts with a single slash", at=at, hint=_FORM)
        else:
            name = rest[1:] if rest.startswith(":") else rest
        _check(text, package, name, at)
        return Label(repo, package, name)

    def __str__(self) -> str:
        """The canonical form: ``//a/b:c``, ``@trixie//curl``."""
        prefix = f"@{self.repo}//" if self.repo else "//"
        if self.repo and self.package == self.name and "/" not in self.name:
            return prefix + self.package
        return f"{prefix}{self.package}:{self.name}"

    @property
    def path(self) -> str:
        """The path below the repository's root that a file of this name has."""
        return f"{self.package}/{self.name}" if self.package else self.name


def _check(text: str, package: str, name: str, at: Location | None) -> None:
    if len(text) > _LONGEST:
        raise LabelError(f"read label {_quoted(text)}", f"it is longer than {_LONGEST} characters", at=at)
    for what, value in (("package", package), ("name", name)):
        for segment in value.split("/") if value else ([] if what == "package" else [""]):
            if segment in (".", "..") or not _SEGMENT.fullmatch(segment):
                cause = f"its {what} is empty"
                if value:
                    cause = f"the {what} {_quoted(value)} has the part {_quoted(segment)}"
                raise LabelError(f"read label {_quoted(text)}", cause, at=at, hint=_FORM)


def _quoted(text: str) -> str:
    """Give text that may be anything in quotes, on one line and not too long."""
    return json.dumps(text if len(text) <= 200 else f"{text[:200]}...", ensure_ascii=False)


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
        if body and not body.startswith(("//", "@", ":")):
            body = _absolute(body, package)
        stem, colon, name = body.partition(":")
        if stem.endswith("/...") and name in ("", *_ALL):
            above = stem.removesuffix("...").rstrip("/")
            label = Label.parse(f"{above}:all" if "//" in above else f"{above}//:all")
            return Pattern(label.repo, label.package, "", True, negative)
        label = Label.parse(body, package=package)
        if colon and label.name in _ALL:
            return Pattern(label.repo, label.package, "", False, negative)
        return Pattern(label.repo, label.package, label.name, False, negative)

    def __str__(self) -> str:
        sign = "-" if self.negative else ""
        if self.name:
            return f"{sign}{Label(self.repo, self.package, self.name)}"
        prefix = f"{sign}{f'@{self.repo}' if self.repo else ''}//{self.package}"
        if self.recursive:
            return f"{prefix}/..." if self.package else f"{prefix}..."
        return f"{prefix}:all"


def _absolute(body: str, package: str) -> str:
    """Give the pattern that starts at the root for one that is a path below a folder: ``../b:c``, ``./...``, ``b/``."""
    folder, colon, name = body.partition(":")
    path = posixpath.join(package, folder) if folder else package
    if "//" not in path:  # which is a mistake, and must not be mended here
        path = posixpath.normpath(path)
    return f"//{'' if path == '.' else path}{colon}{name}"
