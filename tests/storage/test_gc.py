"""Counting, collecting and checking what the cache folder holds."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from distroless_rules.errors import StorageError
from distroless_rules.storage import gc
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.store import ActionResult, copy_in
from distroless_rules.values.digest import Digest


def key(text: str) -> str:
    return Digest.of(text.encode()).hash


def fill(root: Path, *names: str) -> dict[str, Digest]:
    """Put a blob of 1000 bytes and a result for each name, in the order of use."""
    made = {}
    with DiskStore(root) as store:
        for name in names:
            made[name] = copy_in(store, name.encode() * 1000)
            store.put(key(name), ActionResult({"out": made[name]}))
            time.sleep(0.02)
    return made


def held(root: Path, made: dict[str, Digest]) -> str:
    """Show which blobs (small letters) and results (capitals) are there."""
    with DiskStore(root) as store:
        blobs = "".join(name for name in made if not store.missing([made[name]]))
        return blobs + "".join(name.upper() for name in made if store.get(key(name)))


def test_stats(tmp_path: Path) -> None:
    assert [(usage.kind, usage.count) for usage in gc.stats(tmp_path / "none")] == [
        ("blobs", 0),
        ("action results", 0),
        ("laid-out trees", 0),
        ("source tables", 0),
        ("build states", 0),
        ("archive indexes", 0),
        ("downloads", 0),
        ("temporary", 0),
        ("corrupt", 0),
    ]
    fill(tmp_path, "a", "b")
    usages = {usage.kind: usage for usage in gc.stats(tmp_path)}
    assert (usages["blobs"].count, usages["blobs"].bytes, usages["action results"].count) == (2, 2000, 2)


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    made = fill(tmp_path, "a", "b", "c", "d")
    collected = gc.collect(tmp_path, 2600)
    assert held(tmp_path, made) == "cdCD"
    assert (collected.removed, collected.kept) == (4, 4)
    assert collected.kept_bytes <= 2600


def test_a_result_that_is_used_keeps_its_blobs(tmp_path: Path) -> None:
    made = fill(tmp_path, "a", "b", "c")
    path = tmp_path / "ac" / key("a")[:2] / key("a")
    os.utime(path, (time.time() - 7200,) * 2)
    held(tmp_path, {"a": made["a"]})
    assert time.time() - path.stat().st_mtime < 60, "a use more than an hour after the last is recorded"
    gc.collect(tmp_path, 2600)
    assert held(tmp_path, made) == "acAC"


def test_nothing_is_removed_when_there_is_room(tmp_path: Path) -> None:
    made = fill(tmp_path, "a", "b")
    assert gc.collect(tmp_path, 10_000).removed == 0
    assert held(tmp_path, made) == "abAB"


def test_collecting_to_nothing(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    (tmp_path / "tmp/1-left").write_bytes(b"x")
    (tmp_path / "corrupt/x").write_bytes(b"x")
    for folder in ("sources", "state", "archives", "partial"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_bytes(b"x")
    assert gc.collect(tmp_path, 0).removed == 8
    assert all(usage.count == 0 for usage in gc.stats(tmp_path))
    assert gc.collect(tmp_path / "none", 0) == gc.Collected(0, 0, 0, 0)


def test_not_while_a_build_runs(tmp_path: Path) -> None:
    with DiskStore(tmp_path) as store:
        digest = copy_in(store, b"in use")
        with pytest.raises(StorageError) as caught:
            gc.collect(tmp_path, 0, wait=0.1)
        assert str(caught.value) == (
            f'cannot clean the cache folder "{tmp_path}": a build is using it; try again when the build has finished'
        )
        assert not store.missing([digest])
    assert gc.collect(tmp_path, 0, wait=0).removed == 1


def test_verify_finds_every_flipped_bit(tmp_path: Path) -> None:
    made = fill(tmp_path, "a", "b", "c")
    assert gc.verify(tmp_path) == []
    blob = tmp_path / "cas" / made["b"].hash[:2] / made["b"].hash
    result = tmp_path / "ac" / key("c")[:2] / key("c")
    for path in (blob, result):
        path.chmod(0o644)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    assert [damage.path for damage in gc.verify(tmp_path)] == [
        str(result.relative_to(tmp_path)),
        str(blob.relative_to(tmp_path)),
    ]
    assert held(tmp_path, made) == "acAB"
    assert len(os.listdir(tmp_path / "corrupt")) == 2
    assert gc.verify(tmp_path) == []


def test_verify_makes_the_place_for_what_is_damaged(tmp_path: Path) -> None:
    made = fill(tmp_path, "a")
    blob = tmp_path / "cas" / made["a"].hash[:2] / made["a"].hash
    blob.unlink()
    blob.write_bytes(b"other")
    (tmp_path / "corrupt").rmdir()
    assert [damage.path for damage in gc.verify(tmp_path)] == [str(blob.relative_to(tmp_path))]
    assert held(tmp_path, made) == "A"
