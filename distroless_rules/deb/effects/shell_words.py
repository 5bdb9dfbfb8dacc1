"""Words of a shell script: characters in, parts that are literal, quoted, parameters or substitutions out.

Source: POSIX.1-2017 Shell Command Language, sections 2.2 (quoting), 2.3 (tokens) and 2.6 (expansions).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from distroless_rules.deb.effects.shell_syntax import Arithmetic, Node, Param, Part, Substitution, Text, Word
from distroless_rules.errors import FormatError

__all__ = ["Reader"]

_END = frozenset(" \t\n;&|()<>")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]|[@*#?$!-]")
_BRACED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])(:?[-=+?]|##?|%%?)?")
_BRACKET = re.compile(r"[()]")
_VALUES = frozenset("-=+?")
_MAX_DEPTH = 40


class Reader:
    """A cursor over a script; ``parse`` reads the commands of ``$( )`` up to its bracket."""

    def __init__(self, text: str, parse: Callable[[Reader], Node], depth: int = 0) -> None:
        self.text = text
        self.at = 0
        self.depth = depth
        self._parse = parse
        self._counted = (0, 1)  # a place before the cursor, and its line

    @property
    def line(self) -> int:
        """The number of the line that the cursor is in, from 1."""
        at, line = self._counted if self._counted[0] <= self.at else (0, 1)
        self._counted = (self.at, line + self.text.count("\n", at, self.at))
        return self._counted[1]

    def fail(self, cause: str) -> FormatError:
        """Give the error for the cursor's place."""
        return FormatError(f"read line {self.line} of a script", cause)

    def peek(self, count: int = 1) -> str:
        """Give the next characters without moving."""
        return self.text[self.at : self.at + count]

    def word(self, end: frozenset[str] = _END) -> Word:
        """Read one word; ``()`` when there is none."""
        parts: list[Part] = []
        literal: list[str] = []

        def flush() -> None:
            if literal:
                parts.append(Text("".join(literal)))
                literal.clear()

        while (char := self.peek()) and char not in end:
            if char == "\\":
                flush()
                if self.peek(2) != "\\\n":
                    parts.append(Text(self.text[self.at + 1 : self.at + 2], True))
                self.at += 2
            elif char in "'\"`$":
                flush()
                parts.extend(self._special(char))
            else:
                literal.append(char)
                self.at += 1
        flush()
        return tuple(parts)

    def _special(self, char: str) -> list[Part]:
        if char == "'":
            close = self.text.find("'", self.at + 1)
            if close < 0:
                raise self.fail("a quote is not closed")
            value = self.text[self.at + 1 : close]
            self.at = close + 1
            return [Text(value, True)]
        if char == '"':
            self.at += 1
            parts = self.double('"')
            self.at += 1
            return parts or [Text("", True)]
        return [self._expansion(False)]

    def double(self, end: str) -> list[Part]:
        """Read what stands between double quotes up to ``end``.

        Args:
            end: ``"``, or the ``}`` of an expansion between double quotes, or ``""`` for a whole here-document.
        """
        escaped = {"$", "`", "\\", "\n", *(('"', end) if end else ())}
        parts: list[Part] = []
        literal: list[str] = []
        while (char := self.peek()) != end:
            if not char:
                raise self.fail("a double quote is not closed")
            if char == "\\" and self.peek(2)[1:] in escaped:
                following = self.peek(2)[1:]
                literal.append("" if following == "\n" else following)
                self.at += 2
            elif char in "$`" or (char == '"' and end == "}"):
                parts.append(Text("".join(literal), True))
                literal.clear()
                parts.extend(self._special(char) if char == '"' else [self._expansion(True)])
            else:
                literal.append(char)
                self.at += 1
        parts.append(Text("".join(literal), True))
        return [part for part in parts if part != Text("", True)] or [Text("", True)]

    def _expansion(self, quoted: bool) -> Part:
        if self.peek() == "`":
            return self._backquoted(quoted)
        if self.peek(3) == "$((" and (end := self._arithmetic_end()):
            inner = Reader(self.text[self.at + 3 : end - 2], self._parse, self.depth)
            self.at = end
            return Arithmetic(tuple(inner.double("")), quoted)
        if self.peek(2) == "$(":
            self.at += 2
            body = self._nested(self)
            if self.peek() != ")":
                raise self.fail("a command substitution is not closed")
            self.at += 1
            return Substitution(body, quoted)
        if self.peek(2) == "${":
            return self._braced(quoted)
        match = _NAME.match(self.text, self.at + 1)
        if not match:
            self.at += 1
            return Text("$", quoted)
        self.at = match.end()
        return Param(match[0], quoted=quoted)

    def _nested(self, reader: Reader) -> Node:
        if reader.depth >= _MAX_DEPTH:
            raise self.fail(f"it is nested more than {_MAX_DEPTH} deep")
        reader.depth += 1
        node = self._parse(reader)
        reader.depth -= 1
        return node

    def _backquoted(self, quoted: bool) -> Part:
        at = self.at + 1
        body: list[str] = []
        while (char := self.text[at : at + 1]) != "`":
            if not char:
                raise self.fail("a backquote is not closed")
            if char == "\\" and self.text[at + 1 : at + 2] in ("`", "\\", "$"):
                at += 1
                char = self.text[at]
            body.append(char)
            at += 1
        inner = Reader("".join(body), self._parse, self.depth)
        node = self._nested(inner)
        if inner.peek():
            raise self.fail("a command substitution is malformed")
        self.at = at + 1
        return Substitution(node, quoted)

    def _arithmetic_end(self) -> int:
        """Give where ``$((`` ends with ``))``, 0 when it is a substitution that begins with a bracket."""
        depth, at = 2, self.at + 3
        while depth > 1:
            match = _BRACKET.search(self.text, at)
            if match is None:
                raise self.fail("an arithmetic expansion is not closed")
            depth += 1 if match[0] == "(" else -1
            at = match.end()
        return at + 1 if self.text[at : at + 1] == ")" else 0

    def _braced(self, quoted: bool) -> Part:
        start = self.at
        self.at += 2
        if self.peek() == "#" and self.peek(2) != "#}":
            self.at += 1
            length = _BRACED.match(self.text, self.at)
            if length and self.text[length.end() : length.end() + 1] == "}" and not length[2]:
                self.at = length.end() + 1
                return Param(length[1], "length", quoted=quoted)
            raise self.fail("a parameter expansion is malformed")
        match = _BRACED.match(self.text, self.at)
        if not match:
            raise self.fail("a parameter expansion is malformed")
        self.at = match.end()
        op = match[2] or ""
        if not op and self.peek() != "}":
            op = "?!"
        if self.depth >= _MAX_DEPTH:
            raise self.fail(f"it is nested more than {_MAX_DEPTH} deep")
        self.depth += 1
        # Between double quotes a single quote means itself, but in a pattern it quotes.
        word = tuple(self.double("}")) if quoted and op[-1:] in _VALUES else self.word(frozenset("}"))
        self.depth -= 1
        if self.peek() != "}":
            self.at = start
            raise self.fail("a parameter expansion is not closed")
        self.at += 1
        return Param(match[1], op, word, quoted)
