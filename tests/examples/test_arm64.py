"""Services for arm64, compiled on another machine: their ELF headers, and what they answer under qemu."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.support.built import ROOT, Built, cache_of
from tests.support.container import free_port

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]
LABELS = ("//c:image", "//cpp:image", "//go:image", "//libraries:image", "//rust:image")
AARCH64 = 183
LIMIT = 60.0  # seconds


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Built:
    root = tmp_path_factory.mktemp("arm64") / "workspace"
    shutil.copytree(ROOT / "examples", root, ignore=shutil.ignore_patterns("distroless-out", "distroless.lock"))
    made = Built(root, cache_of(shared), {})
    made.ask("build", "--platform=linux/arm64", *LABELS)
    return made


@pytest.mark.parametrize("label", LABELS)
def test_every_program_and_library_is_for_arm64(shop: Built, label: str, tmp_path: Path) -> None:
    (known,) = json.loads(shop.ask("inspect", "--json", "--platform=linux/arm64", label))
    assert known["platform"] == "linux/arm64"
    root = shop.unpack(label, tmp_path / "root")
    heads = {
        path: head for path in root.rglob("*") if path.is_file() and not path.is_symlink() and (head := machine(path))
    }
    assert root / "usr/local/bin/server" in heads
    assert set(heads.values()) == {AARCH64}


def machine(path: Path) -> int:
    """Give the machine of an ELF file, 0 for another file. Source: elf(5), e_machine."""
    with path.open("rb") as file:
        head = file.read(20)
    return int.from_bytes(head[18:20], "little") if head[:4] == b"\x7fELF" else 0


@pytest.mark.skipif(not shutil.which("qemu-aarch64"), reason="qemu-user is not installed")
@pytest.mark.parametrize("label", LABELS)
def test_it_answers_under_qemu(shop: Built, label: str, tmp_path: Path) -> None:
    root, port = shop.unpack(label, tmp_path / "root"), free_port()
    words = ["qemu-aarch64", "-L", str(root), str(root / "usr/local/bin/server"), str(port)]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            answer = json.loads(ask(port, process))
        finally:
            process.send_signal(signal.SIGKILL)
    assert answer["path"] == "/a/path"


def ask(port: int, process: subprocess.Popen[bytes]) -> bytes:
    end = time.monotonic() + LIMIT
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/a/path", timeout=10) as answer:
                return bytes(answer.read())
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < end
        time.sleep(0.1)
