"""Engines that lie, break and forget: none is believed, each is one error, and what can be mended is."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from distroless_rules.actions.action import Action
from distroless_rules.actions.command import ROOT
from distroless_rules.errors import ActionError, Interrupted
from distroless_rules.storage import wire
from distroless_rules.storage.faults import RemoteError
from distroless_rules.storage.messages import (
    ActionResult,
    AnyMessage,
    Directory,
    DirectoryNode,
    FileNode,
    OutputDirectory,
    OutputFile,
    OutputSymlink,
    Status,
    SymlinkNode,
)
from distroless_rules.storage.operations import Operation
from distroless_rules.storage.store import copy_in
from distroless_rules.values.digest import Digest
from tests.support.commands import made, run, tree
from tests.support.hostile_engine import Engine, Refusal, serving
from tests.support.image import directory, file, tar
from tests.support.workshop import Open, Workshop, source

ROOT_TREE = tar(directory("./"), directory("build"), file("usr/bin/tool", b"\x7fELF", 0o755), file("usr/x", b"x" * 3))
TOP = "distroless-out/a"
OUT = f"{TOP}/out"
INPUTS = {ROOT: Digest.of(ROOT_TREE)}
DIRECTORY_BOMB = 40  # levels, each of which names the next one twice


@pytest.fixture
def engine() -> Iterator[Engine]:
    with serving() as made_:
        yield made_


@contextmanager
def opening(engine: Engine, folder: Path) -> Iterator[Open]:
    """Open a workshop in ``folder`` that has an engine, and holds the root of ``what``."""
    shop = Workshop(folder, engine=engine.address)
    shop.root.mkdir(parents=True)
    with shop.open() as opened:
        copy_in(opened.store, ROOT_TREE)
        yield opened


@pytest.fixture
def parts(engine: Engine, tmp_path: Path) -> Iterator[Open]:
    with opening(engine, tmp_path) as opened:
        yield opened


def what(*, folder: bool = False) -> Action:
    return run("a", "true", tree(ROOT_TREE), (), [made("a", folder=folder)])


def test_what_an_engine_makes_is_taken(engine: Engine, parts: Open) -> None:
    engine.answer = lambda _: [engine.done(ActionResult((), (engine.folder(TOP, out=b"made"),)))]
    result = parts.executor.execute(what(), INPUTS)
    assert result.outputs == {OUT: Digest.of(b"made")}
    assert not parts.store.missing(result.outputs.values())
    assert parts.executor.execute(what(), INPUTS) == result
    assert engine.executions() == 1, "it is remembered"


def test_it_is_given_all_that_it_lacks_once(engine: Engine, parts: Open) -> None:
    engine.answer = lambda _: [engine.done(ActionResult((), (engine.folder(TOP, out=b"made"),)))]
    for number in range(20):
        parts.executor.execute(run("a", f"echo {number}", tree(ROOT_TREE)), INPUTS)
    assert engine.blobs[Digest.of(b"xxx")] == b"xxx"
    assert engine.executions() == 20
    asked = engine.calls.count("FindMissingBlobs")
    assert asked == 21, "once for the root's tree, once for each action's own few messages"


# Lies


def folder(
    engine: Engine, *nodes: FileNode | DirectoryNode | SymlinkNode, children: tuple[Directory, ...] = ()
) -> ActionResult:
    files = tuple(node for node in nodes if isinstance(node, FileNode))
    below = tuple(node for node in nodes if isinstance(node, DirectoryNode))
    links = tuple(node for node in nodes if isinstance(node, SymlinkNode))
    digest = engine.tree(Directory(files, below, links), *children)
    return ActionResult((), (OutputDirectory(TOP, digest),))


def out(engine: Engine, name: str = "out", data: bytes = b"made") -> FileNode:
    return FileNode(name, engine.put(data))


def child(*nodes: FileNode) -> Directory:
    return Directory(tuple(nodes))


def node(name: str, message: Directory) -> DirectoryNode:
    return DirectoryNode(name, Digest.of(wire.encode(message)))


def bomb(engine: Engine) -> ActionResult:
    levels = [child(out(engine))]
    for _ in range(DIRECTORY_BOMB):
        levels.append(Directory(directories=(node("a", levels[-1]), node("b", levels[-1]))))
    return folder(engine, node("x", levels[-1]), children=tuple(levels))


def deep(engine: Engine) -> ActionResult:
    levels = [child(out(engine))]
    for _ in range(3000):
        levels.append(Directory(directories=(node("aa", levels[-1]),)))
    return folder(engine, node("x", levels[-1]), children=tuple(levels))


def forged(engine: Engine, data: bytes) -> ActionResult:
    engine.forged[Digest.of(b"made")] = data
    return folder(engine, out(engine))


def forged_tree(engine: Engine) -> ActionResult:
    right, wrong = folder(engine, out(engine)), folder(engine, out(engine, data=b"evil"))
    digests = [each.output_directories[0].tree_digest for each in (right, wrong)]
    assert digests[0]
    assert digests[1]
    engine.forged[digests[0]] = engine.blobs[digests[1]]
    return right


def tops(*folders: OutputDirectory) -> ActionResult:
    return ActionResult((), folders)


LIES: dict[str, tuple[Callable[[Engine], ActionResult], str]] = {
    "no output": (lambda e: folder(e), f'it did not make "{OUT}"'),
    "no folder": (lambda e: ActionResult(), f'it did not make "{OUT}"'),
    "one more": (lambda e: folder(e, out(e), out(e, "more")), f'it made, undeclared, "{TOP}/more"'),
    "a folder more": (lambda e: folder(e, out(e), node("b", child()), children=(child(),)), f'undeclared, "{TOP}/b"'),
    "a link for a file": (lambda e: folder(e, SymlinkNode("out", "/etc/passwd")), "as a symbolic link, and declares"),
    "a folder for a file": (
        lambda e: folder(e, node("out", child()), children=(child(),)),
        "as a folder, and declares",
    ),
    "a file by itself": (lambda e: ActionResult((OutputFile(OUT, e.put(b"made")),)), f'undeclared, "{OUT}"'),
    "a file outside": (lambda e: ActionResult((OutputFile("../x", e.put(b"")),)), 'it made, undeclared, "../x"'),
    "links apart": (lambda e: ActionResult(output_symlinks=(OutputSymlink(TOP, "/etc"),)), f'undeclared, "{TOP}"'),
    "links to files apart": (
        lambda e: ActionResult(output_file_symlinks=(OutputSymlink(TOP, "/etc"),)),
        f'undeclared, "{TOP}"',
    ),
    "another folder": (lambda e: tops(e.folder("/etc", passwd=b"x")), 'nobody asked for "/etc"'),
    "a folder twice": (lambda e: tops(e.folder(TOP, out=b"1"), e.folder(TOP, out=b"2")), f'nobody asked for "{TOP}"'),
    "a folder without a tree": (lambda e: tops(OutputDirectory(TOP)), "it gives no tree"),
    "a tree of a terabyte": (lambda e: tops(OutputDirectory(TOP, Digest("0" * 64, 1 << 40))), "it gives no tree"),
    "a tree that is not there": (lambda e: tops(OutputDirectory(TOP, Digest("0" * 64, 9))), "does not hold"),
    "a tree that is none": (
        lambda e: tops(OutputDirectory(TOP, e.put(b"\xff" * 9))),
        "cannot be so: it ends",
    ),
    "an empty tree": (lambda e: tops(OutputDirectory(TOP, e.put(b"\x1a\x00"))), "it has no root"),
    "other bytes for a tree": (forged_tree, "it gave other bytes"),
    "other bytes": (lambda e: forged(e, b"evil"), "it gave other bytes"),
    "more bytes": (lambda e: forged(e, b"made, and more"), "it gave more than"),
    "fewer bytes": (lambda e: forged(e, b"mad"), "it gave 3 of the 4 bytes"),
    "a file that is not there": (lambda e: folder(e, FileNode("out", Digest("1" * 64, 4))), "does not hold"),
    "a large file that is not there": (
        lambda e: folder(e, FileNode("out", Digest("1" * 64, 1 << 23))),
        "does not hold",
    ),
    "a file without a digest": (lambda e: folder(e, FileNode("out")), '"out" has no digest'),
    "a name that climbs": (lambda e: folder(e, out(e), out(e, "../../x")), "is no name"),
    "the name ..": (lambda e: folder(e, out(e), out(e, "..")), '".." is no name'),
    "the name .": (lambda e: folder(e, out(e), node(".", child()), children=(child(),)), '"." is no name'),
    "no name": (lambda e: folder(e, out(e), out(e, "")), '"" is no name'),
    "a name with a zero": (lambda e: folder(e, out(e), out(e, "a\0b")), "is no name"),
    "a name twice": (lambda e: folder(e, out(e), out(e, data=b"evil")), 'it has "out" twice'),
    "a file and a link": (lambda e: folder(e, out(e), SymlinkNode("out", "x")), 'it has "out" twice'),
    "a link to nothing": (lambda e: folder(e, out(e), SymlinkNode("l", "")), "leads nowhere"),
    "a long name": (lambda e: folder(e, out(e), out(e, "a" * 5000)), "is longer than 4096 bytes"),
    "a folder that is not there": (
        lambda e: folder(e, out(e), node("b", child(out(e)))),
        'the folder "b" is not in it',
    ),
    "folders without end": (bomb, "is longer than 4096 bytes|it has more than"),
    "folders too deep": (deep, "is longer than 4096 bytes"),
    "a flood of words": (
        lambda e: ActionResult((), (e.folder(TOP, out=b"x"),), stdout_digest=Digest("2" * 64, 1 << 40)),
        "it was ended: it printed more than 64 MiB",
    ),
    "words that are not there": (
        lambda e: ActionResult((), (e.folder(TOP, out=b"x"),), stdout_digest=Digest("2" * 64, 9)),
        "does not hold",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_is_believed(engine: Engine, parts: Open, lie: str) -> None:
    make, said = LIES[lie]
    result = make(engine)
    engine.answer = lambda _: [engine.done(result)]
    with pytest.raises((ActionError, RemoteError), match=said):
        parts.executor.execute(what(), INPUTS)
    assert parts.executor.lookup(what(), INPUTS) is None
    assert os.listdir(parts.store.root / "tmp") == []
    engine.answer = lambda _: [engine.done(ActionResult((), (engine.folder(TOP, out=b"right"),)))]
    engine.forged.clear()
    assert parts.executor.execute(what(), INPUTS).outputs == {OUT: Digest.of(b"right")}


@pytest.mark.parametrize("target", ["/etc/passwd", "../x", "b/../../../x"])
def test_links_of_a_tree_stay_in_it(engine: Engine, parts: Open, target: str) -> None:
    inner = Directory(symlinks=(SymlinkNode("l", target),))
    engine.answer = lambda _: [engine.done(folder(engine, node("out", inner), children=(inner,)))]
    with pytest.raises(ActionError, match="leads out of the tree"):
        parts.executor.execute(what(folder=True), INPUTS)


ENDS: dict[str, tuple[Callable[[Engine], list[Operation]], str]] = {
    "nothing": (lambda e: [], "ended the call without a result"),
    "no response": (lambda e: [Operation("op", done=True)], "without a response"),
    "another response": (
        lambda e: [Operation("op", done=True, response=AnyMessage("x/y.Z", b""))],
        "without a response",
    ),
    "a broken response": (
        lambda e: [Operation("op", done=True, response=AnyMessage(f"x/{NAME}", b"\xff" * 9))],
        "its answer is malformed",
    ),
    "no result": (lambda e: [e.done(None)], "OK: it says no more"),
    "an error": (lambda e: [Operation("op", done=True, error=Status(7, "not you"))], "PERMISSION_DENIED: not you"),
    "a status": (lambda e: [e.done(None, status=Status(8, "quota"))], "RESOURCE_EXHAUSTED: quota"),
    "a status of its own": (lambda e: [e.done(None, status=Status(99, "odd"))], "UNKNOWN: odd"),
}
NAME = "build.bazel.remote.execution.v2.ExecuteResponse"


@pytest.mark.parametrize("end", ENDS)
def test_an_execution_that_ends_badly_is_the_engines_fault(engine: Engine, parts: Open, end: str) -> None:
    answer, said = ENDS[end]
    engine.answer = lambda _: answer(engine)
    with pytest.raises(RemoteError, match=said):
        parts.executor.execute(what(), INPUTS)
    assert parts.executor.lookup(what(), INPUTS) is None


# What can be mended


@pytest.mark.parametrize("way", ["status 9", "status 13", "status 5", "refused"])
def test_inputs_that_an_engine_has_lost_are_given_again(engine: Engine, parts: Open, way: str) -> None:
    def lose(_: Digest) -> list[Operation]:
        if engine.executions() == 2:  # its first action was before
            engine.blobs.clear()
            if way == "refused":
                raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, "missing")
            return [engine.done(None, status=Status(int(way.split()[1]), "blob not found"))]
        return [engine.done(ActionResult((), (engine.folder(TOP, out=b"made"),)))]

    engine.answer = lose
    parts.executor.execute(run("a", "first", tree(ROOT_TREE)), INPUTS)
    assert parts.executor.execute(what(), INPUTS).outputs == {OUT: Digest.of(b"made")}
    assert engine.executions() == 3
    assert engine.blobs[Digest.of(b"xxx")] == b"xxx", "the root's files too"


def test_a_failure_that_an_engine_remembers_counts_for_nothing(engine: Engine, parts: Open) -> None:
    def answer(_: Digest) -> list[Operation]:
        if engine.executions() == 1:
            return [engine.done(ActionResult(exit_code=1), cached=True)]
        return [engine.done(ActionResult((), (engine.folder(TOP, out=b"made"),)))]

    engine.answer = answer
    assert parts.executor.execute(what(), INPUTS).outputs == {OUT: Digest.of(b"made")}


class Everything(dict[Digest, ActionResult]):
    """An action cache that has one answer for all."""

    def __init__(self, result: ActionResult) -> None:
        super().__init__()
        self.result = result

    def __contains__(self, _: object) -> bool:
        return True

    def __getitem__(self, _: Digest) -> ActionResult:
        return self.result


def test_what_an_engine_remembers_is_taken_and_nothing_is_sent(engine: Engine, parts: Open) -> None:
    engine.remembered = Everything(ActionResult((), (engine.folder(TOP, out=b"made"),)))
    before = set(engine.blobs)
    assert parts.executor.execute(what(), INPUTS).outputs == {OUT: Digest.of(b"made")}
    assert (engine.executions(), set(engine.blobs)) == (0, before)


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_that_an_engine_remembers_costs_an_execution(engine: Engine, parts: Open, lie: str) -> None:
    engine.remembered = Everything(LIES[lie][0](engine))
    engine.answer = lambda _: [engine.done(ActionResult((), (engine.folder(TOP, out=b"right"),)))]
    assert parts.executor.execute(what(), INPUTS).outputs == {OUT: Digest.of(b"right")}
    assert engine.executions() == 1


def test_a_connection_that_breaks_is_taken_up_again(engine: Engine, parts: Open) -> None:
    def answer(_: Digest) -> Iterator[Operation]:
        yield Operation("the one")
        raise Refusal(grpc.StatusCode.UNAVAILABLE, "restarting")

    engine.answer = answer
    engine.resume = lambda name: [engine.done(ActionResult((), (engine.folder(TOP, out=name.encode()),)))]
    assert parts.executor.execute(what(), INPUTS).outputs == {OUT: Digest.of(b"the one")}
    assert (engine.executions(), engine.calls.count("WaitExecution")) == (1, 1)


def test_an_execution_that_an_engine_forgets_is_begun_again_and_not_for_ever(engine: Engine, parts: Open) -> None:
    def answer(_: Digest) -> Iterator[Operation]:
        yield Operation("the one")
        raise Refusal(grpc.StatusCode.UNAVAILABLE, "restarting")

    def forget(name: str) -> list[Operation]:
        raise Refusal(grpc.StatusCode.NOT_FOUND, "no such operation")

    engine.answer, engine.resume = answer, forget
    with pytest.raises(RemoteError):
        parts.executor.execute(what(), INPUTS)
    assert 2 <= engine.executions() <= 6


def test_what_is_not_wanted_any_more_is_cancelled(engine: Engine, parts: Open) -> None:
    begun = threading.Event()

    def answer(_: Digest) -> Iterator[Operation]:
        yield Operation("the one")
        begun.set()
        engine.stop.wait(30)
        yield engine.done(None, status=Status(1, "cancelled"))

    engine.answer = answer
    job = parts.pool.submit(lambda: parts.executor.execute(what(), INPUTS))
    assert begun.wait(10)
    parts.pool.cancel()
    with pytest.raises(Interrupted):
        job.result()
    end = time.monotonic() + 10
    while not engine.cancelled and time.monotonic() < end:
        time.sleep(0.01)
    assert engine.cancelled == ["the one"]


def test_an_input_that_changes_before_it_is_sent(engine: Engine, tmp_path: Path) -> None:
    shop = Workshop(tmp_path, engine=engine.address)
    data = shop.write("data", b"before")
    engine.answer = lambda _: [engine.done(ActionResult((), (engine.folder(TOP, out=b"made"),)))]
    with shop.open() as parts:
        copy_in(parts.store, ROOT_TREE)
        action = run("a", "true", tree(ROOT_TREE), [source("data")])
        inputs = {**INPUTS, "data": parts.supply.digest(source("data"))}
        data.write_bytes(b"after!")
        with pytest.raises(ActionError, match='use source file "data": it changed while it was used'):
            parts.executor.execute(action, inputs)
        assert engine.executions() == 0
