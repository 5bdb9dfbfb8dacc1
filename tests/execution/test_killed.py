"""Builds that are killed at any point, many builds at once, and builds beside the collector."""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from distroless_rules.errors import StorageError
from distroless_rules.storage import gc
from tests.support.process import in_child, killed_at, start
from tests.support.small_layer import ACTIONS, LAYER, check_layer, layer_workshop
from tests.support.workshop import Workshop

POINTS = 40


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return layer_workshop(tmp_path)


def _build(shop: Workshop) -> dict[str, str]:
    """Build the layer; give its outputs' digests by path."""
    outcome = shop.build(ACTIONS, *LAYER).outcome
    return {artifact.path: digest.oci for artifact, digest in outcome.digests.items()}


def _calls(shop: Workshop) -> int:
    """Count the calls into the operating system that one build makes (see ``killed_at``)."""
    calls = 0

    def count(event: str, _: object) -> None:
        nonlocal calls
        calls += event.startswith(("open", "os.", "fcntl."))

    sys.addaudithook(count)
    _build(shop)
    return calls


def _check_everything(shop: Workshop, good: dict[str, str]) -> None:
    """See that what a killed build left behind is sound, and that a build on top of it is a good one."""
    assert gc.verify(shop.cache) == []
    built = shop.build(ACTIONS, *LAYER)
    check_layer(shop, built)
    assert {artifact.path: digest.oci for artifact, digest in built.outcome.digests.items()} == good
    assert built.corrupt == 0
    assert gc.verify(shop.cache) == []
    assert os.listdir(shop.cache / "tmp") == []


def test_killed_at_many_points(shop: Workshop, tmp_path: Path) -> None:
    good = _build(layer_workshop(tmp_path / "good"))
    total = in_child(partial(_calls, shop))
    assert total > 60, "a build makes many calls"
    killed = 0
    for turn in range(POINTS):
        shutil.rmtree(shop.cache)
        killed += killed_at(partial(_build, shop), 1 + turn * total // POINTS)
        _check_everything(shop, good)
    assert killed >= POINTS - 5, "threads make the number of calls vary, but little"


def test_killed_again_and_again_a_build_gets_on(shop: Workshop, tmp_path: Path) -> None:
    """Each build goes on where the one before was killed, after a time that grows from nothing."""
    good = _build(layer_workshop(tmp_path / "good"))
    chance = random.Random(7)
    for turn in range(POINTS):
        child = start(partial(_build, shop))
        time.sleep(chance.uniform(0, 0.001 * turn))
        child.kill()
        assert child.wait() in (None, good)
        if shop.cache.is_dir():
            assert gc.verify(shop.cache) == []
    _check_everything(shop, good)


def test_what_was_finished_before_a_kill_is_not_done_again(shop: Workshop) -> None:
    def build_and_hang() -> None:
        shop.build(ACTIONS[:4], *(each.outputs[0].artifact for each in ACTIONS[:4]))
        os.kill(os.getpid(), 9)

    assert start(build_and_hang).wait() is None
    built = shop.build(ACTIONS, *LAYER)
    assert {owner for owner, ending in built.endings.items() if ending == "cached"} == {
        "written",
        "filled",
        "once",
        "twice",
    }


def test_builds_at_once(shop: Workshop, tmp_path: Path) -> None:
    good = _build(layer_workshop(tmp_path / "good"))
    for _ in range(3):
        children = [start(partial(_build, shop)) for _ in range(4)]
        assert [child.wait() for child in children] == [good] * 4
        assert gc.verify(shop.cache) == []
        assert os.listdir(shop.cache / "tmp") == []
        shutil.rmtree(shop.cache)


def test_builds_beside_the_collector(shop: Workshop, tmp_path: Path) -> None:
    """The collector takes everything whenever it can; no build ever notices."""
    good = _build(layer_workshop(tmp_path / "good"))

    enough = tmp_path / "enough"

    def builds() -> list[dict[str, str]]:
        made = []
        while not enough.exists():
            made.append(_build(shop))
            time.sleep(0.005)
        return made

    child = start(builds)
    collected = refused = 0
    end = time.monotonic() + 20
    while (collected < 5 or not refused) and time.monotonic() < end:
        try:
            collected += gc.collect(shop.cache, 0, wait=0).removed > 0
        except StorageError:
            refused += 1
        time.sleep(0.001)
    enough.touch()
    made = child.wait()
    assert made == [good] * len(made)
    assert collected >= 5
    assert refused, "a collector that never met a build tests nothing"
    assert gc.verify(shop.cache) == []
