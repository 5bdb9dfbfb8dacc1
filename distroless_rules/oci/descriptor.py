"""Descriptors: what names a blob in an image's documents. JSON in, a checked value out, and back.

Source: OCI image-spec 1.1, descriptor.md, and image-index.md for ``platform``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from distroless_rules.errors import FormatError
from distroless_rules.oci import document
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import Platform

__all__ = ["CONFIG", "INDEX", "LAYERS", "MANIFEST", "Descriptor"]

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYERS = {
    "application/vnd.oci.image.layer.v1.tar": "none",
    "application/vnd.oci.image.layer.v1.tar+gzip": "gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd": "zstd",
}
"""Media types of layers -> how they are compressed, in the words of ``oci.compressor``."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a blob is, and which.

    Attributes:
        media_type: what is in it.
        digest: its SHA-256 and size.
        platform: of a manifest in an index what it runs on.
        annotations: texts by key.
    """

    media_type: str
    digest: Digest
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Give it as JSON values."""
        made: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": self.digest.oci,
            "size": self.digest.size,
        }
        if self.platform:
            made["platform"] = {"os": self.platform.os, "architecture": self.platform.architecture}
            if self.platform.variant:
                made["platform"]["variant"] = self.platform.variant
        if self.annotations:
            made["annotations"] = dict(self.annotations)
        return made

    @staticmethod
    def parse(value: object, what: str) -> Descriptor:
        """Read a descriptor from JSON values; fields that are not known here are passed over.

        Args:
            value: what stands in a document.
            what: the document, for the message.

        Raises:
            FormatError: if it is malformed, or its digest is no SHA-256.
        """
        if not isinstance(value, dict):
            raise FormatError(f"read {what}", "a descriptor is not an object")
        algorithm, _, digits = document.field(value, "digest", str, what).partition(":")
        if algorithm != "sha256":
            raise FormatError(f"read {what}", f'a digest begins with "{algorithm[:40]}", and only sha256 is known')
        return Descriptor(
            media_type=document.field(value, "mediaType", str, what),
            digest=Digest(digits, document.field(value, "size", int, what)),
            platform=_platform(value["platform"], what) if value.get("platform") is not None else None,
            annotations=document.text_map(value, "annotations", what),
        )


def _platform(value: object, what: str) -> Platform:
    if not isinstance(value, dict):
        raise FormatError(f"read {what}", '"platform" is not an object')
    variant = document.field(value, "variant", str, what) if "variant" in value else ""
    return Platform(document.field(value, "os", str, what), document.field(value, "architecture", str, what), variant)
