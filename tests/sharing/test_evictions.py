"""Real caches that lose everything below a chain of fifty actions after promising it: made again, once each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from distroless_rules.execution import events
from distroless_rules.tools.tool import Tool, Workbench
from tests.support import engines
from tests.support.chaos_kills import evict
from tests.support.workshop import Workshop, action, join, out

SERVERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "casd": engines.casd,
    "nginx": engines.nginx,
    "registry": engines.docker_registry,
    "folder": engines.shared_folder,
}
LENGTH = 50
LAST = f"n{LENGTH - 1}"
TEXTS = ["x" * 2000, *(f"{n} " for n in range(1, LENGTH))]  # so that no output is little enough to come at once
CHAIN = [
    action(f"n{n}", inputs={"1": out(f"n{n - 1}")} if n else {}, parameters={"text": text})
    for n, text in enumerate(TEXTS)
]
MADE = "".join(TEXTS).encode()


@pytest.fixture(params=SERVERS)
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with SERVERS[request.param](tmp_path / "data") as address:
        first = Workshop(tmp_path / "first", remote=address, upload=True)
        assert len(first.build(CHAIN, out(LAST)).ran) == LENGTH
        assert not [line for line in first.warnings if line.startswith("warning")]
        yield address


class Counting:
    """A workshop that has nothing of its own, and counts what it performs."""

    def __init__(self, folder: Path, address: str) -> None:
        self.performed: Counter[str] = Counter()
        self.shop = Workshop(folder, {"Join": Tool("Join", "1", self._join)}, remote=address)

    def _join(self, bench: Workbench) -> None:
        self.performed[bench.parameters["text"]] += 1
        join(bench)


def test_nothing_is_performed_while_all_is_there(filled: str, tmp_path: Path) -> None:
    second = Counting(tmp_path / "second", filled)
    built = second.shop.build(CHAIN, out(LAST))
    assert second.shop.read(built, out(LAST)) == MADE
    assert not second.performed


def test_everything_lost_below_a_chain_is_made_again_in_one_build(filled: str, tmp_path: Path) -> None:
    def lose(event: events.Event) -> None:
        if isinstance(event, events.ActionFinished) and event.action.owner == LAST and not second.performed:
            evict(tmp_path / "data", lambda: True)

    second = Counting(tmp_path / "second", filled)
    built = second.shop.build(CHAIN, out(LAST), listener=lose)
    assert not built.errors
    assert second.shop.read(built, out(LAST)) == MADE
    assert second.performed == dict.fromkeys(TEXTS, 1), "each once, and no more than is needed"
    assert len(built.ran) == LENGTH, "nothing is begun in vain"


def test_only_what_is_lost_and_needed_is_made_again(filled: str, tmp_path: Path) -> None:
    """What lies below the half that another build has on its disk is not made again."""
    second = Counting(tmp_path / "second", filled)
    half = LENGTH // 2
    assert not second.shop.build(CHAIN, out(f"n{half}")).errors
    evict(tmp_path / "data", lambda: True)
    built = second.shop.build(CHAIN, out(LAST))
    assert not built.errors
    assert second.shop.read(built, out(LAST)) == MADE
    assert second.performed == dict.fromkeys(TEXTS[half + 1 :], 1)
