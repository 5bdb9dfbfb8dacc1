"""From the line that the interpreter names to the exact place of what is wrong, for error messages."""

from __future__ import annotations

import re

from distroless_rules.errors import Location

__all__ = ["TOKEN", "of_call", "of_load", "of_part", "of_syntax_error"]

TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#[^\n]*|[()\[\]{}]',
    re.DOTALL,
)
"""A string, a comment or a bracket of Starlark."""


def of_call(source: str, at: Location, called: str = "") -> Location:
    """Give ``at`` with a column: of the call of ``called`` if its line has just one, else where its text begins."""
    text = _line(source, at.line)
    if text is None:
        return at
    calls = list(re.finditer(rf"(?:\w+\.)*\b{re.escape(called)}\s*\(", text)) if called else []
    column = calls[0].start() if len(calls) == 1 else len(text) - len(text.lstrip())
    return Location(at.file, at.line, column + 1)


def of_load(source: str, file: str, loaded: str) -> Location:
    """Give the place of the string ``loaded`` in the ``load`` of a file that names it."""
    found = re.search(rf"^load\(\s*([\"\']){re.escape(loaded)}\1", source, re.MULTILINE)
    return _at(source, file, found.start(1)) if found else Location(file, 1, 1)


def of_syntax_error(source: str, at: Location, cause: str) -> tuple[Location, str]:
    """Give the place and cause of a syntax error, better than the parser's where it is known to be beside the point.

    At the end of a file the parser misses whatever may come next; what helps is the bracket that is still open. It
    takes a tab for the end of the line before.
    """
    text = _line(source, at.line)
    if "tabs are not allowed" in cause and text is not None and at.column == len(text) + 1:
        return Location(at.file, at.line + 1, 1), cause
    if (at.line, at.column) == (1, 1) and cause.startswith("the line ends too early"):
        opened = _unclosed(source)
        if opened is not None:
            return _at(source, at.file, opened), f'"{source[opened]}" is never closed'
    return at, cause


def of_part(source: str, at: Location, attribute: str = "", text: str = "") -> Location:
    """Give the place of a part of the call that starts on the line of ``at``, the smallest that is found.

    Args:
        source: the file.
        at: the line.
        attribute: a keyword argument.
        text: a string, in that argument if there is one.
    """
    start, end = _extent(source, at.line)
    keyword = re.compile(rf"\b{re.escape(attribute)}\s*=(?!=)").search(source, start, end) if attribute else None
    if text:
        quoted = re.compile(rf'"{re.escape(text)}"|\'{re.escape(text)}\'')
        string = quoted.search(source, keyword.end() if keyword else start, end)
        if string:
            return _at(source, at.file, string.start())
    return _at(source, at.file, keyword.start()) if keyword else of_call(source, at)


def _at(source: str, file: str, offset: int) -> Location:
    line_start = source.rfind("\n", 0, offset) + 1
    return Location(file, source.count("\n", 0, offset) + 1, offset - line_start + 1)


def _line(source: str, number: int) -> str | None:
    lines = source.split("\n", number)
    return lines[number - 1] if 0 < number <= len(lines) else None


def _unclosed(source: str) -> int | None:
    """Give the offset of the last bracket that is still open at the end."""
    opened: list[int] = []
    for token in TOKEN.finditer(source):
        if token[0] in "([{":
            opened.append(token.start())
        elif token[0] in ")]}" and opened:
            opened.pop()
    return opened[-1] if opened else None


def _extent(source: str, line: int) -> tuple[int, int]:
    """Give the offsets of a line's start and of the bracket that closes the first call on it."""
    start = 0
    for _ in range(line - 1):
        start = source.find("\n", start) + 1
    depth = 0
    for token in TOKEN.finditer(source, start):
        if token[0] in "([{":
            depth += 1
        elif token[0] in ")]}":
            depth -= 1
            if depth <= 0:
                return start, token.end()
    return start, len(source)
