"""The store in a folder beside a model of it: any order of uses, damage, collections and restarts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from distroless_rules.errors import StorageError
from distroless_rules.storage import gc
from distroless_rules.storage.disk import SMALL, DiskStore
from distroless_rules.storage.store import ActionResult, MissingBlobError, copy_in
from distroless_rules.values.digest import Digest

BLOBS = {Digest.of(data): data for data in (b"", b"a", b"bb" * 5000, b"c" * 70_000, b"d" * (SMALL + 1))}
KEYS = [Digest.of(b"key %d" % number).hash for number in range(3)]
digests = st.sampled_from(sorted(BLOBS))
keys = st.sampled_from(KEYS)


def _cut(path: Path, data: bytes) -> None:
    path.write_bytes(data[:-1])


def _flip(path: Path, data: bytes) -> None:
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def _remove(path: Path, data: bytes) -> None:
    path.unlink()


def _harm(path: Path, how: str) -> None:
    path.chmod(0o644)
    {"cut": _cut, "flip": _flip, "remove": _remove}[how](path, path.read_bytes())


class _Machine(RuleBasedStateMachine):
    """The model: which blobs are whole, which results are, and how much damage is still to be met."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.root = self.folder / str(len(list(self.folder.iterdir())))
        self.store = DiskStore(self.root)
        self.blobs: set[Digest] = set()
        self.results: dict[str, ActionResult] = {}

    def teardown(self) -> None:
        self.store.close()

    def _blob(self, digest: Digest) -> Path:
        return self.root / "cas" / digest.hash[:2] / digest.hash

    def _result(self, key: str) -> Path:
        return self.root / "ac" / key[:2] / key

    @rule(digest=digests)
    def put(self, digest: Digest) -> None:
        assert copy_in(self.store, BLOBS[digest], digest) == digest
        self.blobs.add(digest)

    @rule(digest=digests)
    def read(self, digest: Digest) -> None:
        if digest in self.blobs:
            assert self.store.path(digest).read_bytes() == BLOBS[digest]
        else:
            with pytest.raises(MissingBlobError):
                self.store.path(digest)

    @rule(key=keys, outputs=st.sets(digests, max_size=3))
    def put_result(self, key: str, outputs: set[Digest]) -> None:
        self.results[key] = ActionResult({digest.hash[:4]: digest for digest in sorted(outputs)}, 5, "1")
        self.store.put(key, self.results[key])

    @rule(key=keys)
    def get_result(self, key: str) -> None:
        assert self.store.get(key) == self.results.get(key)

    @rule(digest=st.sampled_from(sorted(d for d in BLOBS if d.size)), how=st.sampled_from(["cut", "flip", "remove"]))
    def harm_blob(self, digest: Digest, how: str) -> None:
        if digest in self.blobs:
            _harm(self._blob(digest), how)
            self.blobs.discard(digest)

    @rule(key=keys, how=st.sampled_from(["cut", "flip", "remove"]))
    def harm_result(self, key: str, how: str) -> None:
        if self.results.pop(key, None):
            _harm(self._result(key), how)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = DiskStore(self.root)

    @rule()
    def collect_while_in_use(self) -> None:
        with pytest.raises(StorageError, match="a build is using it"):
            gc.collect(self.root, 0, wait=0)

    @rule()
    def verify(self) -> None:
        gc.verify(self.root)
        assert gc.verify(self.root) == []
        assert {digest for digest in BLOBS if self._blob(digest).exists()} == self.blobs

    @rule(room=st.sampled_from([0, 100, 12_000, 90_000, 2_000_000]))
    def collect(self, room: int) -> None:
        self.store.close()
        done = gc.collect(self.root, room)
        left = {usage.kind: usage for usage in gc.stats(self.root)}
        assert sum(usage.bytes for usage in left.values()) == done.kept_bytes <= room
        assert sum(usage.count for usage in left.values()) == done.kept
        self.blobs = {digest for digest in self.blobs if self._blob(digest).exists()}
        self.results = {key: result for key, result in self.results.items() if self._result(key).exists()}
        for result in self.results.values():
            assert all(self._blob(digest).exists() for digest in result.outputs.values())
        self.store = DiskStore(self.root)

    @invariant()
    def nothing_is_lost_and_nothing_wrong_is_given(self) -> None:
        assert self.store.missing(BLOBS) == BLOBS.keys() - self.blobs


def test_any_order_of_uses(tmp_path: Path) -> None:
    machine = type("Machine", (_Machine,), {"folder": tmp_path})
    run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=25, deadline=None))
