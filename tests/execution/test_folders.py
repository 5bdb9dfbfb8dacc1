"""Folders that an engine names by their root alone: read as a tree, or one by one, and believed as little as any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from distroless_rules.errors import DistrolessError
from distroless_rules.execution.output_trees import join
from distroless_rules.storage import wire
from distroless_rules.storage.connect import connect
from distroless_rules.storage.endpoint import Identity, parse
from distroless_rules.storage.messages import ActionResult, Directory, DirectoryNode, FileNode, OutputDirectory
from distroless_rules.storage.remote import InMemory
from distroless_rules.storage.remote_grpc import GrpcCache
from distroless_rules.storage.services import GetTreeRequest, GetTreeResponse
from distroless_rules.values.digest import Digest
from tests.execution.test_remote import INPUTS, TOP, opening, what
from tests.support import engines
from tests.support.hostile_engine import Engine, serving
from tests.support.workshop import Open

ONE, TWO = Digest.of(b"one"), Digest.of(b"two")
BELOW = Directory((FileNode("two", TWO),))
FOLDER = Directory(
    (FileNode("one", ONE),),
    (DirectoryNode("b", Digest.of(wire.encode(BELOW))), DirectoryNode("c", Digest.of(wire.encode(BELOW)))),
)
ALL = (Directory((), (DirectoryNode("out", Digest.of(wire.encode(FOLDER))),)), FOLDER, BELOW)
ROOT = Digest.of(wire.encode(ALL[0]))


@pytest.fixture
def engine() -> Iterator[Engine]:
    with serving() as found:
        for data in (b"one", b"two", *map(wire.encode, ALL)):
            found.put(data)
        told = ActionResult((), (OutputDirectory(TOP, root_directory_digest=ROOT),))
        found.answer = lambda _: [found.done(told)]
        yield found


@pytest.fixture
def opened(engine: Engine, tmp_path: Path) -> Iterator[Open]:
    with opening(engine, tmp_path) as found:
        yield found


def pages(*each: tuple[Directory, ...]) -> list[GetTreeResponse]:
    return [GetTreeResponse(folders) for folders in each]


def outputs(opened: Open) -> dict[str, Digest]:
    return opened.executor.execute(what(folder=True), INPUTS).outputs


def same(engine: Engine, opened: Open, tmp_path: Path) -> bool:
    """Tell whether what is taken is what is taken where the engine gives the folder as one message."""
    found = outputs(opened)
    engine.answer = lambda _: [engine.done(ActionResult((), (OutputDirectory(TOP, engine.tree(*ALL)),)))]
    with opening(engine, tmp_path / "other") as other:
        return found == outputs(other)


def test_a_folder_comes_in_messages_of_any_order(engine: Engine, opened: Open, tmp_path: Path) -> None:
    engine.pages = lambda _: iter(pages((BELOW,), (FOLDER, ALL[0])))
    assert same(engine, opened, tmp_path)
    assert engine.calls.count("GetTree") == 1


def test_a_folder_comes_in_pages(engine: Engine, opened: Open, tmp_path: Path) -> None:
    def answer(request: GetTreeRequest) -> Iterator[GetTreeResponse]:
        at = int(request.page_token or "0")
        yield GetTreeResponse((ALL[at],), str(at + 1) if at < 2 else "")

    engine.pages = answer
    assert same(engine, opened, tmp_path)
    assert engine.calls.count("GetTree") == 3


def test_a_folder_is_read_one_by_one_where_that_is_not_offered(engine: Engine, opened: Open, tmp_path: Path) -> None:
    assert same(engine, opened, tmp_path)
    assert engine.calls.count("GetTree") == 1


LIES: dict[str, tuple[Callable[[GetTreeRequest], Iterator[GetTreeResponse]], str]] = {
    "nothing": (lambda _: iter(()), "it has no root"),
    "another root": (lambda _: iter(pages((FOLDER, BELOW))), "it has no root"),
    "a folder is lacking": (lambda _: iter(pages((ALL[0], FOLDER))), 'the folder "out/[bc]" is not in it'),
    "pages without end": (lambda _: iter([GetTreeResponse((), "more")]), "it gives pages without end"),
    "a stream without end": (
        lambda _: iter(lambda: GetTreeResponse((Directory((FileNode("x" * 3_000_000, ONE),)),)), None),
        "it is too large",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_is_taken(engine: Engine, opened: Open, lie: str) -> None:
    engine.pages, said = LIES[lie]
    with pytest.raises(DistrolessError, match=said):
        outputs(opened)


def test_a_folder_that_is_forged_is_refused(engine: Engine, opened: Open) -> None:
    engine.forged[Digest.of(wire.encode(BELOW))] = wire.encode(Directory((FileNode("two", ONE),)))
    with pytest.raises(DistrolessError, match="it gave other bytes"):
        outputs(opened)


@pytest.mark.parametrize("start", [engines.casd, engines.buildgrid], ids=["casd", "buildgrid"])
def test_real_servers_give_folders(start: Callable[[Path], AbstractContextManager[str]], tmp_path: Path) -> None:
    with start(tmp_path / "server") as address, closing(connect(parse(address, Identity()), 60)) as cache:
        assert isinstance(cache, GrpcCache)
        blobs = [b"one", b"two", *map(wire.encode, ALL)]
        cache.send({Digest.of(data): InMemory(data) for data in blobs})
        nodes = join(ROOT, cache.folders(ROOT, 1 << 20))
        assert sorted(nodes) == ["", "out", "out/b", "out/b/two", "out/c", "out/c/two", "out/one"]
