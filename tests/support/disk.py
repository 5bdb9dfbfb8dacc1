"""Small file systems of a test's own, to be filled up or made read-only; made by root only."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["fill_up", "let_everyone_in", "needs_root", "remount", "small_disk"]

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may mount and become another user")


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount an empty file system of ``size`` (``1m``) at ``folder``, which is made; skip where that is forbidden."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def remount(folder: Path, options: str) -> None:
    """Change a mounted file system: ``ro``, ``size=2m``."""
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def fill_up(folder: Path) -> Path:
    """Write a file until the file system is full, and give it."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(4096))
        except OSError:
            return filler


def let_everyone_in(folder: Path) -> None:
    """Let every user pass through a test's own folder and those above it."""
    for each in [folder, *folder.parents][:-1]:
        if not each.stat().st_mode & stat.S_IXOTH:
            each.chmod(each.stat().st_mode | stat.S_IXOTH)
