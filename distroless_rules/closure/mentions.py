"""What files name in their bytes: paths, libraries and modules that they may open when they run.

Nothing here is certain: a path in a program may never be opened. It makes a closure larger, and never smaller.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass

from distroless_rules.closure.imports import MAYBE, Import, imports
from distroless_rules.closure.standard_modules import NAMES
from distroless_rules.elf.read import MAGIC
from distroless_rules.errors import FormatError
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Mentions", "dumps", "is_python", "loads", "scan"]


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a file names.

    Attributes:
        paths: absolute paths, without the first slash.
        libraries: names of shared libraries.
        imports: what a Python source imports, and what an extension module may.
    """

    paths: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    imports: tuple[Import, ...] = ()


_PATH = re.compile(rb"/(?:usr|etc|opt|var|srv|app|lib(?:32|64)?|s?bin)/[A-Za-z0-9_+.,@%~-][A-Za-z0-9_+.,@%~/-]{1,250}")
_LIBRARY = re.compile(rb"lib[A-Za-z0-9_+.-]{1,120}\.so(?:\.[0-9]{1,9}){0,6}(?![A-Za-z0-9_])")
_BEFORE = re.compile(rb"[A-Za-z0-9_.$}%*~]")
_MAX_TEXT = 1 << 20  # a text that is larger is data
_MAX_BINARY = 256 << 20
_MAX_NAMES = 20_000
_LONG = 4
_WORD = re.compile(rb"[A-Za-z0-9_]{4,}")
_PIECE, _OVERLAP = 4 << 20, 64  # bytes; no name of a module is longer than the overlap
_TEXT = re.compile(
    r"etc/|.*\.(?:conf|cfg|ini|toml|ya?ml|json|properties|pth|cnf|xml|js|mjs|cjs|rb|pl|pm|php|lua|tcl|sh)$"
)


def is_python(path: str, script: str) -> bool:
    """Tell whether a file is a source of Python, by its name or by what stands after its ``#!``."""
    return path.endswith(".py") or "python" in script


def scan(
    entries: Iterable[Entry],
    read: Callable[[Entry, int], bytes],
    map_: Callable[..., Iterator[Mentions]],
    texts: bool = False,
) -> dict[str, Mentions]:
    """Give what regular files name, by the SHA-256 of their bytes; files that name nothing are left out.

    Args:
        entries: the files.
        read: gives the first bytes of one.
        map_: applies a function to items, giving the results in order.
        texts: of texts only; ELF files are not read.

    Raises:
        OSError: if bytes cannot be read.
    """
    files = list({e.sha256: e for e in entries if e.kind is Kind.FILE and e.size >= len(MAGIC)}.values())
    found = map_(lambda entry: _of(entry, read, texts), files)
    return {entry.sha256: each for entry, each in zip(files, found, strict=True) if each != Mentions()}


def _of(entry: Entry, read: Callable[[Entry, int], bytes], texts: bool) -> Mentions:
    first = read(entry, 256)
    if first.startswith(MAGIC):
        if texts:
            return Mentions()
        data = read(entry, min(entry.size, _MAX_BINARY))
        return Mentions(_paths(data), _libraries(data), tuple(_modules(data)))
    script = first[2:].partition(b"\n")[0].decode("latin-1") if first.startswith(b"#!") else ""
    python = is_python(entry.path, script)
    if not (python or script or _TEXT.match(entry.path)) or entry.size > _MAX_TEXT:
        return Mentions()
    data = read(entry, entry.size)
    if b"\0" in data:
        return Mentions()
    names = tuple(imports(data.decode("utf-8", "replace"))) if python else ()
    return Mentions(_paths(data), _libraries(data), names)


def _modules(data: bytes) -> Iterator[Import]:
    """Give the modules of the standard library that an extension module of Python names.

    Strings of Rust have no end that could be seen, so a long name counts wherever it stands.
    """
    if b"PyInit_" not in data or b"Py_RunMain\0" in data:  # what runs Python names every module there is
        return
    found = {name for name in NAMES if len(name) < _LONG and b"\0" + name.encode() + b"\0" in data}
    long = {name: name.encode() for name in NAMES if len(name) >= _LONG}
    for at in range(0, len(data), _PIECE):
        words = b"\0".join({*_WORD.findall(data[at : at + _PIECE + _OVERLAP])})
        found |= {name for name, text in long.items() if name not in found and text in words}
    yield from (Import(name, 0, (), MAYBE) for name in NAMES if name in found)


def _paths(data: bytes) -> tuple[str, ...]:
    found: dict[bytes, None] = {}
    for match in _PATH.finditer(data):
        if match.start() and _BEFORE.match(data, match.start() - 1):
            continue
        found[match[0].rstrip(b"/.,:%")[1:]] = None
        if len(found) >= _MAX_NAMES:
            break
    return tuple(sorted(path.decode("ascii") for path in found))


def _libraries(data: bytes) -> tuple[str, ...]:
    found: dict[bytes, None] = {}
    for match in _LIBRARY.finditer(data):
        if not match.start() or not _BEFORE.match(data, match.start() - 1):
            found[match[0]] = None
            if len(found) >= _MAX_NAMES:
                break
    return tuple(sorted(name.decode("ascii") for name in found))


def dumps(mentions: Mapping[str, Mentions]) -> bytes:
    """Write mentions by the SHA-256 of the bytes that they are about; equal mentions give equal bytes."""
    rows = {
        sha256: [each.paths, each.libraries, [astuple(one) for one in each.imports]]
        for sha256, each in sorted(mentions.items())
    }
    return json.dumps(rows, separators=(",", ":")).encode("ascii")


def loads(data: bytes) -> dict[str, Mentions]:
    """Read what ``dumps`` wrote.

    Raises:
        FormatError: if it is anything else.
    """
    try:
        return {
            sha256: Mentions(
                tuple(paths), tuple(libraries), tuple(Import(m, level, tuple(n), s) for m, level, n, s in made)
            )
            for sha256, (paths, libraries, made) in json.loads(data).items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError("read mentions", f"they are not ours: {error}") from error
