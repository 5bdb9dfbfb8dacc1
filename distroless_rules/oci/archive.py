"""Images as one file: a layout in, a tar archive for ``docker load`` or one that is the layout out.

The bytes depend on the image alone: members in order, no dates, no owners. A file takes its place in one step. Source:
moby image-spec 1.2, "Combined Image JSON + Filesystem Changeset Format"; containers-transports(5); OCI image-spec 1.1,
image-layout.md.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from distroless_rules.errors import FormatError, RequestError
from distroless_rules.oci import document, layer_reader, layout
from distroless_rules.oci.layout import Image
from distroless_rules.values.digest import Digest

__all__ = ["write_docker", "write_oci"]

_READ = 1 << 20
_SUFFIXES = {"none": ".tar", "gzip": ".tar.gz", "zstd": ".tar"}


def write_docker(folder: Path, file: Path | BinaryIO, tag: str) -> None:
    """Write an archive that docker and podman load, and skopeo calls ``docker-archive``.

    Layers that are compressed with zstd are unpacked, since not all of its readers know zstd.

    Args:
        folder: a layout with one image.
        file: where it goes; a stream is written to as it is.
        tag: the image's name and tag once loaded, ``app/image:latest``.

    Raises:
        RequestError: if the layout has images for several platforms.
        FormatError: if the layout is damaged.
        OSError: if the file cannot be written.
    """
    found = list(layout.images(folder))
    if len(found) != 1:
        hint = "build for one platform, or write an oci-archive"
        raise RequestError("write a docker-archive", f"it holds one image, and there are {len(found)}", hint=hint)
    image = found[0]
    names = [f"{layer.digest.hash}{_SUFFIXES[layer_reader.compression_of(layer)]}" for layer in image.manifest.layers]
    config = f"{image.manifest.config.digest.hash}.json"
    manifest = [{"Config": config, "RepoTags": [tag], "Layers": names}]
    with _placed(file) as stream, _archive(stream) as archive:
        # What is read first comes first, so that the archive can be read as a stream.
        _add(archive, "manifest.json", document.canonical(manifest))
        _add(archive, config, layout.read_document(folder, image.manifest.config))
        for name, at in sorted({name: at for at, name in enumerate(names)}.items(), key=lambda row: row[1]):
            _add_layer(archive, name, image, at)


def write_oci(folder: Path, file: Path | BinaryIO) -> None:
    """Write an archive that is the layout, which skopeo and podman call ``oci-archive``.

    Args:
        folder: a layout.
        file: where it goes; a stream is written to as it is.

    Raises:
        FormatError: if the layout is damaged.
        OSError: if the file cannot be written.
    """
    found = layout.blobs(folder)
    with _placed(file) as stream, _archive(stream) as archive:
        for name in ("oci-layout", "index.json"):
            _add(archive, name, (folder / name).read_bytes())
        for name in ("blobs/", "blobs/sha256/"):
            archive.addfile(_member(name, 0, tarfile.DIRTYPE))
        for digest in sorted(found):
            _add_blob(archive, f"blobs/sha256/{digest.hash}", layout.blob(folder, digest), digest)


@contextmanager
def _placed(file: Path | BinaryIO) -> Iterator[BinaryIO]:
    """Give a stream whose bytes are at ``file`` once the block has ended without an error."""
    if not isinstance(file, Path):
        yield file
        return
    aside = file.with_name(f".{file.name}.{os.urandom(6).hex()}")
    try:
        with aside.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(aside, file)
    finally:
        aside.unlink(missing_ok=True)


def _archive(stream: BinaryIO) -> tarfile.TarFile:
    counted = cast(BinaryIO, _Counted(stream))
    return tarfile.TarFile(fileobj=counted, mode="w", format=tarfile.PAX_FORMAT, copybufsize=_READ)


class _Counted:
    """A stream that need not know where it is, since a pipe does not."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._at = 0

    def write(self, data: bytes) -> int:
        self._stream.write(data)
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at


def _member(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return info


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    archive.addfile(_member(name, len(data)), io.BytesIO(data))


def _add_blob(archive: tarfile.TarFile, name: str, blob: Path, digest: Digest) -> None:
    try:
        with blob.open("rb") as file:
            checked = _Checked(file)
            archive.addfile(_member(name, digest.size), checked)
            if file.read(1) or checked.state.hexdigest() != digest.hash:
                raise FormatError(f"write {name}", "the blob is damaged")
    except OSError as error:
        # tarfile says by an OSError without a number that a file was shorter than its header says.
        if error.errno is None or isinstance(error, FileNotFoundError):
            raise FormatError(f"write {name}", "the blob is damaged or missing") from error
        raise


def _add_layer(archive: tarfile.TarFile, name: str, image: Image, at: int) -> None:
    layer = image.manifest.layers[at]
    blob = layout.blob(image.folder, layer.digest)
    if layer_reader.compression_of(layer) != "zstd":
        _add_blob(archive, name, blob, layer.digest)
        return
    with tempfile.TemporaryFile() as plain:  # a member's size comes before its bytes
        for piece in layer_reader.pieces(blob, layer, image.config.diff_ids[at]):
            plain.write(piece)
        size = plain.tell()
        plain.seek(0)
        archive.addfile(_member(name, size), plain)


class _Checked(io.RawIOBase):
    """A file that hashes what is read of it."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.state = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes."""
        data = self._file.read(size)
        self.state.update(data)
        return data
