"""Layouts checked whole: a layout in, everything that is wrong with it out, a sentence each.

Beyond the specification, what this program's own images keep to is checked: entries in order, every folder before what
is in it, one time for all, and no path in two layers. Source: OCI image-spec 1.1, all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from distroless_rules.errors import FormatError
from distroless_rules.oci import layer_reader, layout
from distroless_rules.oci.descriptor import LAYERS, Descriptor
from distroless_rules.oci.layout import Image
from distroless_rules.values.path import sort_key
from distroless_rules.values.tree import Entry, Kind

__all__ = ["validate"]

_WHITEOUT = ".wh."


def validate(folder: Path, *, overlaps: bool = False) -> list[str]:
    """Check a layout, to the last byte of every layer.

    Args:
        folder: the layout.
        overlaps: whether a layer may replace or hide what is in a lower one, as those of other builders do.

    Returns:
        What is wrong, in the order of the images and their layers; nothing if all is well.
    """
    try:
        images = list(layout.images(folder))
        known = layout.blobs(folder)
    except FormatError as error:
        return [error.cause]
    problems = [problem for image in images for problem in _image(image, overlaps=overlaps)]
    there = {path.name for path in (folder / "blobs/sha256").iterdir()}
    strangers = sorted(there - {digest.hash for digest in known})
    return problems + [f"blob {name} belongs to nothing" for name in strangers]


def _image(image: Image, *, overlaps: bool) -> Iterator[str]:
    name = f"image {image.descriptor.digest.oci}"
    named, own = image.descriptor.platform, image.config.platform
    if named not in (None, own):
        yield f"{name}: an index says that it is for {named}, and its config for {own}"
    made = sum(not entry.empty_layer for entry in image.config.history)
    if image.config.history and made != len(image.manifest.layers):
        yield f"{name}: its history has {made} layers, and it has {len(image.manifest.layers)}"
    stack = _Stack(overlaps)
    for layer, diff_id in zip(image.manifest.layers, image.config.diff_ids, strict=True):
        yield from _layer(image.folder, layer, diff_id, stack)


def _layer(folder: Path, layer: Descriptor, diff_id: str, stack: _Stack) -> Iterator[str]:
    name = f"layer {layer.digest.oci}"
    if layer.media_type not in LAYERS:
        yield f'{name}: "{layer.media_type[:100]}" is no layer'
        return
    stack.begin()
    try:
        pieces = layer_reader.pieces(layout.blob(folder, layer.digest), layer, diff_id)
        for entry in layer_reader.entries(pieces, layer):
            for problem in stack.add(entry):
                yield f"{name}: /{entry.path} {problem}"
    except FormatError as error:
        yield f"{name}: {error.cause}"


@dataclass
class _Stack:
    """What the layers so far hold.

    Attributes:
        overlaps: whether a path may be in two layers.
        lower: of each path of the layers below the current one its entry.
        current: of each path of the current layer its entry.
    """

    overlaps: bool
    lower: dict[str, Entry] = field(default_factory=dict)
    current: dict[str, Entry] = field(default_factory=dict)
    _last: bytes = b""
    _time: int | None = None

    def begin(self) -> None:
        """Begin the next layer."""
        self.lower |= self.current
        self.current = {}
        self._last = b""

    def add(self, entry: Entry) -> Iterator[str]:
        """Add an entry of the current layer; give what is wrong with it."""
        key = sort_key(entry.path)
        if key < self._last:
            yield "is out of order"
        self._last = key
        self._time = entry.mtime if self._time is None else self._time
        if entry.mtime != self._time:
            yield f"has another time than what was before it: {entry.mtime}, not {self._time}"
        above, slash, name = entry.path.rpartition("/")
        folder = self.current.get(above) or self.lower.get(above)
        if slash and (folder is None or folder.kind is not Kind.DIRECTORY):
            yield "comes before its folder" if folder is None else "is in something that is no folder"
        if name.startswith(_WHITEOUT) and not self.overlaps:
            yield "hides what a lower layer has"
        yield from self._lower(entry)
        self.current[entry.path] = entry

    def _lower(self, entry: Entry) -> Iterator[str]:
        lower = self.lower.get(entry.path)
        if lower is None or self.overlaps:
            return
        if entry.kind is not Kind.DIRECTORY or lower.kind is not Kind.DIRECTORY:
            yield "is in a lower layer too"
        elif (entry.mode, entry.uid, entry.gid, entry.xattrs) != (lower.mode, lower.uid, lower.gid, lower.xattrs):
            yield "is a folder with another mode or owner than in a lower layer"
