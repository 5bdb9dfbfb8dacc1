"""A shared cache beside Bazel on the same server: 1,000 small actions made and sent, and found; and 2 GB through it.

Usage: ``python benchmarks/shared.py [--actions N] [--bytes N] [--rounds N] [SERVER ...]``, the servers buildgrid, casd,
nginx and folder; ``tests/run --install`` brings them. Each action is one shell command: ours in a sandbox with a root
of locked debs, which is made, and sent, before anything is timed; Bazel's by its default strategy.
``found`` begins with nothing but the sources (Bazel: after ``clean``, with its server warm and the packages loaded) and
ends with every output in its place; ``minimal`` learns the digests alone (``--remote-download-minimal`` and
``--remote_download_minimal``). The best of some rounds counts, in turn. Everything is on a tmpfs; the machine should
do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.bazel import PACKAGES, Bazel, installed, run
from benchmarks.sandbox import EXAMPLES, RULES
from distroless_rules.storage import key_file
from distroless_rules.storage.connect import connect
from distroless_rules.storage.endpoint import Identity, parse
from distroless_rules.storage.signatures import generate
from distroless_rules.values.digest import Digest
from tests.support import engines

SERVERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "buildgrid": engines.buildgrid,
    "casd": engines.casd,
    "nginx": engines.nginx,
    "folder": engines.shared_folder,
}
ROOT = """
load("@distroless_rules//rules:defs.bzl", "build_root")

build_root(name = "root", debs = ["@trixie//coreutils", "@trixie//dash"], visibility = ["//visibility:public"])
"""
MANY = """
load("//:trivial.bzl", "trivial")

[trivial(name = "t%d" % number, root = "//:root", text = str(number)) for number in range(FIRST, ACTIONS, PACKAGES)]
"""


class Ours:
    """A workspace of ``actions`` targets, and commands in it with caches of their own."""

    def __init__(self, folder: Path, actions: int) -> None:
        self._folder, self._workspace = folder, folder / "ours"
        self._workspace.mkdir()
        shutil.copy(EXAMPLES / "distroless.toml", self._workspace)
        (self._workspace / "trivial.bzl").write_text(RULES, "utf-8")
        (self._workspace / "BUILD").write_text(ROOT, "utf-8")
        for number in range(PACKAGES):
            package = self._workspace / f"many/p{number}"
            package.mkdir(parents=True)
            text = MANY.replace("FIRST", str(number)).replace("ACTIONS", str(actions))
            (package / "BUILD").write_text(text.replace("PACKAGES", str(PACKAGES)), "utf-8")
        self.build("root", "//:root")

    def build(self, cache: str, *words: str) -> float:
        """Build with a cache, and give the seconds."""
        command = [sys.executable, "-m", "distroless_rules", "build", "--cache-dir", str(self._folder / cache), *words]
        return run(command, self._workspace)

    def again(self, cache: str, *words: str) -> float:
        """Build everything with a cache that holds nothing but the root."""
        self.clean(cache)
        shutil.copytree(self._folder / "root", self._folder / cache, copy_function=os.link, symlinks=True)
        return self.build(cache, "//many/...", *words)

    def afresh(self, cache: str, *words: str) -> float:
        """Build everything with a cache that holds nothing at all."""
        self.clean(cache)
        return self.build(cache, "//many/...", *words)

    def clean(self, cache: str) -> None:
        """Forget what was built."""
        shutil.rmtree(self._folder / cache, ignore_errors=True)
        shutil.rmtree(self._workspace / "distroless-out", ignore_errors=True)


def compare(name: str, folder: Path, actions: int, rounds: int) -> None:
    """Print what it costs to fill a server and to find everything there, and what Bazel needs for the same."""
    mine: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    ours = Ours(folder, actions)
    for turn in range(rounds):
        with SERVERS[name](folder / f"engine{turn}") as address:
            where = f"--remote-cache={address}"
            ours.clean("sent")
            ours.build("sent", "//:root", where, "--remote-upload")
            mine.setdefault("filled", []).append(ours.again("fill", where, "--remote-upload"))
            mine.setdefault("found", []).append(ours.afresh("hit", where))
            mine.setdefault("nothing to do", []).append(ours.build("hit", "//many/...", where))
            mine.setdefault("nothing to do, no server", []).append(ours.build("hit", "//many/..."))
            mine.setdefault("minimal", []).append(ours.afresh("hit", where, "--remote-download-minimal"))
        if installed() and name != "folder":
            with SERVERS[name](folder / f"other{turn}") as address, Bazel(folder / f"bazel{turn}", actions) as bazel:
                where = f"--remote_cache={address}"
                theirs.setdefault("filled", []).append(bazel.build(where))
                theirs.setdefault("found", []).append(bazel.build(where))
                theirs.setdefault("minimal", []).append(bazel.build(where, "--remote_download_minimal"))
    for title, seconds in mine.items():
        other = (
            f"   Bazel {min(theirs[title]):6.2f} s   {min(seconds) / min(theirs[title]):5.2f} x"
            if title in theirs
            else ""
        )
        print(f"{name}: {actions} actions {title:<24} {min(seconds):6.2f} s{other}", flush=True)


def compare_signed(name: str, folder: Path, actions: int) -> None:
    """Print what it costs to sign what fills a server, and to use of it only what is signed."""
    key = generate("ci-1")
    key_file.write(folder / "key", key)
    ours = Ours(folder, actions)
    with SERVERS[name](folder / "engine") as address:
        where = f"--remote-cache={address}"
        sign = f"--signing-key={folder / 'key'}"
        ours.build("sent", "//:root", where, "--remote-upload", sign)
        fill = ours.again("fill", where, "--remote-upload", sign)
        anybody = ours.afresh("hit", where)
        settings = folder / "ours/distroless.toml"
        settings.write_text(f'{settings.read_text("utf-8")}\n[cache]\ntrusted_keys = ["{key.public}"]\n', "utf-8")
        signed = ours.afresh("hit", where)
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
    if arrived.hexdigest() != digest.hash:
        raise SystemExit(f"{name} gave other bytes")
    speeds = f"sent at {size / 1e6 / sent:.0f} and fetched at {size / 1e6 / fetched:.0f} MB/s"
    print(f"{name}: {size / 1e9:.1f} GB {speeds}; memory grew by {grown >> 10} MiB", flush=True)


def main() -> None:
    """Measure the servers that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="*", default=list(SERVERS))
    parser.add_argument("--actions", type=int, default=1000)
    parser.add_argument("--bytes", type=int, default=2_000_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # byte code is kept where people install
    for name in given.servers:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            compare(name, Path(folder), given.actions, given.rounds)
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            compare_signed(name, Path(folder), given.actions)
        if given.bytes:
            with tempfile.TemporaryDirectory() as folder:
                stream(name, Path(folder), given.bytes)


if __name__ == "__main__":
    main()
