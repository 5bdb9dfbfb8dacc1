"""Folders that an engine says a command left: ``Tree`` or ``Directory`` messages in, a checked model of paths out.

Nothing in it is believed but digests, against which bytes are checked when they come: names are single and normal,
each occurs once, every folder that is named is there, and however small a message, what it stands for is bounded.
Source: remote_execution.proto, "Tree", "Directory".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from distroless_rules.errors import FormatError
from distroless_rules.execution.declared import Found, What
from distroless_rules.storage import wire
from distroless_rules.storage.messages import Directory, DirectoryNode, FileNode, Tree
from distroless_rules.values.digest import Digest
from distroless_rules.values.path import MAX_PATH_BYTES, encode

__all__ = ["MAX_TREE", "Node", "join", "read"]

MAX_TREE = 64 << 20  # bytes of a message; 500,000 files have as much
_MAX_NODES = 500_000  # in a folder with all below it
_DOING = "read the folder that an engine sent"


@dataclass(frozen=True, slots=True)
class Node:
    """Something in a folder.

    Attributes:
        what: what it is.
        digest: of a file its bytes.
        executable: of a file whether it can be executed.
        target: of a link what it says.
    """

    what: What
    digest: Digest | None = None
    executable: bool = False
    target: str = ""

    def found(self, path: str) -> Found:
        """Say that it was found at a path."""
        return Found(path, self.what, self.target)


def read(data: bytes) -> dict[str, Node]:
    """Give what is in a folder: path -> node, each folder before what is in it; the folder itself is ``""``.

    Raises:
        FormatError: if it is no message, a name or target is none, a folder is lacking, or it holds too much.
    """
    tree = wire.decode(Tree, data)
    if tree.root is None:
        raise FormatError(_DOING, "it has no root")
    return _model(tree.root, _by_digest(tree.children))


def join(root: Digest, folders: Iterable[Directory]) -> dict[str, Node]:
    """Give what is in a folder, of its own message and those of all folders below it, in any order.

    Args:
        root: the digest of the folder's message.
        folders: the messages; others among them count for nothing.

    Returns:
        What ``read`` gives.

    Raises:
        FormatError: as ``read`` does, and if the folder's own message is lacking.
    """
    below = _by_digest(folders)
    if root not in below:
        raise FormatError(_DOING, "it has no root")
    return _model(below[root], below)


def _by_digest(folders: Iterable[Directory]) -> dict[Digest, Directory]:
    return {Digest.of(wire.encode(folder)): folder for folder in folders}


def _model(root: Directory, below: Mapping[Digest, Directory]) -> dict[str, Node]:
    nodes: dict[str, Node] = {"": Node(What.FOLDER)}
    rest = [("", root)]
    while rest:
        at, folder = rest.pop()
        for name, node, digest in _nodes(folder):
            path = f"{at}/{name}" if at else name
            if path in nodes:
                raise FormatError(_DOING, f'it has "{path}" twice')
            if len(nodes) >= _MAX_NODES:
                raise FormatError(_DOING, f"it has more than {_MAX_NODES} entries")
            if len(encode(path)) > MAX_PATH_BYTES:
                raise FormatError(_DOING, f'the path "{path[:60]}..." is longer than {MAX_PATH_BYTES} bytes')
            nodes[path] = node
            if digest is not None:
                if digest not in below:
                    raise FormatError(_DOING, f'the folder "{path}" is not in it')
                rest.append((path, below[digest]))
    return nodes


def _nodes(folder: Directory) -> Iterator[tuple[str, Node, Digest | None]]:
    """Give what a message has: name, node, and of a folder its digest."""
    for file in folder.files:
        yield _name(file.name), Node(What.FILE, _digest(file), file.is_executable), None
    for below in folder.directories:
        yield _name(below.name), Node(What.FOLDER), _digest(below)
    for link in folder.symlinks:
        if not link.target or "\0" in link.target or len(encode(link.target)) >= MAX_PATH_BYTES:
            raise FormatError(_DOING, f'the link "{link.name[:100]}" leads nowhere')
        yield _name(link.name), Node(What.LINK, target=link.target), None


def _name(name: str) -> str:
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise FormatError(_DOING, f'"{name[:100]}" is no name')
    return name


def _digest(node: FileNode | DirectoryNode) -> Digest:
    if node.digest is None:
        raise FormatError(_DOING, f'"{node.name[:100]}" has no digest')
    return node.digest
