"""Packages of languages that are in an image but in no deb: their own metadata in, components out.

Wheels (``*.dist-info``), packages of Node (``node_modules``), modules in Go programs, crates in programs of Rust that
name them, and artifacts of Maven in jars. What is malformed is no package: its files stay the image's own. Source: PyPA
core metadata and binary distribution format; npm package.json(5); ``debug/buildinfo`` of Go; cargo-auditable; Maven
archiver, pom.properties.
"""

from __future__ import annotations

import csv
import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from email.parser import BytesHeaderParser
from typing import Any

from distroless_rules.sbom.component import Component
from distroless_rules.sbom.copyright import NONE, Licence, named
from distroless_rules.sbom.crates import rust_crates
from distroless_rules.sbom.files import Files
from distroless_rules.sbom.programs import go_modules, jar_artifacts

__all__ = ["find"]

_MAX_METADATA = 4 << 20
_MAX_RECORD = 64 << 20
_MAX_PROGRAM = 512 << 20
_NODE = re.compile(r"((?:.*/)?node_modules/((?:@[^/]+/)?[^/@][^/]*))/package\.json", re.DOTALL)
_LONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # what JSON can say, and is neither a character nor a byte
_CLASSIFIER = "License :: OSI Approved :: "


def find(files: Files, taken: frozenset[str]) -> list[Component]:
    """Give the packages among the files that no deb has.

    Args:
        files: the image's.
        taken: paths that debs have.
    """
    free = [entry.path for entry in files.regular() if entry.path not in taken]
    found = [*_wheels(files, free, taken), *_node(files, free)]
    for path in free:
        found.extend(_compiled(files, path) if _is(files, path, b"\x7fELF") else ())
        found.extend(_jars(files, path) if path.endswith(".jar") else ())
    return found


def _is(files: Files, path: str, magic: bytes) -> bool:
    return files.read(path, len(magic)) == magic


def _purl(kind: str, namespace: str, name: str, version: str) -> str:
    from packageurl import PackageURL

    return str(PackageURL(kind, namespace or None, name, version or None).to_string())


def _wheels(files: Files, free: Iterable[str], taken: frozenset[str]) -> Iterator[Component]:
    for path in free:
        if not path.endswith(".dist-info/METADATA"):
            continue
        folder = posixpath.dirname(path)
        fields = BytesHeaderParser().parsebytes(files.read(path, _MAX_METADATA))
        name, version = _text(fields["Name"]), _text(fields["Version"])
        if not name.strip("/ ") or not version:
            continue
        normal = re.sub(r"[-_.]+", "-", name).lower()  # PEP 503
        yield Component(
            name=name,
            version=version,
            purl=_purl("pypi", "", normal, version),
            licence=_wheel_licence(fields, name),
            homepage=_text(fields["Home-page"]),
            summary=_text(fields["Summary"]),
            files=tuple(each for each in _recorded(files, folder) if each not in taken),
        )


def _text(value: object) -> str:
    text = _LONE.sub("\ufffd", "" if value is None else str(value))
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()


def _wheel_licence(fields: Any, name: str) -> Licence:
    who = f"The metadata of {name}"
    classifiers = [_text(each) for each in fields.get_all("Classifier", [])]
    choices = [
        _text(fields["License-Expression"]),
        " and ".join(each.removeprefix(_CLASSIFIER) for each in classifiers if each.startswith(_CLASSIFIER)),
        _text(fields["License"]),
    ]
    said = [choice for choice in choices if choice and choice.upper() != "UNKNOWN" and "\n" not in choice]
    plain = (licence for licence in (named(each, who) for each in said) if not licence.texts)
    return next(plain, named(said[0], who) if said else NONE)


def _recorded(files: Files, folder: str) -> Iterator[str]:
    """Give the files that a wheel's RECORD names and that are there, and those beside it."""
    root = posixpath.dirname(folder)
    text = files.read(f"{folder}/RECORD", _MAX_RECORD).decode("utf-8", "surrogateescape")
    named_: list[str] = []
    try:
        named_.extend(row[0] for row in csv.reader(text.splitlines()) if row)
    except csv.Error:
        named_.clear()
    paths = {posixpath.normpath(f"{root}/{each}") for each in named_ if not each.startswith("/")}
    paths.update(entry.path for entry in files.below(folder))
    for path in sorted(paths):
        place = files.view.place(path)
        if place is not None and place in files.entries and files.entries[place].sha256:
            yield place


def _node(files: Files, free: Iterable[str]) -> Iterator[Component]:
    folders: dict[str, str] = {}
    for path in free:
        if match := _NODE.fullmatch(path):
            folders[match[1]] = path
    held: dict[str, list[str]] = {folder: [] for folder in folders}
    for path in free:
        at = path
        while at := at.rpartition("/")[0]:
            if at in held:
                held[at].append(path)
                break
    for folder, path in folders.items():
        made = _node_package(files, path, tuple(held[folder]))
        if made is not None:
            yield made


def _node_package(files: Files, path: str, held: tuple[str, ...]) -> Component | None:
    try:
        said = json.loads(files.read(path, _MAX_METADATA))
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    name, version = _string(said.get("name")), _string(said.get("version"))
    parts = [part.strip() for part in name.split("/") if part.strip().strip("@")]
    if not parts or not version:
        return None
    return Component(
        name=name,
        version=version,
        purl=_purl("npm", "/".join(parts[:-1]), parts[-1], version),
        licence=_node_licence(said, name),
        homepage=_string(said.get("homepage")),
        summary=_string(said.get("description")),
        files=held,
    )


def _string(value: object) -> str:
    return _text(value) if isinstance(value, str) else ""


def _node_licence(said: dict[str, Any], name: str) -> Licence:
    given = said.get("license") or said.get("licenses")
    rows = given if isinstance(given, list) else [given]
    texts = [_string(row.get("type")) if isinstance(row, dict) else _string(row) for row in rows]
    synopsis = " or ".join(text for text in texts if text)
    return named(synopsis, f"package.json of {name}") if synopsis else NONE


def _compiled(files: Files, path: str) -> Iterator[Component]:
    program = files.read(path, _MAX_PROGRAM)
    yield from _parts(path, go_modules(program), _golang)
    yield from _parts(path, rust_crates(program), _crate)


def _crate(name: str, version: str) -> str:
    return _purl("cargo", "", name, version)


def _golang(name: str, version: str) -> str:
    namespace, _, short = name.rpartition("/")
    return _purl("golang", namespace, short, "" if version == "(devel)" else version)


def _jars(files: Files, path: str) -> Iterator[Component]:
    rows = jar_artifacts(files.read(path, _MAX_PROGRAM))
    stem = posixpath.basename(path).removesuffix(".jar")
    # The artifact that the jar is called after owns it; others have been put into it.
    rows.sort(key=lambda row: (not stem.startswith(row[0].partition(":")[2]), row))
    yield from _parts(path, rows, _maven)


def _maven(name: str, version: str) -> str:
    group, _, artifact = name.partition(":")
    return _purl("maven", group, artifact, version)


def _parts(path: str, rows: list[tuple[str, str]], purl: Callable[[str, str], str]) -> Iterator[Component]:
    """Give the packages that one file is made of; the first is the one that it is, and needs the others."""
    named_ = []
    for name, version in rows:
        with suppress(ValueError):  # nothing is called so, whatever the file says
            named_.append((name, version, purl(name, version)))
    for at, (name, version, own) in enumerate(named_):
        needs = sorted({other for _, _, other in named_[1:]} - {own}) if at == 0 else []
        yield Component(name, version, own, files=() if at else (path,), depends=tuple(needs))
