"""Manifests of images, and indexes of manifests: descriptors in, a document out, and back.

Source: OCI image-spec 1.1, manifest.md and image-index.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distroless_rules.errors import FormatError
from distroless_rules.oci import document
from distroless_rules.oci.descriptor import INDEX, MANIFEST, Descriptor

__all__ = ["Index", "Manifest"]

_MAX_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an image is made of.

    Attributes:
        config: names its config.
        layers: its layers, the lowest first.
        annotations: texts by key.
    """

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)

    def dump(self) -> bytes:
        """Write the document."""
        made: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.config.document(),
            "layers": [layer.document() for layer in self.layers],
        }
        return document.canonical(_annotated(made, self.annotations))

    @staticmethod
    def loads(data: bytes) -> Manifest:
        """Read a manifest.

        Raises:
            FormatError: if it is malformed or another kind of document.
        """
        what = "an image's manifest"
        value = _opened(data, MANIFEST, what)
        return Manifest(
            Descriptor.parse(value.get("config"), what),
            _descriptors(value, "layers", what),
            document.text_map(value, "annotations", what),
        )


@dataclass(frozen=True, slots=True)
class Index:
    """Images of one name, one for each platform.

    Attributes:
        manifests: names of manifests, or of other indexes.
        annotations: texts by key.
    """

    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)

    def dump(self) -> bytes:
        """Write the document."""
        made: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [manifest.document() for manifest in self.manifests],
        }
        return document.canonical(_annotated(made, self.annotations))

    @staticmethod
    def loads(data: bytes) -> Index:
        """Read an index.

        Raises:
            FormatError: if it is malformed or another kind of document.
        """
        what = "an image index"
        value = _opened(data, INDEX, what)
        return Index(_descriptors(value, "manifests", what), document.text_map(value, "annotations", what))


def _annotated(made: dict[str, Any], annotations: Mapping[str, str]) -> dict[str, Any]:
    return made | {"annotations": dict(annotations)} if annotations else made


def _opened(data: bytes, media_type: str, what: str) -> dict[str, Any]:
    value = document.loads(data, what)
    if value.get("schemaVersion") != 2:
        raise FormatError(f"read {what}", '"schemaVersion" is not 2')
    # The field may be missing (manifest.md); what is there must not say that the document is something else.
    if value.get("mediaType", media_type) != media_type:
        raise FormatError(f"read {what}", f'it says that it is "{str(value["mediaType"])[:100]}"')
    if (media_type == MANIFEST and "manifests" in value) or (media_type == INDEX and "layers" in value):
        raise FormatError(f"read {what}", "it is a manifest and an index at once")
    return value


def _descriptors(value: Mapping[str, Any], name: str, what: str) -> tuple[Descriptor, ...]:
    found: Sequence[object] = document.field(value, name, list, what)
    if len(found) > _MAX_ENTRIES:
        raise FormatError(f"read {what}", f'"{name}" has {len(found)} entries, more than {_MAX_ENTRIES}')
    return tuple(Descriptor.parse(part, what) for part in found)
