"""A workbench in memory: what a tool is given, and what it made."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from distroless_rules.tools.tool import InputFile, Tool
from distroless_rules.values.digest import Digest

__all__ = ["Bench", "Buffer", "map_on", "perform"]

T = TypeVar("T")
R = TypeVar("R")


class Buffer:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.data += data

    @property
    def digest(self) -> Digest:
        return Digest.of(bytes(self.data))


def map_on(threads: int) -> Callable[[Callable[[T], R], Iterable[T]], Iterator[R]]:
    """Give a map over real threads that reads few items ahead."""

    def run(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        source, ahead = iter(items), deque()  # type: ignore[var-annotated]
        with ThreadPoolExecutor(threads) as pool:
            while True:
                ahead.extend(pool.submit(function, item) for item in itertools.islice(source, 2 * threads - len(ahead)))
                if not ahead:
                    return
                yield ahead.popleft().result()

    return run


class Bench:
    """Implements ``tools.tool.Workbench``; inputs are bytes, kept below ``folder``, or files."""

    def __init__(
        self, parameters: Mapping[str, Any], inputs: Mapping[str, bytes | Path], folder: Path, threads: int = 2
    ) -> None:
        self.parameters = parameters
        self.inputs = {name: _input(folder, inputs[name]) for name in sorted(inputs)}
        self.outputs: dict[str, bytes] = {}
        self.map = map_on(threads)

    @contextmanager
    def output(self, name: str) -> Iterator[Buffer]:
        assert name not in self.outputs, f"{name} is written twice"
        buffer = Buffer()
        yield buffer
        self.outputs[name] = bytes(buffer.data)


def perform(
    tool: Tool, folder: Path, inputs: Mapping[str, bytes | Path], parameters: Mapping[str, Any], threads: int = 2
) -> dict[str, bytes]:
    """Let a tool do its work; give its outputs by name."""
    bench = Bench(parameters, inputs, folder, threads)
    tool.perform(bench)
    return bench.outputs


def _input(folder: Path, given: bytes | Path) -> InputFile:
    digest = Digest.of(given.read_bytes() if isinstance(given, Path) else given)
    if isinstance(given, Path):
        return InputFile(given, digest)
    path = folder / digest.hash
    path.write_bytes(given)
    return InputFile(path, digest)
