"""An image as it is compared: an image opened anywhere in; its settings, layers, paths and debs out.

Layers are read as streams: a file is known by the SHA-256 of its bytes, and nothing is laid out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from distroless_rules.comparing.installed import Installed, installed
from distroless_rules.deb.installed import holds
from distroless_rules.oci.config import Config
from distroless_rules.oci.layers import Layers
from distroless_rules.oci.opened import Layer, open_image
from distroless_rules.values.platform import Platform
from distroless_rules.values.tree import Entry, Kind

__all__ = ["MAX_TEXT", "Picture", "picture", "texts"]

MAX_TEXT = 256 << 10
"""Bytes of a file whose lines are compared, at most."""


@dataclass(frozen=True)
class Picture:
    """An image.

    Attributes:
        name: as the user names it.
        digest: of its manifest, ``""`` where there is none.
        config: its config.
        layers: the lowest first.
        entries: path -> what is there.
        installed: its debs.
        size: bytes of its layers as stored.
    """

    name: str
    digest: str
    config: Config
    layers: tuple[Layer, ...]
    entries: Mapping[str, Entry]
    installed: Installed = field(default_factory=Installed)

    @property
    def size(self) -> int:
        """Bytes of all layers as they are stored."""
        return sum(layer.size for layer in self.layers)

    @property
    def unpacked(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.entries.values())


def picture(where: str, name: str, platform: Platform | None) -> Picture:
    """Read an image.

    Args:
        where: as ``oci.opened.open_image`` takes it.
        name: as the user names it.
        platform: which, where there are several.

    Raises:
        RequestError: if there is no such image.
        FormatError: if it is malformed, damaged or hostile.
    """
    with open_image(where, platform) as image, Layers.read(image, holds) as layers:
        found = installed(layers.entries, layers.bytes_of)
        return Picture(name, image.digest, image.config, image.layers, layers.entries, found)


def texts(where: str, platform: Platform | None, wanted: frozenset[str]) -> dict[str, list[str]]:
    """Give the lines of those files at ``wanted`` paths that are text and not large.

    Raises:
        RequestError, FormatError: as ``picture`` does.
    """
    found: dict[str, list[str]] = {}
    with open_image(where, platform) as image, Layers.read(image) as layers:
        for path in sorted(wanted):
            entry = layers.entries.get(path)
            if entry is None or entry.kind is not Kind.FILE or entry.size > MAX_TEXT:
                continue
            data = layers.bytes_of(entry)
            try:
                text = data.decode()
            except UnicodeDecodeError:
                continue
            if "\0" not in text:
                found[path] = text.splitlines(keepends=True)
    return found
