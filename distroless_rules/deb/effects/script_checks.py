"""Commands that are harmless in some uses only: words in, whether this use is one of them out.

Source: find(1), xargs(1), awk(1), sed(1), sort(1), uniq(1), rm(1), rmdir(1), mv(1), dpkg(1), dpkg-divert(1),
glib-compile-schemas(1), printf of bash(1), systemd-tmpfiles(8), systemd-sysusers(8).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from distroless_rules.deb.effects.script_acts import System, Words, is_scratch, options

__all__ = ["CHECKS", "RUNNERS"]

_WRITES_AWK = re.compile(r"\bsystem\s*\(|\bprintf?\b[^;}\n]*(>|\|(?!\|))")
_WRITES_SED = re.compile(r"w\s+\S*/|[;}\n/0-9gp]e$|[;{\n]\s*e\s")
_ASKS_DPKG = re.compile(
    r"--(compare-versions|print-(foreign-)?architectures?|status|list|search|listfiles|get-selections|verify|audit"
    r"|version|assert-[a-z-]+|validate-[a-z-]+)|-[slSLVC]"
)
_WRITES_FIND = ("-delete", "-fprint", "-fprint0", "-fprintf", "-fls")
_RUNS_FIND = ("-exec", "-execdir", "-ok", "-okdir")


def _is_absent(path: str | None, system: System) -> bool:
    return path is not None and path.startswith("/") and not is_scratch(path) and not system.matches(path)


def _operands(words: Words) -> list[str | None]:
    return [word for word in words if word is None or not word.startswith("-")]


def _rm(words: Words, system: System) -> bool:
    """Say whether nothing that is named is there."""
    return all(_is_absent(path, system) or is_scratch(path or "") for path in _operands(words))


def _mv(words: Words, system: System) -> bool:
    """Say whether what would be renamed is not there."""
    paths = _operands(words)
    return len(paths) == 2 and len(words) - 2 <= 1 and _is_absent(paths[0], system)


def _awk(words: Words, system: System) -> bool:
    _, operands = options(words, "F:v:", unknown="v")
    return bool(operands) and not _WRITES_AWK.search(operands[0])


def _sed(words: Words, system: System) -> bool:
    """Say whether no file is edited: neither ``-i``, alone or among other letters, nor ``w``."""
    known = [word for word in words if word is not None]
    in_place = any(re.match(r"-[nrEszu]*i|--in-place", word) for word in known)
    return not in_place and not any(_WRITES_SED.search(word) for word in known)


def _sort(words: Words, system: System) -> bool:
    return not any(word and re.match(r"-[a-zA-Z]*o|--output", word) for word in words)


def _uniq(words: Words, system: System) -> bool:
    return len(_operands(words)) < 2


def _dpkg(words: Words, system: System) -> bool:
    return bool(words) and words[0] is not None and bool(_ASKS_DPKG.fullmatch(words[0]))


def _divert(words: Words, system: System) -> bool:
    """Say whether no other deb's file moves: a diversion leaves the files of the deb that asks for it."""
    if {"--list", "--truename", "--listpackage", "--remove"} & set(words):
        return True
    named = ("add", "quiet", "rename", "no-rename", "local", "test", "divert=", "package=")
    _, paths = options(words, "", *named)
    return len(paths) == 1 and paths[0].startswith("/") and not system.is_foreign(paths[0])


def _schemas(words: Words, system: System) -> bool:
    return all(_is_absent(f"{path}/*.gschema.xml" if path else None, system) for path in _operands(words))


def _printf(words: Words, system: System) -> bool:
    return words[:1] != ("-v",)


def _only(*allowed: str) -> Callable[[Words, System], bool]:
    """Give a check that there are no other arguments."""
    return lambda words, system: all(word in allowed for word in words)


def _declared(words: Words, system: System) -> bool:
    """Say whether only files are read that effects read too, and no input."""
    return not any(word is None or word == "-" or word.startswith(("--replace", "--inline")) for word in words)


def _exec(words: Words, system: System) -> bool:
    return not words


CHECKS: Mapping[str, Callable[[Words, System], bool]] = {
    "awk": _awk,
    "chronyd": _only("-p"),
    "dbus-uuidgen": _only("--ensure", "--ensure=/etc/machine-id"),
    "dpkg": _dpkg,
    "dpkg-divert": _divert,
    "exec": _exec,
    "glib-compile-schemas": _schemas,
    "mv": _mv,
    "printf": _printf,
    "rm": _rm,
    "rmdir": _rm,
    "sed": _sed,
    "sort": _sort,
    "systemd-sysusers": _declared,
    "systemd-tmpfiles": _declared,
    "uniq": _uniq,
}
"""Name -> whether the use with these arguments is harmless."""


def _find(words: Words, system: System) -> list[Words] | None:
    """Give the commands that ``find`` runs; where it begins at nothing, it finds nothing."""
    rest = [word for word in words if word not in ("-H", "-L", "-P")]
    first = next((n for n, word in enumerate(rest) if word is not None and word.startswith(("-", "(", "!"))), len(rest))
    if first and all(_is_absent(path, system) for path in rest[:first]):
        return []
    if any(word in _WRITES_FIND for word in rest):
        return [] if _finds_nothing(rest[:first], rest[first:], system) else None
    commands: list[Words] = []
    for n, word in enumerate(rest):
        if word in _RUNS_FIND:
            end = next((m for m in range(n + 1, len(rest)) if rest[m] in (";", "+")), len(rest))
            commands.append(tuple(None if each is None or "{}" in each else each for each in rest[n + 1 : end]))
    return commands


def _finds_nothing(folders: list[str | None], tests: list[str | None], system: System) -> bool:
    """Say whether a ``-name`` that must hold is the name of nothing below the folders."""
    if "-name" not in tests[:-1] or {"-o", "-or", "!", "-not", "(", ","} & set(tests) or not folders:
        return False
    name = tests[tests.index("-name") + 1]
    return name is not None and all(
        _is_absent(f"{folder}/{name}" if folder else None, system)
        and _is_absent(f"{folder}/*/{name}" if folder else None, system)
        for folder in folders
    )


def _xargs(words: Words, system: System) -> list[Words] | None:
    """Give the command that ``xargs`` runs, with arguments that are not known after those that are."""
    at = 0
    while at < len(words) and (word := words[at] or "").startswith("-"):
        at += 2 if re.fullmatch(r"-[aEILnPsd]", word) else 1
    return [(*words[at:], None)] if at < len(words) else []


RUNNERS: Mapping[str, Callable[[Words, System], list[Words] | None]] = {"find": _find, "xargs": _xargs}
"""Name -> the commands that it runs; None when it does something else that is not modelled."""
