"""Modules of Python in an image: what the application's own sources import in, what is nowhere to be found out.

Only the first part of a name is looked for, and in every folder that could be on the path: what is reported is not
there at all. Imports under a condition, or whose failure is caught, are the program's own business.

Source: Debian Python Policy, 2.1 (module path); the Python Library Reference, site and sys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from distroless_rules.closure.imports import MAYBE
from distroless_rules.closure.mentions import Mentions
from distroless_rules.closure.python_path import PythonPath
from distroless_rules.closure.view import View
from distroless_rules.values.path import above

__all__ = ["BUILTIN", "joined", "lost"]

_LINKED_IN = """
_abc _ast _asyncio _bisect _blake2 _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr
_codecs_tw _collections _contextvars _csv _curses _datetime _elementtree _functools _heapq _imp _interpchannels
_interpqueues _interpreters _io _json _locale _lsprof _md5 _multibytecodec _opcode _operator _pickle _posixshmem
_posixsubprocess _queue _random _sha1 _sha2 _sha256 _sha3 _sha512 _signal _socket _sre _stat _statistics _string
_struct _suggestions _symtable _sysconfig _thread _tokenize _tracemalloc _typing _types _warnings _weakref
_xxsubinterpreters _zoneinfo array atexit binascii builtins cmath errno faulthandler fcntl gc grp itertools
marshal math mmap posix pwd pyexpat resource select spwd sys syslog termios time unicodedata xxsubtype zlib
__main__ _frozen_importlib _frozen_importlib_external zipimport __future__ _bootlocale
"""
BUILTIN = frozenset(_LINKED_IN.split())
"""Modules that Debian links into its interpreters, of any version; there are no files of them."""


def joined(path: str, target: str) -> str:
    """Give where a link at ``path`` points, by its text alone."""
    parts = [] if target.startswith("/") else path.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def lost(
    view: View, mentions: Mapping[str, Mentions], own: Set[str], named: Set[str], env: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Give (path of a source, module) of each import that nothing in the image can satisfy.

    Args:
        view: the image's files.
        mentions: what sources import, by the SHA-256 of their bytes.
        own: paths that the application brings.
        named: those of them whose imports are looked at.
        env: the program's environment.
    """
    python = PythonPath(view, tuple(sorted(above(own))), env)
    if not python.versions:
        return
    known: dict[str, bool] = {}
    for path in sorted(named & view.entries.keys()):
        says = mentions.get(view.entries[path].sha256)
        for each in says.imports if says else ():
            if each.strength == MAYBE:
                continue
            name = each.module.partition(".")[0]
            if each.level:
                base = "/".join(path.split("/")[: -each.level])
                if name and not python.holds(base, name):
                    yield path, "." * each.level + each.module
                continue
            if name not in known:
                known[name] = name in BUILTIN or python.has(name)
            if not known[name]:
                yield path, name
