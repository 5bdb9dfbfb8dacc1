"""Trees laid out as folders: on whichever file system they are wanted."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from distroless_rules.execution.trees import lay
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.store import copy_in

LARGE = bytes(range(256)) * 20_000


def _archive() -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, data in (("bin/tool", b"#!/bin/sh\n"), ("empty", b""), ("large", LARGE)):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755 if name == "bin/tool" else 0o644
            archive.addfile(member, io.BytesIO(data))
    return written.getvalue()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on another file system than that of ``tmp_path``."""
    other = Path("/dev/shm")
    if not os.access(other, os.W_OK) or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    with tempfile.TemporaryDirectory(dir=other) as folder:
        yield Path(folder)


def test_a_tree_is_laid_out_on_another_file_system(tmp_path: Path, elsewhere: Path) -> None:
    with DiskStore(elsewhere / "cache") as store:
        lay(copy_in(store, _archive()), store, tmp_path / "tree")
    assert (tmp_path / "tree/large").read_bytes() == LARGE
    assert (tmp_path / "tree/empty").read_bytes() == b""
    assert (tmp_path / "tree/bin/tool").stat().st_mode & 0o777 == 0o555
    assert sorted(path.name for path in tmp_path.iterdir()) == [".tree.tree", "tree"]
