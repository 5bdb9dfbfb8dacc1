"""What every executor must do. A new executor is one more line in ``EXECUTORS``."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from distroless_rules.actions.action import Action
from distroless_rules.errors import ActionError, DistrolessError, FormatError, InternalError, Interrupted
from distroless_rules.execution.cached import Cached
from distroless_rules.execution.executor import Executor
from distroless_rules.execution.key import key
from distroless_rules.execution.tool import ToolExecutor
from distroless_rules.execution.trees import Trees
from distroless_rules.storage.store import ActionResult, MissingBlobError, copy_in
from distroless_rules.tools.tool import Tool, Workbench
from distroless_rules.values.digest import EMPTY, Digest
from tests.support.memory import MemoryStore
from tests.support.workshop import JOIN, Open, Workshop, action, locked, source

Inputs = Mapping[str, Digest]


def _forgetful(parts: Open) -> Executor:
    """A cache that keeps results apart from blobs, as a server for one of them does."""
    return Cached(parts.executor, MemoryStore(), parts.store)


EXECUTORS: dict[str, Callable[[Mapping[str, Tool], Open], Executor]] = {
    "tool": lambda tools, parts: ToolExecutor(
        tools, parts.supply, parts.store, parts.pool, Trees(parts.store.root, parts.store)
    ),
    "cached": lambda tools, parts: parts.executor,
    "cached twice": lambda tools, parts: _forgetful(parts),
}


class Bench:
    """An executor under test, and the tools that it has: whatever ``tool`` is told."""

    def __init__(self, name: str, folder: Path) -> None:
        self.tools = {"Join": JOIN}
        self.shop = Workshop(folder, self.tools)
        self._context = self.shop.open()
        self.parts = self._context.__enter__()
        self.executor = EXECUTORS[name](self.tools, self.parts)

    def close(self) -> None:
        self._context.__exit__(None, None, None)

    def tool(self, perform: Callable[[Workbench], None]) -> None:
        self.tools["Tool"] = Tool("Tool", "1", perform)

    def run(self, what: Action, inputs: Inputs | None = None) -> ActionResult:
        return self.executor.execute(what, inputs or {})

    def read(self, digest: Digest) -> bytes:
        with self.parts.store.open(digest) as stream:
            return stream.read()

    def is_clean(self) -> bool:
        return os.listdir(self.shop.cache / "tmp") == []


@pytest.fixture(params=EXECUTORS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(request.param, tmp_path)
    yield made
    made.close()


def _write(bench: Workbench, name: str, data: bytes) -> None:
    with bench.output(name) as sink:
        sink.write(data)


def test_outputs_are_stored_under_their_names(bench: Bench) -> None:
    def two(tool: Workbench) -> None:
        _write(tool, "b", tool.inputs["in"].path.read_bytes() * 2)
        _write(tool, "a", tool.parameters["text"].encode())

    bench.tool(two)
    digest = copy_in(bench.parts.store, b"input")
    what = action("x", "Tool", {"in": locked("in", b"input")}, ("a", "b"), {"text": "hello"})
    result = bench.run(what, {"in": digest})
    assert result.outputs == {"a": Digest.of(b"hello"), "b": Digest.of(b"inputinput")}
    assert result.code == bench.executor.version(what) == "1"
    assert bench.read(result.outputs["b"]) == b"inputinput"
    assert not bench.parts.store.missing(result.outputs.values())


def test_a_tool_is_told_everything_and_in_order(bench: Bench) -> None:
    seen: list[object] = []

    def look(tool: Workbench) -> None:
        seen.extend([dict(tool.parameters), [(name, file.digest) for name, file in tool.inputs.items()]])
        _write(tool, "out", b"")

    bench.tool(look)
    digests = {name: copy_in(bench.parts.store, name.encode()) for name in ("b", "a", "c")}
    bench.run(
        action("x", "Tool", {n: locked(n, n.encode()) for n in digests}, parameters={"n": [1, None, "ü"]}), digests
    )
    assert seen == [{"n": [1, None, "ü"]}, sorted(digests.items())]


def test_a_source_file_is_an_input(bench: Bench) -> None:
    bench.shop.write("a/file.txt", b"from the workspace")
    result = bench.run(action("x", inputs={"in": source("a/file.txt")}), {"in": Digest.of(b"from the workspace")})
    assert bench.read(result.outputs["out"]) == b"from the workspace"


def test_outputs_of_no_bytes_and_of_the_same_bytes(bench: Bench) -> None:
    def same(tool: Workbench) -> None:
        _write(tool, "a", b"same")
        _write(tool, "b", b"same")
        with tool.output("empty"):
            pass

    bench.tool(same)
    result = bench.run(action("x", "Tool", outputs=("a", "b", "empty")))
    assert result.outputs == {"a": Digest.of(b"same"), "b": Digest.of(b"same"), "empty": EMPTY}
    assert bench.read(EMPTY) == b""


def test_a_big_output(bench: Bench) -> None:
    block = bytes(range(256)) * 4096

    def big(tool: Workbench) -> None:
        with tool.output("out") as sink:
            for _ in range(48):
                sink.write(block)

    bench.tool(big)
    digest = bench.run(action("x", "Tool")).outputs["out"]
    assert digest.size == 48 << 20
    with bench.parts.store.open(digest) as stream:
        assert all(stream.read(len(block)) == block for _ in range(48))


def test_an_output_that_is_not_made(bench: Bench) -> None:
    bench.tool(lambda tool: _write(tool, "a", b""))
    with pytest.raises(InternalError) as caught:
        bench.run(action("//app:x", "Tool", outputs=("a", "b")))
    assert str(caught.value) == 'internal error: cannot perform Tool for //app:x: it did not make output "b"'


@pytest.mark.parametrize("names", [("c",), ("a", "a")], ids=["not declared", "twice"])
def test_an_output_that_must_not_be_opened(bench: Bench, names: tuple[str, ...]) -> None:
    def perform(tool: Workbench) -> None:
        for name in names:
            _write(tool, name, b"x")

    bench.tool(perform)
    with pytest.raises(InternalError) as caught:
        bench.run(action("//app:x", "Tool", outputs=("a",)))
    assert str(caught.value) == (
        f'internal error: cannot perform Tool for //app:x: it opened output "{names[-1]}", '
        "which is not declared or was opened before"
    )


def test_no_such_tool(bench: Bench) -> None:
    for ask in (bench.executor.version, bench.run):
        with pytest.raises(InternalError, match="cannot perform Nothing for x: there is no such tool"):
            ask(action("x", "Nothing"))


@pytest.mark.parametrize(
    "error", [FormatError("read the deb", "it ends too early"), ZeroDivisionError("a fault of ours")], ids=repr
)
def test_an_error_comes_through_and_leaves_nothing(bench: Bench, error: Exception) -> None:
    calls = 0

    def fail(tool: Workbench) -> None:
        nonlocal calls
        calls += 1
        _write(tool, "a", b"whole")
        with tool.output("b") as sink:
            sink.write(b"half")
            if calls == 1:
                raise error

    bench.tool(fail)
    what = action("x", "Tool", outputs=("a", "b"))
    with pytest.raises(type(error)) as caught:
        bench.run(what)
    assert caught.value is error
    assert bench.is_clean()
    assert bench.parts.store.missing([Digest.of(b"half")])
    assert bench.executor.lookup(what, {}) is None
    assert bench.run(what).outputs["b"] == Digest.of(b"half"), "a failure is not remembered"


def test_an_input_that_is_not_there(bench: Bench) -> None:
    gone = locked("in", b"never put")
    with pytest.raises(MissingBlobError) as caught:
        bench.run(action("x", inputs={"in": gone}), {"in": Digest.of(b"never put")})
    assert caught.value.digest == gone.digest


@pytest.mark.parametrize("change", ["altered", "removed"])
@pytest.mark.parametrize("kind", ["blob", "source"])
def test_an_input_that_changes_meanwhile(bench: Bench, kind: str, change: str) -> None:
    def perform(tool: Workbench) -> None:
        path = tool.inputs["in"].path
        _write(tool, "out", path.read_bytes() + b", read")
        if change == "altered":
            path.chmod(0o644)
            path.write_bytes(b"after ")
        else:
            path.unlink()

    bench.tool(perform)
    before = copy_in(bench.parts.store, b"before")
    bench.shop.write("file", b"before")
    artifact = source("file") if kind == "source" else locked("in", b"before")
    what = action("x", "Tool", {"in": artifact})
    expected: type[DistrolessError] = ActionError if kind == "source" else MissingBlobError
    with pytest.raises(expected, match='"file"' if kind == "source" else "the store does not hold it"):
        bench.run(what, {"in": before})
    assert bench.executor.lookup(what, {"in": before}) is None


def test_map_keeps_order_on_all_threads(bench: Bench) -> None:
    def slowly(number: int) -> int:
        time.sleep(0.001 * (number % 3))
        return number * number

    def square(tool: Workbench) -> None:
        _write(tool, "out", b" ".join(b"%d" % number for number in tool.map(slowly, range(40))))

    bench.tool(square)
    result = bench.run(action("x", "Tool"))
    assert bench.read(result.outputs["out"]) == b" ".join(b"%d" % (number * number) for number in range(40))


@pytest.mark.parametrize("where", ["write", "map"])
def test_cancelling_ends_the_tool_and_leaves_nothing(bench: Bench, where: str) -> None:
    begun = threading.Event()

    def endless(tool: Workbench) -> None:
        with tool.output("out") as sink:
            while True:
                if where == "write":
                    sink.write(b"more")
                else:
                    list(tool.map(lambda number: number, range(8)))
                begun.set()

    bench.tool(endless)
    what = action("x", "Tool")
    job = bench.parts.pool.submit(lambda: bench.run(what))
    assert begun.wait(10)
    bench.parts.pool.cancel()
    with pytest.raises(Interrupted, match="cannot go on: the build was interrupted"):
        job.result()
    assert bench.is_clean()
    assert bench.executor.lookup(what, {}) is None


# Executors that remember


@pytest.fixture(params=[name for name in EXECUTORS if name != "tool"])
def remembering(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(request.param, tmp_path)
    yield made
    made.close()


def _counted(bench: Bench) -> list[int]:
    calls: list[int] = []

    def perform(tool: Workbench) -> None:
        calls.append(threading.get_ident())
        time.sleep(0.02)
        _write(tool, "out", b"made")

    bench.tool(perform)
    return calls


def test_what_was_done_is_not_done_again(remembering: Bench) -> None:
    calls = _counted(remembering)
    assert remembering.executor.lookup(action("x", "Tool"), {}) is None
    first = remembering.run(action("x", "Tool"))
    assert remembering.executor.lookup(action("other owner", "Tool"), {}) == first
    assert remembering.run(action("other owner", "Tool")) == first
    assert len(calls) == 1


def test_another_version_of_the_tool_is_another_action(remembering: Bench) -> None:
    calls = _counted(remembering)
    remembering.run(action("x", "Tool"))
    remembering.tools["Tool"] = Tool("Tool", "2", remembering.tools["Tool"].perform)
    assert remembering.executor.lookup(action("x", "Tool"), {}) is None
    assert remembering.run(action("x", "Tool")).code == "2"
    assert len(calls) == 2


def test_a_result_whose_blobs_are_gone_is_made_again(remembering: Bench) -> None:
    calls = _counted(remembering)
    result = remembering.run(action("x", "Tool"))
    remembering.shop.blob(result.outputs["out"]).unlink()
    assert remembering.run(action("x", "Tool")).outputs == result.outputs
    assert remembering.read(result.outputs["out"]) == b"made"
    assert len(calls) == 2


def test_one_action_on_many_threads_is_performed_once(remembering: Bench) -> None:
    calls = _counted(remembering)
    results: list[ActionResult] = []
    threads = [threading.Thread(target=lambda: results.append(remembering.run(action("x", "Tool")))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert [result.outputs for result in results] == [{"out": Digest.of(b"made")}] * 6


def test_a_kept_result_with_other_outputs_counts_for_nothing(remembering: Bench) -> None:
    """The outputs' names are part of the key, so this is damage that has a right checksum."""
    calls = _counted(remembering)
    what = action("x", "Tool")
    remembering.parts.store.put(key(what, {}, "1").hash, ActionResult({"other": EMPTY}))
    assert remembering.executor.lookup(what, {}) is None
    assert remembering.run(what).outputs == {"out": Digest.of(b"made")}
    assert len(calls) == 1
