"""Random faults over everything that a cache is asked: 10,000 of them, and what came of it.

    python benchmarks/faults.py [--faults N] [--seed N] [PLACE ...]  # kill disk folder web registry grpc casd nginx oci

Prints how many faults of each kind were planted, how many builds went through them, and what must be 0: wrong bytes,
poisoned entries, builds that failed though they could run on this machine. The exit status is 1 if anything is not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support import chaos_places as places
from tests.support import engines
from tests.support.chaos import Place, Tally, rounds
from tests.support.chaos_kills import VICTIMS, kills

PLACES: dict[str, tuple[Callable[[Path], AbstractContextManager[Place]], str, float]] = {
    "kill": (places.folder, "kill", 0.04),
    "disk": (places.folder, "disk", 0.16),
    "folder": (places.folder, "place", 0.2),
    "web": (places.web, "place", 0.196),
    "registry": (places.registry, "place", 0.196),
    "grpc": (places.grpc, "place", 0.196),
}
"""What has faults -> how it is made, which faults, and how much of all there are; those that fork come first."""

SERVERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "casd": engines.casd,
    "nginx": engines.nginx,
    "oci": engines.docker_registry,
}
"""Real servers that are killed, or whose clients are, or whose store is emptied, in the middle of builds."""

_KILLS = 0.004  # of all faults, for each server: one takes seconds


def main() -> int:
    """Plant faults in the places that were named, or in all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places", nargs="*", default=[*PLACES, *SERVERS])
    parser.add_argument("--faults", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    total = Tally()
    for name in given.places:
        tally, begun = Tally(), time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            plant(name, Path(folder), given.seed, given.faults, tally)
        show(name, tally, time.monotonic() - begun)
        total.faults += tally.faults
        total.rounds += tally.rounds
        for kind in ("wrong", "poisoned", "failed"):
            getattr(total, kind).extend(getattr(tally, kind))
    print(
        f"in all: {total.faults.total()} faults in {total.rounds} builds: {len(total.wrong)} outputs with wrong bytes,"
    )
    print(f"  {len(total.poisoned)} poisoned entries, {len(total.failed)} builds that failed and should not have")
    return 0 if total.clean else 1


def plant(name: str, folder: Path, seed: int, faults: int, tally: Tally) -> None:
    """Plant one place's share of all faults."""
    if name in PLACES:
        make, mode, share = PLACES[name]
        with make(folder) as place:
            rounds(place, folder, seed, round(faults * share), tally, mode=mode)
        return
    store = folder / "data"
    with SERVERS[name](store) as address:
        for victim in VICTIMS:
            each = max(1, round(faults * _KILLS / len(VICTIMS)))
            kills(address, folder, victim, seed, each, tally, store=store)


def show(name: str, tally: Tally, seconds: float) -> None:
    """Print what has happened in one place."""
    print(
        f"{name}: {tally.faults.total()} faults in {tally.rounds} builds, {seconds:.0f} s; {tally.found} results found"
    )
    print("  " + ", ".join(f"{count} {kind}" for kind, count in sorted(tally.faults.items())))
    if tally.full:
        print(f"  {tally.full} builds ended for an error of their own disk; each was right when built again")
    for kind in ("wrong", "poisoned", "failed"):
        for line in getattr(tally, kind)[:10]:
            print(f"  {kind}: {line}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
