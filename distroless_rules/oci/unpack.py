"""Root file systems on disk: an image in, a folder with what its layers hold out, and a model of it.

A path is never left to the kernel to resolve: the model knows every folder and link that was made, so that each path
that is opened consists of real folders alone. Nobody else writes to the folder, which is the caller's own. Source: OCI
image-spec 1.1, layer.md "Applying Changesets" and "Whiteouts".
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from distroless_rules.errors import FormatError, StorageError
from distroless_rules.oci import layer_reader, layout
from distroless_rules.oci.layout import Image
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Node", "Root", "unpack"]

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_MAX_LINKS = 40  # as Linux has it, path_resolution(7)


@dataclass(slots=True)
class Node:
    """One path of a root file system.

    Attributes:
        entry: what it is; its path is the one that the layer wrote.
        layer: the last layer that made it, or made something in it.
        children: of a folder what is in it, by name.
    """

    entry: Entry
    layer: int
    children: dict[str, Node] = field(default_factory=dict)

    @property
    def folder(self) -> bool:
        """Whether it is a folder."""
        return self.entry.kind is Kind.DIRECTORY


class Root:
    """A root file system: a folder on disk and the model of what is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.top = Node(Entry.directory(""), 0)

    def path(self, real: str) -> str:
        """Give where a path of real folders is on this machine."""
        return f"{self.folder}/{real}" if real else str(self.folder)

    def find(self, path: str) -> tuple[str, Node] | None:
        """Follow a path and its links; give the path that it comes to, and what is there; None if nothing is."""
        return self._walk(path, -1)

    def make_folder(self, path: str, layer: int = -1) -> tuple[str, Node]:
        """Follow a path and its links, making the folders that are not there; give where it comes to.

        Raises:
            FormatError: if there is a file on the way, or links that go round.
        """
        found = self._walk(path, layer, make=True)
        if found is None or not found[1].folder:
            raise FormatError(f'unpack "/{path}"', "it lies beneath something that is no folder")
        return found

    def read(self, path: str, limit: int) -> bytes:
        """Give at most ``limit`` bytes of a file; none if there is no such file."""
        found = self.find(path)
        if found is None or found[1].entry.kind is not Kind.FILE:
            return b""
        with open(os.open(self.path(found[0]), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as stream:
            return stream.read(limit)

    def _walk(self, path: str, layer: int, *, make: bool = False) -> tuple[str, Node] | None:
        waiting = path.split("/")[::-1]
        at: list[tuple[str, Node]] = [("", self.top)]
        links = 0
        while waiting:
            name = waiting.pop()
            real, node = at[-1]
            if name in ("", "."):
                continue
            if name == "..":
                at = at[:-1] or at
                continue
            if not node.folder:
                return None
            child = node.children.get(name)
            below = f"{real}/{name}" if real else name
            if child is None:
                if not make:
                    return None
                child = node.children[name] = Node(Entry.directory(below), layer)
                os.mkdir(self.path(below), 0o700)
                os.chmod(self.path(below), 0o755)  # noqa: S103 - as the model says, whatever the umask
            if child.entry.kind is Kind.SYMLINK:
                links += 1
                if links > _MAX_LINKS or len(waiting) > _MAX_LINKS * 4096:
                    return None
                at = at[:1] if child.entry.target.startswith("/") else at
                waiting.extend(child.entry.target.split("/")[::-1])
                continue
            child.layer = max(child.layer, layer)
            at.append((below, child))
        return at[-1]


def unpack(image: Image, folder: Path) -> Root:
    """Unpack an image.

    Owners are set when this is run by root; otherwise everything belongs to who runs it.

    Args:
        image: the image, its documents checked.
        folder: an empty folder that nobody else can write to.

    Raises:
        FormatError: if a layer is damaged, malformed or hostile.
        StorageError: if the folder cannot be written.
    """
    root = Root(folder)
    try:
        with tempfile.TemporaryFile(dir=folder.parent) as plain:
            for number, (layer, diff_id) in enumerate(zip(image.manifest.layers, image.config.diff_ids, strict=True)):
                plain.seek(0)
                plain.truncate()
                pieces = layer_reader.pieces(layout.blob(image.folder, layer.digest), layer, diff_id)
                entries = layer_reader.entries(_tee(pieces, plain.fileno()), layer)
                _Layer(root, number, plain.fileno()).apply(entries)
        _finish(root)
    except OSError as error:
        raise StorageError(f'unpack an image to "{folder}"', error.strerror or str(error)) from error
    return root


def _tee(pieces: Iterator[bytes], file: int) -> Iterator[bytes]:
    """Keep the archive on disk, so that the bytes of files can be taken from there."""
    for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[os.write(file, view) :]
        yield piece


class _Layer:
    """One layer, applied to what the layers below it left."""

    def __init__(self, root: Root, number: int, plain: int) -> None:
        self._root = root
        self._number = number
        self._plain = plain

    def apply(self, entries: Iterator[Entry]) -> None:
        for entry in entries:
            if not entry.path:
                self._root.top.entry = entry
                continue
            above, _, name = entry.path.rpartition("/")
            real, parent = self._root.make_folder(above, self._number)
            if name == _OPAQUE:
                self._hide_all(real, parent)
            elif name.startswith(_WHITEOUT):
                hidden = name[len(_WHITEOUT) :]
                if hidden in ("", ".", ".."):
                    raise FormatError(f'unpack "/{entry.path}"', "it is a whiteout of nothing")
                self._hide(real, parent, hidden)
            else:
                self._put(entry, f"{real}/{name}" if real else name, parent, name)

    def _put(self, entry: Entry, real: str, parent: Node, name: str) -> None:
        there = parent.children.get(name)
        if there is not None and there.folder and entry.kind is Kind.DIRECTORY:
            there.entry, there.layer = entry, self._number
            return
        if there is not None:
            self._remove(real, there)
        self._make(entry, self._root.path(real))
        kind = entry if entry.kind is not Kind.HARDLINK else self._linked(entry)
        parent.children[name] = Node(kind, self._number)

    def _make(self, entry: Entry, path: str) -> None:
        if entry.kind is Kind.DIRECTORY:
            os.mkdir(path, 0o700)
        elif entry.kind is Kind.SYMLINK:
            os.symlink(entry.target, path)
            _own(entry, path)
        elif entry.kind is Kind.HARDLINK:
            target, _ = self._target(entry)
            os.link(self._root.path(target), path, follow_symlinks=False)
        else:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(path, flags, 0o600)
            try:
                _copy(self._plain, file, entry)
            finally:
                os.close(file)
            _own(entry, path)

    def _linked(self, entry: Entry) -> Entry:
        return self._target(entry)[1].entry

    def _target(self, entry: Entry) -> tuple[str, Node]:
        above, _, name = entry.target.rpartition("/")
        folder = self._root.find(above)
        node = folder[1].children.get(name) if folder else None
        if folder is None or node is None or node.entry.kind is not Kind.FILE:
            raise FormatError(f'unpack "/{entry.path}"', f'it is a hard link to "/{entry.target}", which is no file')
        return f"{folder[0]}/{name}" if folder[0] else name, node

    def _hide(self, real: str, parent: Node, name: str) -> None:
        """Take away what layers below have at a path; what this layer has there stays, whatever the order."""
        child = parent.children.get(name)
        below = f"{real}/{name}" if real else name
        if child is None:
            return
        if child.layer < self._number:
            self._remove(below, child)
            del parent.children[name]
        elif child.folder:
            self._hide_all(below, child)

    def _hide_all(self, real: str, folder: Node) -> None:
        stack = [(real, folder)]
        while stack:
            at, node = stack.pop()
            for name, child in list(node.children.items()):
                below = f"{at}/{name}" if at else name
                if child.layer < self._number:
                    self._remove(below, child)
                    del node.children[name]
                elif child.folder:
                    stack.append((below, child))

    def _remove(self, real: str, node: Node) -> None:
        """Take something off the disk, what is in it first; without recursion, since trees can be deep."""
        order = [(real, node)]
        for at, found in order:
            order.extend((f"{at}/{name}", child) for name, child in found.children.items())
        for at, found in reversed(order):
            path = self._root.path(at)
            if found.folder:
                os.rmdir(path)
            else:
                os.unlink(path)


def _copy(source: int, file: int, entry: Entry) -> None:
    at, left = entry.offset, entry.size
    while left:
        count = os.sendfile(file, source, at, left)
        if not count:
            raise FormatError(f'unpack "/{entry.path}"', "the layer ends within it")
        at, left = at + count, left - count


def _own(entry: Entry, path: str) -> None:
    """Give a path its owner, permissions, attributes and time, in the order in which none undoes another."""
    if os.geteuid() == 0:
        os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
    if entry.kind is not Kind.SYMLINK:
        os.chmod(path, entry.mode)
    if os.geteuid() == 0:
        for name, value in entry.xattrs:
            os.setxattr(path, name, bytes.fromhex(value), follow_symlinks=False)
    os.utime(path, (entry.mtime, entry.mtime), follow_symlinks=False)


def _finish(root: Root) -> None:
    """Give folders what is theirs; until now they could be written to."""
    order = [("", root.top)]
    for at, node in order:
        order.extend((f"{at}/{name}" if at else name, child) for name, child in node.children.items() if child.folder)
    for at, node in reversed(order):
        _own(node.entry, root.path(at))
