"""Documents of container-structure-test, schema 2.0.0: YAML or JSON in, tests as values out.

Source: the README of container-structure-test, and pkg/types/v2 in its source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from distroless_rules.errors import FormatError

__all__ = ["CommandTest", "ContentTest", "ExistenceTest", "LicenseTest", "MetadataTest", "Suite", "Variable", "load"]

_VERSION = "2.0.0"
_LARGEST = 4 << 20  # bytes of a document
_NOTHING = ("", "~", "null", "Null", "NULL")  # what YAML takes for no value
_FLAGS = {"true": True, "yes": True, "on": True, "y": True, "false": False, "no": False, "off": False, "n": False}
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_EXECUTABLE = ("owner", "group", "other", "any")


@dataclass(frozen=True, slots=True)
class Variable:
    """A name and its value, which may be a pattern."""

    key: str
    value: str
    pattern: bool = False


@dataclass(frozen=True, slots=True)
class CommandTest:
    """A command, what goes before and after it, and what it must print."""

    name: str
    command: str
    args: tuple[str, ...]
    setup: tuple[tuple[str, ...], ...]
    teardown: tuple[tuple[str, ...], ...]
    variables: tuple[Variable, ...]
    status: int
    expected_output: tuple[str, ...]
    excluded_output: tuple[str, ...]
    expected_error: tuple[str, ...]
    excluded_error: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExistenceTest:
    """A path that is there or not; empty texts and None are not looked at."""

    name: str
    path: str
    exists: bool
    permissions: str
    uid: int | None
    gid: int | None
    executable_by: str


@dataclass(frozen=True, slots=True)
class ContentTest:
    """What a file must hold and must not."""

    name: str
    path: str
    expected: tuple[str, ...]
    excluded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MetadataTest:
    """What an image's config must say; None is not looked at."""

    variables: tuple[Variable, ...]
    unbound: tuple[str, ...]
    labels: tuple[Variable, ...]
    ports: tuple[str, ...]
    no_ports: tuple[str, ...]
    volumes: tuple[str, ...]
    no_volumes: tuple[str, ...]
    entrypoint: tuple[str, ...] | None
    cmd: tuple[str, ...] | None
    workdir: str
    user: str


@dataclass(frozen=True, slots=True)
class LicenseTest:
    """Files with licences, and whether those of Debian's packages are meant too."""

    debian: bool
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suite:
    """A document."""

    variables: tuple[Variable, ...]
    commands: tuple[CommandTest, ...]
    existence: tuple[ExistenceTest, ...]
    contents: tuple[ContentTest, ...]
    metadata: MetadataTest | None
    licenses: tuple[LicenseTest, ...]


def load(data: bytes, name: str) -> Suite:
    """Read a document.

    Args:
        data: its bytes.
        name: the file's name, for messages.

    Raises:
        FormatError: if it is no YAML, of another version, or says what the schema does not know.
    """
    import yaml

    doing = f"read {name}"
    if len(data) > _LARGEST:
        raise FormatError(doing, f"it has {len(data)} bytes; {_LARGEST} are the most")
    try:
        # Scalars stay texts, so that 1.10 and yes are what was written; what each is to be, its field says.
        document = yaml.load(data, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506 - makes texts only
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise FormatError(doing, f"it is not YAML: {str(error)[:500]}") from error
    row = _Row(document, doing, "the document")
    version = row.text("schemaVersion", "")
    if version != _VERSION:
        raise FormatError(doing, f'its schemaVersion is "{version}"', hint=f'write schemaVersion: "{_VERSION}"')
    suite = Suite(
        row.variables("globalEnvVars"),
        tuple(_command(each) for each in row.rows("commandTests", "command test")),
        tuple(_existence(each) for each in row.rows("fileExistenceTests", "file existence test")),
        tuple(_content(each) for each in row.rows("fileContentTests", "file content test")),
        _metadata(row.row("metadataTest", "the metadata test")),
        tuple(_license(each) for each in row.rows("licenseTests", "licence test")),
    )
    if row.row("containerRunOptions", "containerRunOptions") is not None:
        hint = "set user, env and the like on the image, or test it with `distroless run`"
        raise FormatError(doing, "containerRunOptions are for a daemon, and there is none", hint=hint)
    row.end()
    return suite


def _command(row: _Row) -> CommandTest:
    made = CommandTest(
        row.name(),
        row.required("command"),
        row.texts("args"),
        row.commands("setup"),
        row.commands("teardown"),
        row.variables("envVars"),
        row.number("exitCode") or 0,
        row.texts("expectedOutput"),
        row.texts("excludedOutput"),
        row.texts("expectedError"),
        row.texts("excludedError"),
    )
    row.end()
    return made


def _existence(row: _Row) -> ExistenceTest:
    made = ExistenceTest(
        row.name(),
        row.required("path"),
        row.flag("shouldExist", True),
        row.text("permissions", ""),
        row.owner("uid"),
        row.owner("gid"),
        row.text("isExecutableBy", ""),
    )
    if made.executable_by not in ("", *_EXECUTABLE):
        raise row.wrong("isExecutableBy", f"one of {', '.join(_EXECUTABLE)}", made.executable_by)
    row.end()
    return made


def _content(row: _Row) -> ContentTest:
    made = ContentTest(row.name(), row.required("path"), row.texts("expectedContents"), row.texts("excludedContents"))
    row.end()
    return made


def _metadata(row: _Row | None) -> MetadataTest | None:
    if row is None:
        return None
    made = MetadataTest(
        (*row.variables("env"), *row.variables("envVars")),
        tuple(each.key for each in row.variables("unboundEnvVars")),
        row.variables("labels"),
        row.texts("exposedPorts"),
        row.texts("unexposedPorts"),
        row.texts("volumes"),
        row.texts("unmountedVolumes"),
        row.texts("entrypoint") if row.has("entrypoint") else None,
        row.texts("cmd") if row.has("cmd") else None,
        row.text("workdir", ""),
        row.text("user", ""),
    )
    row.end()
    return made


def _license(row: _Row) -> LicenseTest:
    made = LicenseTest(row.flag("debian", False), row.texts("files"))
    row.end()
    return made


class _Row:
    """An object of the document; every key is taken once, and what is left at the end is unknown."""

    def __init__(self, value: object, doing: str, where: str) -> None:
        if not isinstance(value, Mapping):
            raise FormatError(doing, f"{where} is not an object")
        self._left: dict[Any, Any] = dict(value)
        self._doing = doing
        self._where = where

    def wrong(self, key: str, expected: str, value: object) -> FormatError:
        return FormatError(self._doing, f'"{key}" of {self._where} is {str(value)[:100]!r}, not {expected}')

    def has(self, key: str) -> bool:
        return self._left.get(key, "") not in _NOTHING

    def text(self, key: str, default: str) -> str:
        value = self._left.pop(key, None)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.wrong(key, "a text", value)
        return value

    def required(self, key: str) -> str:
        value = self.text(key, "")
        if not value:
            raise FormatError(self._doing, f'{self._where} has no "{key}"')
        return value

    def name(self) -> str:
        """Take the name, by which messages call the object from now on."""
        name = self.required("name")
        self._where = f'{self._where.rpartition(" ")[0]} "{name}"'
        return name

    def flag(self, key: str, default: bool) -> bool:
        value = self._left.pop(key, None)
        if value in (None, *_NOTHING):
            return default
        known = _FLAGS.get(value.lower()) if isinstance(value, str) else None
        if known is None:
            raise self.wrong(key, "true or false", value)
        return known

    def number(self, key: str) -> int | None:
        value = self._left.pop(key, None)
        if value in (None, *_NOTHING):
            return None
        if not isinstance(value, str) or not _NUMBER.fullmatch(value):
            raise self.wrong(key, "a number", value)
        return int(value)

    def owner(self, key: str) -> int | None:
        """Take a number of an account; -1 is none."""
        value = self.number(key)
        return None if value == -1 else value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._list(key, "a list of texts")
        if not all(isinstance(item, str) for item in value):
            raise self.wrong(key, "a list of texts", value)
        return tuple(value)

    def _list(self, key: str, expected: str) -> list[Any]:
        value = self._left.pop(key, None)
        if value in (None, *_NOTHING):
            return []
        if not isinstance(value, list):
            raise self.wrong(key, expected, value)
        return value

    def commands(self, key: str) -> tuple[tuple[str, ...], ...]:
        expected = "a list of commands, each a list of words"
        value = self._list(key, expected)
        if not all(isinstance(each, list) and each for each in value):
            raise self.wrong(key, expected, value)
        where = f'"{key}" of {self._where}'
        return tuple(_Row({"command": each}, self._doing, where).texts("command") for each in value)

    def variables(self, key: str) -> tuple[Variable, ...]:
        made = []
        for row in self.rows(key, f'"{key}"'):
            made.append(Variable(row.required("key"), row.text("value", ""), row.flag("isRegex", False)))
            row.end()
        return tuple(made)

    def rows(self, key: str, kind: str) -> Iterable[_Row]:
        value = self._list(key, "a list")
        return [_Row(each, self._doing, f"{kind} {number}") for number, each in enumerate(value, 1)]

    def row(self, key: str, where: str) -> _Row | None:
        value = self._left.pop(key, None)
        return None if value in (None, *_NOTHING) else _Row(value, self._doing, where)

    def end(self) -> None:
        """Refuse what nobody took."""
        for key, value in self._left.items():
            if value not in _NOTHING:
                raise FormatError(self._doing, f'{self._where} has "{str(key)[:100]}", which the schema does not know')
