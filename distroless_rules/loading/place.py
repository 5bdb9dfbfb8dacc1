"""From the line of a call to the exact place of an attribute or string in it, for error messages."""

from __future__ import annotations

import re

from distroless_rules.errors import Location

__all__ = ["of_attribute", "of_call", "of_string"]

_TOKEN = re.compile(r'"""(?:\\.|[^\\])*?"""|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#[^\n]*|[()\[\]{}]', re.DOTALL)


def of_call(source: str, at: Location) -> Location:
    """Give ``at`` with the column where its line's text begins."""
    lines = source.splitlines()
    if not 0 < at.line <= len(lines):
        return at
    text = lines[at.line - 1]
    return Location(at.file, at.line, len(text) - len(text.lstrip()) + 1)


def of_attribute(source: str, at: Location, name: str) -> Location:
    """Give the place of the keyword argument ``name`` in the call that starts on the line of ``at``."""
    return _search(source, at, rf"\b{re.escape(name)}\s*=(?!=)")


def of_string(source: str, at: Location, text: str) -> Location:
    """Give the place of the string ``text`` in the call that starts on the line of ``at``."""
    return _search(source, at, rf'"{re.escape(text)}"|\'{re.escape(text)}\'')


def _search(source: str, at: Location, pattern: str) -> Location:
    start, end = _extent(source, at.line)
    found = re.compile(pattern).search(source, start, end)
    if not found:
        return of_call(source, at)
    before = source[: found.start()]
    return Location(at.file, before.count("\n") + 1, found.start() - (before.rfind("\n") + 1) + 1)


def _extent(source: str, line: int) -> tuple[int, int]:
    """Give the offsets of a line's start and of the bracket that closes the first call on it."""
    start = 0
    for _ in range(line - 1):
        start = source.find("\n", start) + 1
    depth = 0
    for token in _TOKEN.finditer(source, start):
        if token[0] in "([{":
            depth += 1
        elif token[0] in ")]}":
            depth -= 1
            if depth <= 0:
                return start, token.end()
    return start, len(source)
