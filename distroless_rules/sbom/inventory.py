"""An image's files in; its packages, and the owner of each file, out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from distroless_rules.sbom import debs, languages
from distroless_rules.sbom.component import Component, Inventory, Subject
from distroless_rules.sbom.files import Files

__all__ = ["take"]


def take(files: Files, subject: Subject, archives: Mapping[str, str]) -> Inventory:
    """Account for everything in an image; each regular file has one owner.

    Args:
        files: the image's.
        subject: the image.
        archives: SHA-256 of the archives of debs, by name, where they are known.

    Raises:
        FormatError: if a record of dpkg is malformed.
    """
    installed = debs.find(files, archives)
    taken = frozenset(path for each in installed for path in each.files)
    components = _alone(_merged([*installed, *languages.find(files, taken)]))
    owned = {path for each in components for path in each.files}
    hashes = {entry.path: files.hashes(entry.path) for entry in files.regular()}
    return Inventory(
        subject,
        _purl(subject),
        components,
        tuple(path for path in hashes if path not in owned),
        hashes,
        {entry.path: entry.target for entry in files.links()},
    )


def _merged(found: Iterable[Component]) -> list[Component]:
    """Make one of components with one package URL, such as a package of Node that is there twice."""
    merged: dict[str, Component] = {}
    for each in found:
        other = merged.get(each.purl)
        if other is not None:
            both = tuple(dict.fromkeys((*other.files, *each.files)))
            each = replace(other, files=both, depends=tuple(sorted({*other.depends, *each.depends} - {each.purl})))
        merged[each.purl] = each
    return [merged[purl] for purl in sorted(merged)]


def _alone(components: Iterable[Component]) -> tuple[Component, ...]:
    """Leave each file to the first of its owners; dpkg lets debs share files that are the same."""
    owned: set[str] = set()
    found = []
    for each in components:
        mine = tuple(path for path in each.files if path not in owned)
        owned.update(mine)
        found.append(replace(each, files=mine))
    return tuple(found)


def _purl(subject: Subject) -> str:
    from packageurl import PackageURL

    _, _, rest = subject.platform.partition("/")
    name = subject.name.rpartition("/")[2].rpartition(":")[2] or "image"
    return str(
        PackageURL("oci", None, name.lower(), subject.digest or None, {"arch": rest.partition("/")[0]}).to_string()
    )
