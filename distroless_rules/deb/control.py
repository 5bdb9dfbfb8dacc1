"""Control data (deb822): text in, fields and package relations out.

Source: deb822(5); Debian policy 4.7 sections 5.1 (syntax of control files) and 7.1 (syntax of relationship fields).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from distroless_rules.errors import FormatError

__all__ = ["Relation", "parse", "relations", "stanzas"]

# Field names are case-insensitive; these are given in the case that Debian writes them in, others as they stand.
_FIELDS = """
    Acquire-By-Hash Architecture Architectures Breaks Built-Using Changelogs Codename Components Conffiles Conflicts
    Date Depends Description Enabled Enhances Essential Filename Homepage Installed-Size Label MD5Sum Maintainer
    Multi-Arch No-Support-for-Architecture-all Origin Package Pre-Depends Priority Protected Provides Recommends
    Replaces SHA1 SHA256 SHA512 Section Signed-By Size Source Suggests Suite Suites Trusted Types URIs Valid-Until
    Version
"""
_KNOWN = {name.lower(): name for name in _FIELDS.split()}
_CANONICAL = {name: name for name in _KNOWN.values()}
_FIELD_NAME = re.compile(r"[!-9;-~]+")


def parse(text: str | bytes, what: str) -> dict[str, str]:
    """Read the one stanza of a control file.

    Args:
        text: the stanza; empty lines before and after it are allowed.
        what: what is read, for the message: ``control file of "x.deb"``.

    Returns:
        Field -> value, in order. The lines of a folded or multi-line value stay separated by newlines, their leading
        blank included.

    Raises:
        FormatError: if it is malformed, empty, holds a field twice or a second stanza.
    """
    found = stanzas(text, what)
    fields = next(found, None)
    if fields is None:
        raise FormatError(f"read {what}", "it is empty")
    if next(found, None) is not None:
        raise FormatError(f"read {what}", "it holds more than one stanza")
    return fields


def stanzas(text: str | bytes, what: str = "control data", *, comments: bool = False) -> Iterator[dict[str, str]]:
    """Read the stanzas of a control file one by one.

    Args:
        text: stanzas with empty lines between them; bytes that are not UTF-8 become U+FFFD.
        what: what is read, for the message.
        comments: whether lines that begin with ``#`` are left out, and lines of blanks only are not an error, as in
            files that people write.

    Raises:
        FormatError: at the first malformed line or field that is given twice.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if "\0" in text:
        raise FormatError(f"read {what}", "it holds a NUL byte")
    if comments:
        text = "\n".join(line for line in text.split("\n") if not line.startswith("#"))
    for block in text.split("\n\n"):
        block = block.strip("\n")
        if block:
            yield _stanza(block, what, comments)


def _stanza(block: str, what: str, lenient: bool) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    more: list[str] = []
    for line in block.split("\n"):
        if line[:1] in (" ", "\t"):
            if not name:
                raise FormatError(f"read {what}", f'the stanza begins with the continuation line "{line[:60]}"')
            if not lenient and not line.strip():
                raise FormatError(f"read {what}", f"field {name} holds a line of blanks only")
            more.append(line.rstrip())
            continue
        if more:
            fields[name] = "\n".join((fields[name], *more))
            more = []
        raw, colon, value = line.partition(":")
        name = _CANONICAL.get(raw) or _name(raw if colon else "", line, what)
        if name in fields:
            raise FormatError(f"read {what}", f"field {name} is given twice")
        fields[name] = value.strip()
    if more:
        fields[name] = "\n".join((fields[name], *more))
    return fields


def _name(raw: str, line: str, what: str) -> str:
    if not _FIELD_NAME.fullmatch(raw) or raw[0] in "#-":
        raise FormatError(f"read {what}", f'the line "{line[:60]}" is not "Field: value"')
    return _KNOWN.get(raw.lower(), raw)


@dataclass(frozen=True, slots=True)
class Relation:
    """One alternative of a relationship field.

    Attributes:
        name: the deb or virtual package.
        arch_qualifier: ``any``, ``native`` or an architecture after a colon, or ``""``.
        operator: ``<<``, ``<=``, ``=``, ``>=``, ``>>``, or ``""`` for any version.
        version: what the operator compares to, or ``""``.
    """

    name: str
    arch_qualifier: str = ""
    operator: str = ""
    version: str = ""

    def __str__(self) -> str:
        """The relation as control files write it: ``libc6:any (>= 2.36)``."""
        qualifier = f":{self.arch_qualifier}" if self.arch_qualifier else ""
        bound = f" ({self.operator} {self.version})" if self.operator else ""
        return f"{self.name}{qualifier}{bound}"


# "<" and ">" are the deprecated spellings of "<=" and ">=" (policy 7.1). Architecture lists and build profiles
# belong to source packages; where a binary one has kept them they mean nothing.
_RELATION = re.compile(
    r"\s*([A-Za-z0-9][A-Za-z0-9+.-]*)(?::([a-z0-9][a-z0-9-]*))?\s*"
    r"(?:\(\s*(<<|<=|=|>=|>>|<|>)\s*([A-Za-z0-9.+~:-]+)\s*\)\s*)?"
    r"(?:\[[^\]\[]*\]\s*)?(?:<[^<>]*>\s*)*"
)
_DEPRECATED = {"<": "<=", ">": ">="}


@lru_cache(maxsize=1 << 12)
def relations(field: str) -> tuple[tuple[Relation, ...], ...]:
    """Read a relationship field such as Depends.

    Args:
        field: its value; ``""`` gives no groups.

    Returns:
        Groups that must all hold, each of alternatives of which one must.

    Raises:
        FormatError: if it is malformed.
    """
    return tuple(
        tuple([_relation(alternative, field) for alternative in group.split("|")])
        for group in field.split(",")
        if group and not group.isspace()
    )


def _relation(text: str, field: str) -> Relation:
    match = _RELATION.fullmatch(text)
    if not match:
        raise FormatError(f'read relation "{text.strip()[:80]}"', f'it is malformed, in "{field[:120]}"')
    name, qualifier, operator, version = match.groups("")
    return Relation(name, qualifier, _DEPRECATED.get(operator, operator), version)
