"""Copyright files of debs: bytes in, the licences of what the deb holds out.

A machine-readable file gives one SPDX expression: all the licences of its ``Files`` paragraphs hold for the deb, which
is made of all its sources. Any other file is a licence of its own, whose text it is: what applies cannot be told from
prose without guessing. Source: Debian's machine-readable copyright format 1.0; Debian policy 4.7, section 12.5.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from distroless_rules.sbom.licences import all_of, expression, slug

__all__ = ["MAX_BYTES", "NONE", "Licence", "named", "read"]

MAX_BYTES = 16 << 20
"""Bytes of a copyright file; Debian's largest has 3 MB."""

_REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:(.*)")
_FORMAT = re.compile(r"copyright-format|dep-?5", re.IGNORECASE)
_COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9][A-Za-z0-9.+-]*[A-Za-z0-9+])")


@dataclass(frozen=True, slots=True)
class Licence:
    """What something is licensed under.

    Attributes:
        expression: as SPDX has it; ``""``: nothing says so.
        texts: each ``LicenseRef-...`` of it -> (the name that it has where it is from, its text).
        comment: what else is known, in words.
    """

    expression: str = ""
    texts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    comment: str = ""


NONE = Licence()


class _References:
    """Makes identifiers for licences that SPDX does not know; what has another text has another identifier."""

    def __init__(self, texts: Mapping[str, str], otherwise: str) -> None:
        self._texts = texts
        self._otherwise = otherwise
        self._made: dict[str, tuple[str, str]] = {}

    def refer(self, name: str) -> str:
        """Give the identifier for a name."""
        short = f"{name[:100]}..." if len(name) > 200 else name
        text = self._texts.get(_key(name)) or f'{self._otherwise} calls it "{name}" and says no more of it.'
        made = f"LicenseRef-{slug(short)}-{_hash(text)}"
        self._made.setdefault(made, (short, text))
        return made

    def licence(self, found: str) -> Licence:
        """Give a licence by its expression, with the texts that it names; others were asked for in vain."""
        used = set(_REFERENCE.findall(found))
        return Licence(found, {name: said for name, said in self._made.items() if name in used})


def read(data: bytes, deb: str) -> Licence:
    """Read a copyright file, whatever is in it.

    Args:
        data: the file.
        deb: whose it is.
    """
    text = _decoded(data)
    if not text.strip():
        return NONE
    paragraphs = list(_paragraphs(text))
    if paragraphs and _FORMAT.search(_first(paragraphs[0], "format", "format-specification")):
        found = _structured(paragraphs, deb)
        if found.expression:
            return found
    return _prose(text, deb)


def named(synopsis: str, who: str) -> Licence:
    """Give the licence that metadata of a package names by a synopsis or SPDX expression.

    Args:
        synopsis: ``MIT OR Apache-2.0``.
        who: what says so, for the text of a licence that SPDX does not know.
    """
    references = _References({}, who)
    return references.licence(expression(synopsis, references.refer))


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    # Documents in XML and JSON readers alike refuse control characters.
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", " ", text.replace("\r\n", "\n").replace("\r", "\n"))


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Give the paragraphs with fields; lines that are none belong to the field before them."""
    fields: dict[str, str] = {}
    name = ""
    for line in text.split("\n"):
        if not line.strip():
            if fields:
                yield fields
            fields, name = {}, ""
            continue
        if line.startswith("#"):
            continue
        match = None if line[0] in " \t" else _FIELD.fullmatch(line)
        if match is not None and match[1].lower() not in fields:
            name = match[1].lower()
            fields[name] = match[2].strip()
        elif name:
            fields[name] += f"\n{line}"
    if fields:
        yield fields


def _structured(paragraphs: list[dict[str, str]], deb: str) -> Licence:
    texts: dict[str, str] = {}
    synopses: list[str] = []
    for paragraph in paragraphs:
        if "license" not in paragraph:
            continue
        synopsis, _, text = paragraph["license"].partition("\n")
        if text.strip():
            texts.setdefault(_key(synopsis), _plain(text))
        if "files" in paragraph:
            synopses.append(synopsis)
    if not any(each.strip() for each in synopses):
        synopses = [_first(paragraphs[0], "license").partition("\n")[0]]
    references = _References(texts, f"The copyright file of {deb}")
    known: dict[str, str] = {}
    for synopsis in synopses:
        known.setdefault(_key(synopsis), expression(synopsis, references.refer))
    return references.licence(all_of(known.values()))


def _prose(text: str, deb: str) -> Licence:
    made = f"LicenseRef-copyright-{_hash(text)}"  # one for all debs of a source that share the text
    common = sorted({name.rstrip(".") for name in _COMMON.findall(text)})
    names = ", ".join(f"/usr/share/common-licenses/{name}" for name in common)
    comment = f"The copyright file of {deb} is prose" + (f"; it names {names}." if names else ".")
    return Licence(made, {made: (f"copyright of {deb}", text.strip())}, comment)


def _first(paragraph: Mapping[str, str], *names: str) -> str:
    return next((paragraph[name] for name in names if paragraph.get(name)), "")


def _key(synopsis: str) -> str:
    return " ".join(synopsis.lower().split())


def _plain(text: str) -> str:
    lines = (line[1:] if line.startswith((" ", "\t")) else line for line in text.split("\n"))
    return "\n".join("" if line.strip() == "." else line.rstrip() for line in lines).strip("\n")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
