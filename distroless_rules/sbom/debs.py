"""The debs of an image: what dpkg's records in it say in, components out.

Records of distroless images (``status.d``) and of dpkg itself (``status``, ``info``) are read alike. Source: dpkg(1),
deb822(5); os-release(5); the package URL type definition of deb.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from distroless_rules.deb import control, os_release
from distroless_rules.deb.installed import Record, installed
from distroless_rules.sbom import copyright as copyrights
from distroless_rules.sbom.component import Component, Source
from distroless_rules.sbom.files import Files
from distroless_rules.values.tree import Kind

__all__ = ["find"]

_VENDORS = frozenset(["debian", "deepin", "devuan", "kali", "linuxmint", "neon", "pop", "pureos", "raspbian", "ubuntu"])
_SOURCE = re.compile(r"(\S+)(?:\s+\(([^()]+)\))?")


def find(files: Files, archives: Mapping[str, str]) -> list[Component]:
    """Give the debs of an image, each with the regular files that are its own.

    Args:
        files: the image's.
        archives: SHA-256 of the archives of debs, by name, where they are known.

    Raises:
        FormatError: if a record is malformed.
    """
    records = installed(files.database).records
    namer = _namer(files)
    purls = [namer(record.name, record.version, record.architecture) for record in records]
    providers = _providers(zip(records, purls, strict=True))
    found = []
    for record, purl in zip(records, purls, strict=True):
        made = _component(files, record, purl, namer)
        needs = tuple(each for each in _needs(record.fields, providers) if each != purl)
        found.append(replace(made, depends=needs, sha256=archives.get(record.name, "")))
    return found


def _namer(files: Files) -> Callable[[str, str, str], str]:
    """Give the function that makes the package URL of a deb of this distribution."""
    from packageurl import PackageURL

    texts = (files.read(path, 1 << 16) for path in os_release.PATHS)
    release = os_release.fields(next(filter(None, texts), b"").decode("utf-8", "replace"))
    named = release.get("ID", "").lower()
    vendor = named if named in _VENDORS else "debian"  # an image may give its system a name of its own
    version = release.get("VERSION_ID", "") if vendor == named else ""
    distro = f"{vendor}-{version}" if version else vendor

    def purl(name: str, version: str, architecture: str) -> str:
        qualifiers = {"arch": architecture, "distro": distro}
        return str(PackageURL("deb", vendor, name, version or None, qualifiers).to_string())

    return purl


def _component(files: Files, record: Record, purl: str, namer: Callable[[str, str, str], str]) -> Component:
    fields = record.fields
    licence = copyrights.read(
        files.read(f"usr/share/doc/{record.name}/copyright", copyrights.MAX_BYTES),
        record.name,
    )
    return Component(
        name=record.name,
        version=record.version,
        purl=purl,
        licence=licence,
        supplier=" ".join(fields.get("Maintainer", "").split()),
        homepage=fields.get("Homepage", "").strip(),
        summary=fields.get("Description", "").partition("\n")[0].strip(),
        source=_source(fields, namer),
        files=tuple(dict.fromkeys(_paths(files, record))),
    )


def _source(fields: Mapping[str, str], namer: Callable[[str, str, str], str]) -> Source:
    match = _SOURCE.match(fields.get("Source", "").strip())
    name = match[1] if match else fields["Package"]
    version = (match[2] if match else None) or fields.get("Version", "")
    return Source(name, version, namer(name, version, "source"))


def _paths(files: Files, record: Record) -> Iterator[str]:
    """Give where those regular files lie that a deb has and that are there."""
    for path in record.paths():
        entry = files.entries.get(files.view.place(path) or "")
        if entry is not None and entry.kind is Kind.FILE:
            yield entry.path


def _providers(records: Iterable[tuple[Record, str]]) -> dict[str, str]:
    """Give the package URL of the deb that is, or else of the first that provides, each name."""
    real: dict[str, str] = {}
    virtual: dict[str, str] = {}
    for record, purl in records:
        real.setdefault(record.name, purl)
        for group in control.relations(record.fields.get("Provides", "")):
            for relation in group:
                virtual.setdefault(relation.name, purl)
    return {**virtual, **real}


def _needs(fields: Mapping[str, str], providers: Mapping[str, str]) -> list[str]:
    """Give what a deb depends on; of alternatives the first that is there."""
    found: dict[str, None] = {}
    for field in ("Pre-Depends", "Depends"):
        for group in control.relations(fields.get(field, "")):
            there = (providers[relation.name] for relation in group if relation.name in providers)
            if first := next(there, ""):
                found[first] = None
    return sorted(found)
