"""Reads what the Starlark interpreter reports: its text goes in; cause, place and calls come out.

A report is a traceback (``  * BUILD:3, in f``, outermost call first), a line ``error: ...`` that may go on over several
lines, and the place (`` --> a.bzl:5:3``) with the lines of source there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from distroless_rules.errors import Location

__all__ = ["BUILTIN_PREFIX", "Frame", "Report", "frames", "read", "shortened"]

BUILTIN_PREFIX = "@builtin/"

_FRAME = re.compile(r"^  \* (?P<file>.+?):(?P<line>\d+), in (?P<name>.*)$", re.MULTILINE)
_ERROR = re.compile(r"^error: ", re.MULTILINE)
_SPAN = re.compile(r"^ *--> (?P<file>.+?):(?P<line>\d+):(?P<column>\d+)", re.MULTILINE)
_TOKENS = {'"IDENTIFIER"': "a name", '"STRING"': "a string", r'"\n"': "the end of the line", '"INDENT"': "indentation"}
_MANY = 4  # alternatives that are worth naming
_LONGEST = 10_000  # characters of a message
_CLEARER = (
    (r"Parse error: ", ""),
    (r"unexpected new line here", "the line ends too early"),
    (r"unexpected new indentation block here", "it is indented, and what stands above it does not ask for that"),
    (r"unexpected (?:identifier|keyword|symbol|\w+ literal) ['\"](.*)['\"] here", r'unexpected "\1"'),
    (r'^Variable "(.*?)" not found.*', r'"\1" is not defined'),
    (r'^Local variable "(.*?)" referenced before assignment', r'"\1" is used before it has a value'),
    (
        r'^Module has no symbol "(.*?)", did you mean "([A-Za-z]\w*[A-Za-z0-9])"\?$',
        r'the file defines no "\1"; did you mean "\2"?',
    ),
    (r'^Module has no symbol "(.*?)"(?:, did.*)?$', r'the file defines no "\1"'),
    (r'^Cannot import private symbol "(.*?)"', r'"\1" is private to that file, as its name begins with "_"'),
    (r'^Module symbol "(.*?)" is not exported', r'"\1" is only loaded by that file; load it from where it is defined'),
    (r'^Missing (?:named-only )?parameter "(.*?)" for call to "?(.*?)"?$', r'"\2" needs the argument "\1"'),
    (r'^Found (.*) extra named parameter\(s\) for call to "?(.*?)"?$', r'"\2" takes no argument \1'),
    (r'^Operation "serde::serialize" not supported on type "(.*)"$', r"a \1 cannot be the value of an attribute"),
    (r'^Operation "call\(\)" not supported on type "(.*)"$', r"a \1 cannot be called"),
    (r'^Key "provider" was not found$', "the target does not give that provider"),
    (
        r'^Object of type "dict" has no attribute "(label|files)"$',
        r'a dictionary has no attribute "\1"; of a dependency it is dep[DefaultInfo].\1',
    ),
    (
        r'^(Operation "[+|]" not supported for types "(?:string|int|dict)" and "list")$',
        r"\1; if that is a select(): it can be added to lists only",
    ),
    (r"^Immutable$", "the value is frozen: what another file made cannot be changed"),
    (r".*must enable f-strings.*", 'Starlark has no f-strings; write "...".format(...)'),
    (r"^cannot use reserved keyword (.*)", r"\1 is not part of Starlark"),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A call: where it stands, and the name of the function that it stands in."""

    at: Location
    inside: str

    @property
    def builtin(self) -> bool:
        """Whether it stands in one of the engine's own files, which help nobody."""
        return self.at.file.startswith(BUILTIN_PREFIX)


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says.

    Attributes:
        cause: the reason, in words for a user.
        span: the place that it points to, if it is in a file that a user wrote.
        frames: the calls, outermost first.
    """

    cause: str
    span: Location | None
    frames: tuple[Frame, ...]


def frames(stack: str) -> tuple[Frame, ...]:
    """Read the calls of a traceback or of what ``call_stack()`` gives, outermost first."""
    return tuple(Frame(Location(f["file"], int(f["line"])), f["name"]) for f in _FRAME.finditer(stack))


def read(text: str) -> Report:
    """Read a report."""
    error = _ERROR.search(text)
    head, body = (text[: error.start()], text[error.end() :]) if error else ("", text)
    spans = list(_SPAN.finditer(body))
    span = spans[-1] if spans else None
    cause = body[: span.start()] if span else body
    at = Location(span["file"], int(span["line"]), int(span["column"])) if span else None
    if at and at.file.startswith(BUILTIN_PREFIX):
        at = None
    return Report(_clear(cause.strip()), at, frames(head))


def _clear(cause: str) -> str:
    """Put the interpreter's words into ours; what ``fail()`` was given stays as it is."""
    if cause.startswith("fail: "):
        return shortened(cause.removeprefix("fail: "))
    cause = re.sub(r'`"([^`\n]*)"`', r'"\1"', cause)
    cause = re.sub(r"`([^`\n]*)`", r'"\1"', cause)
    cause = re.sub(rf'{BUILTIN_PREFIX}\w+\.bzl\."?(\w+?)_?(?=\W|$)', r"\1", cause)
    cause = re.sub(r", expected one of (.*)", lambda found: _expected(found[1]), cause)
    for pattern, words in _CLEARER:
        cause = re.sub(pattern, words, cause)
    return cause


def shortened(text: str) -> str:
    """Give a text that a user's file made, cut if it is too long to be read."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"


def _expected(words: str) -> str:
    parts = re.findall(r'"[^"]+"', words)
    if len(parts) > _MANY:
        return ""
    named = [_TOKENS.get(part, part) for part in parts]
    return "; expected " + " or ".join([", ".join(named[:-1])] * (len(named) > 1) + named[-1:])
