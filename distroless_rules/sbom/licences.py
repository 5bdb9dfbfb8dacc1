"""Names of licences: a synopsis as copyright files and other metadata have it in, an SPDX expression out.

What SPDX has no identifier for becomes a ``LicenseRef`` of one's own, which the caller gives a text. Nothing that is
malformed raises: a synopsis that does not parse is one name. Source: Debian's machine-readable copyright format 1.0,
section 7 "License specification"; SPDX 2.3, annex D "SPDX license expressions".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator

__all__ = ["Refer", "all_of", "expression", "slug"]

Refer = Callable[[str], str]
"""Gives the ``LicenseRef-...`` for the name of a licence that SPDX does not know."""

_MAX_SYNOPSIS = 4000  # characters; what is longer is a text and no synopsis
_MAX_DEPTH = 40
_TOKEN = re.compile(r"\s*(\(|\)|,|\||&|[^\s(),|&]+)")
_LATER = re.compile(r"(?:\+|-or-later| or later| or newer| or any later version)$")
_GNU = re.compile(r"(a?gpl|lgpl|gfdl)(-niv)?[- ]?v?(\d+(?:\.\d+)?)(-no-invariants?|-nivs?)?(?:-only)?")
_GNU_NAMES = {"gpl": "GPL", "lgpl": "LGPL", "agpl": "AGPL", "gfdl": "GFDL"}
_NAMES = {
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "artistic": "Artistic-1.0",
    "artistic-1": "Artistic-1.0",
    "artistic-2": "Artistic-2.0",
    "boost": "BSL-1.0",
    "boost-1.0": "BSL-1.0",
    "bsd-2": "BSD-2-Clause",
    "bsd-2-clauses": "BSD-2-Clause",
    "bsd-3": "BSD-3-Clause",
    "bsd-3-clauses": "BSD-3-Clause",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd-4-clauses": "BSD-4-Clause",
    "cc0": "CC0-1.0",
    "cc-0": "CC0-1.0",
    "cc0-1": "CC0-1.0",
    "eclipse-public-license-1.0": "EPL-1.0",
    "expat": "MIT",
    "expat license": "MIT",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mit/expat": "MIT",
    "mit/x11": "MIT",
    "mpl-2": "MPL-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "ofl-1": "OFL-1.1",
    "psf": "Python-2.0",
    "psf-2": "Python-2.0",
    "python": "Python-2.0",
    "python software foundation license": "PSF-2.0",
    "the unlicense": "Unlicense",
    "the unlicense (unlicense)": "Unlicense",
    "zlib/libpng": "Zlib",
    "perl": "GPL-1.0-or-later OR Artistic-1.0",
}
"""Names that are not SPDX's, in small letters."""

_EXCEPTIONS = (
    (re.compile(r"autoconf"), "GPL-2", "Autoconf-exception-2.0"),
    (re.compile(r"autoconf"), "GPL-3", "Autoconf-exception-3.0"),
    (re.compile(r"bison"), "GPL-", "Bison-exception-2.2"),
    (re.compile(r"classpath"), "GPL-2", "Classpath-exception-2.0"),
    (re.compile(r"font"), "GPL-", "Font-exception-2.0"),
    (re.compile(r"gcc|runtime library"), "GPL-3", "GCC-exception-3.1"),
    (re.compile(r"gcc"), "GPL-2", "GCC-exception-2.0"),
    (re.compile(r"libtool"), "GPL-", "Libtool-exception"),
    (re.compile(r"llvm"), "Apache-2", "LLVM-exception"),
    (re.compile(r"linux-syscall-note"), "GPL-", "Linux-syscall-note"),
)
"""What an exception is called, for which licences, and SPDX's identifier of it."""


def expression(synopsis: str, refer: Refer) -> str:
    """Give the SPDX expression of a synopsis, ``""`` of an empty one.

    Args:
        synopsis: ``GPL-2+ or Artistic, and Expat``.
        refer: is asked for each name that SPDX does not know.
    """
    text = " ".join(synopsis.split())
    if not text:
        return ""
    if len(text) > _MAX_SYNOPSIS or text.lower() in _NAMES:
        return _named(text, refer)
    parser = _Parser(_TOKEN.findall(text), refer)
    try:
        return parser.parse()
    except _NotOne:
        return refer(text)


def all_of(expressions: Iterable[str]) -> str:
    """Give the expression by which all of some hold, each once."""
    found = list(dict.fromkeys(term for each in expressions if each for term in _terms(each)))
    return found[0] if len(found) == 1 else " AND ".join(map(_closed, found))


def slug(name: str) -> str:
    """Give a name in the letters that identifiers of SPDX may have: letters, digits, ``.`` and ``-``."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:60] or "unnamed"


class _NotOne(Exception):  # noqa: N818 - no error: the synopsis is one name
    """A synopsis is not built as the format says."""


class _Parser:
    """Recursive descent: ``, and`` and ``, or`` bind least, then ``or``, then ``and``."""

    def __init__(self, tokens: list[str], refer: Refer) -> None:
        self._tokens = tokens
        self._at = 0
        self._refer = refer

    def parse(self) -> str:
        found = self._outer(0)
        if self._at < len(self._tokens):
            raise _NotOne
        return found

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return _word(self._tokens[at]) if at < len(self._tokens) else ""

    def _outer(self, depth: int) -> str:
        if depth > _MAX_DEPTH:
            raise _NotOne
        groups, joints = [self._either(depth)], []
        while self._peek() == ",":
            self._at += 1
            joint = self._peek()
            if joint in ("and", "or"):
                self._at += 1
            joints.append(joint if joint == "or" else "and")
            groups.append(self._either(depth))
        ands = [[groups[0]]]
        for joint, group in zip(joints, groups[1:], strict=True):
            if joint == "and":
                ands[-1].append(group)
            else:
                ands.append([group])
        return _any_of(all_of(each) for each in ands)

    def _either(self, depth: int) -> str:
        found = [self._both(depth)]
        while self._peek() in ("or", "|"):
            self._at += 1 + (self._peek(1) == "|")
            found.append(self._both(depth))
        return _any_of(found)

    def _both(self, depth: int) -> str:
        found = [self._one(depth)]
        while self._peek() in ("and", "&", "and/or"):
            self._at += 1 + (self._peek(1) == "&")
            found.append(self._one(depth))
        return all_of(found)

    def _one(self, depth: int) -> str:
        if self._peek() == "(":
            self._at += 1
            found = self._outer(depth + 1)
            if self._peek() != ")":
                raise _NotOne
            self._at += 1
            return found
        words: list[str] = []
        while (word := self._peek()) and word not in (",", "(", ")", "|", "&"):
            if word in ("and", "or", "and/or") and not self._belongs(words, word):
                break
            words.append(self._tokens[self._at])
            self._at += 1
        if not words:
            raise _NotOne
        return _named(" ".join(words), self._refer)

    def _belongs(self, words: list[str], word: str) -> bool:
        """Whether ``or`` is part of ``GPL-2 or later``."""
        return word == "or" and bool(words) and self._peek(1) in ("later", "newer", "any")


def _word(token: str) -> str:
    small = token.lower()
    return small if small in ("and", "or", "and/or") else token


def _any_of(expressions: Iterable[str]) -> str:
    return " OR ".join(dict.fromkeys(expressions))


def _terms(text: str) -> list[str]:
    """Give what all must hold in an expression, as far as it is not nested."""
    return [text] if "(" in text or " OR " in text else text.split(" AND ")


def _closed(text: str) -> str:
    return f"({text})" if " OR " in text else text


def _named(name: str, refer: Refer) -> str:
    """Give the identifier of one licence, or of one with an exception."""
    base, joint, exception = _partition(name)
    if not joint:
        found = _identifier(name)
        return found or refer(name)
    licence = _identifier(base)
    known = _exception(licence, exception) if licence and " " not in licence else ""
    return f"{licence} WITH {known}" if known else refer(name)


def _partition(name: str) -> tuple[str, str, str]:
    found = re.search(r"[\s-]with[\s-]", name, re.IGNORECASE)
    return (name[: found.start()], "with", name[found.end() :]) if found else (name, "", "")


def _exception(licence: str, text: str) -> str:
    exact = _known()[1].get(text.lower())
    if exact:
        return exact
    for pattern, start, identifier in _EXCEPTIONS:
        if pattern.search(text.lower()) and start in licence:
            return identifier
    return ""


def _identifier(name: str) -> str:
    """Give SPDX's identifier of a licence, ``""`` if it has none."""
    small = name.lower()
    known = _known()[0]
    if found := _NAMES.get(small) or _gnu(small) or known.get(small):
        return found
    base = _LATER.sub("", small)
    found = known.get(base) or _NAMES.get(base, "")
    return f"{found}+" if base != small and found and " " not in found else ""


def _gnu(small: str) -> str:
    base = _LATER.sub("", small)
    match = _GNU.fullmatch(base)
    if match is None:
        return ""
    version = match[3] if "." in match[3] else f"{match[3]}.0"
    invariants = "-no-invariants" if match[2] or match[4] else ""
    later = "only" if base == small else "or-later"
    return _known()[0].get(f"{_GNU_NAMES[match[1]]}-{version}{invariants}-{later}".lower(), "")


@functools.lru_cache(maxsize=1)
def _known() -> tuple[dict[str, str], dict[str, str]]:
    """Give SPDX's identifiers of licences and of exceptions, each by itself in small letters."""
    from license_expression import get_license_index

    def kind(exception: bool) -> Iterator[tuple[str, str]]:
        for row in get_license_index():
            key = row.get("spdx_license_key") or ""
            if key and not key.startswith("LicenseRef-") and bool(row.get("is_exception")) is exception:
                yield key.lower(), key

    return dict(kind(False)), dict(kind(True))
