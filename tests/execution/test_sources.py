"""Digests of source files: remembered where that is safe, and only there."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from distroless_rules.errors import ActionError, StorageError
from distroless_rules.execution.sources import Sources, table_path
from distroless_rules.values.digest import EMPTY, Digest

TICK = 0.15  # seconds: more than the time within which a change may leave no trace

_opened: list[str] | None = None


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened.append(str(arguments[0]))


sys.addaudithook(_note)


@contextmanager
def opened() -> Iterator[list[str]]:
    """Collect the paths that are opened while the block runs."""
    global _opened
    _opened = []
    try:
        yield _opened
    finally:
        _opened = None


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "w").mkdir()
    return tmp_path / "w"


@pytest.fixture
def table(tmp_path: Path, root: Path) -> Path:
    return table_path(tmp_path / "cache", root)


def _hashed(root: Path, table: Path, path: str = "file") -> tuple[Digest, bool]:
    """Take a digest as one build does; tell whether the file was read for it."""
    sources = Sources(root, table)
    with opened() as names:
        digest = sources.digest(path)
    sources.save()
    return digest, any(name.endswith(f"/{path}") for name in names)


def test_a_file_at_rest_is_read_once(root: Path, table: Path) -> None:
    (root / "file").write_bytes(b"text")
    time.sleep(TICK)
    assert _hashed(root, table) == (Digest.of(b"text"), True)
    assert _hashed(root, table) == (Digest.of(b"text"), False)
    os.utime(root / "file")
    time.sleep(TICK)
    assert _hashed(root, table) == (Digest.of(b"text"), True)
    assert _hashed(root, table) == (Digest.of(b"text"), False)


def test_a_file_that_was_just_written_is_read_again(root: Path, table: Path) -> None:
    (root / "file").write_bytes(b"one")
    assert _hashed(root, table) == (Digest.of(b"one"), True)
    assert _hashed(root, table) == (Digest.of(b"one"), True)


def test_changes_of_equal_size_in_quick_succession(root: Path, table: Path) -> None:
    """Whatever the clock of the file system, each build sees the file's present bytes."""
    for number in range(300):
        data = b"%04d" % number
        (root / "file").write_bytes(data)
        assert _hashed(root, table)[0] == Digest.of(data)


@pytest.mark.parametrize("how", ["write", "replace", "time set back"])
def test_a_change_of_a_remembered_file_is_seen(root: Path, table: Path, how: str) -> None:
    file = root / "file"
    file.write_bytes(b"one")
    time.sleep(TICK)
    assert _hashed(root, table)[0] == Digest.of(b"one")
    before = file.stat()
    if how == "replace":
        (root / "new").write_bytes(b"two")
        os.utime(root / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
        os.replace(root / "new", file)
    else:
        file.write_bytes(b"two")
        if how == "time set back":
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert _hashed(root, table)[0] == Digest.of(b"two")


def test_a_time_in_the_future_is_never_at_rest(root: Path, table: Path) -> None:
    (root / "file").write_bytes(b"")
    os.utime(root / "file", (time.time() + 3600,) * 2)
    time.sleep(TICK)
    assert [_hashed(root, table) for _ in range(2)] == [(EMPTY, True)] * 2


def test_one_build_sees_one_digest(root: Path) -> None:
    (root / "file").write_bytes(b"one")
    sources = Sources(root)
    first = sources.digest("file")
    sources.check("file", first)
    (root / "file").write_bytes(b"two")
    assert sources.digest("file") == first
    with pytest.raises(ActionError) as caught:
        sources.check("file", first)
    assert str(caught.value) == (
        'cannot use source file "file": it changed while it was used; build again when it is at rest'
    )


def test_a_file_that_changes_while_it_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = root / "file"
    file.write_bytes(bytes(3 << 20))
    real = os.fstat
    calls = 0

    def fstat(descriptor: int) -> os.stat_result:
        nonlocal calls
        calls += 1
        if calls == 2:
            file.write_bytes(b"other")
        return real(descriptor)

    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(ActionError, match='cannot read source file "file": it changed while it was read'):
        Sources(root).digest("file")


# What is no plain file


def test_links_stand_for_what_they_lead_to(root: Path, table: Path) -> None:
    (root / "target").write_bytes(b"one")
    (root / "file").symlink_to("target")
    (root / "other").write_bytes(b"two")
    time.sleep(TICK)
    assert _hashed(root, table)[0] == Digest.of(b"one")
    (root / "file").unlink()
    (root / "file").symlink_to("other")
    assert _hashed(root, table)[0] == Digest.of(b"two")
    (root / "other").write_bytes(b"six")
    assert _hashed(root, table)[0] == Digest.of(b"six")


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda path: None, "no such file or directory"),
        (Path.mkdir, "is a directory"),
        (os.mkfifo, "it is not a regular file"),
        (_device, "it is not a regular file"),
        (lambda path: path.symlink_to("gone"), "no such file or directory"),
        (lambda path: path.symlink_to(path.name), "too many levels of symbolic links"),
    ],
    ids=["missing", "folder", "fifo", "device", "dangling link", "circular link"],
)
def test_what_cannot_be_a_source(root: Path, make: object, cause: str) -> None:
    make(root / "file")  # type: ignore[operator]
    descriptors = os.listdir("/proc/self/fd")
    with pytest.raises(ActionError) as caught:
        Sources(root).digest("file")
    assert str(caught.value) == f'cannot read source file "file": {cause}'
    assert os.listdir("/proc/self/fd") == descriptors


def test_names_of_any_bytes(root: Path, table: Path) -> None:
    name = os.fsdecode(b"a\xff\n b")
    (root / name).write_bytes(b"x")
    time.sleep(TICK)
    assert _hashed(root, table, name) == (Digest.of(b"x"), True)
    assert _hashed(root, table, name) == (Digest.of(b"x"), False)


# The table


@pytest.mark.parametrize("damage", [b"", b"\n", b"junk", b"0" * 64 + b"\n{}"])
def test_a_damaged_table_is_an_empty_one(root: Path, table: Path, damage: bytes) -> None:
    (root / "file").write_bytes(b"x")
    time.sleep(TICK)
    _hashed(root, table)
    table.write_bytes(damage)
    assert _hashed(root, table) == (Digest.of(b"x"), True)
    assert _hashed(root, table) == (Digest.of(b"x"), False)


def test_a_table_for_each_workspace(tmp_path: Path) -> None:
    assert table_path(tmp_path, tmp_path / "a") != table_path(tmp_path, tmp_path / "b")
    assert table_path(tmp_path, tmp_path / "a").parent == tmp_path / "sources"


def test_an_unchanged_table_is_not_written(root: Path, table: Path) -> None:
    (root / "file").write_bytes(b"x")
    time.sleep(TICK)
    _hashed(root, table)
    before = table.stat()
    _hashed(root, table)
    assert table.stat() == before
    assert [path.name for path in table.parent.iterdir()] == [table.name]


def test_a_table_that_cannot_be_written(root: Path, tmp_path: Path) -> None:
    (root / "file").write_bytes(b"x")
    (tmp_path / "cache").write_bytes(b"in the way")
    time.sleep(TICK)
    sources = Sources(root)
    sources.digest("file")
    sources.save()  # nowhere to save to is not an error
    with pytest.raises(StorageError, match="cannot read the digests of source files: "):
        Sources(root, tmp_path / "cache" / "table")
    (tmp_path / "cache").unlink()
    blocked = Sources(root, tmp_path / "cache" / "table")
    (tmp_path / "cache").write_bytes(b"in the way")
    blocked.digest("file")
    with pytest.raises(StorageError, match="cannot remember the digests of source files: "):
        blocked.save()
