"""Maintainer scripts: text in, syntax tree out; nothing is ever run.

Source: POSIX.1-2017 Shell Command Language, section 2.10 (grammar). What is beyond it and scripts do use (``local``,
``&>``, ``[[``) is read as words or redirections.
"""

from __future__ import annotations

import re

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
    Text,
    While,
    Word,
)
from distroless_rules.deb.effects.shell_words import Reader
from distroless_rules.errors import FormatError

__all__ = ["parse"]

_MAX_SCRIPT = 1 << 18  # characters; the largest in the archive has a third of that
_MAX_DEPTH = 40
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_FUNCTION = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)[ \t]*\([ \t]*\)")
_REDIRECT = re.compile(r"([0-9]?)(<<-?|<&|<>|<|>>|>&|>\||>|&>>?)")
_RESERVED = re.compile(r"(if|then|elif|else|fi|case|esac|for|do|done|while|until|\{|\}|!|function)(?=[\s;&|()<>]|$)")
_IN = re.compile(r"in(?=[\s;&|()<>]|$)")


def parse(text: str) -> Node:
    """Read a script.

    Raises:
        FormatError: if it is not what POSIX shells accept, is larger than 256 KiB or nested more than 40 deep.
    """
    if len(text) > _MAX_SCRIPT:
        raise FormatError("read a script", f"it is larger than {_MAX_SCRIPT} characters")
    reader = Reader(text, _substituted)
    parser = _Parser(reader)
    node = parser.sequence(())
    if reader.peek():
        raise reader.fail(f'"{reader.peek(10).splitlines()[0]}" does not belong there')
    return node


def _substituted(reader: Reader) -> Node:
    return _Parser(reader).sequence(())


class _Parser:
    """Recursive descent over one reader."""

    def __init__(self, reader: Reader) -> None:
        self._in = reader
        self._documents_end = -1

    def body(self, *until: str) -> Node:
        """Read commands, at least one of them, up to a reserved word of ``until``."""
        node = self.sequence(until)
        if node == Sequence(()):
            raise self._in.fail("a command is missing")
        return node

    def sequence(self, until: tuple[str, ...]) -> Node:
        """Read commands up to a reserved word of ``until``, a closing bracket, ``;;`` or the end."""
        reader = self._in
        if reader.depth > _MAX_DEPTH:
            raise reader.fail(f"it is nested more than {_MAX_DEPTH} deep")
        reader.depth += 1
        items: list[Node] = []
        while True:
            self._blank(newlines=True)
            if not reader.peek() or reader.peek() == ")" or reader.peek(2) == ";;" or self._reserved() in until:
                break
            items.append(self._and_or())
            self._blank()
            if reader.peek(2) == ";;":
                break
            if reader.peek() in (";", "&"):
                reader.at += 1
            elif reader.peek() == "\n" or self._reserved() in until:
                continue
            elif reader.peek() not in ("", ")"):
                raise reader.fail(f'"{reader.peek(10).splitlines()[0]}" does not belong there')
        reader.depth -= 1
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def _reserved(self) -> str:
        match = _RESERVED.match(self._in.text, self._in.at)
        return match[1] if match else ""

    def _expect(self, *words: str) -> str:
        self._blank(newlines=True)
        word = self._reserved()
        if word not in words:
            raise self._in.fail(f'"{words[0]}" is missing')
        self._in.at += len(word)
        return word

    def _is_in(self) -> bool:
        return bool(_IN.match(self._in.text, self._in.at))

    def _blank(self, *, newlines: bool = False) -> None:
        """Pass blanks, comments and, where a command may begin, line breaks with their here-documents."""
        reader = self._in
        while True:
            char = reader.peek()
            if char in (" ", "\t", "\r"):
                reader.at += 1
            elif reader.peek(2) == "\\\n":
                reader.at += 2
            elif char == "#":
                end = reader.text.find("\n", reader.at)
                reader.at = len(reader.text) if end < 0 else end
            elif char == "\n" and newlines:
                reader.at += 1
                self._read_documents()
            else:
                return

    def _and_or(self) -> Node:
        first = self._pipeline()
        rest: list[tuple[str, Node]] = []
        while True:
            self._blank()
            op = self._in.peek(2)
            if op not in ("&&", "||"):
                return AndOr(first, tuple(rest)) if rest else first
            self._in.at += 2
            self._blank(newlines=True)
            rest.append((op, self._pipeline()))

    def _pipeline(self) -> Node:
        negated = False
        if self._reserved() == "!":
            self._in.at += 1
            negated = True
            self._blank()
        commands = [self._command()]
        while True:
            self._blank()
            if self._in.peek() != "|" or self._in.peek(2) == "||":
                break
            self._in.at += 1
            self._blank(newlines=True)
            commands.append(self._command())
        return Pipeline(tuple(commands), negated) if negated or len(commands) > 1 else commands[0]

    def _command(self) -> Node:
        reader = self._in
        word = self._reserved()
        compound = {"if": self._if, "case": self._case, "for": self._for, "while": self._while, "until": self._while}
        node: Node
        if word in compound:
            reader.at += len(word)
            node = compound[word]()
        elif word == "{":
            reader.at += 1
            node = Group(self.body("}"))
            self._expect("}")
        elif reader.peek() == "(":
            reader.at += 1
            node = Group(self.body(), subshell=True)
            self._close()
        elif word:
            raise reader.fail(f'"{word}" does not belong there')
        elif match := _FUNCTION.match(reader.text, reader.at):
            reader.at = match.end()
            self._blank(newlines=True)
            if reader.peek() not in ("{", "("):
                raise reader.fail(f'the body of "{match[1]}" is not in brackets')
            return Function(match[1], self._command())
        else:
            return self._simple()
        redirects = self._redirects()
        return Group(node, tuple(redirects), line=reader.line) if redirects else node

    def _close(self) -> None:
        self._blank(newlines=True)
        if self._in.peek() != ")":
            raise self._in.fail("a bracket is not closed")
        self._in.at += 1

    def _if(self) -> Node:
        clauses: list[tuple[Node, Node]] = []
        word = "if"
        while word in ("if", "elif"):
            condition = self.body("then")
            self._expect("then")
            clauses.append((condition, self.body("elif", "else", "fi")))
            word = self._expect("fi", "elif", "else")
        otherwise = None
        if word == "else":
            otherwise = self.body("fi")
            self._expect("fi")
        return If(tuple(clauses), otherwise)

    def _case(self) -> Node:
        reader = self._in
        self._blank()
        subject = reader.word()
        self._blank(newlines=True)
        if not self._is_in():
            raise reader.fail('"in" is missing')
        reader.at += 2
        arms: list[tuple[tuple[Word, ...], Node]] = []
        while True:
            self._blank(newlines=True)
            if self._reserved() == "esac":
                reader.at += 4
                return Case(subject, tuple(arms))
            if reader.peek() == "(":
                reader.at += 1
            patterns: list[Word] = []
            while True:
                self._blank()
                patterns.append(reader.word())
                self._blank()
                if reader.peek() != "|":
                    break
                reader.at += 1
            self._close()
            arms.append((tuple(patterns), self.sequence(("esac",))))
            if reader.peek(2) == ";;":
                reader.at += 2
            elif not reader.peek():
                raise reader.fail('"esac" is missing')

    def _for(self) -> Node:
        reader = self._in
        self._blank()
        name = "".join(part.value for part in reader.word() if isinstance(part, Text))
        if not _NAME.fullmatch(name):
            raise reader.fail(f'"{name[:40]}" is no name of a variable')
        self._blank(newlines=True)
        words: list[Word] | None = None
        if self._is_in():
            reader.at += 2
            words = []
            while True:
                self._blank()
                word = reader.word()
                if not word:
                    break
                words.append(word)
        self._blank()
        if reader.peek() == ";":
            reader.at += 1
        self._expect("do")
        body = self.body("done")
        self._expect("done")
        return For(name, None if words is None else tuple(words), body)

    def _while(self) -> Node:
        condition = self.body("do")
        self._expect("do")
        body = self.body("done")
        self._expect("done")
        return While(condition, body)

    def _simple(self) -> Node:
        reader = self._in
        start, line = reader.at, reader.line
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            self._blank()
            if found := self._redirect():
                redirects.append(found)
                continue
            match = None if words else _ASSIGN.match(reader.text, reader.at)
            if match:
                reader.at = match.end()
                assignments.append((match[1], reader.word()))
                continue
            word = reader.word()
            if not word:
                break
            words.append(word)
        if not (assignments or words or redirects):
            raise reader.fail("a command is missing")
        text = " ".join(reader.text[start : reader.at].replace("\\\n", " ").split())
        return Simple(tuple(assignments), tuple(words), tuple(redirects), line, text)

    def _redirects(self) -> list[Redirect]:
        found: list[Redirect] = []
        while True:
            self._blank()
            redirect = self._redirect()
            if redirect is None:
                return found
            found.append(redirect)

    def _redirect(self) -> Redirect | None:
        reader = self._in
        match = _REDIRECT.match(reader.text, reader.at)
        if not match:
            return None
        reader.at = match.end()
        op = match[2]
        default = 0 if op.startswith("<") else 1
        self._blank()
        target = reader.word()
        if not target:
            raise reader.fail("a redirection has no target")
        if op.startswith("<<"):
            return Redirect(0, "<<", self._document(target, op == "<<-"))
        return Redirect(int(match[1] or default), op, target)

    def _document(self, delimiter: Word, strip: bool) -> Word:
        """Read the here-document ahead: its text begins after the current line and the documents read before."""
        reader = self._in
        texts = [part.value for part in delimiter if isinstance(part, Text)]
        if len(texts) < len(delimiter):
            raise reader.fail("a here-document ends with something that is not known")
        quoted = any(isinstance(part, Text) and part.quoted for part in delimiter)
        end = "".join(texts)
        newline = reader.text.find("\n", reader.at)
        start = max(newline + 1, self._documents_end) if newline >= 0 else len(reader.text)
        at, lines = start, []
        while at < len(reader.text):
            stop = reader.text.find("\n", at)
            stop = len(reader.text) if stop < 0 else stop
            line = reader.text[at:stop].lstrip("\t") if strip else reader.text[at:stop]
            at = stop + 1
            if line == end:
                break
            lines.append(line)
        self._documents_end = at
        body = "".join(f"{line}\n" for line in lines)
        if quoted:
            return (Text(body, True),)
        inner = Reader(body, _substituted, reader.depth)
        return tuple(inner.double(""))

    def _read_documents(self) -> None:
        """Pass the here-documents that were read ahead."""
        if self._documents_end > self._in.at:
            self._in.at = min(self._documents_end, len(self._in.text))
        self._documents_end = -1
