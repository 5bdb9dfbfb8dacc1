"""``distroless.toml`` becomes a ``Workspace``; every key is known or an error with the nearest known one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distroless_rules.errors import ConfigError, Location, did_you_mean
from distroless_rules.values.archive import Archive
from distroless_rules.values.platform import Platform

__all__ = ["CONFIG_NAME", "LOCK_NAME", "OUTPUT_NAME", "Workspace", "find_root", "parse", "read"]

CONFIG_NAME = "distroless.toml"
LOCK_NAME = "distroless.lock"
OUTPUT_NAME = "distroless-out"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_TABLES: Mapping[str, Mapping[str, type]] = {
    "workspace": {"name": str, "build_file": str, "ignore": list},
    "archive": {
        "type": str,
        "suites": list,
        "components": list,
        "architectures": list,
        "uris": list,
        "keyring": str,
        "pins": dict,
    },
    "cache": {"path": str},
}
_WORDS: Mapping[type, str] = {str: "a string", list: "a list of strings", dict: "a table of strings"}


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder tree under a ``distroless.toml``.

    Attributes:
        root: the folder.
        name: what the workspace calls itself.
        build_file: the name of BUILD files.
        ignore: folders, below the root, in which no package is looked for.
        archives: where debs come from, in the order written.
        cache: the cache's folder if the file names one, else ``""``.
    """

    root: Path
    name: str
    build_file: str = "BUILD"
    ignore: tuple[str, ...] = ()
    archives: Mapping[str, Archive] | None = None
    cache: str = ""


def find_root(start: Path) -> Path:
    """Give the nearest folder at or above ``start`` that holds a ``distroless.toml``.

    Raises:
        ConfigError: if there is none.
    """
    for folder in (start, *start.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder
    raise ConfigError(
        "find the workspace",
        f"neither {start} nor a folder above it has a {CONFIG_NAME}",
        hint="`distroless init` writes one",
    )


def read(root: Path) -> Workspace:
    """Read ``distroless.toml`` in ``root``.

    Raises:
        ConfigError: if it cannot be read or something in it is wrong.
    """
    try:
        text = (root / CONFIG_NAME).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"read {CONFIG_NAME}", str(error)) from error
    return parse(text, root)


def parse(text: str, root: Path) -> Workspace:
    """Read the text of a ``distroless.toml`` (TOML 1.0) of the workspace in ``root``.

    Raises:
        ConfigError: with line and column of what is wrong.
    """
    import tomli

    try:
        document = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise ConfigError(f"read {CONFIG_NAME}", getattr(error, "msg", str(error)), at=_toml_place(error)) from error
    _known(text, "", document, _TABLES)
    settings = _table(text, "workspace", document.get("workspace", {}))
    archives = {}
    for name, fields in _tables(text, "archive", document.get("archive", {})).items():
        archives[name] = _archive(text, name, fields)
    cache = _table(text, "cache", document.get("cache", {}))
    return Workspace(
        root=root,
        name=settings.get("name", root.name),
        build_file=settings.get("build_file", "BUILD"),
        ignore=tuple(folder.strip("/") for folder in settings.get("ignore", ())),
        archives=archives,
        cache=cache.get("path", ""),
    )


def _archive(text: str, name: str, fields: Mapping[str, Any]) -> Archive:
    where = f"archive.{name}"
    if not _NAME.fullmatch(name) or name == "distroless_rules":
        raise ConfigError(f"read [{where}]", f'"{name}" cannot be the name of an archive', at=_place(text, name))
    _table(text, "archive", fields, where)
    if fields.get("type", "deb") != "deb":
        raise ConfigError(
            f'read "type" in [{where}]', f'"{fields["type"]}" is not known', at=_place(text, "type"), hint='write "deb"'
        )
    if not fields.get("suites"):
        raise ConfigError(f"read [{where}]", "it names no suites", at=_place(text, name), hint='suites = ["trixie"]')
    for architecture in fields.get("architectures", ()):
        if Platform.parse(architecture).deb != architecture:
            raise ConfigError(
                f'read "architectures" in [{where}]',
                f'"{architecture}" is not a Debian architecture',
                at=_place(text, architecture),
                hint=f'write "{Platform.parse(architecture).deb}"',
            )
    return Archive(
        name=name,
        suites=tuple(fields["suites"]),
        components=tuple(fields.get("components", ("main",))),
        architectures=tuple(fields.get("architectures", ("amd64",))),
        uris=tuple(uri.rstrip("/") for uri in fields.get("uris", ())),
        keyring=fields.get("keyring", ""),
        pins=tuple(sorted(fields.get("pins", {}).items())),
    )


def _tables(text: str, name: str, value: Any) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(value, dict) or not all(isinstance(fields, dict) for fields in value.values()):
        raise ConfigError(f'read "{name}"', f"expected tables [{name}.<name>]", at=_place(text, name))
    return value


def _table(text: str, name: str, value: Any, where: str = "") -> Mapping[str, Any]:
    """Check the keys and types of a table whose schema is ``_TABLES[name]``."""
    where = where or name
    if not isinstance(value, dict):
        raise ConfigError(f'read "{name}"', f"expected a table [{name}]", at=_place(text, name))
    types = _TABLES[name]
    _known(text, where, value, types)
    for key, given in value.items():
        parts = list(given) if isinstance(given, list) else list(given.values()) if isinstance(given, dict) else []
        if not isinstance(given, types[key]) or not all(isinstance(part, str) for part in parts):
            raise ConfigError(
                f'read "{key}" in [{where}]', f"expected {_WORDS[types[key]]}, got {given!r}", at=_place(text, key)
            )
    return value


def _known(text: str, where: str, value: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for key in value:
        if key not in known:
            place = f"in [{where}]" if where else "at the top"
            raise ConfigError(
                f'read "{key}" {place}', "no such key", at=_place(text, key), hint=did_you_mean(key, known)
            )


def _place(text: str, word: str) -> Location:
    """Give the first place where ``word`` stands as a key, a table or a string."""
    quoted = re.escape(word)
    found = re.search(rf'^[ \t]*(?:\[[^\]\n]*)?"?({quoted})"?[ \t]*[=\]]|"({quoted})"', text, re.MULTILINE)
    if not found:
        return Location(CONFIG_NAME)
    start = found.start(1) if found.group(1) is not None else found.start(2)
    return Location(CONFIG_NAME, text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))


def _toml_place(error: ValueError) -> Location:
    line, column = getattr(error, "lineno", 0), getattr(error, "colno", 0)
    return Location(CONFIG_NAME, line, column)
