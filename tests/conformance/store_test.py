"""What every store must do. A new store is one more line in ``STORES``."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from distroless_rules.errors import TrustError
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.endpoint import Identity, parse
from distroless_rules.storage.remote_folder import FolderCache
from distroless_rules.storage.shared import SharedStore
from distroless_rules.storage.store import ActionResult, MissingBlobError, copy_in
from distroless_rules.values.digest import EMPTY, Digest
from tests.support.memory import MemoryStore

Edit = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Case:
    """A store under test: how to make one in a folder, and how to damage a blob or result behind its back."""

    make: Callable[[Path], Any]
    damage_blob: Callable[[Any, str, Edit], None]
    damage_result: Callable[[Any, str, Edit], None]


def _edit_file(path: Path, edit: Edit) -> None:
    data = edit(path.read_bytes())
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)


def _edit_value(values: dict[str, bytes], name: str, edit: Edit) -> None:
    values[name] = edit(values[name])


def _shared(folder: Path) -> SharedStore:
    """A store with a shared cache behind it that holds nothing: what it does alone is what the local store does."""
    (folder / "shared").mkdir(parents=True)
    remote = FolderCache(parse(str(folder / "shared"), Identity()))
    return SharedStore(DiskStore(folder / "local"), remote, upload=True, warn=print)


STORES = {
    "disk": Case(
        DiskStore,
        lambda store, name, edit: _edit_file(store.root / "cas" / name[:2] / name, edit),
        lambda store, name, edit: _edit_file(store.root / "ac" / name[:2] / name, edit),
    ),
    "shared": Case(
        _shared,
        lambda store, name, edit: _edit_file(store.local.root / "cas" / name[:2] / name, edit),
        lambda store, name, edit: _edit_file(store.local.root / "ac" / name[:2] / name, edit),
    ),
    "memory": Case(
        lambda folder: MemoryStore(),
        lambda store, name, edit: _edit_value(store.blobs, name, edit),
        lambda store, name, edit: _edit_value(store.actions, name, edit),
    ),
}
DAMAGES: dict[str, Edit] = {
    "a flipped bit": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "the last byte changed": lambda data: data[:-1] + bytes([data[-1] ^ 0x80]),
    "cut short": lambda data: data[: len(data) // 2],
    "emptied": lambda data: b"",
    "grown": lambda data: data + b"\0",
    "zeroed": lambda data: bytes(len(data)),
}
KEY = hashlib.sha256(b"key").hexdigest()


@pytest.fixture(params=STORES)
def case(request: pytest.FixtureRequest) -> Case:
    return STORES[request.param]


@pytest.fixture
def store(case: Case, tmp_path: Path) -> Iterator[Any]:
    made = case.make(tmp_path / "store")
    yield made
    if hasattr(made, "close"):
        made.close()


@pytest.mark.parametrize("size", [0, 1, 511, 1 << 18, (1 << 18) + 1, 3_000_000])
def test_gives_back_what_was_put(store: Any, size: int) -> None:
    data = os.urandom(size)
    digest = copy_in(store, data)
    assert digest == Digest.of(data)
    assert not store.missing([digest])
    with store.open(digest) as stream:
        assert stream.read() == data


def test_joins_pieces_of_every_kind(store: Any) -> None:
    with store.sink() as sink:
        for piece in (b"ab", bytearray(b"cd"), memoryview(b"xefx")[1:3], b"", bytes(300_000), memoryview(b"g")):
            sink.write(piece)
    assert sink.digest == Digest.of(b"abcdef" + bytes(300_000) + b"g")
    with store.open(sink.digest) as stream:
        assert stream.read() == b"abcdef" + bytes(300_000) + b"g"


def test_takes_streams_and_files(store: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(2_500_000))
    assert copy_in(store, file) == Digest.of(bytes(2_500_000))
    with file.open("rb") as stream:
        stream.seek(2_499_999)
        assert copy_in(store, stream) == Digest.of(b"\0")


def test_tells_what_is_missing_in_one_go(store: Any) -> None:
    here = [copy_in(store, b"one"), copy_in(store, b"two"), copy_in(store, b"")]
    gone = [Digest.of(b"three"), Digest.of(b"four")]
    assert store.missing([]) == set()
    assert store.missing(here + gone) == set(gone)


def test_a_missing_blob_is_named(store: Any) -> None:
    with pytest.raises(MissingBlobError) as caught:
        store.open(Digest.of(b"never put"))
    assert caught.value.digest == Digest.of(b"never put")
    assert str(caught.value) == f"cannot read blob {Digest.of(b'never put').oci}: the store does not hold it"


def test_refuses_other_bytes_than_expected(store: Any) -> None:
    with pytest.raises(TrustError, match="its bytes have the digest"):
        copy_in(store, b"evil", expected=Digest.of(b"good"))
    assert store.missing([Digest.of(b"evil"), Digest.of(b"good")]) == {Digest.of(b"evil"), Digest.of(b"good")}
    assert copy_in(store, b"good", expected=Digest.of(b"good")) == Digest.of(b"good")


def test_keeps_nothing_of_a_failed_write(store: Any) -> None:
    def fail() -> None:
        with store.sink() as sink:
            sink.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.missing([Digest.of(b"half")])


def test_putting_twice_is_putting_once(store: Any) -> None:
    first = copy_in(store, b"same")
    with store.open(first) as stream:
        assert copy_in(store, b"same") == first
        assert stream.read() == b"same"


def test_a_wrong_size_is_not_the_blob(store: Any) -> None:
    digest = copy_in(store, b"four")
    liar = Digest(digest.hash, 5)
    assert store.missing([liar]) == {liar}
    with pytest.raises(MissingBlobError):
        store.open(liar)
    assert not store.missing([digest]), "the blob itself must survive a wrong question"


@pytest.mark.parametrize("size", [10, 3_000_000])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("reopen", [False, True])
def test_damaged_blobs_are_missing_and_can_be_put_again(
    case: Case, store: Any, size: int, damage: str, reopen: bool, tmp_path: Path
) -> None:
    data = b"x" * size
    digest = copy_in(store, data)
    case.damage_blob(store, digest.hash, DAMAGES[damage])
    if reopen and isinstance(store, DiskStore):
        store = DiskStore(store.root)
    with pytest.raises(MissingBlobError):
        store.open(digest)
    assert store.corrupt == 1
    assert store.missing([digest]) == {digest}
    assert copy_in(store, data) == digest
    with store.open(digest) as stream:
        assert stream.read() == data


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_shows_without_a_read(case: Case, store: Any, damage: str) -> None:
    digest = copy_in(store, b"y" * 2_000_000)
    case.damage_blob(store, digest.hash, DAMAGES[damage])
    assert store.missing([digest]) == {digest}


def test_putting_repairs_a_damaged_blob_that_nobody_noticed(case: Case, store: Any) -> None:
    digest = copy_in(store, b"z" * 100)
    case.damage_blob(store, digest.hash, DAMAGES["zeroed"])
    assert copy_in(store, b"z" * 100) == digest
    with store.open(digest) as stream:
        assert stream.read() == b"z" * 100


def test_many_threads_put_and_read(store: Any) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(40):
                data = b"%d" % ((number + turn) % 50) * 1000
                with store.open(copy_in(store, data)) as stream:
                    assert stream.read() == data
        except BaseException as error:  # noqa: BLE001 - carried to the test's thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_results_by_key(store: Any) -> None:
    result = ActionResult({"tar": Digest.of(b"1"), "files/ä \n\udcff": EMPTY}, 12, "3")
    assert store.get(KEY) is None
    store.put(KEY, result)
    assert store.get(KEY) == result
    store.put(KEY, ActionResult({}, 0, "4"))
    assert store.get(KEY) == ActionResult({}, 0, "4")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_results_are_none_and_can_be_put_again(case: Case, store: Any, damage: str) -> None:
    result = ActionResult({"out": EMPTY})
    store.put(KEY, result)
    case.damage_result(store, KEY, DAMAGES[damage])
    assert store.get(KEY) is None
    assert store.corrupt == 1
    assert store.get(KEY) is None
    assert store.corrupt == 1
    store.put(KEY, result)
    assert store.get(KEY) == result


def test_a_result_under_another_key_is_none(case: Case, store: Any) -> None:
    other = hashlib.sha256(b"other").hexdigest()
    store.put(KEY, ActionResult({"out": EMPTY}))
    store.put(other, ActionResult({"out": Digest.of(b"wrong")}))
    taken: list[bytes] = []

    def take(data: bytes) -> bytes:
        taken.append(data)
        return data

    case.damage_result(store, other, take)
    case.damage_result(store, KEY, lambda data: taken[0])
    assert store.get(KEY) is None


BLOBS = [b"", b"a", b"b" * 70_000, b"c" * 1_100_000]


@pytest.mark.parametrize("name", STORES)
def test_any_order_of_calls(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.case = STORES[name]
            self.store = self.case.make(tmp_path_factory.mktemp("store"))
            self.held: set[bytes] = set()

        def teardown(self) -> None:
            if hasattr(self.store, "close"):
                self.store.close()

        @rule(data=strategies.sampled_from(BLOBS))
        def put(self, data: bytes) -> None:
            assert copy_in(self.store, data) == Digest.of(data)
            self.held.add(data)

        @rule(data=strategies.sampled_from(BLOBS))
        def read(self, data: bytes) -> None:
            if data in self.held:
                with self.store.open(Digest.of(data)) as stream:
                    assert stream.read() == data
            else:
                with pytest.raises(MissingBlobError):
                    self.store.open(Digest.of(data))

        @rule(data=strategies.sampled_from(BLOBS[1:]), damage=strategies.sampled_from(sorted(DAMAGES)))
        def damage(self, data: bytes, damage: str) -> None:
            if data in self.held:
                self.case.damage_blob(self.store, Digest.of(data).hash, DAMAGES[damage])
                self.held.discard(data)

        @invariant()
        def knows_what_it_holds(self) -> None:
            assert self.store.missing(map(Digest.of, BLOBS)) == {Digest.of(b) for b in BLOBS if b not in self.held}

    run_state_machine_as_test(Machine, settings=settings(max_examples=25, stateful_step_count=20, deadline=None))
