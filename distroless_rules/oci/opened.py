"""Images that others made: a layout's folder or an archive in, the config and the layers' tar archives out.

Layouts may hold several images, and documents with docker's media types; archives are read in place, or from a copy
without a name where they are compressed. Source: OCI image-spec 1.1, image-layout.md and annotations.md; moby
image-spec 1.2 "Combined Image JSON"; containers-transports(5) for the prefixes of names.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from distroless_rules.errors import FormatError, RequestError
from distroless_rules.oci import document, opened_choice
from distroless_rules.oci.config import Config
from distroless_rules.oci.descriptor import Descriptor
from distroless_rules.oci.opened_choice import Candidate
from distroless_rules.tar import compression
from distroless_rules.tar import reader as tar
from distroless_rules.tar.compression import Member
from distroless_rules.values.digest import Digest
from distroless_rules.values.path import resolve_link
from distroless_rules.values.platform import Platform
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Layer", "Opened", "is_there", "open_image", "platforms"]

_READ = 1 << 20
_MAGIC = ((b"\x1f\x8b", ".gz"), (b"\x28\xb5\x2f\xfd", ".zst"), (b"\xfd7zXZ\0", ".xz"), (b"BZh", ".bz2"))
_PREFIXES = ("oci:", "oci-archive:", "docker-archive:", "dir:")
_REMOTE = ("docker://", "http://", "https://", "docker-daemon:", "containers-storage:")


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of an image that was opened.

    Attributes:
        blob: SHA-256 and size of the blob; of an archive of docker's the name of the member stands for the digest.
        size: bytes as stored, mostly compressed.
        diff_id: ``sha256:`` and the SHA-256 of its tar archive.
        title: what made it, ``""`` if the config does not say.
    """

    blob: str
    size: int
    diff_id: str
    title: str = ""


@dataclass
class Opened(AbstractContextManager["Opened"]):
    """An image that was opened; closing it closes its files.

    Attributes:
        name: as the user wrote it.
        digest: ``sha256:<hex>`` of the manifest, ``""`` where there is none.
        config: its config, one diff ID for each layer.
        layers: the lowest first.
    """

    name: str
    digest: str
    config: Config
    layers: tuple[Layer, ...]
    _places: tuple[tuple[_Blobs, str], ...]
    _stack: ExitStack = field(default_factory=ExitStack)

    def __exit__(self, *_: object) -> None:
        """Close its files."""
        self._stack.close()

    def pieces(self, number: int) -> Iterator[bytes]:
        """Give the bytes of a layer's tar archive.

        Raises:
            FormatError: if the blob is missing, damaged, or not what the config names; the last is known at the end.
        """
        layer, (blobs, name) = self.layers[number], self._places[number]
        what = f"layer {layer.blob}"
        file, member = blobs.find(name, what)
        if layer.blob.startswith("sha256:"):
            _check(file, member, layer.blob, what)
        file.seek(member.offset)
        start = file.read(6)
        suffix = next((suffix for magic, suffix in _MAGIC if start.startswith(magic)), "")
        state = hashlib.sha256()
        for piece in compression.decode(file, member, suffix, what):
            state.update(piece)
            yield piece
        if f"sha256:{state.hexdigest()}" != layer.diff_id:
            raise FormatError(f"read {what}", f"its diff ID is sha256:{state.hexdigest()}, not {layer.diff_id}")


def open_image(name: str, platform: Platform | None = None) -> Opened:
    """Open an image.

    Args:
        name: a layout's folder or an archive: ``FOLDER``, ``FILE.tar``, ``FOLDER:TAG``, ``FOLDER@sha256:...``; the
            prefixes ``oci:``, ``oci-archive:`` and ``docker-archive:`` may stand before it.
        platform: which image to take where there are several; None: the machine's if it is there, or the only one.

    Raises:
        RequestError: if there is no such image, or several that could be meant.
        FormatError: if it is malformed or damaged.
    """
    doing = f'read the image "{name}"'
    if name.startswith(_REMOTE):
        hint = f"copy it first: skopeo copy {name} oci:FOLDER"
        raise RequestError(doing, "images are read from folders and archives", hint=hint)
    stack = ExitStack()
    try:
        return _opened(name, platform, stack)
    except OSError as error:
        stack.close()
        raise RequestError(doing, error.strerror or str(error)) from error
    except BaseException:
        stack.close()
        raise


def is_there(name: str) -> bool:
    """Tell whether a name, as for ``open_image``, is that of a folder or file."""
    return _split(name)[0].exists()


def platforms(name: str) -> tuple[Platform, ...]:
    """Give what the images of a layout or archive run on, each once, in order; of one of docker's none.

    Args:
        name: as for ``open_image``.

    Raises:
        RequestError: if there is no such layout or archive.
        FormatError: if it is malformed or damaged.
    """
    path, wanted = _split(name)
    with ExitStack() as stack:
        try:
            blobs = _Folder(path, stack) if path.is_dir() else _archive(path, stack, f'read the image "{name}"')
            if not blobs.has("oci-layout") or not blobs.has("index.json"):
                return ()
            index = document.loads(blobs.read("index.json", f'"{name}"'), f'the index of "{name}"')
            every = opened_choice.candidates(index, blobs.blob)
            found = {_platform(blobs, each) for each in every if opened_choice.is_meant(each, wanted)}
            return tuple(sorted(found, key=str))
        except OSError as error:
            raise RequestError(f'read the image "{name}"', error.strerror or str(error)) from error


def _opened(name: str, platform: Platform | None, stack: ExitStack) -> Opened:
    doing = f'read the image "{name}"'
    path, wanted = _split(name)
    blobs = _Folder(path, stack) if path.is_dir() else _archive(path, stack, doing)
    if blobs.has("oci-layout") and blobs.has("index.json"):
        return _from_layout(name, blobs, wanted, platform, stack)
    if blobs.has("manifest.json"):
        return _from_docker(name, blobs, wanted, stack)
    cause = "it is neither an OCI layout (it has no index.json) nor an archive of docker save (no manifest.json)"
    raise RequestError(doing, cause)


def _split(name: str) -> tuple[Path, str]:
    """Give the path, and the tag or digest after it."""
    for prefix in _PREFIXES:
        if name.startswith(prefix) and not Path(name).exists():
            name = name[len(prefix) :]
            break
    if Path(name).exists():
        return Path(name), ""
    path, at, digest = name.partition("@")
    if at and Path(path).exists():
        return Path(path), digest
    path, _, tag = name.partition(":")
    while tag and not Path(path).exists():
        more, _, tag = tag.partition(":")
        path = f"{path}:{more}"
    return (Path(path), tag) if tag else (Path(name), "")


class _Blobs:
    """Named files of a layout or archive."""

    def has(self, name: str) -> bool:
        """Tell whether there is one."""
        raise NotImplementedError

    def find(self, name: str, what: str) -> tuple[BinaryIO, Member]:
        """Give a file and the place in it.

        Raises:
            FormatError: if there is none.
        """
        raise NotImplementedError

    def read(self, name: str, what: str) -> bytes:
        """Give the bytes of a document.

        Raises:
            FormatError: if it is missing or too large.
        """
        file, member = self.find(name, what)
        if member.size > document.MAX_BYTES:
            raise FormatError(f"read {what}", f"{name} has more than {document.MAX_BYTES} bytes")
        file.seek(member.offset)
        return file.read(member.size)

    def blob(self, descriptor: Descriptor) -> bytes:
        """Give a document that a descriptor names, checked.

        Raises:
            FormatError: if it is missing, too large or damaged.
        """
        what = f"blob {descriptor.digest.oci}"
        data = self.read(f"blobs/sha256/{descriptor.digest.hash}", what)
        if Digest.of(data) != descriptor.digest:
            raise FormatError(f"read {what}", "it is damaged")
        return data


class _Folder(_Blobs):
    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack

    def has(self, name: str) -> bool:
        return (self._folder / name).is_file()

    def find(self, name: str, what: str) -> tuple[BinaryIO, Member]:
        try:
            file = self._stack.enter_context((self._folder / name).open("rb"))
            return file, Member(name, 0, file.seek(0, 2))
        except OSError as error:
            raise FormatError(f"read {what}", f"{name}: {error.strerror or error}") from error


class _Archive(_Blobs):
    def __init__(self, file: BinaryIO, entries: Mapping[str, Entry]) -> None:
        self._file = file
        self._entries = entries

    def _entry(self, name: str) -> Entry | None:
        entry = self._entries.get(name)
        for _ in range(8):  # docker saved layers that it has twice as links to each other
            if entry is None or entry.kind is Kind.FILE:
                return entry
            if entry.kind is Kind.HARDLINK:
                entry = self._entries.get(entry.target)
            elif entry.kind is Kind.SYMLINK:
                entry = self._entries.get(resolve_link(entry.path, entry.target) or "")
            else:
                return None
        return None

    def has(self, name: str) -> bool:
        return self._entry(name) is not None

    def find(self, name: str, what: str) -> tuple[BinaryIO, Member]:
        entry = self._entry(name)
        if entry is None:
            raise FormatError(f"read {what}", f'the archive has no file "{name[:200]}"')
        return self._file, Member(name, entry.offset, entry.size)


def _archive(path: Path, stack: ExitStack, doing: str) -> _Archive:
    """Open an archive; one that is compressed is unpacked to a file without a name first."""
    file: BinaryIO = stack.enter_context(path.open("rb"))
    size = file.seek(0, 2)
    file.seek(0)
    start = file.read(6)
    suffix = next((suffix for magic, suffix in _MAGIC if start.startswith(magic)), "")
    what = f'"{path}"'
    if suffix:
        plain = cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile()))  # noqa: SIM115 - the stack closes it
        for piece in compression.decode(file, Member(path.name, 0, size), suffix, what):
            plain.write(piece)
        plain.seek(0)
        file = plain
    file.seek(0)
    try:
        return _Archive(file, {entry.path: entry for entry in tar.read(file, "", what)})
    except FormatError as error:
        raise FormatError(doing, f"it is no folder, and no tar archive that can be read: {error.cause}") from error


def _check(file: BinaryIO, member: Member, digest: str, what: str) -> None:
    state, left = hashlib.sha256(), member.size
    file.seek(member.offset)
    while left and (data := file.read(min(_READ, left))):
        state.update(data)
        left -= len(data)
    if f"sha256:{state.hexdigest()}" != digest:
        raise FormatError(f"read {what}", "the blob is damaged")


def _from_layout(name: str, blobs: _Blobs, wanted: str, platform: Platform | None, stack: ExitStack) -> Opened:
    index = document.loads(blobs.read("index.json", f'"{name}"'), f'the index of "{name}"')
    found = opened_choice.candidates(index, blobs.blob)
    manifest = opened_choice.choose(name, found, wanted, platform, lambda each: _platform(blobs, each))
    value = document.loads(blobs.blob(manifest.descriptor), "an image's manifest")
    config_at, layers = opened_choice.manifest(value)
    config = Config.loads(blobs.blob(config_at))
    named = [(each.digest.oci, each.digest.size) for each in layers]
    places = tuple((blobs, f"blobs/sha256/{each.digest.hash}") for each in layers)
    return Opened(name, manifest.descriptor.digest.oci, config, _layers(name, config, named), places, stack)


def _platform(blobs: _Blobs, candidate: Candidate) -> Platform:
    """Read a candidate's config where the index does not say what it runs on."""
    if candidate.descriptor.platform is not None:
        return candidate.descriptor.platform
    value = document.loads(blobs.blob(candidate.descriptor), "an image's manifest")
    return Config.loads(blobs.blob(opened_choice.manifest(value)[0])).platform


def _from_docker(name: str, blobs: _Blobs, wanted: str, stack: ExitStack) -> Opened:
    what = f'manifest.json of "{name}"'
    row = opened_choice.choose_docker(name, _rows(blobs.read("manifest.json", what), what), wanted)
    config = Config.loads(blobs.read(document.field(row, "Config", str, what), what))
    names = document.strings(row, "Layers", what)
    sizes = [(each, blobs.find(each, f"layer {each}")[1].size) for each in names]
    places = tuple((blobs, each) for each in names)
    return Opened(name, "", config, _layers(name, config, sizes), places, stack)


def _rows(data: bytes, what: str) -> list[Any]:
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"read {what}", f"it is not JSON: {error}") from error
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise FormatError(f"read {what}", "it is not a list of images")
    return rows


def _layers(name: str, config: Config, blobs: list[tuple[str, int]]) -> tuple[Layer, ...]:
    if len(config.diff_ids) != len(blobs):
        cause = f"its manifest has {len(blobs)} layers, its config {len(config.diff_ids)}"
        raise FormatError(f'read the image "{name}"', cause)
    titles = [each.created_by for each in config.history if not each.empty_layer]
    titles += [""] * (len(blobs) - len(titles))
    rows = zip(blobs, config.diff_ids, titles, strict=False)
    return tuple(Layer(blob, size, diff_id, title) for (blob, size), diff_id, title in rows)
