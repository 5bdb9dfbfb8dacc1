"""OCI layouts: an image's blobs in, a folder that every tool reads out; such a folder in, a checked image out.

Source: OCI image-spec 1.1, image-layout.md; annotations.md for the name by which tools ask for the image.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distroless_rules.errors import FormatError, StorageError
from distroless_rules.oci import document
from distroless_rules.oci.config import Config
from distroless_rules.oci.descriptor import INDEX, MANIFEST, Descriptor
from distroless_rules.oci.manifest import Index, Manifest
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import HOST, Platform

__all__ = ["TAG", "Image", "blob", "blobs", "images", "read", "read_document", "root", "write"]

TAG = "latest"
_NAME = "org.opencontainers.image.ref.name"
_BLOBS = "blobs/sha256"
_VERSION = b'{"imageLayoutVersion":"1.0.0"}'
_MAX_NESTING = 4


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a layout; its documents are checked against their digests, its layers are not.

    Attributes:
        folder: the layout.
        descriptor: names the manifest.
        manifest: names the config and the layers.
        config: how it is started; one diff ID for each layer.
    """

    folder: Path
    descriptor: Descriptor
    manifest: Manifest
    config: Config


def write(folder: Path, descriptor: Mapping[str, Any], blobs: Mapping[str, Path]) -> None:
    """Write a layout, or make an older one into it.

    Blobs are linked where the file system allows it, and are read-only. ``index.json`` changes in one step, when all
    blobs are there; until then the layout is the older one, or none. Other files in the folder stay.

    Args:
        folder: where it goes.
        descriptor: names the manifest or index, as JSON values.
        blobs: ``sha256:<hex>`` -> a file with the blob's bytes, known to be right.

    Raises:
        FormatError: if the descriptor is malformed or names none of the blobs.
        StorageError: if the folder cannot be written.
    """
    what = "an image's descriptor"
    named = Descriptor.parse(descriptor, what)
    if named.digest.oci not in blobs:
        raise FormatError(f"read {what}", f"there is no blob {named.digest.oci}")
    entry = dict(descriptor) | {"annotations": {**named.annotations, _NAME: TAG}}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    try:
        (folder / _BLOBS).mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            for digest, path in blobs.items():
                _put(path, folder / _BLOBS / digest.removeprefix("sha256:"))
            _save(folder / "oci-layout", _VERSION)
            _save(folder / "index.json", document.canonical(index))
            _clear(folder / _BLOBS, {digest.removeprefix("sha256:") for digest in blobs})
    except OSError as error:
        raise StorageError(f'write the layout "{folder}"', error.strerror or str(error)) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others from writing the same layout; what its writers leave when they are killed is then nobody's."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _put(blob: Path, path: Path) -> None:
    with suppress(FileNotFoundError):
        if os.path.samestat(os.lstat(path), os.stat(blob)):
            return
    aside = path.with_name(f".{path.name}")
    aside.unlink(missing_ok=True)
    try:
        os.link(blob, aside)
    except OSError:
        shutil.copyfile(blob, aside)
        aside.chmod(0o444)
    os.replace(aside, path)


def _save(path: Path, data: bytes) -> None:
    with suppress(FileNotFoundError):
        if path.read_bytes() == data:
            return
    aside = path.with_name(f".{path.name}")
    aside.unlink(missing_ok=True)
    aside.write_bytes(data)
    aside.chmod(0o444)
    os.replace(aside, path)


def _clear(folder: Path, wanted: set[str]) -> None:
    with os.scandir(folder) as found:
        for entry in found:
            if entry.name not in wanted:
                os.unlink(entry.path)


def blob(folder: Path, digest: Digest) -> Path:
    """Give where a layout has a blob."""
    return folder / _BLOBS / digest.hash


def root(folder: Path) -> Descriptor:
    """Give what a layout's ``index.json`` names: its only entry.

    Raises:
        FormatError: if the folder is no layout, or has more than one entry.
    """
    what = f'the layout "{folder}"'
    version = document.loads(_bytes(folder / "oci-layout", what), what).get("imageLayoutVersion")
    if version != "1.0.0":
        raise FormatError(f"read {what}", f"it is of version {str(version)[:20]!r}, and 1.0.0 is known")
    entries = Index.loads(_bytes(folder / "index.json", what)).manifests
    if len(entries) != 1:
        raise FormatError(f"read {what}", f"it has {len(entries)} entries, and one is expected")
    return entries[0]


def read(folder: Path, platform: Platform = HOST) -> Image:
    """Read the image of a layout.

    Args:
        folder: the layout.
        platform: which image to take where there are several.

    Raises:
        FormatError: if the layout is damaged or malformed, or has no image for the platform.
    """
    found = list(images(folder))
    if len(found) == 1:
        return found[0]
    for image in found:
        if (image.descriptor.platform or image.config.platform) == platform:
            return image
    known = ", ".join(str(image.descriptor.platform or image.config.platform) for image in found) or "none"
    raise FormatError(f'read the layout "{folder}"', f"it has no image for {platform}", hint=f"it has: {known}")


def images(folder: Path) -> Iterator[Image]:
    """Give every image of a layout, in the order of its indexes.

    Raises:
        FormatError: if the layout is damaged or malformed.
    """
    for _, image in _walk(folder, root(folder), 0, set()):
        if image is not None:
            yield image


def blobs(folder: Path) -> dict[Digest, Descriptor]:
    """Give every blob that a layout's images consist of: indexes, manifests, configs and layers.

    Raises:
        FormatError: if the layout is damaged or malformed.
    """
    found = {}
    for descriptor, image in _walk(folder, root(folder), 0, set()):
        found[descriptor.digest] = descriptor
        if image is not None:
            found |= {each.digest: each for each in (image.manifest.config, *image.manifest.layers)}
    return found


def _walk(
    folder: Path, descriptor: Descriptor, depth: int, seen: set[Digest]
) -> Iterator[tuple[Descriptor, Image | None]]:
    # Indexes that name the same indexes many times would else be read more often than there is time.
    if descriptor.digest in seen:
        return
    seen.add(descriptor.digest)
    data = read_document(folder, descriptor)
    if descriptor.media_type == MANIFEST:
        manifest = Manifest.loads(data)
        config = Config.loads(read_document(folder, manifest.config))
        if len(config.diff_ids) != len(manifest.layers):
            cause = f"its manifest has {len(manifest.layers)} layers, its config {len(config.diff_ids)}"
            raise FormatError(f'read the image of "{folder}"', cause)
        yield descriptor, Image(folder, descriptor, manifest, config)
    elif descriptor.media_type == INDEX and depth < _MAX_NESTING:
        yield descriptor, None
        for entry in Index.loads(data).manifests:
            yield from _walk(folder, entry, depth + 1, seen)
    else:
        raise FormatError(f'read the layout "{folder}"', f'"{descriptor.media_type[:100]}" is no image')


def read_document(folder: Path, descriptor: Descriptor) -> bytes:
    """Give the bytes of a manifest, index or config.

    Raises:
        FormatError: if it is missing, is not what the descriptor says, or is too large.
    """
    what = f'"{folder}"'
    data = _bytes(blob(folder, descriptor.digest), what)
    if Digest.of(data) != descriptor.digest:
        raise FormatError(f"read {what}", f"blob {descriptor.digest.oci} is damaged")
    return data


def _bytes(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(document.MAX_BYTES + 1)
    except OSError as error:
        raise FormatError(f"read {what}", f"{path.name}: {error.strerror or error}") from error
    if len(data) > document.MAX_BYTES:
        raise FormatError(f"read {what}", f"{path.name} has more than {document.MAX_BYTES} bytes")
    return data
