"""The inputs of ``Facts``, ``Mentions`` and ``Checksums`` as entries whose bytes can be read.

Inputs: ``index`` and ``tree`` of a deb; or ``tree`` alone, a tree's archive; or ``file/<n>``. Parameter ``paths``:
what each ``file/<n>`` is called in the image.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from mmap import ACCESS_READ, mmap

from distroless_rules.deb import package
from distroless_rules.errors import FormatError
from distroless_rules.tar import reader as tar
from distroless_rules.tools.tool import InputFile, Workbench
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Files"]

_PIECE = 1 << 20


class Files(ExitStack):
    """The files of a deb, of a tree, or such as are named one by one."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench = bench
        self._inputs = {file.digest.hash: file for file in bench.inputs.values()}
        self._descriptors: dict[str, int] = {}
        self._mapped: dict[str, memoryview] = {}

    def entries(self) -> Iterator[Entry]:
        """Give every file, at its path where that is known."""
        inputs = self._bench.inputs
        if "index" in inputs:
            yield from package.loads(inputs["index"].path.read_bytes()).entries
        elif "tree" in inputs:
            with inputs["tree"].path.open("rb") as file:
                yield from tar.read(file, inputs["tree"].digest.hash)
        else:
            for name, path in self._bench.parameters["paths"].items():
                digest = inputs[name].digest
                yield Entry(path.strip("/"), Kind.FILE, 0, size=digest.size, sha256=digest.hash, source=digest.hash)

    def read(self, entry: Entry, size: int) -> bytes:
        """Give the first ``size`` bytes of a file, all of it if it has fewer."""
        wanted = min(size, entry.size)
        data = self._part(entry, 0, wanted)
        while len(data) < wanted:  # Linux reads at most 2 GiB at a time
            data += self._part(entry, len(data), wanted - len(data))
        return data

    def pieces(self, entry: Entry) -> Iterator[bytes]:
        """Give the bytes of a file, a piece at a time."""
        at = 0
        while at < entry.size:
            piece = self._part(entry, at, min(_PIECE, entry.size - at))
            yield piece
            at += len(piece)

    def _part(self, entry: Entry, start: int, size: int) -> bytes:
        self._bench.check()
        data = os.pread(self._descriptor(entry.source), size, entry.offset + start)
        if size and not data:
            raise FormatError(f'read "/{entry.path}"', "its archive ends before it does")
        return data

    def whole(self, entry: Entry) -> memoryview:
        """Give a file as it is mapped into memory; it is not to be used after this."""
        self._bench.check()
        known = self._mapped.get(entry.source)
        if known is None:
            known = self._mapped[entry.source] = self._map(self._descriptor(entry.source))
        return known[entry.offset : entry.offset + entry.size]

    def _map(self, descriptor: int) -> memoryview:
        if not os.fstat(descriptor).st_size:  # which cannot be mapped
            return memoryview(b"")
        return memoryview(mmap(descriptor, 0, access=ACCESS_READ))

    def _descriptor(self, source: str) -> int:
        known = self._descriptors.get(source)
        if known is None:
            file: InputFile | None = self._inputs.get(source)
            if file is None:
                raise FormatError("read files", f"no input has the SHA-256 {source[:12]}")
            known = self._descriptors[source] = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
            self.callback(os.close, known)
        return known
