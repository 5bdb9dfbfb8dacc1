"""The executor of tool actions: this program's own code, given declared inputs and held to declared outputs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from distroless_rules.actions.action import Action
from distroless_rules.errors import FormatError, InternalError
from distroless_rules.execution.pool import Pool
from distroless_rules.execution.supply import Supply
from distroless_rules.execution.trees import Trees
from distroless_rules.storage.store import ActionResult, BlobSink, BlobStore
from distroless_rules.tools.tool import InputFile, Sink, Tool
from distroless_rules.values.digest import Digest

__all__ = ["ToolExecutor"]

T = TypeVar("T")
R = TypeVar("R")


class ToolExecutor:
    """Performs actions by calling tools.

    Args:
        tools: mnemonic -> tool.
        supply: gives the inputs.
        store: takes the outputs.
        pool: the threads that tools share through ``Workbench.map``.
        trees: lays trees out.
    """

    def __init__(self, tools: Mapping[str, Tool], supply: Supply, store: BlobStore, pool: Pool, trees: Trees) -> None:
        self._tools = tools
        self._supply = supply
        self._store = store
        self._pool = pool
        self._trees = trees

    def version(self, action: Action) -> str:
        """Give the version of the action's tool."""
        return self._tool(action).version

    def prepare(self, action: Action) -> None:
        """Import the action's tool."""
        self._tool(action).prepare()

    def lookup(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult | None:
        """Know nothing without work."""
        return None

    def execute(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult:
        """Call the action's tool (see ``Executor.execute``).

        Raises:
            ActionError: if a source file changed meanwhile.
            MissingBlobError: if an input vanished from the store meanwhile.
            InternalError: if the tool did not make exactly the declared outputs.
        """
        tool = self._tool(action)
        self._supply.bring(action, inputs)
        begun = time.monotonic_ns()
        files = {named.name: self._supply.open(named.artifact, inputs[named.name]) for named in action.inputs}
        bench = _Bench(action, files, self._store, self._pool, self._trees)
        try:
            tool.perform(bench)
        except (OSError, FormatError):
            self._recheck(action, inputs)  # an input that is gone or other now is what the tool stumbled over
            raise
        self._recheck(action, inputs)
        outputs: dict[str, Digest] = {}
        for named in action.outputs:
            made = bench.made.get(named.name)
            if made is None:
                raise _fault(action, f'it did not make output "{named.name}"')
            outputs[named.name] = made
        return ActionResult(outputs, (time.monotonic_ns() - begun) // 1_000_000, tool.version)

    def _recheck(self, action: Action, inputs: Mapping[str, Digest]) -> None:
        for named in action.inputs:
            self._supply.recheck(named.artifact, inputs[named.name])

    def _tool(self, action: Action) -> Tool:
        tool = self._tools.get(action.mnemonic)
        if tool is None:
            raise _fault(action, "there is no such tool")
        return tool


class _Bench:
    """The workbench of one action (see ``tools.tool.Workbench``)."""

    def __init__(
        self, action: Action, files: Mapping[str, InputFile], store: BlobStore, pool: Pool, trees: Trees
    ) -> None:
        self._action = action
        self._files = files
        self._store = store
        self._pool = pool
        self._trees = trees
        self._parameters: Mapping[str, Any] = json.loads(action.parameters)
        self.open = {named.name for named in action.outputs}
        self.made: dict[str, Digest] = {}

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self._parameters

    @property
    def inputs(self) -> Mapping[str, InputFile]:
        return self._files

    @contextmanager
    def output(self, name: str) -> Iterator[Sink]:
        if name not in self.open:
            raise _fault(self._action, f'it opened output "{name}", which is not declared or was opened before')
        self.open.discard(name)
        with self._store.sink() as sink:
            yield _Output(sink, self._pool.check)
        self.made[name] = sink.digest

    def check(self) -> None:
        self._pool.check()

    def lay_out(self, name: str) -> Path:
        return self._trees.path(self._files[name].digest)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        return self._pool.map(function, items)


class _Output:
    """A sink that ends the tool when the build is interrupted."""

    def __init__(self, sink: BlobSink, check: Callable[[], None]) -> None:
        self._sink = sink
        self._check = check

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._check()
        self._sink.write(data)

    @property
    def digest(self) -> Digest:
        return self._sink.digest


def _fault(action: Action, cause: str) -> InternalError:
    return InternalError(f"perform {action.mnemonic} for {action.owner}", cause)
