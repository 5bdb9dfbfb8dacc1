"""What a maintainer script would do on a first installation: syntax tree in, the commands that could run out.

Nothing is run. Conditions that the script's arguments or the image's own files decide are decided; of all others both
ways are followed. A word whose value is not known is None. Source: POSIX.1-2017 Shell Command Language, section 2.9;
Debian policy 4.7 section 6.5 (how scripts are called).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase

from distroless_rules.deb.effects.shell_builtins import BUILTINS, SOURCED, output, query
from distroless_rules.deb.effects.shell_parse import parse
from distroless_rules.deb.effects.shell_state import Command, State, Stop, Write
from distroless_rules.deb.effects.shell_syntax import (
    AndOr,
    Case,
    For,
    Function,
    Group,
    If,
    Node,
    Pipeline,
    Redirect,
    Sequence,
    Simple,
    Word,
)
from distroless_rules.deb.effects.shell_values import UNSET, Exists, Values, substitutions
from distroless_rules.errors import FormatError

__all__ = ["Command", "Write", "walk"]

_MAX_DEPTH = 100  # nodes within nodes, functions included
_MAX_STEPS = 50_000
_STEP = 64  # characters of values that count as much as a command
_STATUS = {"true": True, ":": True, "false": False}
_SILENT = frozenset(("[", "test", *_STATUS))
_OWN = frozenset(("[", "test", "[[", "command", "which", "type", "eval", "trap", *_STATUS, *BUILTINS))


def walk(
    script: Node,
    variables: Mapping[str, str],
    arguments: Iterable[str],
    exists: Exists,
    perform: Callable[[Command], None],
) -> None:
    """Follow a script, and tell the commands that it could run, in order.

    Args:
        script: its syntax tree.
        variables: the environment.
        arguments: ``configure``, ``""``.
        exists: answers questions about the image.
        perform: is told each command.

    Raises:
        FormatError: if the script calls itself too deeply or does not come to an end.
    """
    walker = _Walker(Values(exists, output, dict(variables), tuple(arguments)), perform)
    with suppress(Stop):
        walker.node(script)


class _Walker(State):
    """Goes through the tree; each method gives whether what it walks succeeds, None if that is not known."""

    def node(self, node: Node) -> bool | None:
        """Walk a node; give whether it succeeds, None if that is not known."""
        self.steps += 1
        if self.depth > _MAX_DEPTH:
            raise FormatError("follow a script", f"it is nested more than {_MAX_DEPTH} deep")
        if self.steps + self.values.made // _STEP > _MAX_STEPS:
            raise FormatError("follow a script", f"it has not ended after {_MAX_STEPS} steps")
        self.depth += 1
        try:
            return self._dispatch(node)
        finally:
            self.depth -= 1

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
            self.functions[node.name] = (node.body,)
            return True
        if isinstance(node, Group):
            return self._group(node)
        if isinstance(node, Pipeline):
            return self._pipeline(node)
        if isinstance(node, For):
            self._for(node)
            return None
        self._repeat(node.condition, node.body)
        return None

    def _repeat(self, *nodes: Node) -> None:
        """Walk what may run any number of times."""
        self.loops += 1
        for _ in range(2):  # the second time, what the first has set is not known
            for node in nodes:
                self._maybe(node)
        self.loops -= 1

    def _maybe(self, node: Node) -> bool | None:
        """Walk a node in doubt; give whether it succeeds if it is run."""
        with self.doubt():
            return self.node(node)
        return None  # it ended within

    def _and_or(self, node: AndOr) -> bool | None:
        status = self.node(node.first)
        for operator, following in node.rest:
            if status is None:
                decides = operator == "||"  # ``&&`` ends in failure and ``||`` in success, whatever came before
                status = decides if self._maybe(following) is decides else None
            elif status is (operator == "&&"):
                status = self.node(following)
        return status

    def _if(self, node: If) -> bool | None:
        known = True
        for condition, body in node.clauses:
            status = self.node(condition) if known else self._maybe(condition)
            if known and status:
                return self.node(body)
            if status is not False:
                self._maybe(body)
                known = False
            if status:
                return None
        if node.otherwise is None:
            return True if known else None
        return self.node(node.otherwise) if known else self._maybe(node.otherwise)

    def _case(self, node: Case) -> bool | None:
        self._substitutions(node.word)
        value = self.values.word(node.word)
        known = value is not None
        for patterns, body in node.arms:
            for pattern in patterns:
                self._substitutions(pattern)
            texts = [self.values.pattern(pattern) for pattern in patterns]
            if value is not None and any(text is not None and fnmatchcase(value, text) for text in texts):
                if known:
                    return self.node(body)
                self._maybe(body)
                return None
            if value is None or None in texts:
                known = False
                self._maybe(body)
        return True if known else None

    def _group(self, node: Group) -> bool | None:
        self._only_writes(node.redirects, "(...)", "( ... )", node.line)
        if not node.subshell:
            return self.node(node.body)
        with self.apart():
            return self.node(node.body)
        return None  # it ended within

    def _pipeline(self, node: Pipeline) -> bool | None:
        if len(node.commands) == 1:
            status = self.node(node.commands[0])
            return None if status is None else status is not node.negated
        for command in node.commands:
            with self.apart():
                self.node(command)
        return None

    def _for(self, node: For) -> None:
        for word in node.words or ():
            self._substitutions(word)
        fields = self.values.arguments if node.words is None else self.values.fields(node.words)
        if fields is None or any(value is None or set(value) & set("*?[") for value in fields):
            for value in fields or ():
                self.values.variables[node.name] = value
                self._maybe(node.body)
            self.values.variables[node.name] = None
            self._repeat(node.body)
            return
        self.loops += 1
        try:
            with self.early():
                for value in fields:
                    self.values.variables[node.name] = value
                    if self._turn(node.body):
                        break
        finally:
            self.loops -= 1

    def _turn(self, body: Node) -> bool:
        """Walk the body of a loop once; say whether the loop ends."""
        try:
            self.node(body)
        except Stop as stop:
            if stop.kind not in ("break", "continue"):
                raise
            if stop.loops > 1 and self.loops > 1:
                raise Stop(stop.kind, stop.loops - 1) from stop
            return stop.kind == "break"
        return False

    def _simple(self, node: Simple) -> bool | None:
        values = self.values
        for word in (*node.words, *(word for _, word in node.assignments)):
            self._substitutions(word)
        words = values.fields(node.words)
        before = {name: values.variables.get(name, UNSET) for name, _ in node.assignments}
        for name, word in node.assignments:
            values.variables[name] = values.word(word)
        if not words:
            self._only_writes(node.redirects, ":", "", node.line)
            return None if any(True for _, word in node.assignments for _ in substitutions(word)) else True
        try:
            return self._command(node, words)
        finally:
            values.restore(before)

    def _command(self, node: Simple, words: tuple[str | None, ...], *, plain: bool = False) -> bool | None:
        """Do a command; ``plain`` says that no function is meant by its name."""
        name = words[0] or ""
        if name in ("command", "exec") and len(words) > 1 and (following := query(words)):
            status = self._command(node, following, plain=True)
            if name == "exec":
                raise Stop("exit")
            return status
        bodies = self.functions.get(name, (None,))
        if bodies != (None,) and not plain:
            self._only_writes(node.redirects, "(...)", name, node.line)
            return self._call(node, bodies, words)
        if name in ("exit", "return"):
            raise Stop(name)
        if name in ("break", "continue"):
            return self._leave(name, words)
        if name in _OWN:
            self._only_writes(node.redirects, ":" if name in _SILENT else "(...)", name, node.line)
            return self._builtin(node, name, words)
        self._tell(node, words)
        if name == "." or name.startswith("db_"):
            self.values.variables["RET"] = None
            self.values.opaque |= name == "." and not (words[-1] or "").endswith(SOURCED)
        return _compared(words)

    def _builtin(self, node: Simple, name: str, words: tuple[str | None, ...]) -> bool | None:
        if name in ("[", "test"):
            return self.values.test(words[1:] if name == "test" else words[1:-1])
        if name in _STATUS:
            return _STATUS[name]
        if name in ("command", "which", "type"):
            asked = [word for word in words[1:] if word is None or not word.startswith("-")]
            return self.values.exists("command", asked[0]) if len(asked) == 1 and asked[0] is not None else None
        if name in ("eval", "trap"):
            self._text(node, name, words)
        elif name != "[[" and not BUILTINS[name](self.values, node, words, self.local[-1] if self.local else {}):
            self._tell(node, words)
        return True if name not in ("eval", "[[") else None

    def _leave(self, name: str, words: tuple[str | None, ...]) -> bool:
        count = words[1] if len(words) > 1 else "1"
        if self.loops and count is not None and count.isdecimal() and len(count) < 3:
            raise Stop(name, int(count))
        self.left |= self.loops > 0
        return True

    def _text(self, node: Simple, name: str, words: tuple[str | None, ...]) -> None:
        """Do text that is a script itself: what ``eval`` is given, and what a ``trap`` does at the end."""
        given = words[1:] if name == "eval" else words[1:2]
        if name == "trap" and (len(words) < 3 or words[1] in ("-", "") or not {"0", "EXIT"} & set(words[2:])):
            return
        text = " ".join(word for word in given if word is not None)
        if None in given:
            self._tell(node, words)
            return
        before, self.line = self.line, self.line or node.line
        try:
            if name == "eval":
                self.node(parse(text))
            else:
                self._maybe(parse(text))
        finally:
            self.line = before

    def _call(self, node: Simple, bodies: tuple[Node | None, ...], words: tuple[str | None, ...]) -> bool | None:
        before, self.values.arguments = self.values.arguments, words[1:]
        loops, self.loops = self.loops, 0
        self.local.append({})
        status: bool | None = None
        try:
            with self.early():
                if len(bodies) == 1 and bodies[0] is not None:
                    status = self.node(bodies[0])
                else:
                    self._any(node, bodies, words)
        except Stop as stop:
            if stop.kind != "return":
                raise
        finally:
            self.values.restore(self.local.pop())
            self.values.arguments, self.loops = before, loops
        return status

    def _any(self, node: Simple, bodies: tuple[Node | None, ...], words: tuple[str | None, ...]) -> None:
        """Call a function whose definition depends on what is not known."""
        for body in bodies:
            with self.doubt():
                if body is None:
                    self._command(node, words, plain=True)
                else:
                    self.node(body)

    def _tell(self, node: Simple, words: tuple[str | None, ...]) -> None:
        documents = [self.values.word(each.target) for each in node.redirects if each.op == "<<"]
        document = documents[-1] if documents else None
        self.perform(Command(words, self._writes(node.redirects), node.text, self.line or node.line, document))

    def _only_writes(self, redirects: tuple[Redirect, ...], name: str, text: str, line: int) -> None:
        """Tell of files that something writes to that is no command to be told of; ``:`` prints nothing."""
        for write in self._writes(redirects):
            shown = f"{text} {'>>' if write.append else '>'} {write.path or '...'}".strip()
            self.perform(Command((name,), (write,), shown, self.line or line))

    def _writes(self, redirects: tuple[Redirect, ...]) -> tuple[Write, ...]:
        for each in redirects:
            self._substitutions(each.target)
        targets = [
            Write(self.values.word(each.target), each.fd, each.op in (">>", "&>>", "<>"))
            for each in redirects
            if each.op not in ("<", "<<", "<&", ">&")
        ]
        return tuple(write for write in targets if write.path is None or not write.path.startswith("/dev/"))

    def _substitutions(self, word: Word) -> None:
        """Walk commands whose output becomes a word."""
        for part in substitutions(word):
            with self.apart():
                self.node(part.body)


def _compared(words: tuple[str | None, ...]) -> bool | None:
    """Know what ``dpkg --compare-versions "" lt x`` says: no version is earlier than any, dpkg(1)."""
    if words[:3] == ("dpkg", "--compare-versions", "") and len(words) == 5 and words[4]:
        return words[3] in ("lt", "le", "ne", "<<", "<=", "<", "gt-nl", "ge-nl")
    return None
