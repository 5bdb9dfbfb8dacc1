"""Tests of files, metadata and licences: an image in, what does not hold out.

Patterns are those of Go's ``regexp``, which is RE2. Source: pkg/types/v2 of container-structure-test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from distroless_rules.errors import FormatError
from distroless_rules.structure.picture import Picture
from distroless_rules.structure.schema import ContentTest, ExistenceTest, LicenseTest, MetadataTest, Variable
from distroless_rules.values.tree import Entry, Kind

__all__ = ["contents", "existence", "licenses", "matches", "metadata"]

_EXECUTABLE = {"owner": 0o100, "group": 0o010, "other": 0o001, "any": 0o111}
_DOCUMENTS = "/usr/share/doc"
_FORBIDDEN = ("AGPL", "WTFPL")
_ALLOWED = ("libgnutls30",)


def matches(pattern: str, text: str) -> bool:
    """Say whether a pattern is somewhere in a text.

    Raises:
        FormatError: if it is no pattern.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        compiled: Any = re2.compile(pattern, options)
    except re2.error as error:
        raise FormatError(f'read the pattern "{pattern}"', _cause(error)) from error
    return compiled.search(text) is not None


def _cause(error: Exception) -> str:
    first = error.args[0] if error.args else ""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)


def existence(test: ExistenceTest, image: Picture) -> Iterator[str]:
    """Say what of a path is not as it should be."""
    path = image.expand(test.path)
    entry = image.find(path, follow=False)
    if entry is None or not test.exists:
        if (entry is not None) != test.exists:
            yield f"{path} should {'' if test.exists else 'not '}be there, and is{'' if entry else ' not'}"
        return
    mode = _mode(entry)
    if test.permissions and mode != test.permissions:
        yield f"{path} should have the permissions {test.permissions}, and has {mode}"
    if test.executable_by and not entry.mode & _EXECUTABLE[test.executable_by]:
        yield f"{path} should be executable by {test.executable_by}, and has {mode}"
    for what, wanted, found in (("user", test.uid, entry.uid), ("group", test.gid, entry.gid)):
        if wanted is not None and wanted != found:
            yield f"{path} should belong to {what} {wanted}, and belongs to {found}"


def _mode(entry: Entry) -> str:
    """Write a mode as Go's os.FileMode does: ``-rwxr-xr-x``, ``dtrwxrwxrwx``, ``Lrwxrwxrwx``."""
    kinds = {Kind.DIRECTORY: "d", Kind.SYMLINK: "L"}
    special = "".join(letter for bit, letter in ((0o4000, "u"), (0o2000, "g"), (0o1000, "t")) if entry.mode & bit)
    bits = "".join(letter if entry.mode & 1 << 8 - at else "-" for at, letter in enumerate("rwxrwxrwx"))
    return (kinds.get(entry.kind, "") + special or "-") + bits


def contents(test: ContentTest, image: Picture) -> Iterator[str]:
    """Say what a file does not hold that it should, and the other way round."""
    path = image.expand(test.path)
    try:
        text = image.read(path).decode("utf-8", "replace")
    except FormatError as error:
        yield str(error)
        return
    yield from compared(path, text, test.expected, test.excluded)


def compared(what: str, text: str, expected: tuple[str, ...], excluded: tuple[str, ...]) -> Iterator[str]:
    """Say which patterns a text lacks, and which it has though it should not."""
    for pattern in expected:
        if not matches(pattern, text):
            yield f"{what} should match {pattern!r}, and does not"
    for pattern in excluded:
        if matches(pattern, text):
            yield f"{what} should not match {pattern!r}, and does"


def metadata(test: MetadataTest, image: Picture) -> Iterator[str]:
    """Say what of a config is not as it should be."""
    start = image.start
    yield from _variables("variable", test.variables, start.env)
    yield from (f"variable {name} should not be set" for name in test.unbound if name in start.env)
    yield from _variables("label", test.labels, start.labels)
    ports = {*start.ports, *(port.partition("/")[0] for port in start.ports)}
    yield from (f"port {port} should be exposed" for port in test.ports if port not in ports)
    yield from (f"port {port} should not be exposed" for port in test.no_ports if port in ports)
    yield from (f"{path} should be a volume" for path in test.volumes if path not in start.volumes)
    yield from (f"{path} should be no volume" for path in test.no_volumes if path in start.volumes)
    for name, wanted, found in (("entrypoint", test.entrypoint, start.entrypoint), ("cmd", test.cmd, start.cmd)):
        if wanted is not None and wanted != found:
            yield f"{name} should be {list(wanted)}, and is {list(found)}"
    if test.workdir and test.workdir != (start.workdir or "/"):
        yield f"workdir should be {test.workdir}, and is {start.workdir or '/'}"
    if test.user and test.user != start.user:
        yield f"user should be {test.user}, and is {start.user or 'root'}"


def _variables(what: str, wanted: tuple[Variable, ...], found: Mapping[str, str]) -> Iterator[str]:
    for each in wanted:
        value = found.get(each.key)
        if value is None:
            yield f"{what} {each.key} should be there"
        elif not (matches(each.value, value) if each.pattern else each.value == value):
            yield f"{what} {each.key} should {'match' if each.pattern else 'be'} {each.value!r}, and is {value!r}"


def licenses(test: LicenseTest, image: Picture) -> Iterator[str]:
    """Say which files with licences are missing, or hold one that is not allowed."""
    files = list(test.files)
    if test.debian:
        names = [name for name in image.folders(_DOCUMENTS) if name not in _ALLOWED]
        files = [f"{_DOCUMENTS}/{name}/copyright" for name in names] + files
    for file in files:
        try:
            text = image.read(file).decode("utf-8", "replace").upper()
        except FormatError as error:
            yield str(error)
            continue
        yield from (f"{file} holds the licence {word}" for word in _FORBIDDEN if word in text)
