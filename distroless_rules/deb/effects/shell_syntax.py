"""The syntax tree of a maintainer script, as far as POSIX shell goes.

Source: POSIX.1-2017 Shell Command Language, sections 2.2 to 2.10.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AndOr",
    "Arithmetic",
    "Case",
    "For",
    "Function",
    "Group",
    "If",
    "Node",
    "Param",
    "Part",
    "Pipeline",
    "Redirect",
    "Sequence",
    "Simple",
    "Substitution",
    "Text",
    "While",
    "Word",
]


@dataclass(frozen=True, slots=True)
class Text:
    """Literal characters; ``quoted`` ones are no pattern and are not split."""

    value: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Param:
    """``$name`` or ``${name<op>word}``; op ``length`` is ``${#name}``, ``?!`` one that is not understood."""

    name: str
    op: str = ""
    word: Word = ()
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Substitution:
    """``$(body)`` or backquotes."""

    body: Node
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``$((word))``; its value is not computed."""

    word: Word
    quoted: bool = False


Part = Text | Param | Substitution | Arithmetic
Word = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Redirect:
    """``fd`` ``op`` ``target``; of a here-document the target is its text and op ``<<``."""

    fd: int
    op: str
    target: Word


@dataclass(frozen=True, slots=True)
class Simple:
    """Assignments and a command with its arguments; ``text`` is its source in one line."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by ``|``, perhaps after ``!``."""

    commands: tuple[Node, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class AndOr:
    """Pipelines joined by ``&&`` and ``||``."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Sequence:
    """Commands one after the other."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class If:
    """``if``/``elif`` clauses of condition and body, and the ``else`` part."""

    clauses: tuple[tuple[Node, Node], ...]
    otherwise: Node | None


@dataclass(frozen=True, slots=True)
class Case:
    """``case word in``, arms of patterns and body."""

    word: Word
    arms: tuple[tuple[tuple[Word, ...], Node], ...]


@dataclass(frozen=True, slots=True)
class For:
    """``for name in words``; None stands for the positional parameters."""

    name: str
    words: tuple[Word, ...] | None
    body: Node


@dataclass(frozen=True, slots=True)
class While:
    """``while`` or ``until``."""

    condition: Node
    body: Node


@dataclass(frozen=True, slots=True)
class Function:
    """A definition."""

    name: str
    body: Node


@dataclass(frozen=True, slots=True)
class Group:
    """A compound command with redirections, ``{ }`` or ``( )``; ``line`` is where it ends."""

    body: Node
    redirects: tuple[Redirect, ...] = ()
    subshell: bool = False
    line: int = 0


Node = Simple | Pipeline | AndOr | Sequence | If | Case | For | While | Function | Group
