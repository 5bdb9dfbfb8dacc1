"""Random faults in everything that a cache is asked, from a seed: builds go through them, and all is looked at after.

    tally = Tally()
    with places.web() as place:
        rounds(place, folder, seed=7, faults=100, tally=tally)
    assert tally.clean, tally

A round is a build of four actions beside a cache that holds their results, while faults are drawn at random: for each
request to a server, for each call into the operating system beneath a folder, or a kill at one of them. What it made,
what it kept and what it has sent is compared with what a build without faults made.
"""

from __future__ import annotations

import random
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from distroless_rules.errors import DistrolessError, StorageError
from distroless_rules.storage import gc
from distroless_rules.storage.disk import DiskStore
from distroless_rules.values.digest import Digest
from tests.support.process import killed_at
from tests.support.workshop import Build, Workshop, action, out

__all__ = ["CHAIN", "EXPECTED", "Chance", "Held", "Place", "Tally", "rounds", "spoiled"]

LARGE = "large " * 40_000
CHAIN = [
    action("one", parameters={"text": "1"}),
    action("two", inputs={"1": out("one")}, parameters={"text": "2"}),
    action("three", inputs={"2": out("two")}, parameters={"text": "3"}),
    action("large", inputs={"3": out("three")}, parameters={"text": LARGE}),
]
EXPECTED = {"three": b"123", "large": b"123" + LARGE.encode()}
SECONDS = 0.4  # that a server may take; a fault that stands still costs half of them
_POINTS = 300  # calls into the operating system that a build makes, about

Held = Mapping[str, Mapping[str, Digest]]
"""Key of an action -> its outputs, as a cache holds them."""


class Chance:
    """Draws faults; from many threads.

    Args:
        seed: of the draws.
        rate: how likely a fault is, each time that one may be.
        tally: counts those that were.
    """

    def __init__(self, seed: str, rate: float, tally: Tally) -> None:
        self._random = random.Random(seed)
        self._rate = rate
        self._lock = threading.Lock()
        self._tally = tally

    def draw(self, kinds: tuple[str, ...]) -> str:
        """Give a kind of fault, ``""``: none this time."""
        with self._lock:
            return self._random.choice(kinds) if self._random.random() < self._rate else ""

    def one(self, of: Any) -> Any:
        """Give one of a sequence."""
        with self._lock:
            return self._random.choice(of)

    def number(self, below: int) -> int:
        """Give a number from 0 on."""
        with self._lock:
            return self._random.randrange(max(below, 1))

    def met(self, kind: str) -> None:
        """Count a fault that was planted."""
        with self._lock:
            self._tally.faults[kind] += 1


@dataclass
class Tally:
    """What has happened.

    Attributes:
        faults: kind -> how many were planted.
        rounds: builds.
        wrong: outputs that had other bytes than they must.
        poisoned: results or blobs, here or in the shared cache, that no fault had put there and that are wrong.
        failed: builds that ended with an error.
        full: builds that did so because of a fault of this machine's own disk; the next one was right.
        found: actions whose results were found in the shared cache in spite of all.
    """

    faults: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    wrong: list[str] = field(default_factory=list)
    poisoned: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    full: int = 0
    found: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing went wrong that should not."""
        return not (self.wrong or self.poisoned or self.failed)


class Place(Protocol):
    """A shared cache with faults.

    Attributes:
        name: of its kind.
        address: where it is.
        truth: what it held before there were faults.
    """

    name: str
    address: str
    truth: Held

    def begin(self, chance: Chance) -> None:
        """Hold what it held at first, and have faults from now on."""

    def end(self) -> None:
        """Have no more faults."""

    def poisoned(self) -> list[str]:
        """Name what it holds that is wrong, and was not made so by a fault of its own."""


def rounds(place: Place, folder: Path, seed: int, faults: int, tally: Tally, *, mode: str = "place") -> None:
    """Build until so many faults were met.

    Args:
        place: the shared cache.
        folder: for the builds; each leaves nothing.
        seed: of the draws.
        faults: how many.
        tally: takes what happens.
        mode: ``place``: they are the shared cache's; ``disk``: this machine's; ``kill``: the build is killed.
    """
    until = tally.faults.total() + faults
    turn = 0
    while tally.faults.total() < until:
        turn += 1
        tally.rounds += 1
        name = f"{place.name} {mode} {seed} {turn}"
        chance = Chance(name, 0.02 if mode == "disk" else 0.2, tally)
        shop = Workshop(folder / "round", remote=place.address, upload=chance.number(2) == 0, seconds=SECONDS)
        try:
            _MODES[mode](shop, place, chance, tally, name)
        finally:
            place.end()
            shutil.rmtree(shop.folder, ignore_errors=True)


def _beside(shop: Workshop, place: Place, chance: Chance, tally: Tally, name: str) -> None:
    """Build beside a shared cache that has faults."""
    place.begin(chance)
    try:
        built = _build(shop, tally)
    except (DistrolessError, OSError) as error:
        tally.failed.append(f"{name}: {error!r}")
        return
    place.end()
    _compare(shop, built, tally, name)
    _look(shop, place, tally, name)


def _on_disk(shop: Workshop, place: Place, chance: Chance, tally: Tally, name: str) -> None:
    """Build on a disk whose files are damaged, and that fails while they are read and written."""
    place.begin(Chance(name, 0, tally))
    if chance.number(2):
        _build(shop, tally)
        for file in _files(shop.cache):
            spoiled(file, chance, 3)
    try:
        with FAILING.beneath(shop.cache, chance):
            built = _build(shop, tally)
    except StorageError:
        tally.full += 1
        built = _build(shop, tally)
    except (DistrolessError, OSError) as error:
        tally.failed.append(f"{name}: {error!r}")
        return
    _compare(shop, built, tally, name)
    gc.verify(shop.cache)
    _look(shop, place, tally, name)


def _killed(shop: Workshop, place: Place, chance: Chance, tally: Tally, name: str) -> None:
    """Kill a build, and build again."""
    place.begin(Chance(name, 0, tally))
    shop.upload = True
    if chance.number(2):
        place.forget()  # type: ignore[attr-defined]  # of folders only: what is sent is cut off as well
    if killed_at(lambda: bool(shop.build(CHAIN, *map(out, EXPECTED))), 1 + chance.number(_POINTS)):
        chance.met("kill -9")
    _look(shop, place, tally, name)
    _compare(shop, _build(shop, tally), tally, name)
    _look(shop, place, tally, name)


_MODES = {"place": _beside, "disk": _on_disk, "kill": _killed}


def _build(shop: Workshop, tally: Tally) -> Build:
    built = shop.build(CHAIN, *map(out, EXPECTED))
    for failure in built.outcome.failures:
        raise failure.error
    tally.found += list(built.endings.values()).count("shared")
    return built


def _compare(shop: Workshop, built: Build, tally: Tally, name: str) -> None:
    """See that what was made has the bytes that it must have."""
    for owner, data in EXPECTED.items():
        if shop.read(built, out(owner)) != data:
            tally.wrong.append(f"{name}: {owner}")


def _look(shop: Workshop, place: Place, tally: Tally, name: str) -> None:
    """See that nothing wrong is kept, here or there."""
    tally.poisoned += [f"{name}: {what}" for what in place.poisoned()]
    tally.poisoned += [f"{name}: {damage.path} {damage.cause}" for damage in gc.verify(shop.cache)]
    with DiskStore(shop.cache) as store:
        for key, outputs in place.truth.items():
            kept = store.get(key)
            if kept is not None and dict(kept.outputs) != outputs:
                tally.poisoned.append(f"{name}: the result {key} of this machine")


def _files(folder: Path) -> list[Path]:
    return sorted(file for part in ("cas", "ac") for file in (folder / part).rglob("*") if file.is_file())


def spoiled(file: Path, chance: Chance, one_in: int = 1) -> None:
    """Damage a file, as disks and the machines that share them do."""
    if chance.number(one_in):
        return
    kind = chance.one(("bit flip", "truncation", "growth", "swap", "eviction", "zeros"))
    others = [other for other in file.parent.parent.rglob("*") if other.is_file() and other != file]
    if kind == "swap" and not others:
        return
    file.chmod(0o644)
    data = file.read_bytes()
    if kind == "eviction":
        file.unlink()
    else:
        file.write_bytes(damaged(data, kind, chance) if kind != "swap" else chance.one(others).read_bytes())
    chance.met(f"{kind} on disk")


def damaged(data: bytes, kind: str, chance: Chance) -> bytes:
    """Give other bytes than ``data``."""
    at = chance.number(len(data))
    if kind == "truncation" or not data:
        return data[:at]
    if kind == "growth":
        return data + bytes(1 + at)
    if kind == "zeros":
        return bytes(len(data)) if data.strip(b"\0") else b"\1"
    return data[:at] + bytes([data[at] ^ 1 << chance.number(8)]) + data[at + 1 :]


class Failing:
    """Lets calls into the operating system fail beneath a folder; Python tells of each call before it makes it."""

    def __init__(self) -> None:
        self._folder = ""
        self._chance: Chance | None = None
        self._hooked = False

    def beneath(self, folder: Path, chance: Chance) -> Failing:
        """Have calls fail beneath ``folder`` while this is entered."""
        self._folder, self._next = f"{folder}/", chance
        return self

    def __enter__(self) -> None:
        if not self._hooked:
            self._hooked = True
            sys.addaudithook(self._hear)
        self._chance = self._next

    def __exit__(self, *_: object) -> None:
        self._chance = None

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        chance = self._chance
        if chance is None or event not in ("open", "os.rename", "os.mkdir", "os.link", "os.scandir", "os.truncate"):
            return
        path = str(arguments[0])
        if path.startswith(self._folder) and (kind := chance.draw(("EIO", "ENOSPC"))):
            import errno
            import os

            chance.met(kind)
            number = getattr(errno, kind)
            raise OSError(number, os.strerror(number), path)


FAILING = Failing()
