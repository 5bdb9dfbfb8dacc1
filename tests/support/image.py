"""Small images: tar members in, layers and layouts out."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

from distroless_rules.oci import layout
from distroless_rules.oci.config import Config, Start
from distroless_rules.oci.descriptor import CONFIG, LAYERS, MANIFEST, Descriptor
from distroless_rules.oci.manifest import Index, Manifest
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import HOST, Platform

__all__ = ["Member", "device", "directory", "file", "hardlink", "index", "layout_of", "symlink", "tar"]

Member = tuple[tarfile.TarInfo, bytes]


def file(path: str, data: bytes = b"", mode: int = 0o644, uid: int = 0, gid: int = 0) -> Member:
    return _member(path, tarfile.REGTYPE, mode, uid, gid), data


def directory(path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Member:
    return _member(path, tarfile.DIRTYPE, mode, uid, gid), b""


def symlink(path: str, target: str) -> Member:
    info = _member(path, tarfile.SYMTYPE, 0o777)
    info.linkname = target
    return info, b""


def hardlink(path: str, target: str) -> Member:
    info = _member(path, tarfile.LNKTYPE, 0o644)
    info.linkname = target
    return info, b""


def device(path: str, kind: bytes = tarfile.CHRTYPE) -> Member:
    return _member(path, kind, 0o644), b""


def _member(path: str, kind: bytes, mode: int, uid: int = 0, gid: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.mode, info.uid, info.gid = kind, mode, uid, gid
    return info


def tar(*members: Member) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _packed(layer: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.compress(layer, 1, mtime=0)
    if compression == "zstd":
        import zstandard

        return zstandard.ZstdCompressor().compress(layer)
    return layer


def layout_of(
    folder: Path,
    layers: Sequence[bytes],
    start: Start = Start(),  # noqa: B008 - frozen
    *,
    compression: str = "gzip",
    platform: Platform = HOST,
    diff_ids: Sequence[str] = (),
) -> Path:
    """Write the layout of an image with these tar archives as its layers, at ``folder``; give the folder."""
    media = next(media for media, how in LAYERS.items() if how == compression)
    packed = [_packed(layer, compression) for layer in layers]
    known = tuple(diff_ids) or tuple("sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers)
    config = Config(platform, start, known).dump()
    manifest = Manifest(
        Descriptor(CONFIG, Digest.of(config)), tuple(Descriptor(media, Digest.of(layer)) for layer in packed)
    ).dump()
    descriptor = Descriptor(MANIFEST, Digest.of(manifest), platform)
    _write(folder, descriptor, [manifest, config, *packed])
    return folder


def index(folder: Path, layouts: Sequence[Path]) -> Path:
    """Write the layout of an index over the images of other layouts; give the folder."""
    found = [layout.root(path) for path in layouts]
    data = Index(tuple(Descriptor(each.media_type, each.digest, each.platform) for each in found)).dump()
    blobs = [path.read_bytes() for each in layouts for path in (each / "blobs/sha256").iterdir()]
    _write(folder, Descriptor("application/vnd.oci.image.index.v1+json", Digest.of(data)), [data, *blobs])
    return folder


def _write(folder: Path, descriptor: Descriptor, blobs: Sequence[bytes]) -> None:
    store = folder.with_name(folder.name + ".store")
    store.mkdir(exist_ok=True)
    paths = {}
    for data in blobs:
        digest = Digest.of(data)
        paths[digest.oci] = store / digest.hash
        (store / digest.hash).unlink(missing_ok=True)
        (store / digest.hash).write_bytes(data)
        (store / digest.hash).chmod(0o444)
    layout.write(folder, json.loads(json.dumps(descriptor.document())), paths)
