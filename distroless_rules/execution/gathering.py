"""What a run action left elsewhere: an engine's ``ActionResult`` in, its declared outputs in our store out.

The same outputs as ``collecting`` takes on this machine, byte by byte, and the same refusals. Each byte is checked
against its digest on its way into the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol

from distroless_rules.actions.action import Action
from distroless_rules.errors import FormatError
from distroless_rules.execution.declared import What, check_extra, check_kind, check_link, declared, refused
from distroless_rules.execution.layout import Layout
from distroless_rules.execution.output_trees import MAX_TREE, Node, join, read
from distroless_rules.storage.messages import ActionResult, Directory, OutputDirectory
from distroless_rules.storage.store import BlobStore
from distroless_rules.tar.writer import END, header, padding
from distroless_rules.values.digest import EMPTY, Digest
from distroless_rules.values.path import sort_key
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Source", "gather"]

_BATCH = 2 << 20  # bytes of small files that are held in memory
_SMALL = 1 << 20  # bytes of a file that is


class Source(Protocol):
    """Where an engine keeps bytes; they are checked against their digests."""

    def read(self, digests: Sequence[Digest]) -> Mapping[Digest, bytes]:
        """Give blobs, a few MiB in all.

        Raises:
            RemoteError: if it does not hold one of them, or cannot be asked.
        """

    def folders(self, root: Digest) -> Iterable[Directory]:
        """Give the messages of a folder and of those below it, in any order; they are not checked.

        Raises:
            RemoteError: if it does not hold one of them, cannot be asked, or gives more than ``MAX_TREE`` bytes.
        """

    def copy(self, digest: Digest, write: Callable[[bytes], object]) -> None:
        """Write a blob's bytes to ``write``; when this returns they were what the digest says.

        Raises:
            RemoteError: if it does not hold it, or cannot be asked.
        """


def gather(
    action: Action,
    layout: Layout,
    result: ActionResult,
    source: Source,
    store: BlobStore,
    check: Callable[[], None],
    log: str = "",
) -> dict[str, Digest]:
    """Take the outputs of an action that succeeded.

    Args:
        action: the action.
        layout: where its inputs and outputs were.
        result: what the engine says of it.
        source: has the bytes.
        store: takes them.
        check: called between files; raises ``Interrupted``.
        log: the name of the output that is no file which the command makes.

    Returns:
        The name of each output -> digest.

    Raises:
        ActionError: if a declared output is missing or is not what it was declared as, there is anything else, or a
            link leads out of a tree.
        FormatError: if what the engine says is malformed.
        RemoteError: if the engine does not give what it names.
        StorageError: if the store cannot take it.
    """
    outputs = declared(action, log)
    nodes = _nodes(action, layout, result, source)
    left = [path for path in nodes if not any(path.startswith(f"{output}/") for output in outputs)]
    check_extra(action, layout, outputs, (nodes[path].found(path) for path in left))
    for path, tree in outputs.items():
        node = nodes.get(path)
        check_kind(action, path, tree, node.what if node else None)
    files = [digest for path, tree in outputs.items() if not tree and (digest := nodes[path].digest)]
    _copy(store.missing(files), source, store, check)
    return {
        path: _pack(action, path, nodes, source, store, check) if tree else _digest(nodes[path])
        for path, tree in outputs.items()
    }


def _nodes(action: Action, layout: Layout, result: ActionResult, source: Source) -> dict[str, Node]:
    """Give all that was left: execution path -> node."""
    links = (*result.output_symlinks, *result.output_file_symlinks, *result.output_directory_symlinks)
    for path in (*(file.path for file in result.output_files), *(link.path for link in links)):
        raise refused(action, f'it made, undeclared, "{path}"')
    nodes: dict[str, Node] = {}
    for folder in result.output_directories:
        if folder.path not in layout.tops or folder.path in nodes:
            raise FormatError("read an engine's result", f'nobody asked for "{folder.path}"')
        for path, node in _inside(folder, source).items():
            nodes[f"{folder.path}/{path}" if path else folder.path] = node
    return nodes


def _inside(folder: OutputDirectory, source: Source) -> dict[str, Node]:
    """Give what is in a folder, which an engine says as one message, or by that of its root alone."""
    digest, root = folder.tree_digest, folder.root_directory_digest
    if digest is None and root is not None:
        return join(root, source.folders(root))
    if digest is None or digest.size > MAX_TREE:
        raise FormatError("read an engine's result", f"it gives no tree of at most {MAX_TREE} bytes")
    return read(source.read([digest])[digest])


def _pack(
    action: Action,
    path: str,
    nodes: Mapping[str, Node],
    source: Source,
    store: BlobStore,
    check: Callable[[], None],
) -> Digest:
    """Pack a folder into an archive; its links stay inside."""
    inside = {
        each[len(path) + 1 :]: node for each, node in nodes.items() if each == path or each.startswith(f"{path}/")
    }
    entries = []
    for name in sorted(inside, key=sort_key):
        node = inside[name]
        if node.what is What.LINK:
            check_link(action, path, name, node.target)
            entries.append(Entry.symlink(name, node.target))
        elif node.what is What.FILE:
            bits = 0o755 if node.executable else 0o644
            entries.append(Entry(name, Kind.FILE, bits, size=_digest(node).size))
        else:
            entries.append(Entry.directory(name))
    with store.sink() as sink:
        wanted = [_digest(inside[entry.path]) for entry in entries if entry.kind is Kind.FILE]
        bodies = _bodies(wanted, source)
        for entry in entries:
            check()
            sink.write(header(entry, 0))
            if entry.kind is Kind.FILE:
                next(bodies)(sink.write)
                sink.write(bytes(padding(entry.size)))
        sink.write(END)
    return sink.digest


def _bodies(digests: Sequence[Digest], source: Source) -> Iterator[Callable[[Callable[[bytes], object]], object]]:
    """Give for files in their order what writes their bytes; small ones come by the batch."""
    at = 0
    while at < len(digests):
        batch: list[Digest] = []
        size = 0
        for digest in digests[at:]:
            size += digest.size
            if digest.size > _SMALL or (batch and size > _BATCH):
                break
            batch.append(digest)
        if not batch:
            yield partial(source.copy, digests[at])
            at += 1
            continue
        found = source.read(list(dict.fromkeys(batch)))
        for digest in batch:
            yield partial(_write, found[digest])
        at += len(batch)


def _write(data: bytes, write: Callable[[bytes], object]) -> None:
    write(data)


def _copy(digests: set[Digest], source: Source, store: BlobStore, check: Callable[[], None]) -> None:
    """Bring blobs into the store."""
    wanted = sorted(digests)
    for digest, body in zip(wanted, _bodies(wanted, source), strict=True):
        check()
        with store.sink(digest) as sink:
            body(sink.write)


def _digest(node: Node) -> Digest:
    return node.digest or EMPTY
