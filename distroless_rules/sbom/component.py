"""What a bill of materials says: packages, and which files are whose; frozen values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from distroless_rules.sbom.copyright import NONE, Licence
from distroless_rules.sbom.files import Hashes
from distroless_rules.values.path import encode

__all__ = ["Component", "Inventory", "Source", "Subject", "address", "shown"]

_ADDRESS = re.compile(
    r"(?:https?|ftp)://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?"
)


@dataclass(frozen=True, slots=True)
class Source:
    """A source package: its name, version and package URL."""

    name: str
    version: str
    purl: str


@dataclass(frozen=True, slots=True)
class Component:
    """A package of an image.

    Attributes:
        name: its name.
        version: its version, ``""`` when it does not say.
        purl: its package URL; what has the same one is the same package.
        licence: what it is licensed under.
        supplier: who maintains it: ``Name <address>``.
        homepage: its address on the web.
        summary: what it is, in a few words.
        source: what it was built from, as far as that has a name of its own.
        sha256: of the archive that it came in, where that is known.
        files: the image paths that are its own.
        depends: the package URLs of what it needs at run time.
    """

    name: str
    version: str
    purl: str
    licence: Licence = NONE
    supplier: str = ""
    homepage: str = ""
    summary: str = ""
    source: Source | None = None
    sha256: str = ""
    files: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """The image that a document is about.

    Attributes:
        name: what it is called.
        digest: of its manifest, ``sha256:<hex>``; ``""`` of an archive of docker's, which has none.
        diff_ids: of its layers.
        platform: ``linux/amd64``.
        created: when, as RFC 3339 has it, in UTC: ``1970-01-01T00:00:00Z``.
    """

    name: str
    digest: str
    diff_ids: tuple[str, ...]
    platform: str
    created: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything in an image.

    Attributes:
        subject: the image.
        purl: its package URL.
        components: its packages, in order of package URL.
        own: paths of regular files that no package has.
        hashes: digests of every regular file, by path.
        links: text of every symbolic link, by path.
    """

    subject: Subject
    purl: str
    components: tuple[Component, ...]
    own: tuple[str, ...]
    hashes: Mapping[str, Hashes]
    links: Mapping[str, str] = field(default_factory=dict)


def address(text: str) -> str:
    """Give an address on the web if it is one that every format takes, else ``""``."""
    return text if _ADDRESS.fullmatch(text) else ""


def shown(path: str) -> str:
    r"""Give a path as text; a byte that is not UTF-8 becomes ``\xNN``."""
    return encode(path).decode("utf-8", "backslashreplace")
