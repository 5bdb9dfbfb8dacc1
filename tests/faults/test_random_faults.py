"""A few of the random faults that ``benchmarks/faults.py`` plants by the thousand, and that these are found at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from distroless_rules.storage import results
from distroless_rules.storage.messages import ActionResult as Message
from distroless_rules.storage.store import ActionResult
from distroless_rules.values.digest import Digest
from tests.support import chaos_places as places
from tests.support.chaos import Place, Tally, rounds

PLACES: dict[str, tuple[Callable[[Path], AbstractContextManager[Place]], str]] = {
    "kill": (places.folder, "kill"),
    "disk": (places.folder, "disk"),
    "folder": (places.folder, "place"),
    "web": (places.web, "place"),
    "registry": (places.registry, "place"),
    "grpc": (places.grpc, "place"),
}


@pytest.mark.parametrize("name", PLACES)
def test_random_faults_give_no_wrong_byte_and_fail_no_build(tmp_path: Path, name: str) -> None:
    make, mode = PLACES[name]
    tally = Tally()
    with make(tmp_path) as place:
        rounds(place, tmp_path, seed=11, faults=4 if name == "kill" else 25, tally=tally, mode=mode)
    assert tally.faults.total() >= 4
    assert tally.found or name == "kill", "a cache with faults is used all the same"
    assert tally.clean, tally


def test_a_client_that_takes_any_result_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(_: Digest, message: Message, *__: object) -> ActionResult:
        return ActionResult({file.path: file.digest for file in message.output_files if file.digest is not None})

    monkeypatch.setattr(results, "load", careless)
    tally = Tally()
    with places.grpc(tmp_path) as place:
        while not tally.poisoned and tally.rounds < 200:
            rounds(place, tmp_path, seed=tally.rounds, faults=10, tally=tally)
    assert tally.poisoned
