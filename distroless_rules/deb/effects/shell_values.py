"""What words of a shell script come to: syntax, variables and arguments in, texts out, None for what is not known.

Source: POSIX.1-2017 Shell Command Language, sections 2.5 (parameters) and 2.6 (expansions); test(1p).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from distroless_rules.deb.effects.shell_syntax import Arithmetic, Param, Part, Substitution, Text, Word

__all__ = ["UNSET", "Exists", "Values", "substitutions"]

UNSET = "\0"
"""Stands for a variable that is not set; no value holds it otherwise."""
_MAX_VALUE = 1 << 18  # characters; a value that is longer counts as not known
_MAX_CUT = 512  # characters of a value that ${x%y} and the like are worked out for
_ENVIRONMENT = frozenset(
    (
        *("HOME", "IFS", "LANG", "LOGNAME", "OLDPWD", "OPTARG", "OPTIND", "PATH", "PPID", "PWD", "RANDOM", "SHELL"),
        *("TERM", "UID", "USER"),
    )
)
_BRACES = re.compile(r"\{[^{}]*(,|\.\.)[^{}]*\}|^~")  # bash makes several words of these, and both a home of a tilde
_BLANKS = re.compile(r"[ \t\n]+")  # the fields of IFS as it is unless a script sets it
_MAGIC = re.compile(r"[*?[]")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "-eq": int.__eq__,
    "-ne": int.__ne__,
    "-gt": int.__gt__,
    "-ge": int.__ge__,
    "-lt": int.__lt__,
    "-le": int.__le__,
}

Exists = Callable[[str, str], "bool | None"]
"""Whether ``-x``, ``-e`` and the like hold for a path, or (``command``) a command is there; None: not known."""


@dataclass
class Values:
    """What variables hold; what is not in ``variables`` is not set.

    Attributes:
        exists: answers questions about the image.
        output: gives what a substitution prints, None if that is not known.
        variables: name -> value.
        arguments: the positional parameters; None when not even their number is known.
        opaque: whether text that was not read may have set any variable.
        made: how many characters of values were made so far.
    """

    exists: Exists
    output: Callable[[Substitution, Values], str | None]
    variables: dict[str, str | None]
    arguments: tuple[str | None, ...] | None = ()
    opaque: bool = False
    made: int = 0

    def restore(self, before: Mapping[str, str | None]) -> None:
        """Give variables the values that they had, ``UNSET`` for none."""
        for name, value in before.items():
            if value == UNSET:
                self.variables.pop(name, None)
            else:
                self.variables[name] = value

    def fields(self, words: tuple[Word, ...]) -> tuple[str | None, ...]:
        """Expand words; an unquoted parameter with a known value is split."""
        found: list[str | None] = []
        for word in words:
            only = word[0] if len(word) == 1 else None
            if isinstance(only, Param) and not only.op and only.name in ("@", "*"):
                found.extend((None,) if self.arguments is None else self.arguments)
            elif only is not None and _splits(only):
                value = self.word(word)
                found.extend((None,) if value is None else filter(None, _BLANKS.split(value)))
            else:
                found.extend(self._split(word))
        return tuple(found)

    def _split(self, word: Word) -> list[str | None]:
        """Give the fields of a word of several parts, as unquoted ones are split at blanks (2.6.5)."""
        values = [self._part(part) for part in word]
        texts = [
            text for text, part in zip(values, word, strict=True) if text is not None and _means_itself(part, text)
        ]
        self.made += sum(map(len, texts))
        if len(texts) < len(word) or sum(map(len, texts)) > _MAX_VALUE:
            return [None]
        return list(_fields(zip(texts, map(_splits, word), strict=True)))

    def word(self, word: Word, change: Callable[[Part, str], str | None] = lambda _, text: text) -> str | None:
        """Give the value of a word without splitting it, None if it is not known.

        Args:
            word: the word.
            change: gives for each part and its value what stands for it.
        """
        parts = []
        for part in word:
            value = self._part(part)
            value = None if value is None else change(part, value)
            if value is None:
                return None
            parts.append(value)
        joined = "".join(parts)
        self.made += len(joined)
        return joined if len(joined) <= _MAX_VALUE else None

    def pattern(self, word: Word) -> str | None:
        """Give a word as a pattern of ``fnmatch``, in which quoted characters mean themselves."""
        value = self.word(word, lambda part, text: _MAGIC.sub(r"[\g<0>]", text) if part.quoted else text)
        return None if value is None else value.replace("[^", "[!")

    def _part(self, part: Part) -> str | None:
        if isinstance(part, Text):
            return part.value
        if isinstance(part, Substitution):
            return self.output(part, self)
        if isinstance(part, Arithmetic):
            return None
        value = self._parameter(part.name)
        if not part.op:
            return value
        if part.op == "length":
            return None if value is None else str(len(value))
        if part.op[-1] in "-=+?" and part.op != "?!":
            return self._instead(part, value)
        return None if value is None or part.op == "?!" else self._cut(value, part)

    def _instead(self, part: Param, value: str | None) -> str | None:
        """Do ``${x:-y}``, ``${x:=y}`` and ``${x:+y}``."""
        if value is None:
            return None
        there = value != "" if part.op[0] == ":" else value != "" or self._is_set(part.name)
        if part.op[-1] == "+":
            return self.word(part.word) if there else ""
        if there or part.op[-1] == "?":
            return value
        other = self.word(part.word)
        if part.op[-1] == "=":
            self.variables[part.name] = other
        return other

    def _is_set(self, name: str) -> bool:
        if name.isdecimal():
            return self.arguments is not None and int(name) <= len(self.arguments)
        return name in self.variables

    def _cut(self, value: str, part: Param) -> str | None:
        """Do ``${x#y}`` and the like."""
        pattern = self.pattern(part.word)
        if pattern is None or len(value) > _MAX_CUT:
            return None
        self.made += 16 * len(value)
        lengths = range(len(value) + 1) if len(part.op) == 1 else range(len(value), -1, -1)
        for length in lengths:
            if part.op[0] == "#" and fnmatchcase(value[:length], pattern):
                return value[length:]
            if part.op[0] == "%" and fnmatchcase(value[len(value) - length :], pattern):
                return value[: len(value) - length]
        return value

    def _parameter(self, name: str) -> str | None:
        if name in ("0", "?", "$", "!", "-", "@", "*"):
            return None
        if name == "#":
            return None if self.arguments is None else str(len(self.arguments))
        if name.isdecimal():
            if self.arguments is None:
                return None
            return self.arguments[int(name) - 1] if len(name) < 5 and int(name) <= len(self.arguments) else ""
        unknown = self.opaque or name in _ENVIRONMENT or name.startswith("LC_")
        return self.variables.get(name, None if unknown else "")

    def test(self, words: tuple[str | None, ...]) -> bool | None:
        """Give what ``[ words ]`` says; of more than four words ``-a`` binds closer than ``-o``."""
        if not words:
            return False
        if len(words) == 1:
            return None if words[0] is None else bool(words[0])
        if len(words) == 3 and words[1] not in ("-a", "-o"):
            return self._binary(words[0], words[1], words[2]) if words[0] != "!" else _not(self.test(words[1:]))
        for operator in ("-o", "-a"):
            if operator in words[1:]:
                at = words.index(operator, 1)
                sides = self.test(words[:at]), self.test(words[at + 1 :])
                decided = operator == "-o"
                return decided if decided in sides else None if None in sides else not decided
        if words[0] == "!":
            return _not(self.test(words[1:]))
        if len(words) == 2 and words[0] is not None and words[1] is not None:
            return self._unary(words[0], words[1])
        return None

    def _binary(self, left: str | None, operator: str | None, right: str | None) -> bool | None:
        if left is None or right is None:
            return None
        if operator in ("=", "==", "!="):
            return (left == right) is (operator != "!=")
        if operator in _COMPARE and _NUMBER.fullmatch(left) and _NUMBER.fullmatch(right):
            return _COMPARE[operator](int(left), int(right))
        return None

    def _unary(self, operator: str, value: str) -> bool | None:
        if operator in ("-n", "-z"):
            return bool(value) is (operator == "-n")
        return self.exists(operator, value)


def _splits(part: Part) -> bool:
    return not part.quoted and not isinstance(part, Text)


def _means_itself(part: Part, value: str) -> bool:
    """Tell whether no pattern or brace of a part could make several words of it."""
    return part.quoted or not (_BRACES if isinstance(part, Text) else _MAGIC).search(value)


def _fields(texts: Iterable[tuple[str, bool]]) -> Iterator[str]:
    """Join texts, some of which are split at blanks: two that no blank is between are one field."""
    field: str | None = None
    for text, splits in texts:
        for number, piece in enumerate(_BLANKS.split(text) if splits else [text]):
            if number and field is not None:
                yield field
                field = None
            if piece or not splits:
                field = (field or "") + piece
    if field is not None:
        yield field


def _not(status: bool | None) -> bool | None:
    return None if status is None else not status


def substitutions(word: Word) -> Iterator[Substitution]:
    """Give the commands whose output goes into a word."""
    for part in word:
        if isinstance(part, Substitution):
            yield part
        elif isinstance(part, Param | Arithmetic):
            yield from substitutions(part.word)
