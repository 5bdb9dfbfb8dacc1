"""``kill -9`` of clients and of real servers in the middle, and evictions: the next build is right."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support import engines
from tests.support.chaos import Tally
from tests.support.chaos_kills import VICTIMS, kills

SERVERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "casd": engines.casd,
    "nginx": engines.nginx,
    "registry": engines.docker_registry,
}


FEW = (("casd", "client"), ("nginx", "server"), ("registry", "evict"))


@pytest.mark.parametrize(
    ("server", "victim", "faults"),
    [(server, victim, 1) for server, victim in FEW]
    + [pytest.param(server, victim, 8, marks=pytest.mark.long) for server in SERVERS for victim in VICTIMS],
)
def test_what_is_killed_leaves_nothing_wrong(tmp_path: Path, server: str, victim: str, faults: int) -> None:
    tally = Tally()
    store = tmp_path / "data"
    with SERVERS[server](store) as address:
        kills(address, tmp_path, victim, seed=3, faults=faults, tally=tally, store=store)
    assert tally.faults.total() == faults
    assert tally.clean, tally
