"""A shared cache beside doing without one: 1,000 small actions made, sent and found, and memory while 2 GB go through.

    python benchmarks/shared.py [--actions N] [--bytes N] [SERVER ...]     # servers: casd nginx folder

Prints seconds and ratios to the same build without a shared cache, in one run, so that a loaded machine shows in both.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from distroless_rules.storage import key_file
from distroless_rules.storage.connect import connect
from distroless_rules.storage.endpoint import Identity, parse
from distroless_rules.storage.signatures import generate
from distroless_rules.values.digest import Digest
from tests.support import engines

SERVERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "casd": engines.casd,
    "nginx": engines.nginx,
    "folder": engines.shared_folder,
}


def workspace(root: Path, actions: int, settings: str = "") -> Path:
    """Write a workspace of small actions, ten to a package."""
    root.mkdir(parents=True)
    (root / "distroless.toml").write_text(f'[workspace]\nname = "many"\n{settings}')
    for package in range(actions // 10):
        lines = ['load("@distroless_rules//rules:defs.bzl", "write_file")']
        lines += [f'write_file(name = "t{n}", out = "t{n}.txt", content = ["{package} {n}"])' for n in range(10)]
        (root / f"p{package}").mkdir()
        (root / f"p{package}/BUILD").write_text("\n".join(lines) + "\n")
    return root


def build(root: Path, cache: Path, *words: str) -> float:
    """Build everything; give the seconds that it took."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "distroless_rules", "build", "//...", "--cache-dir", str(cache), *words]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    seconds = time.monotonic() - begun
    print(f"    {ran.stderr.strip().splitlines()[-1]}")
    return seconds


def compare(name: str, folder: Path, actions: int) -> None:
    """Print what filling a server, and finding everything there, cost beside the same build without."""
    with SERVERS[name](folder / "engine") as address:
        alone = build(workspace(folder / "alone", actions), folder / "c1")
        fill = build(workspace(folder / "fill", actions), folder / "c2", f"--remote-cache={address}", "--remote-upload")
        hit = build(workspace(folder / "hit", actions), folder / "c3", f"--remote-cache={address}")
        idle = build(folder / "hit", folder / "c3", f"--remote-cache={address}")
        idle_alone = build(folder / "alone", folder / "c1")
    print(f"{name}: alone {alone:.2f} s, filled {fill:.2f} s ({fill / alone:.2f} of it)")
    print(f"{name}: found {hit:.2f} s ({hit / alone:.2f} of it)")
    print(f"{name}: nothing to do {idle:.2f} s beside {idle_alone:.2f} s alone ({idle / idle_alone:.2f})")


def compare_signed(name: str, folder: Path, actions: int) -> None:
    """Print what it costs to sign what fills a server, and to use of it only what is signed."""
    key = generate("ci-1")
    key_file.write(folder / "key", key)
    with SERVERS[name](folder / "engine") as address:
        where = f"--remote-cache={address}"
        words = (where, "--remote-upload", f"--signing-key={folder / 'key'}")
        fill = build(workspace(folder / "fill", actions), folder / "c1", *words)
        anybody = build(workspace(folder / "anybody", actions), folder / "c2", where)
        trusted = f'[cache]\ntrusted_keys = ["{key.public}"]\n'
        signed = build(workspace(folder / "signed", actions, trusted), folder / "c3", where)
    print(f"{name}: filled and signed {fill:.2f} s")
    print(f"{name}: found and checked {signed:.2f} s ({signed / anybody:.2f} of {anybody:.2f} s without looking)")


def stream(name: str, folder: Path, size: int) -> None:
    """Send and fetch a blob, and print by how much the memory of this process grew."""
    file = folder / "large"
    hashed = hashlib.sha256()
    piece = os.urandom(1 << 20)
    with file.open("wb") as out:
        for _ in range(size >> 20):
            out.write(piece)
            hashed.update(piece)
    digest = Digest(hashed.hexdigest(), size >> 20 << 20)
    with SERVERS[name](folder / "engine") as address:
        remote = connect(parse(address, Identity()), 60)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun = time.monotonic()
        remote.send({digest: file})
        sent = time.monotonic() - begun
        arrived = hashlib.sha256()
        begun = time.monotonic()
        remote.fetch(digest, arrived.update)
        fetched = time.monotonic() - begun
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        remote.close()
    assert arrived.hexdigest() == digest.hash
    speeds = f"sent at {size / 1e6 / sent:.0f} and fetched at {size / 1e6 / fetched:.0f} MB/s"
    print(f"{name}: {size / 1e9:.1f} GB {speeds}; memory grew by {grown >> 10} MiB")


def main() -> None:
    """Measure the servers that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="*", default=list(SERVERS))
    parser.add_argument("--actions", type=int, default=1000)
    parser.add_argument("--bytes", type=int, default=2_000_000_000)
    given = parser.parse_args()
    for name in given.servers:
        with tempfile.TemporaryDirectory() as folder:
            compare(name, Path(folder), given.actions)
        with tempfile.TemporaryDirectory() as folder:
            compare_signed(name, Path(folder), given.actions)
        with tempfile.TemporaryDirectory() as folder:
            stream(name, Path(folder), given.bytes)


if __name__ == "__main__":
    main()
