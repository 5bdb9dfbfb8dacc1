"""The text of a query becomes an expression; whatever can be wrong with the text alone is found here.

Going in: text, and the folder that relative patterns start in. Going out: an expression whose functions are known,
whose arguments have the right number and kind, and whose variables are all bound.

Source: "The Bazel Query Reference", sections "Tokens" and "Expressions". One thing differs: an unquoted word that
starts with ``@`` may hold ``+``, since the names of many debs do (``@trixie//libstdc++6``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from distroless_rules.errors import LabelError, RequestError, did_you_mean
from distroless_rules.values.label import Pattern

__all__ = ["FUNCTIONS", "Call", "Chain", "Expression", "Let", "Matches", "QueryError", "Variable", "parse", "patterns"]

_KEYWORDS = frozenset({"except", "in", "intersect", "let", "set", "union"})
_OPERATORS = {"+": "union", "-": "except", "^": "intersect"}
_DEPTH = 100  # how deep parentheses may nest
_LENGTH = 1 << 20  # characters
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<quoted>"[^"]*"|'[^']*')
      | (?P<word>@[A-Za-z0-9*/@._:$~\[\]+-]*|[A-Za-z0-9/._:$~\[\]][A-Za-z0-9*/@._:$~\[\]-]*)
      | (?P<sign>[(),=+^-])""",
    re.VERBOSE,
)
_NAME = re.compile(r"[A-Za-z_]\w*")

FUNCTIONS = {
    "allpaths": ("expression", "expression"),
    "attr": ("name", "regex", "expression"),
    "deps": ("expression", "integer?"),
    "filter": ("regex", "expression"),
    "kind": ("regex", "expression"),
    "labels": ("name", "expression"),
    "rdeps": ("expression", "expression", "integer?"),
    "some": ("expression", "integer?"),
    "somepath": ("expression", "expression"),
}
"""Function -> the kinds of its arguments; one that ends with ``?`` may be left out."""


class QueryError(RequestError):
    """A query that is not well formed; its message shows the place in the text."""

    def __init__(self, text: str, column: int, cause: str, *, hint: str = "") -> None:
        super().__init__("read the query", re.sub(r"\s", " ", cause), hint=hint)
        self.text = text
        self.column = column

    def __str__(self) -> str:
        before = self.text[max(0, self.column - 61) : self.column - 1]
        line = re.sub(r"\s", " ", before + self.text[self.column - 1 : self.column + 39])
        return f"query:{self.column}: {super().__str__()}\n  {line}\n  {' ' * len(before)}^"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.text, self.column, self.cause, self.hint))


def _rebuild(text: str, column: int, cause: str, hint: str) -> QueryError:
    return QueryError(text, column, cause, hint=hint)


@dataclass(frozen=True, slots=True)
class Matches:
    """The targets that one of some patterns means: a word, or ``set(...)``."""

    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """``$name``."""

    name: str


@dataclass(frozen=True, slots=True)
class Let:
    """``let name = value in body``."""

    name: str
    value: Expression
    body: Expression


@dataclass(frozen=True, slots=True)
class Chain:
    """Expressions joined, from left to right, by ``union``, ``except`` and ``intersect``."""

    first: Expression
    rest: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments, as ``FUNCTIONS`` names their kinds; those left out are left out."""

    function: str
    arguments: tuple[Expression | str | int | re.Pattern[str], ...]


Expression = Matches | Variable | Let | Chain | Call


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # word, quoted, sign, end
    text: str
    column: int  # counted from 1


def parse(text: str, folder: str = "") -> Expression:
    """Read a query.

    Args:
        text: ``deps(//app:image) - //lib/...`` for example.
        folder: the folder of the workspace that relative patterns start in.

    Raises:
        QueryError: if it is not well formed.
    """
    if len(text) > _LENGTH:
        raise QueryError(text[:1], 1, f"it is longer than {_LENGTH} characters")
    parser = _Parser(text, folder)
    expression = parser.expression()
    parser.end()
    return expression


def patterns(expression: Expression) -> Iterator[Pattern]:
    """Give the patterns in an expression, in their order."""
    if isinstance(expression, Matches):
        yield from expression.patterns
    elif isinstance(expression, Let):
        yield from patterns(expression.value)
        yield from patterns(expression.body)
    elif isinstance(expression, Chain):
        yield from patterns(expression.first)
        for _, part in expression.rest:
            yield from patterns(part)
    elif isinstance(expression, Call):
        for argument in expression.arguments:
            if isinstance(argument, Expression):
                yield from patterns(argument)


class _Parser:
    def __init__(self, text: str, folder: str) -> None:
        self._text = text
        self._folder = folder
        self._tokens = list(self._scan())
        self._at = 0
        self._bound: list[str] = []
        self._depth = 0

    def expression(self) -> Expression:
        """Read operands joined by operators, which all bind alike."""
        self._depth += 1
        if self._depth > _DEPTH:
            raise self._wrong(self._now, f"it nests deeper than {_DEPTH} levels")
        first = self._operand()
        rest = []
        while self._now.kind in ("word", "sign"):
            operator = _OPERATORS.get(self._now.text, self._now.text)
            if operator not in _OPERATORS.values():
                break
            self._at += 1
            rest.append((operator, self._operand()))
        self._depth -= 1
        return Chain(first, tuple(rest)) if rest else first

    def end(self) -> None:
        """See that nothing is left."""
        if self._now.kind != "end":
            raise self._wrong(self._now, f"expected an operator (+ - ^), found {_shown(self._now)}")

    def _scan(self) -> Iterator[_Token]:
        at = 0
        while at < len(self._text):
            found = _TOKEN.match(self._text, at)
            if found is None:
                sign = self._text[at]
                cause = "the quotation does not end" if sign in "\"'" else f'"{sign}" must be quoted'
                raise QueryError(self._text, at + 1, cause)
            kind = str(found.lastgroup)
            if kind != "space":
                text = found.group()
                yield _Token(kind, text[1:-1] if kind == "quoted" else text, at + 1)
            at = found.end()
        yield _Token("end", "", at + 1)

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, what: str, *signs: str) -> _Token:
        """Take a sign or keyword that must come now."""
        token = self._now
        if token.kind not in ("sign", "word") or token.text not in signs:
            raise self._wrong(token, f"expected {what}, found {_shown(token)}")
        self._at += 1
        return token

    def _is(self, sign: str) -> bool:
        return self._now.kind in ("sign", "word") and self._now.text == sign

    def _wrong(self, token: _Token, cause: str, hint: str = "") -> QueryError:
        return QueryError(self._text, token.column, cause, hint=hint)

    def _operand(self) -> Expression:
        token = self._now
        if self._is("("):
            self._at += 1
            inner = self.expression()
            self._take('")"', ")")
            return inner
        if self._is("let"):
            return self._let()
        if self._is("set"):
            return self._set()
        after = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        if token.kind == "word" and after.kind == "sign" and after.text == "(":
            return self._call()
        if token.kind == "word" and token.text.startswith("$"):
            self._at += 1
            if token.text[1:] not in self._bound:
                hint = did_you_mean(token.text, [f"${name}" for name in self._bound])
                raise self._wrong(token, f"no let gives {token.text} a value", hint)
            return Variable(token.text[1:])
        return Matches((self._pattern(),))

    def _word(self, what: str) -> _Token:
        token = self._now
        if token.kind not in ("word", "quoted") or (token.kind == "word" and token.text in _KEYWORDS):
            raise self._wrong(token, f"expected {what}, found {_shown(token)}")
        self._at += 1
        return token

    def _pattern(self) -> Pattern:
        token = self._word("a target pattern, a function or (")
        try:
            pattern = Pattern.parse(token.text, package=self._folder)
        except LabelError as error:
            raise QueryError(self._text, token.column, error.cause, hint=error.hint) from error
        if pattern.negative:
            raise self._wrong(token, "a pattern cannot be negative here", "write: everything - what to leave out")
        return pattern

    def _let(self) -> Let:
        self._at += 1
        token = self._word("a name")
        if not _NAME.fullmatch(token.text):
            raise self._wrong(token, f'"{token.text}" is not a name', "letters, digits and _ are")
        self._take('"="', "=")
        value = self.expression()
        self._take('"in"', "in")
        self._bound.append(token.text)
        body = self.expression()
        self._bound.pop()
        return Let(token.text, value, body)

    def _set(self) -> Matches:
        self._at += 1
        self._take('"(" after set', "(")
        found = []
        while not self._is(")"):
            found.append(self._pattern())
        self._at += 1
        return Matches(tuple(found))

    def _call(self) -> Call:
        token = self._now
        kinds = FUNCTIONS.get(token.text)
        if kinds is None:
            hint = did_you_mean(token.text, FUNCTIONS) or f"the functions are {', '.join(FUNCTIONS)}"
            raise self._wrong(token, f'there is no function "{token.text}"', hint)
        self._at += 2
        arguments: list[Expression | str | int | re.Pattern[str]] = []
        usage = f"{token.text}({', '.join(kind.rstrip('?') for kind in kinds if not kind.endswith('?'))}"
        usage += "".join(f"[, {kind.rstrip('?')}]" for kind in kinds if kind.endswith("?")) + ")"
        for number, kind in enumerate(kinds):
            if self._is(")") and (number == 0 or kind.endswith("?")):
                break
            if number:
                self._take(f'"," {"or )" if kind.endswith("?") else ""}'.rstrip() + f" as in {usage}", ",")
            arguments.append(self._argument(kind))
        if len(arguments) < sum(not kind.endswith("?") for kind in kinds) or not self._is(")"):
            raise self._wrong(self._now, f"expected {usage}")
        self._at += 1
        return Call(token.text, tuple(arguments))

    def _argument(self, kind: str) -> Expression | str | int | re.Pattern[str]:
        if kind == "expression":
            return self.expression()
        token = self._word({"regex": "a regular expression", "name": "the name of an attribute"}.get(kind, "a number"))
        if kind == "name":
            return token.text
        if kind == "integer?":
            if not re.fullmatch(r"[0-9]{1,9}", token.text):
                raise self._wrong(token, f'"{token.text}" is not a number')
            return int(token.text)
        try:
            return re.compile(token.text)
        except (re.error, OverflowError) as error:
            raise self._wrong(token, f'"{token.text}" is not a regular expression: {error}') from error


def _shown(token: _Token) -> str:
    return "the end" if token.kind == "end" else f'"{token.text}"'
