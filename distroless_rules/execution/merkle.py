"""Folders as Merkle trees, as the Remote Execution API has them: paths and digests in, ``Directory`` messages out.

A ``Builder`` takes files, links, folders and whole trees that are known by their roots; sealing it gives the messages
of the folders that are its own, and nothing of the trees is looked at. Files are told apart by bytes and by whether
they can be executed; each has 0 as its time, as in our own sandbox. Source: remote_execution.proto, "Directory",
"FileNode", "SymlinkNode".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from distroless_rules.errors import FormatError
from distroless_rules.storage import wire
from distroless_rules.storage.messages import (
    Directory,
    DirectoryNode,
    FileNode,
    NodeProperties,
    SymlinkNode,
    Timestamp,
    Tree,
)
from distroless_rules.values.digest import Digest
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Builder", "Merkle", "of_entries"]

_AT_REST = NodeProperties(mtime=Timestamp())  # engines that know no times leave it out of account

_Leaf = FileNode | SymlinkNode | DirectoryNode
_Folder = dict[str, "_Folder | _Leaf"]


@dataclass(frozen=True, slots=True)
class Merkle:
    """A folder with everything below it.

    Attributes:
        root: the digest of its ``Directory``.
        directories: digest -> the bytes of each ``Directory``, the root's among them.
        files: the digests of all files' bytes.
    """

    root: Digest
    directories: Mapping[Digest, bytes]
    files: frozenset[Digest]

    def top(self) -> Directory:
        """Give the root's message."""
        return _directory(self.directories[self.root])

    def tree(self) -> bytes:
        """Write it as a ``Tree`` message, children by their digests."""
        children = (data for digest, data in sorted(self.directories.items()) if digest != self.root)
        top = self.directories[self.root]
        return b"".join([b"\x0a", wire.varint(len(top)), top, *(_child(data) for data in children)])

    @staticmethod
    def load(data: bytes) -> Merkle:
        """Read a ``Tree`` message; folders that it lacks are not looked for.

        Raises:
            FormatError: if it is none.
        """
        tree = wire.decode(Tree, data)
        if tree.root is None:
            raise FormatError("read a Tree message", "it has no root")
        top = wire.encode(tree.root)
        directories = {Digest.of(top): top}
        for child in tree.children:
            written = wire.encode(child)
            directories[Digest.of(written)] = written
        files = (node.digest for each in (tree.root, *tree.children) for node in each.files)
        return Merkle(Digest.of(top), directories, frozenset(digest for digest in files if digest))


class Builder:
    """A folder that is put together; paths are relative and normal, and folders above them are made."""

    def __init__(self, top: Directory | None = None) -> None:
        self._root: _Folder = {}
        if top is not None:
            nodes: tuple[_Leaf, ...] = (*top.files, *top.directories, *top.symlinks)
            self._root.update((node.name, node) for node in nodes)

    def folder(self, path: str) -> None:
        """Have a folder at ``path``; what is in it already stays.

        Raises:
            FormatError: if something else stands there, or above it.
        """
        above, _, name = path.rpartition("/")
        if not path or not isinstance(self._folder(above).get(name), DirectoryNode):
            self._folder(path)

    def file(self, path: str, digest: Digest, executable: bool) -> None:
        """Put a file."""
        name = path.rpartition("/")[2]
        self._put(path, FileNode(name, digest, executable, _AT_REST))

    def link(self, path: str, target: str) -> None:
        """Put a symbolic link."""
        self._put(path, SymlinkNode(path.rpartition("/")[2], target))

    def graft(self, path: str, root: Digest) -> None:
        """Put a folder that is known by its digest."""
        self._put(path, DirectoryNode(path.rpartition("/")[2], root))

    def seal(self) -> Merkle:
        """Give the folder; the messages are those of folders that are not grafted.

        Raises:
            FormatError: if a name or a link's target is not Unicode.
        """
        directories: dict[Digest, bytes] = {}
        files: set[Digest] = set()
        return Merkle(_seal(self._root, directories, files), directories, frozenset(files))

    def _put(self, path: str, node: _Leaf) -> None:
        above, _, name = path.rpartition("/")
        folder = self._folder(above)
        if name in folder:
            raise FormatError(f'put "{path}" into a tree', "something stands there")
        folder[name] = node

    def _folder(self, path: str) -> _Folder:
        at = self._root
        for name in path.split("/") if path else ():
            below = at.get(name)
            if below is None or (isinstance(below, DirectoryNode) and below.digest == _EMPTY):
                below = at[name] = {}
            if not isinstance(below, dict):
                raise FormatError(f'make the folder "{path}" in a tree', f'"{name}" stands there')
            at = below
        return at


def of_entries(entries: Iterable[Entry]) -> Merkle:
    """Give the tree that some entries make, as ``execution.trees`` lays them out.

    Raises:
        FormatError: if a name or a link's target is not Unicode, or there is what no tree can hold.
    """
    builder = Builder()
    files: dict[str, tuple[Digest, bool]] = {}
    for entry in entries:
        if entry.kind is Kind.DIRECTORY:
            builder.folder(entry.path)
        elif entry.kind is Kind.SYMLINK:
            builder.link(entry.path, entry.target)
        elif entry.kind in (Kind.FILE, Kind.HARDLINK):
            if entry.kind is Kind.FILE:
                found = Digest(entry.sha256, entry.size), bool(entry.mode & 0o100)
            else:
                found = files[entry.target]
            files[entry.path] = found
            builder.file(entry.path, *found)
        else:
            raise FormatError(f'put "{entry.path}" into a tree', "it is a device or pipe")
    return builder.seal()


def _seal(folder: _Folder, directories: dict[Digest, bytes], files: set[Digest]) -> Digest:
    """Give the digest of a folder's message, and note those of all below it."""
    leaves: list[FileNode] = []
    below: list[DirectoryNode] = []
    links: list[SymlinkNode] = []
    for name in sorted(folder):
        node = folder[name]
        if isinstance(node, dict):
            below.append(DirectoryNode(name, _seal(node, directories, files)))
        elif isinstance(node, FileNode):
            leaves.append(node)
            if node.digest is not None:
                files.add(node.digest)
        elif isinstance(node, DirectoryNode):
            below.append(node)
        else:
            links.append(node)
    data = wire.encode(Directory(tuple(leaves), tuple(below), tuple(links)))
    digest = Digest.of(data)
    directories[digest] = data
    return digest


@lru_cache(maxsize=64)  # a thousand actions share a toolchain
def _directory(data: bytes) -> Directory:
    return wire.decode(Directory, data)


def _child(data: bytes) -> bytes:
    return b"\x12" + wire.varint(len(data)) + data


_EMPTY = Digest.of(b"")  # of a folder that holds nothing
