"""An image's layers, one above the other: tar archives in, what is there in the end and what lies hidden below it out.

Nothing is laid out by name: each layer's archive is kept as it is, in a file without a name, and the bytes of files are
read from there when they are asked for. Source: OCI image-spec 1.1, layer.md "Applying Changesets" and "Whiteouts".
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace

from distroless_rules.errors import FormatError, StorageError
from distroless_rules.oci.opened import Opened
from distroless_rules.oci.window import Window
from distroless_rules.tar import reader as tar
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Hidden", "Layers", "Tally"]

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_RESERVED = ".wh..wh."
_MAX_LINKS = 40  # as Linux has it, path_resolution(7)
_MAX_PATHS = 1_000_000  # in all layers together; ten times what large images have

Place = tuple[str, int]
"""Where the bytes of a file are: the layer's diff ID, hexadecimal, and the offset in its archive."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A file whose bytes are in the image, and that no program can see.

    Attributes:
        path: where it was.
        size: its bytes.
        layer: the layer that has it.
        by: the layer that replaced or deleted it.
        entry: what it was, by which its bytes are read.
    """

    path: str
    size: int
    layer: int
    by: int
    entry: Entry = field(default=Entry("", Kind.FILE, 0), compare=False, repr=False)


@dataclass(slots=True)
class Tally:
    """What one layer brings.

    Attributes:
        entries: how many paths it names.
        size: bytes of its files.
        whiteouts: how many paths it deletes.
        hidden: bytes of its files that later layers hide.
    """

    entries: int = 0
    size: int = 0
    whiteouts: int = 0
    hidden: int = 0


@dataclass(slots=True)
class _Node:
    entry: Entry
    layer: int
    children: dict[str, _Node] | None = None

    @property
    def folder(self) -> bool:
        return self.entry.kind is Kind.DIRECTORY


def _folder(entry: Entry, layer: int) -> _Node:
    return _Node(entry, layer, {})


@dataclass
class Layers(AbstractContextManager["Layers"]):
    """All layers of an image; closing it takes the copies of their archives away.

    Attributes:
        entries: path -> what is there in the end; hard links are files of their own with the same place.
        layer_of: path -> the layer that brought it.
        tallies: what each layer brings.
        hidden: files that lie hidden, the largest first.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    layer_of: dict[str, int] = field(default_factory=dict)
    tallies: list[Tally] = field(default_factory=list)
    hidden: list[Hidden] = field(default_factory=list)
    _archives: dict[str, int] = field(default_factory=dict)
    _held: dict[Place, bytes] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __exit__(self, *_: object) -> None:
        """Close the archives."""
        self._stack.close()

    @staticmethod
    def read(image: Opened, hold: Callable[[str], bool] | None = None) -> Layers:
        """Read every layer.

        Args:
            image: the image.
            hold: of files at which paths the bytes are held in memory; those of others cannot be asked for then, and
                no layer's archive is kept. None: all archives are kept.

        Raises:
            FormatError: if one is damaged, malformed or hostile, or they hold more than a million paths.
            StorageError: if there is no room for their archives.
        """
        layers = Layers()
        merged = _Merged()
        try:
            for number in range(len(image.layers)):
                tally = Tally()
                for entry in layers._entries(image, number, hold):
                    merged.apply(entry, number, tally)
                layers.tallies.append(tally)
            merged.flatten(layers.entries, layers.layer_of)
            if hold is not None:
                layers._hold_linked(image, hold)
        except OSError as error:
            layers._stack.close()
            raise StorageError("keep the layers of an image", error.strerror or str(error)) from error
        except BaseException:
            layers._stack.close()
            raise
        layers.hidden = merged.hidden(layers.entries)
        for each in layers.hidden:
            layers.tallies[each.layer].hidden += each.size
        return layers

    def _entries(self, image: Opened, number: int, hold: Callable[[str], bool] | None) -> Iterator[Entry]:
        if hold is None:
            return self._keep(image, number)
        return self._hold(image, number, lambda entry: hold(entry.path))

    def _hold_linked(self, image: Opened, hold: Callable[[str], bool]) -> None:
        """Hold files that have a name to be held by a hard link only: their layers are read once more."""
        files = (entry for path, entry in self.entries.items() if entry.kind is Kind.FILE and hold(path))
        missing = {(entry.source, entry.offset) for entry in files} - self._held.keys()
        sources = {source for source, _ in missing}
        for number, layer in enumerate(image.layers):
            if layer.diff_id.partition(":")[2] in sources:
                for _ in self._hold(image, number, lambda entry: (entry.source, entry.offset) in missing):
                    pass

    def _keep(self, image: Opened, number: int) -> Iterator[Entry]:
        """Keep a layer's archive, and give its entries."""
        layer = image.layers[number]
        source = layer.diff_id.partition(":")[2]
        file = self._stack.enter_context(tempfile.TemporaryFile()).fileno()  # noqa: SIM115 - the stack closes it
        self._archives[source] = file

        def pieces() -> Iterator[bytes]:
            for piece in image.pieces(number):
                view = memoryview(piece)
                while view:
                    view = view[os.write(file, view) :]
                yield piece

        return tar.entries(pieces(), f"layer {layer.blob}", source, devices=True)

    def _hold(self, image: Opened, number: int, hold: Callable[[Entry], bool]) -> Iterator[Entry]:
        """Give a layer's entries, and hold the bytes of some files."""
        layer = image.layers[number]
        source = layer.diff_id.partition(":")[2]
        window = Window(image.pieces(number))
        for entry in tar.entries(window, f"layer {layer.blob}", source, devices=True):
            if entry.kind is Kind.FILE and hold(entry):
                self._held[(source, entry.offset)] = window.bytes_at(entry.offset, entry.size)
            yield entry

    def bytes_of(self, entry: Entry, size: int = -1) -> bytes:
        """Give the first ``size`` bytes of a file, all of them if it has fewer or ``size`` is negative.

        Raises:
            OSError: if they cannot be read.
        """
        wanted = entry.size if size < 0 else min(size, entry.size)
        return b"".join(self._pieces(entry, wanted))

    def pieces_of(self, entry: Entry) -> Iterator[bytes]:
        """Give the bytes of a file a MiB at a time.

        Raises:
            OSError: if they cannot be read.
        """
        return self._pieces(entry, entry.size)

    def _pieces(self, entry: Entry, wanted: int) -> Iterator[bytes]:
        at = entry.offset
        if (held := self._held.get((entry.source, at))) is not None:
            yield held[:wanted]
            return
        while wanted:
            data = os.pread(self._archives[entry.source], min(wanted, 1 << 20), at)
            if not data:
                raise OSError(f'the archive of "/{entry.path}" ends before it does')
            yield data
            at, wanted = at + len(data), wanted - len(data)


class _Merged:
    """The layers applied so far."""

    def __init__(self) -> None:
        self._top = _folder(Entry.directory(""), 0)
        self._stored: dict[Place, Hidden] = {}
        self._gone: dict[Place, int] = {}
        self._real: dict[str, tuple[str, _Node]] = {}
        self._paths = 0

    def apply(self, entry: Entry, number: int, tally: Tally) -> None:
        """Apply one entry of layer ``number``."""
        self._paths += 1
        if self._paths > _MAX_PATHS:
            raise FormatError("read the layers of an image", f"they hold more than {_MAX_PATHS} paths")
        if not entry.path:
            self._top.entry = entry
            return
        above, _, name = entry.path.rpartition("/")
        if name.startswith(_WHITEOUT):
            self._whiteout(entry.path, above, name, number, tally)
            return
        tally.entries += 1
        real, parent = self._parent(above, number)
        assert parent.children is not None
        path = f"{real}/{name}" if real else name
        there = parent.children.get(name)
        if there is not None and there.folder and entry.kind is Kind.DIRECTORY:
            there.entry, there.layer = entry.moved(path), number
            return
        if there is not None:
            self._remove(there, number)
        made = self._linked(entry, path) if entry.kind is Kind.HARDLINK else entry
        if made.kind is Kind.FILE and made is entry:
            tally.size += entry.size
            self._stored[(entry.source, entry.offset)] = Hidden(path, entry.size, number, number, entry)
        made = made if made.path == path else made.moved(path)
        parent.children[name] = _Node(made, number, {} if made.kind is Kind.DIRECTORY else None)

    def _whiteout(self, path: str, above: str, name: str, number: int, tally: Tally) -> None:
        hidden = name[len(_WHITEOUT) :]
        if hidden in ("", ".", ".."):
            raise FormatError(f'read "/{path}"', "it is a whiteout of nothing")
        if name.startswith(_RESERVED) and name != _OPAQUE:
            return
        tally.whiteouts += 1
        parent = self._parent(above, number)[1]
        self._real.clear()
        assert parent.children is not None
        if name == _OPAQUE:
            self._hide_below(parent, number)
            return
        child = parent.children.get(hidden)
        if child is not None and self._hide(child, number):
            del parent.children[hidden]

    def _hide(self, node: _Node, number: int) -> bool:
        """Take away what layers below have of a path; say whether nothing of it is left, as ``number`` has none."""
        if node.layer < number:
            self._remove(node, number)
            return True
        if node.folder:
            self._hide_below(node, number)
        return False

    def _hide_below(self, folder: _Node, number: int) -> None:
        stack = [folder]
        while stack:
            children = stack.pop().children or {}
            for name, child in list(children.items()):
                if child.layer < number:
                    self._remove(child, number)
                    del children[name]
                elif child.folder:
                    stack.append(child)

    def _remove(self, node: _Node, number: int) -> None:
        self._real.clear()
        stack = [node]
        while stack:
            at = stack.pop()
            if at.entry.kind is Kind.FILE:
                self._gone[(at.entry.source, at.entry.offset)] = number
            stack.extend((at.children or {}).values())

    def _linked(self, entry: Entry, path: str) -> Entry:
        above, _, name = entry.target.rpartition("/")
        folder = self._find(above)
        node = (folder[1].children or {}).get(name) if folder else None
        if node is None or node.entry.kind is not Kind.FILE:
            raise FormatError(f'read "/{entry.path}"', f'it is a hard link to "/{entry.target}", which is no file')
        return replace(node.entry, path=path)

    def _find(self, path: str) -> tuple[str, _Node] | None:
        return self._walk(path, -1)

    def _parent(self, path: str, number: int) -> tuple[str, _Node]:
        """Give the folder at a path, made where it is not there; everything on the way is of this layer too."""
        known = self._real.get(path)
        if known is not None and known[1].layer == number:
            return known
        found = self._walk(path, number)
        if found is None or not found[1].folder:
            raise FormatError(f'read "/{path}"', "it lies beneath something that is no folder")
        self._real[path] = found
        return found

    def _walk(self, path: str, layer: int) -> tuple[str, _Node] | None:
        """Follow a path and its links; with a layer, folders that are not there are made."""
        waiting = path.split("/")[::-1]
        at: list[tuple[str, _Node]] = [("", self._top)]
        links = 0
        while waiting:
            name = waiting.pop()
            real, node = at[-1]
            if name in ("", "."):
                continue
            if name == "..":
                at = at[:-1] or at
                continue
            if node.children is None:
                return None
            below = f"{real}/{name}" if real else name
            child = node.children.get(name)
            if child is None:
                if layer < 0:
                    return None
                child = node.children[name] = _folder(Entry.directory(below), layer)
            if child.entry.kind is Kind.SYMLINK:
                links += 1
                if links > _MAX_LINKS or len(waiting) > _MAX_LINKS * 4096:
                    return None
                at = at[:1] if child.entry.target.startswith("/") else at
                waiting.extend(child.entry.target.split("/")[::-1])
                continue
            child.layer = max(child.layer, layer)
            at.append((below, child))
        if layer >= 0:
            at[0][1].layer = max(at[0][1].layer, layer)
        return at[-1]

    def flatten(self, entries: dict[str, Entry], layer_of: dict[str, int]) -> None:
        """Write what is there in the end, in the order of paths."""
        found: list[tuple[str, _Node]] = []
        stack = [("", self._top)]
        while stack:
            at, node = stack.pop()
            if at:
                found.append((at, node))
            stack.extend((f"{at}/{name}" if at else name, child) for name, child in (node.children or {}).items())
        for path, node in sorted(found, key=lambda each: each[0].encode("utf-8", "surrogateescape")):
            entries[path], layer_of[path] = node.entry, node.layer

    def hidden(self, entries: dict[str, Entry]) -> list[Hidden]:
        """Give files that are stored and not there in the end."""
        seen = {(entry.source, entry.offset) for entry in entries.values() if entry.kind is Kind.FILE}
        lost = [replace(each, by=self._gone.get(at, each.by)) for at, each in self._stored.items() if at not in seen]
        return sorted((each for each in lost if each.size), key=lambda each: (-each.size, each.path))
