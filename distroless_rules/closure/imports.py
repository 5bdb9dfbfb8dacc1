"""The imports of a Python source: its text in, each import with how surely it is made out.

Sources of the image's Python may be newer than the Python that runs here, and the answer must not depend on that one,
so this reads the few words that matter, and not the whole grammar: strings and comments are taken out, lines in
brackets joined, and blocks told apart by indentation.

Source: the Python Language Reference, chapters 2 (lexical analysis) and 7.11 (the import statement).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["ALWAYS", "LAZY", "MAYBE", "Import", "imports"]

ALWAYS = "always"
"""Made whenever the file is."""
LAZY = "lazy"
"""Made when a function is called."""
MAYBE = "maybe"
"""Made under a condition, or its failure is caught."""


@dataclass(frozen=True, slots=True)
class Import:
    """An import.

    Attributes:
        module: the dotted name, ``""`` for ``from . import x``.
        level: how many dots stand before it.
        names: what is taken of the module, each of which may be a module too; ``*`` for all.
        strength: ``ALWAYS``, ``LAZY`` or ``MAYBE``.
    """

    module: str
    level: int = 0
    names: tuple[str, ...] = ()
    strength: str = ALWAYS


_TOKEN = re.compile(
    r'''(?P<string>(?<![A-Za-z0-9_])[rRbBfFuUtT]{0,2}(?:"""(?:[^\\]|\\.)*?(?:"""|\Z)|\'\'\'(?:[^\\]|\\.)*?(?:\'\'\'|\Z))'''
    r"""|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)"""
    r"""|(?P<comment>\#[^\n]*)|(?P<joined>\\\r?\n)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<line>\r?\n)""",
    re.DOTALL,
)
_HEADER = re.compile(r"(?:async\s+)?(try|except|finally|if|elif|else|for|while|with|def|class|match|case)\b")
_ONE_LINE = re.compile(r":\s*((?:import|from)\s.*)$")
_NAME = r"[^\W\d]\w*"
_DOTTED = rf"{_NAME}(?:\.{_NAME})*"
_IMPORT = re.compile(rf"import ({_DOTTED}.*)$")
_FROM = re.compile(rf"from ?(\.*)({_DOTTED})? ?\bimport\b ?(.*)$")
_DOT = re.compile(r" ?\. ?")
_BY_NAME = re.compile(rf"""(?:import_module|__import__)\(\s*["']({_NAME}(?:\.{_NAME})*)["']""")
_WORDS = {"def": LAZY, "class": ALWAYS, "with": ALWAYS, "finally": ALWAYS}
_MAX_DEPTH = 100


def imports(text: str) -> list[Import]:
    """Give the imports of a source, each once, in order; those for type checkers alone are left out.

    Modules that are imported by a name in a string (``importlib.import_module("a.b")``) count as ``MAYBE``.
    """
    if "import" not in text:
        return []
    found: dict[Import, None] = {}
    blocks: list[tuple[int, str]] = []
    for line in _logical_lines(text):
        word = line.lstrip()
        indent = len(line.expandtabs(8)) - len(word.expandtabs(8))
        while blocks and blocks[-1][0] >= indent:
            blocks.pop()
        header = _HEADER.match(word)
        if header is not None:
            strength = _block(header[1], word)
            if len(blocks) < _MAX_DEPTH:
                blocks.append((indent, strength))
            inner = _ONE_LINE.search(word)
            if inner is None:
                continue
            word = inner[1]
        strength = _weakest(strength for _, strength in blocks)
        if strength and ("import" in word):
            for statement in word.split(";"):
                found.update(dict.fromkeys(_statement(statement.strip(), strength)))
    found.update(dict.fromkeys(Import(name, 0, (), MAYBE) for name in _BY_NAME.findall(text)))
    return list(found)


def _logical_lines(text: str) -> Iterator[str]:
    depth = 0

    def plain(match: re.Match[str]) -> str:
        nonlocal depth
        kind = match.lastgroup
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(0, depth - 1)
        elif kind == "line":
            return " " if depth else "\n"
        elif kind == "string":
            return '""'
        elif kind == "comment":
            return ""
        else:
            return " "
        return match[0]

    return (line for line in _TOKEN.sub(plain, text.removeprefix("\ufeff")).split("\n") if line.strip())


def _block(word: str, line: str) -> str:
    """Say how surely what is in a block is done; ``""``: never, when a program runs."""
    if word in ("if", "elif") and "TYPE_CHECKING" in line and "not" not in line:
        return ""
    if word == "if" and "__name__" in line:
        return ALWAYS  # of the file that is started; of others it only makes the closure larger
    if word == "with" and "suppress" in line:
        return MAYBE
    return _WORDS.get(word, MAYBE)


def _weakest(strengths: Iterator[str]) -> str:
    found = set(strengths)
    return "" if "" in found else MAYBE if MAYBE in found else LAZY if LAZY in found else ALWAYS


def _statement(text: str, strength: str) -> Iterator[Import]:
    # Without needless spaces there is one way to read it: no expression below has to try several.
    text = _DOT.sub(".", " ".join(text.split()))
    if match := _IMPORT.match(text):
        for part in match[1].split(","):
            name = part.strip().partition(" as ")[0]
            if name:
                yield Import(name, 0, (), strength)
    elif match := _FROM.match(text):
        dots, module, names = len(match[1]), match[2] or "", match[3].strip("() ")
        taken = tuple(name for part in names.split(",") if (name := part.strip().partition(" ")[0].strip("()")))
        if dots or module:
            yield Import(module, dots, taken, strength)
