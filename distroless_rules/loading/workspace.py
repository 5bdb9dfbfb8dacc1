"""``distroless.toml`` becomes a ``Workspace``; every key is known or an error with the nearest known one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distroless_rules.errors import ConfigError, FormatError, Location, did_you_mean
from distroless_rules.values.archive import Archive
from distroless_rules.values.platform import Platform
from distroless_rules.values.remote_cache import NO_REMOTE, RemoteCache
from distroless_rules.values.remote_execution import NO_EXECUTION, RemoteExecution, Strategy
from distroless_rules.values.signing_key import PublicKey

__all__ = ["CONFIG_NAME", "LOCK_NAME", "OUTPUT_NAME", "Workspace", "find_root", "parse", "read"]

CONFIG_NAME = "distroless.toml"
LOCK_NAME = "distroless.lock"
OUTPUT_NAME = "distroless-out"

_LONGEST_TIMEOUT = 3600  # seconds
_SECRET = ("headers", "signing_key", "trusted_keys")  # keys whose values are never shown
_EXAMPLES = {"suites": '"trixie"', "components": '"main"', "architectures": '"amd64"'}
_FILE = re.compile(r"[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_SERVER: Mapping[str, type] = {
    "remote": str,
    "timeout": float,
    "headers": dict,
    "token_file": str,
    "credential_helper": str,
    "ca": str,
    "certificate": str,
    "key": str,
}
"""What is said of a server, whatever it does."""
_STRATEGIES = tuple(strategy.value for strategy in Strategy)
_TABLES: Mapping[str, Mapping[str, type]] = {
    "workspace": {"name": str, "build_file": str, "ignore": list, "toolchains": list},
    "archive": {
        "type": str,
        "suites": list,
        "components": list,
        "architectures": list,
        "uris": list,
        "keyring": str,
        "pins": dict,
    },
    "cache": {
        **_SERVER,
        "path": str,
        "upload": bool,
        "required": bool,
        "signing_key": str,
        "trusted_keys": list,
    },
    "execution": {
        **_SERVER,
        "strategy": str,
        "strategies": dict,
        "jobs": int,
        "fallback": bool,
        "priority": int,
        "delay": float,
        "properties": dict,
    },
}
_WORDS: Mapping[type, str] = {
    str: "a string",
    list: "a list of strings",
    dict: "a table of strings",
    bool: "true or false",
    float: "a number",
    int: "a whole number",
}


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
        remote: the shared cache that it names.
        execution: the engine that it names, and what is to be done with it.
        toolchains: labels of the ``toolchain`` targets that are looked at first.
    """

    root: Path
    name: str
    build_file: str = "BUILD"
    ignore: tuple[str, ...] = ()
    archives: Mapping[str, Archive] | None = None
    cache: str = ""
    remote: RemoteCache = NO_REMOTE
    execution: RemoteExecution = NO_EXECUTION
    toolchains: tuple[str, ...] = ()


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
        data = (root / CONFIG_NAME).read_bytes()
    except OSError as error:
        raise ConfigError(f"read {CONFIG_NAME}", error.strerror or str(error)) from error
    try:
        return parse(data.decode("utf-8"), root)
    except UnicodeDecodeError as error:
        line, newline = data.count(b"\n", 0, error.start) + 1, data.rfind(b"\n", 0, error.start)
        at = Location(CONFIG_NAME, line, error.start - newline)
        raise ConfigError(f"read {CONFIG_NAME}", f"the byte 0x{data[error.start]:02x} is not UTF-8", at=at) from error


def parse(text: str, root: Path) -> Workspace:
    """Read the text of a ``distroless.toml`` (TOML 1.0) of the workspace in ``root``.

    Raises:
        ConfigError: with line and column of what is wrong.
    """
    import tomli

    try:
        document = tomli.loads(text)
    except RecursionError as error:
        at = Location(CONFIG_NAME)
        raise ConfigError(f"read {CONFIG_NAME}", "something in it is nested too deeply", at=at) from error
    except ValueError as error:  # TOMLDecodeError, and numbers that are too long
        raise ConfigError(f"read {CONFIG_NAME}", getattr(error, "msg", str(error)), at=_toml_place(error)) from error
    _known(text, "", document, _TABLES)
    settings = _table(text, "workspace", document.get("workspace", {}))
    archives = {}
    for name, fields in _tables(text, "archive", document.get("archive", {})).items():
        archives[name] = _archive(text, name, fields)
    cache = _table(text, "cache", document.get("cache", {}))
    build_file = settings.get("build_file", "BUILD")
    if not _FILE.fullmatch(build_file):
        raise ConfigError(
            'read "build_file" in [workspace]',
            f'"{build_file}" is not the name of a file',
            at=_place(text, "build_file", "workspace"),
            hint='write "BUILD"',
        )
    return Workspace(
        root=root,
        name=settings.get("name", root.name),
        build_file=build_file,
        ignore=tuple(folder.strip("/") for folder in settings.get("ignore", ())),
        archives=archives,
        cache=cache.get("path", ""),
        remote=_remote(text, root, cache),
        execution=_execution(text, root, _table(text, "execution", document.get("execution", {}))),
        toolchains=tuple(settings.get("toolchains", ())),
    )


def _remote(text: str, root: Path, fields: Mapping[str, Any], table: str = "cache") -> RemoteCache:
    """Read what [cache] and [execution] say of a server."""
    seconds = float(fields.get("timeout", RemoteCache.seconds))
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        at = _place(text, "timeout", table)
        raise ConfigError(f'read "timeout" in [{table}]', "expected seconds, more than 0 and at most 3600", at=at)

    def file(key: str) -> Path | None:
        return root / fields[key] if fields.get(key) else None

    if bool(file("certificate")) != bool(file("key")):
        at = _place(text, "certificate" if file("certificate") else "key", table)
        raise ConfigError(f"read [{table}]", "a certificate needs its key, and a key its certificate", at=at)
    helper = fields.get("credential_helper", "")
    return RemoteCache(
        address=fields.get("remote", ""),
        source=f'"remote" in [{table}]',
        upload=fields.get("upload", False),
        required=fields.get("required", False),
        seconds=seconds,
        headers=tuple(fields.get("headers", {}).items()),
        helper=(root / helper if "/" in helper else Path(helper)) if helper else None,
        token_file=file("token_file"),
        ca=file("ca"),
        certificate=file("certificate"),
        key=file("key"),
        trusted=_trusted(text, fields["trusted_keys"]) if "trusted_keys" in fields else None,
        signing_key_file=file("signing_key"),
    )


def _trusted(text: str, keys: Sequence[str]) -> tuple[PublicKey, ...]:
    """Read "trusted_keys" in [cache]; a message does not repeat one, which may be a secret key by mistake."""
    found: dict[str, PublicKey] = {}
    for number, each in enumerate(keys, 1):
        doing = f'read key {number} of "trusted_keys" in [cache]'
        at = _place(text, "trusted_keys", "cache")
        try:
            key = PublicKey.parse(each, doing)
        except FormatError as error:
            raise ConfigError(doing, error.cause, at=at, hint=error.hint) from error
        if found.setdefault(key.name, key) != key:
            cause = f'another key is called "{key.name}", and a signature says only the name'
            raise ConfigError(doing, cause, at=at)
    return tuple(found.values())


def _execution(text: str, root: Path, fields: Mapping[str, Any]) -> RemoteExecution:
    numbers: dict[str, Any] = {"jobs": 32, "priority": 0, "delay": 1.0}
    for name, (least, most) in {"jobs": (1, 1000), "priority": (-(1 << 31), (1 << 31) - 1), "delay": (0, 3600)}.items():
        numbers[name] = fields.get(name, numbers[name])
        if not least <= numbers[name] <= most:
            at = _place(text, name, "execution")
            raise ConfigError(f'read "{name}" in [execution]', f"expected {least} to {most}", at=at)
    try:
        strategy = Strategy.parse(fields.get("strategy", "remote"), 'read "strategy" in [execution]')
        words = fields.get("strategies", {})
        kinds = {kind: Strategy.parse(word, f'read "{kind}" in [execution]') for kind, word in words.items()}
    except ConfigError as error:
        at = _place(text, "strategies" if fields.get("strategy", "remote") in _STRATEGIES else "strategy", "execution")
        raise ConfigError(error.doing, error.cause, at=at, hint=error.hint) from error
    return RemoteExecution(
        server=_remote(text, root, fields, "execution"),
        strategy=strategy,
        kinds=kinds,
        fallback=fields.get("fallback", True),
        properties=tuple(sorted(fields.get("properties", {}).items())),
        **numbers,
    )


def _archive(text: str, name: str, fields: Mapping[str, Any]) -> Archive:
    where = f"archive.{name}"
    if not _NAME.fullmatch(name) or name == "distroless_rules":
        cause = f'"{name}" cannot be the name of an archive'
        raise ConfigError(f"read [{where}]", cause, at=_place(text, "", where))
    _table(text, "archive", fields, where)
    if fields.get("type", "deb") != "deb":
        at = _place(text, "type", where)
        raise ConfigError(f'read "type" in [{where}]', f'"{fields["type"]}" is not known', at=at, hint='write "deb"')
    for key in ("suites", "components", "architectures"):
        if not fields.get(key, key != "suites") or "" in fields.get(key, ()):
            at = _place(text, key if key in fields else "", where)
            hint = f"write {key} = [{_EXAMPLES[key]}]"
            raise ConfigError(f"read [{where}]", f"it names no {key}", at=at, hint=hint)
    for architecture in fields.get("architectures", ()):
        _check_architecture(text, where, architecture)
    return Archive(
        name=name,
        suites=tuple(fields["suites"]),
        components=tuple(fields.get("components", ("main",))),
        architectures=tuple(fields.get("architectures", ("amd64",))),
        uris=tuple(uri.rstrip("/") for uri in fields.get("uris", ())),
        keyring=fields.get("keyring", ""),
        pins=tuple(sorted(fields.get("pins", {}).items())),
    )


def _check_architecture(text: str, where: str, architecture: str) -> None:
    try:
        right = Platform.parse(architecture).deb
    except ConfigError as error:
        cause, hint = f'"{architecture}" is not a Debian architecture', error.hint
    else:
        if right == architecture:
            return
        cause, hint = f'"{architecture}" is a platform', f'write "{right}"'
    at = _place(text, architecture, where)
    raise ConfigError(f'read "architectures" in [{where}]', cause, at=at, hint=hint)


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
        if not _fits(given, types[key]) or not all(isinstance(part, str) for part in parts):
            shown = "" if key in _SECRET else f", got {json.dumps(given, default=str, ensure_ascii=False)}"
            cause = f"expected {_WORDS[types[key]]}{shown}"
            raise ConfigError(f'read "{key}" in [{where}]', cause, at=_place(text, key, where))
    return value


def _fits(given: Any, wanted: type) -> bool:
    if isinstance(given, bool):
        return wanted is bool
    return isinstance(given, (int, float) if wanted is float else wanted)


def _known(text: str, where: str, value: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for key in value:
        if key not in known:
            place = f"in [{where}]" if where else "at the top"
            raise ConfigError(
                f'read "{key}" {place}', "no such key", at=_place(text, key, where), hint=did_you_mean(key, known)
            )


def _place(text: str, word: str, table: str = "") -> Location:
    """Give the place where ``word`` stands as a key or string in a table; without a word that of the table.

    In a table that is written in some other way, inline for example, the first such word is taken.
    """
    start, end = 0, len(text)
    if table:
        name = r"\.".join(f'"?{re.escape(part)}"?' for part in table.split(".", 1))
        head = re.search(rf"^[ \t]*\[[ \t]*({name})[ \t]*\]", text, re.MULTILINE)
        if head:
            after = re.compile(r"^[ \t]*\[", re.MULTILINE).search(text, head.end())
            start, end = head.start(1), after.start() if after else end
    quoted = re.escape(word)
    pattern = rf'^[ \t]*(?:\[[^\]\n]*?)?"?({quoted})"?[ \t]*[.=\]]|"({quoted})"'
    found = re.compile(pattern, re.MULTILINE).search(text, start, end) if word else None
    if found:
        start = found.start(1) if found.group(1) is not None else found.start(2)
    elif not start:
        return Location(CONFIG_NAME)
    return Location(CONFIG_NAME, text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))


def _toml_place(error: ValueError) -> Location:
    line, column = getattr(error, "lineno", 0), getattr(error, "colno", 0)
    return Location(CONFIG_NAME, line, column)
