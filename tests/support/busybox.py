"""A real image small enough to be made by hand: busybox, linked statically, from this machine's own archive."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from distroless_rules.oci.config import Start
from tests.support.image import Member, directory, file, layout_of, symlink, tar

__all__ = ["image", "program"]

_NAMES = "sh ls id cat sleep env tty stty touch hostname stat mount readlink kill mkdir ip"
_APPLETS = tuple(_NAMES.split())
_PASSWD = b"""root:x:0:0:root:/root:/bin/sh
app:x:1234:1235:,,,:/home/app:/bin/sh
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
"""
_GROUP = b"root:x:0:\napp:x:1235:\nnonroot:x:65532:\nextra:x:77:app\n"


def program(folder: Path) -> bytes:
    """Fetch busybox; ``folder`` is for what is fetched."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        pytest.skip("this machine has no apt")
    fetched = subprocess.run(
        ["apt-get", "download", "-q", "busybox-static"], cwd=folder, capture_output=True, text=True, check=False
    )
    if fetched.returncode:
        pytest.skip(f"busybox-static cannot be fetched: {fetched.stderr[-200:]}")
    (deb,) = folder.glob("busybox-static_*.deb")
    packed = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        member = next(info for info in archive if info.isreg() and info.name.endswith("bin/busybox"))
        found = archive.extractfile(member)
        assert found is not None
        return found.read()


def image(folder: Path, busybox: bytes, start: Start, *more: Member) -> Path:
    """Write the layout of an image with busybox's programs and three accounts; give the folder."""
    system = tar(
        directory("./"),
        directory("bin"),
        file("bin/busybox", busybox, 0o755),
        *(symlink(f"bin/{name}", "busybox") for name in _APPLETS),
        directory("etc"),
        file("etc/passwd", _PASSWD),
        file("etc/group", _GROUP),
        directory("home"),
        directory("home/app", 0o700, 1234, 1235),
        directory("tmp", 0o1777),
    )
    return layout_of(folder, [system, tar(directory("srv"), file("srv/data", b"data\n"), *more)], start)
