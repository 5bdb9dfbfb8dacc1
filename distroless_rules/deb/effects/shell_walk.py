"""What a maintainer script would do on a first installation: syntax tree in, the commands that could run out.

Nothing is run. Conditions that the script's arguments or the image's own files decide are decided; of all others both
ways are followed. A word whose value is not known is None. Source: POSIX.1-2017 Shell Command Language, section 2.9;
test(1p); Debian policy 4.7 section 6.5 (how scripts are called).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from distroless_rules.deb.effects.shell_syntax import (
    AndOr,
    Case,
    For,
    Function,
    Group,
    If,
    Node,
    Param,
    Pipeline,
    Redirect,
    Sequence,
    Simple,
    Substitution,
    Text,
    While,
    Word,
)

__all__ = ["Command", "walk"]

_MAX_CALLS = 20  # functions within functions
_MAX_COMMANDS = 20_000
_STATUS = {"true": True, ":": True, "false": False}

Exists = Callable[[str, str], "bool | None"]
"""Whether ``-x``, ``-e`` and the like hold for a path, or (``command``) a command is there; None: not known."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that could run.

    Attributes:
        words: its name and arguments; None where a value is not known.
        writes: the files that its output goes to, None where the name is not known; no device.
        document: the text of its here-document, None without one or when it is not known.
        text: the command as the script has it, in one line.
        line: where in the script.
    """

    words: tuple[str | None, ...]
    writes: tuple[str | None, ...]
    text: str
    line: int
    document: str | None = None


class _Stop(Exception):  # noqa: N818 - control flow, never an error
    """The script, or (``returns``) the function, ends here."""

    def __init__(self, returns: bool) -> None:
        super().__init__()
        self.returns = returns


def walk(script: Node, variables: Mapping[str, str], arguments: Iterable[str], exists: Exists) -> list[Command]:
    """Give the commands that a script could run, in order.

    Args:
        script: its syntax tree.
        variables: the environment.
        arguments: ``configure``, ``""``.
        exists: answers questions about the image.
    """
    walker = _Walker(dict(variables), exists)
    walker.arguments = tuple(arguments)
    walker.whole(script)
    return walker.found


@dataclass
class _Walker:
    """The state of one walk."""

    variables: dict[str, str | None]
    exists: Exists
    arguments: tuple[str | None, ...] = ()
    found: list[Command] = field(default_factory=list)
    functions: dict[str, Node] = field(default_factory=dict)
    depth: int = 0
    status: bool | None = True

    def whole(self, node: Node) -> None:
        """Walk to where the script ends."""
        try:
            self.node(node)
        except _Stop:
            return

    def node(self, node: Node) -> bool | None:
        """Walk a node; give whether it succeeds, None if that is not known."""
        self.status = self._dispatch(node)
        return self.status

    def _dispatch(self, node: Node) -> bool | None:
        if isinstance(node, Simple):
            return self._simple(node)
        if isinstance(node, Sequence):
            status: bool | None = True
            for item in node.items:
                status = self.node(item)
            return status
        if isinstance(node, AndOr):
            return self._and_or(node)
        if isinstance(node, If):
            return self._if(node)
        if isinstance(node, Case):
            return self._case(node)
        if isinstance(node, Function):
            self.functions[node.name] = node.body
            return True
        if isinstance(node, Group):
            return self._group(node)
        if isinstance(node, Pipeline):
            return self._pipeline(node)
        return self._loop(node)

    def _maybe(self, node: Node) -> None:
        """Walk what may or may not run: what it sets is not known afterwards."""
        before = dict(self.variables)
        with suppress(_Stop):
            self.node(node)
        for name, value in self.variables.items():
            if before.get(name, "") != value:
                self.variables[name] = None

    def _and_or(self, node: AndOr) -> bool | None:
        status = self.node(node.first)
        for operator, following in node.rest:
            wanted = operator == "&&"
            if status is None:
                self._maybe(following)
            elif status is wanted:
                status = self.node(following)
        return status

    def _if(self, node: If) -> bool | None:
        for condition, body in node.clauses:
            status = self.node(condition)
            if status:
                return self.node(body)
            if status is None:
                self._maybe(body)
                rest = If(node.clauses[node.clauses.index((condition, body)) + 1 :], node.otherwise)
                if rest.clauses or rest.otherwise is not None:
                    self._maybe(rest)
                return None
        return self.node(node.otherwise) if node.otherwise is not None else True

    def _case(self, node: Case) -> bool | None:
        value = self.word(node.word)
        for patterns, body in node.arms:
            texts = [self.word(pattern, pattern_of=True) for pattern in patterns]
            if value is None or None in texts:
                self._maybe(body)
            elif any(fnmatchcase(value, text) for text in texts if text is not None):
                return self.node(body)
        return None if value is None else True

    def _group(self, node: Group) -> bool | None:
        writes = self._writes(node.redirects)
        if writes:
            self._add(Command(("(...)",), writes, "( ... ) > ...", 0))
        if not node.subshell:
            return self.node(node.body)
        before = dict(self.variables)
        try:
            return self.node(node.body)
        except _Stop:
            return None
        finally:
            self.variables = before

    def _pipeline(self, node: Pipeline) -> bool | None:
        if len(node.commands) == 1:
            status = self.node(node.commands[0])
            return None if status is None else status is not node.negated
        for command in node.commands:
            self._maybe(command)
        return None

    def _loop(self, node: For | While) -> bool | None:
        if isinstance(node, While):
            self._maybe(node.condition)
            self._maybe(node.body)
            return None
        words = self.arguments if node.words is None else self.fields(node.words)
        for value in words:
            self.variables[node.name] = value if value is None or not set(value) & set("*?[") else None
            self._maybe(node.body)
        return None

    def _simple(self, node: Simple) -> bool | None:
        for name, word in node.assignments:
            value = self.word(word)
            if not node.words:
                self.variables[name] = value
        for word in node.words:
            self._substitutions(word)
        words = self.fields(node.words)
        writes = self._writes(node.redirects)
        if not words:
            return True
        return self._command(node, words, writes)

    def _command(self, node: Simple, words: tuple[str | None, ...], writes: tuple[str | None, ...]) -> bool | None:
        name = words[0] or ""
        if name in self.functions and self.depth < _MAX_CALLS:
            return self._call(name, words[1:])
        if name in ("exit", "return"):
            raise _Stop(name == "return")
        if name in ("[", "test", "[["):
            return self.test(words[1:] if name == "test" else words[1:-1])
        if name in _STATUS and not writes:
            return _STATUS[name]
        if name in ("command", "which", "type") and words[-1] is not None and not words[-1].startswith("-"):
            return self.exists("command", words[-1])
        if self._builtin(name, words[1:]):
            return True
        document = next((self.word(each.target) for each in node.redirects if each.op == "<<"), None)
        self._add(Command(words, writes, node.text, node.line, document))
        return self._compare(words)

    def _builtin(self, name: str, arguments: tuple[str | None, ...]) -> bool:
        """Do what changes variables; say whether that was all."""
        if name in ("local", "export", "readonly"):
            self._declare(arguments)
        elif name == "shift":
            self.arguments = self.arguments[1:]
        elif name == "unset":
            self.variables.update(dict.fromkeys((word for word in arguments if word), ""))
        elif name == "read":
            self.variables.update(dict.fromkeys(word for word in arguments if word))
            return False
        else:
            return False
        return True

    def _declare(self, words: tuple[str | None, ...]) -> None:
        for word in words:
            name, equals, value = (word or "").partition("=")
            if equals:
                self.variables[name] = value

    def _compare(self, words: tuple[str | None, ...]) -> bool | None:
        """Know what ``dpkg --compare-versions "" lt x`` says: no version is earlier than any, dpkg(1)."""
        if words[:3] == ("dpkg", "--compare-versions", "") and len(words) == 5:
            return words[3] in ("lt", "le", "ne", "<<", "<=", "gt-nl", "ge-nl")
        return None

    def _call(self, name: str, arguments: tuple[str | None, ...]) -> bool | None:
        before, self.arguments = self.arguments, arguments
        self.depth += 1
        try:
            return self.node(self.functions[name])
        except _Stop as stop:
            if not stop.returns:
                raise
            return None
        finally:
            self.arguments = before
            self.depth -= 1

    def _add(self, command: Command) -> None:
        if len(self.found) < _MAX_COMMANDS:
            self.found.append(command)

    def _writes(self, redirects: tuple[Redirect, ...]) -> tuple[str | None, ...]:
        """Give the files that output goes to."""
        targets = [self.word(each.target) for each in redirects if each.op not in ("<", "<<", "<&", ">&")]
        return tuple(target for target in targets if target is None or not target.startswith("/dev/"))

    def _substitutions(self, word: Word) -> None:
        """Walk commands whose output becomes a word; what they set stays with them."""
        for part in word:
            if isinstance(part, Substitution):
                before = dict(self.variables)
                self._maybe(part.body)
                self.variables = before

    def fields(self, words: tuple[Word, ...]) -> tuple[str | None, ...]:
        """Expand words; an unquoted parameter with a known value is split."""
        found: list[str | None] = []
        for word in words:
            if len(word) == 1 and isinstance(word[0], Param) and not word[0].op:
                if word[0].name in ("@", "*"):
                    found.extend(self.arguments)
                    continue
                if not word[0].quoted:
                    value = self.word(word)
                    found.extend([None] if value is None else value.split())
                    continue
            found.append(self.word(word))
        return tuple(found)

    def word(self, word: Word, *, pattern_of: bool = False) -> str | None:
        """Give the value of a word, None if it is not known."""
        parts = []
        for part in word:
            value = self._part(part)
            if value is None:
                return None
            quoted = isinstance(part, Text) and part.quoted
            parts.append(value.replace("[", "[[]") if pattern_of and quoted else value)
        return "".join(parts)

    def _part(self, part: object) -> str | None:
        if isinstance(part, Text):
            return part.value
        if isinstance(part, Substitution):
            return self._output(part.body)
        if not isinstance(part, Param):
            return None
        value = self._parameter(part.name)
        if not part.op:
            return value
        if part.op in (":-", "-", ":=", "="):
            return self.word(part.word) if value == "" else value
        if part.op in (":+", "+"):
            return None if value is None else self.word(part.word) if value else ""
        return None

    def _output(self, node: Node) -> str | None:
        """Know what ``dpkg --print-architecture`` prints."""
        while isinstance(node, Sequence | Pipeline):
            inner = node.items if isinstance(node, Sequence) else node.commands
            if len(inner) != 1:
                return None
            node = inner[0]
        words = self.fields(node.words) if isinstance(node, Simple) else ()
        return self.variables.get("DPKG_MAINTSCRIPT_ARCH") if words == ("dpkg", "--print-architecture") else None

    def _parameter(self, name: str) -> str | None:
        if name.isdecimal():
            number = int(name)
            if number == 0:
                return None
            return self.arguments[number - 1] if number <= len(self.arguments) else ""
        if name == "#":
            return str(len(self.arguments))
        if name in ("?", "$", "!", "@", "*", "-"):
            return None
        return self.variables.get(name, "")

    def test(self, words: tuple[str | None, ...]) -> bool | None:
        """Give what ``[ words ]`` says."""
        for operator in ("-o", "||", "-a", "&&"):
            if operator in words[1:]:
                at = words.index(operator, 1)
                sides = self.test(words[:at]), self.test(words[at + 1 :])
                decided = operator in ("-o", "||")
                return decided if decided in sides else None if None in sides else not decided
        if words[:1] == ("!",):
            status = self.test(words[1:])
            return None if status is None else not status
        if len(words) == 1:
            return None if words[0] is None else bool(words[0])
        if len(words) == 2 and words[0] is not None and words[1] is not None:
            return self._unary(words[0], words[1])
        if len(words) == 3 and words[0] is not None and words[2] is not None and words[1] in ("=", "==", "!="):
            return (words[0] == words[2]) is (words[1] != "!=")
        return None

    def _unary(self, operator: str, value: str) -> bool | None:
        if operator == "-n":
            return bool(value)
        if operator == "-z":
            return not value
        return self.exists(operator, value)
