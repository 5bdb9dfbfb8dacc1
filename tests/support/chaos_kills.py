"""Real caches, and ``kill -9`` in the middle of everything that goes over the network: of the client, or of the server.

    tally = Tally()
    with engines.casd(folder / "data") as address:
        kills(address, folder, "client", seed=7, faults=10, tally=tally)

What is killed is killed when so many bytes have passed between the two, drawn at random; or there and then half of what
the server holds is removed (``evict``). The client is a process of its own, this module run as a program. After it the
next build, and one of somebody else's with an empty disk, must be right.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distroless_rules.storage import gc
from tests.support import engines
from tests.support.chaos import Tally
from tests.support.slow_line import SlowLine
from tests.support.workshop import Workshop, action, out

__all__ = ["VICTIMS", "evict", "kills"]

VICTIMS = ("client", "server", "evict")
LARGE = "large " * 40_000
WANTED = ("two", "large")
RATE = 3_000_000  # bytes a second: slow enough to be met in the middle
BYTES = 250_000  # that a build moves, about
SECONDS = 300  # that a build may take, on any machine


def kills(address: str, folder: Path, victim: str, seed: int, faults: int, tally: Tally, *, store: Path) -> None:
    """Build until so many faults were met.

    Args:
        address: a server that ``tests.support.engines`` has started.
        folder: for the builds.
        victim: one of ``VICTIMS``.
        seed: of the draws.
        faults: how many.
        tally: takes what happens.
        store: where the server keeps its files.
    """
    until = tally.faults.total() + faults
    turn = 0
    with SlowLine(address, RATE) as line:
        while tally.faults.total() < until:
            turn += 1
            tally.rounds += 1
            name = f"{urlsplit(address).scheme} {victim} {seed} {turn}"
            below = folder / "round"
            try:
                _round(line, below, victim, random.Random(name), tally, name, store)
            finally:
                shutil.rmtree(below, ignore_errors=True)


def _round(
    line: SlowLine, folder: Path, victim: str, dice: random.Random, tally: Tally, name: str, store: Path
) -> None:
    """Meet one build with a fault; then build again, here and as somebody else."""
    if dice.random() < 0.5:  # so that the build reads, and has little to send
        _judge(_ended(_begun(line, folder / "first", name)), tally, name)
    until = line.passed + dice.randrange(BYTES)
    process = _begun(line, folder / "second", name)
    while line.passed < until and process.poll() is None:
        time.sleep(0.0005)
    met = process.poll() is None
    if met:
        tally.faults["evictions while a build runs" if victim == "evict" else f"kill -9 of the {victim}"] += 1
    server = engines.RUNNING[line.server[1]]
    if victim == "client":
        process.kill()
        process.wait()
    else:
        evict(store, lambda: dice.random() < 0.5) if victim == "evict" else server.kill()
        _judge(_ended(process), tally, name)
        if victim == "server":
            server.start()
    for who in ("second", "third"):
        made = _ended(_begun(line, folder / who, name))
        _judge(made, tally, name, f", after it, {who}")
        tally.found += list(made.get("endings", {}).values()).count("shared")
        damages = gc.verify(folder / who / "cache")
        tally.poisoned += [f"{name}, {who}: {damage.path} {damage.cause}" for damage in damages]


def evict(store: Path, chosen: Callable[[], bool]) -> None:
    """Remove those of the files that hold blobs that are chosen, as a server does that is full."""
    files = [Path(at, name) for at, _, names in os.walk(store) for name in names]  # where folders come and go meanwhile
    for file in sorted(files):
        if not {"objects", "cas", "blobs"}.isdisjoint(file.relative_to(store).parts) and chosen():
            file.unlink(missing_ok=True)


def _begun(line: SlowLine, folder: Path, name: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", __name__, line.address, str(folder), name]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def _ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    said, _ = process.communicate(timeout=SECONDS)
    found: dict[str, Any] = json.loads(said) if said else {"errors": [f"it ended with status {process.returncode}"]}
    return found


def _judge(made: dict[str, Any], tally: Tally, name: str, when: str = "") -> None:
    tally.failed += [f"{name}{when}: {error}" for error in made["errors"]]
    if not made["errors"]:
        texts = {"two": f"{name}2", "large": f"{name}2{LARGE}"}
        expected = {owner: hashlib.sha256(text.encode()).hexdigest() for owner, text in texts.items()}
        tally.wrong += [f"{name}{when}: {owner}" for owner in WANTED if made["hashes"][owner] != expected[owner]]


def main(address: str, folder: str, name: str) -> None:
    """Build, and say on standard output what came of it."""
    chain = [
        action("one", parameters={"text": name}),
        action("two", inputs={"1": out("one")}, parameters={"text": "2"}),
        action("large", inputs={"2": out("two")}, parameters={"text": LARGE}),
    ]
    shop = Workshop(Path(folder), remote=address, upload=True, seconds=3)
    built = shop.build(chain, *map(out, WANTED))
    hashes = {}
    if not built.errors:
        hashes = {owner: hashlib.sha256(shop.read(built, out(owner))).hexdigest() for owner in WANTED}
    print(json.dumps({"errors": built.errors, "hashes": hashes, "endings": built.endings}))


if __name__ == "__main__":
    main(*sys.argv[1:])
