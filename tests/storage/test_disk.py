"""The store in a folder: what other processes, the kernel and a full disk do to it."""

from __future__ import annotations

import os
import random
import resource
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from distroless_rules.errors import ConfigError, StorageError
from distroless_rules.storage import gc
from distroless_rules.storage.disk import SMALL, DiskStore
from distroless_rules.storage.folder import default_folder
from distroless_rules.storage.store import ActionResult, MissingBlobError, copy_in
from distroless_rules.values.digest import Digest
from tests.support.disk import fill_up, let_everyone_in, needs_root, remount, small_disk
from tests.support.process import become_nobody, in_child, killed_at, start

LARGE = b"large" * (SMALL // 4)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def store(root: Path) -> Iterator[DiskStore]:
    with DiskStore(root) as made:
        yield made


def files(root: Path) -> list[str]:
    """List the regular files below ``root``, but for the ones that are always there."""
    found = (str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    return sorted(name for name in found if name not in ("lock", "CACHEDIR.TAG"))


def flip(path: Path, *, keep_time: bool = False) -> None:
    """Flip one bit in the middle of a file, and set its modification time back if asked to."""
    before = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.seek(before.st_size // 2)
        byte = stream.read(1)[0]
        stream.seek(before.st_size // 2)
        stream.write(bytes([byte ^ 4]))
    path.chmod(0o444)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


# What it looks like


def test_layout(store: DiskStore, root: Path) -> None:
    digest = copy_in(store, b"hello")
    store.put(digest.hash, ActionResult({"out": digest}))
    hash_ = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert files(root) == [f"ac/2c/{hash_}", f"cas/2c/{hash_}"]
    assert store.path(digest) == root / "cas/2c" / hash_
    assert (root / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_blobs_are_read_only_whatever_the_umask(root: Path, umask: int) -> None:
    def put() -> int:
        with DiskStore(root) as store:
            os.umask(umask)
            (root / "cas" / Digest.of(b"x").hash[:2]).mkdir(mode=0o755)
            os.chmod(root / "cas" / Digest.of(b"x").hash[:2], 0o755)
            return stat.S_IMODE(store.path(copy_in(store, b"x")).stat().st_mode)

    assert in_child(put) == 0o444


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"DISTROLESS_CACHE": "/c", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/c"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/distroless"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/distroless"),
        ({"DISTROLESS_CACHE": "", "HOME": "/h"}, "/h/.cache/distroless"),
    ],
)
def test_default_folder(environment: dict[str, str], folder: str) -> None:
    assert default_folder(environment) == Path(folder)


def test_no_default_folder() -> None:
    with pytest.raises(ConfigError, match="set DISTROLESS_CACHE to a folder you can write"):
        default_folder({})


# Every read is checked


@pytest.mark.parametrize("keep_time", [False, True])
@pytest.mark.parametrize("data", [b"small" * 100, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("reopen", [False, True])
def test_a_flipped_bit_is_found(store: DiskStore, data: bytes, keep_time: bool, reopen: bool) -> None:
    digest = copy_in(store, data)
    time.sleep(0.05)
    flip(store.path(digest), keep_time=keep_time)
    if reopen:
        store = DiskStore(store.root)
    with pytest.raises(MissingBlobError):
        store.path(digest)
    assert [name.split("/")[1].split(".")[0] for name in files(store.root)] == [digest.hash]
    assert files(store.root)[0].startswith("corrupt/")


def test_a_write_through_a_hard_link_is_found(store: DiskStore, tmp_path: Path) -> None:
    digest = copy_in(store, LARGE)
    os.link(store.path(digest), tmp_path / "out")
    flip(tmp_path / "out")
    assert store.missing([digest]) == {digest}


def test_an_untouched_large_blob_is_not_read_again(root: Path, tmp_path: Path) -> None:
    with DiskStore(root) as store:
        digest = copy_in(store, LARGE)

    def reads() -> int:
        with DiskStore(root) as store:
            opened: list[str] = []
            sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
            store.path(digest)
            store.missing([digest])
            return sum("/cas/" in name for name in opened)

    assert in_child(reads) == 0
    time.sleep(0.05)  # more than the seal's tolerance
    os.link(root / "cas" / digest.hash[:2] / digest.hash, tmp_path / "out")  # breaks the seal, changes no byte
    assert in_child(reads) == 1
    assert in_child(reads) == 0


def test_a_seal_of_an_earlier_boot_does_not_count(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = copy_in(store, LARGE)
    path = store.path(digest)
    distance = path.stat().st_ctime_ns - path.stat().st_mtime_ns
    flip(path)
    later = time.time_ns()
    os.utime(path, ns=(later, later - distance - 60_000_000_000))  # as sealed under another boot
    with pytest.raises(MissingBlobError):
        DiskStore(store.root).path(digest)


# Killed, and many at once


def test_killed_at_every_point_of_a_write(root: Path) -> None:
    data = os.urandom(600_000)
    digest = Digest.of(data)

    def write() -> None:
        with DiskStore(root) as store:
            copy_in(store, data)
            store.put(digest.hash, ActionResult({"out": digest}))

    point = 1
    while killed_at(write, point):
        with DiskStore(root) as store:
            result = store.get(digest.hash)
            if result is not None:
                assert store.path(result.outputs["out"]).read_bytes() == data
            if not store.missing([digest]):
                assert store.path(digest).read_bytes() == data
            assert store.corrupt == 0
            assert os.listdir(root / "tmp") == []
        subprocess.run(["rm", "-rf", root], check=True)
        point += 1
    assert point > 15, "the child must be killed at many points"


def test_a_killed_writer_leaves_nothing_to_the_next_build(root: Path) -> None:
    def write() -> None:
        with DiskStore(root) as store, store.sink() as sink:
            while True:
                sink.write(os.urandom(300_000))

    child = start(write)
    while not any(path.stat().st_size for path in (root / "tmp").glob("*")):
        time.sleep(0.001)
    with DiskStore(root):  # the writer lives: its file is left alone
        assert len(os.listdir(root / "tmp")) == 1
    child.kill()
    child.wait()
    with DiskStore(root):
        assert files(root) == []


def test_processes_at_once(root: Path) -> None:
    def work(seed: int) -> int:
        order = random.Random(seed)
        with DiskStore(root) as store:
            for _ in range(300):
                number = order.randrange(40)
                data = b"%d" % number * 5000
                digest = copy_in(store, data)
                store.put(digest.hash, ActionResult({"out": digest}, seed))
                found = store.get(Digest.of(b"%d" % order.randrange(40) * 5000).hash)
                for output in found.outputs.values() if found else ():
                    assert Digest.of(store.path(output).read_bytes()) == output
            return store.corrupt

    children = [start(partial(work, seed)) for seed in range(4)]
    assert [child.wait() for child in children] == [0, 0, 0, 0]
    assert gc.verify(root) == []
    assert os.listdir(root / "tmp") == []


# Refusals


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "1m") as folder:
        yield folder


@needs_root
def test_full_disk(full_disk: Path) -> None:
    with DiskStore(full_disk / "cache") as store:
        kept = copy_in(store, os.urandom(100_000))
        with pytest.raises(StorageError) as caught:
            copy_in(store, os.urandom(2_000_000))
        assert str(caught.value) == (
            "cannot write a blob to the cache: no space left on device; "
            "free some space, or make the cache smaller with distroless cache gc --max-size"
        )
        assert os.listdir(store.root / "tmp") == []
        assert not store.missing([kept])
        filler = fill_up(full_disk)
        with pytest.raises(StorageError, match="no space left on device"):
            store.put(kept.hash, ActionResult({"out": kept}))
        assert store.get(kept.hash) is None
        assert os.listdir(store.root / "tmp") == []
        filler.unlink()
        store.put(kept.hash, ActionResult({"out": kept}))
        assert store.get(kept.hash) == ActionResult({"out": kept})


def test_file_size_limit(root: Path) -> None:
    def write() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        with DiskStore(root) as store:
            copy_in(store, bytes(500_000))

    with pytest.raises(StorageError, match="cannot write a blob to the cache: file too large; free some space"):
        in_child(write)
    assert files(root) == []


@needs_root
def test_no_permission(tmp_path: Path) -> None:
    let_everyone_in(tmp_path)
    root = tmp_path / "cache"
    with DiskStore(root) as store:
        digest = copy_in(store, b"mine")

    def use() -> None:
        become_nobody()
        DiskStore(root)

    with pytest.raises(StorageError) as caught:
        in_child(use)
    assert str(caught.value) == (
        f'cannot use the cache folder "{root}": permission denied; set DISTROLESS_CACHE to a folder you can write'
    )
    (root / "lock").chmod(0o666)

    def write() -> None:
        become_nobody()
        with DiskStore(root) as store:
            assert store.path(digest).read_bytes() == b"mine"
            copy_in(store, b"theirs")

    with pytest.raises(StorageError, match="cannot write to the cache: permission denied; set DISTROLESS_CACHE"):
        in_child(write)
    assert len(files(root)) == 1


@needs_root
def test_read_only_folder(full_disk: Path) -> None:
    with DiskStore(full_disk / "cache") as store:
        copy_in(store, b"here")
    remount(full_disk, "ro")
    with pytest.raises(StorageError, match="read-only file system; set DISTROLESS_CACHE to a folder you can write"):
        DiskStore(full_disk / "cache")


def test_a_file_where_the_folder_should_be(root: Path) -> None:
    root.write_bytes(b"")
    with pytest.raises(StorageError, match=f'cannot use the cache folder "{root}": '):
        DiskStore(root)


def test_a_folder_where_a_blob_should_be(store: DiskStore) -> None:
    digest = Digest.of(b"x")
    (store.root / "cas" / digest.hash[:2] / digest.hash).mkdir(parents=True)
    with pytest.raises(StorageError, match=f"cannot read blob {digest.oci}: is a directory"):
        store.path(digest)
