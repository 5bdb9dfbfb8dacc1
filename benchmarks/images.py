"""Whole images from fetched debs: this project beside the floor and beside other builders, in one run.

Usage: ``python benchmarks/images.py [python java ...] [--rounds N]``. Builds copies of the examples on a tmpfs, each
time with a cache that holds the debs and nothing else; the floor (``floor.py``) and the peers get the very debs that
the image has. Prints the best of N rounds in seconds, and each as a ratio to the floor; peers that are not installed
(pigz, zstd, umoci, buildah, mmdebstrap) are left out. The machine should do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "examples"
EXTRACT = "for d in {debs}/*.deb; do dpkg-deb -x $d {root}; done; "
# name -> (the programs that it needs, the shell line that is timed)
PEERS = {
    "dpkg-deb -x, tar, pigz -6": ("pigz", EXTRACT + "tar -C {root} -c . | pigz -6 > {out}"),
    "dpkg-deb -x, tar, zstd -3": ("zstd", EXTRACT + "tar -C {root} -c . | zstd -qf -3 -T0 -o {out}"),
    "dpkg-deb -x, umoci, gzip": (
        "umoci",
        EXTRACT
        + "umoci init --layout {out}.oci; umoci new --image {out}.oci:x; umoci insert --image {out}.oci:x {root} /",
    ),
    "dpkg-deb -x, buildah, gzip": (
        "buildah",
        EXTRACT
        + "c=$(buildah from scratch); buildah copy -q $c {root} /; buildah commit -q $c oci:{out}.b; buildah rm $c",
    ),
    "mmdebstrap extract, tar.gz": (
        "mmdebstrap dpkg-scanpackages",
        "mmdebstrap --quiet --mode=root --variant=extract --include={names} '' {out}.tar.gz "
        "'deb [trusted=yes] copy:{debs} ./'",
    ),
}


def main() -> None:
    """Build, time and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("examples", nargs="*", default=["python", "java"])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # byte code is kept where people install
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for example in options.examples:
            measure(example, Path(folder), options.rounds)


def measure(example: str, folder: Path, rounds: int) -> None:
    """Time one example and print its table."""
    bench = Bench(example, folder)
    times: dict[str, float] = {}
    memory = 0.0
    for compression in ("gzip", "zstd"):
        bench.compress(compression)
        times[f"distroless, {compression}"], memory = bench.best(bench.cold, rounds)
        floor = [sys.executable, str(HERE / "floor.py"), str(bench.debs), compression, str(folder / "floor.out")]
        times[f"floor, {compression}"] = min(_seconds(floor) for _ in range(rounds))
        if compression == "gzip":
            print(f"{example}: {len(list(bench.debs.iterdir()))} debs, peak memory {memory:.0f} MB (gzip)")
    times["a second image, gzip"], _ = bench.best(bench.second, rounds)
    for name, (programs, command) in PEERS.items():
        if all(shutil.which(program) for program in ("dpkg-deb", *programs.split())):
            try:
                times[name] = min(bench.peer(command) for _ in range(min(rounds, 3)))
            except subprocess.CalledProcessError as error:
                print(f"  {name:<28} failed with status {error.returncode}")
    for name, seconds in times.items():
        floor_name = "floor, zstd" if "zstd" in name else "floor, gzip"
        print(f"  {name:<28} {seconds:7.3f} s  {seconds / times[floor_name]:5.2f} x floor")


class Bench:
    """A workspace on tmpfs with the debs of one image."""

    def __init__(self, example: str, folder: Path) -> None:
        self.folder = folder
        self.workspace = folder / f"{example}-workspace"
        self.cache = folder / f"{example}-cache"
        self.debs = folder / f"{example}-debs"
        self.target = f"//{example}:image"
        self.workspace.mkdir()
        shutil.copytree(EXAMPLES / example, self.workspace / example)
        shutil.copy(EXAMPLES / "distroless.toml", self.workspace)
        second = self.workspace / example / "BUILD"
        text = second.read_text("utf-8")
        image = text[text.index("distroless_image(\n") :]
        second.write_text(
            text + "\n" + image.replace('"image"', '"second"', 1).replace("\n)", '\n    author = "x",\n)', 1)
        )
        self.build(self.target)
        report = json.loads((self.workspace / f"distroless-out/{example}/image.report.json").read_text("utf-8"))
        lock = json.loads((self.workspace / "distroless.lock").read_text("utf-8"))
        self.locked = _digests(lock)
        debs = lock["archives"]["trixie"]["debs"][_architecture()]
        self.debs.mkdir()
        for name in {*report["debs"], "base-files", "base-passwd", "libc-bin"}:
            digest = debs[name]["sha256"]
            shutil.copy(self.cache / "cas" / digest[:2] / digest, self.debs / f"{name}.deb")

    def build(self, target: str) -> tuple[float, float]:
        """Build; give seconds and megabytes of peak memory."""
        begun = time.perf_counter()
        words = [sys.executable, "-m", "distroless_rules", "build", target, "--cache-dir", str(self.cache)]
        process = subprocess.Popen([*words], cwd=self.workspace, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr is not None
        message = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(message.decode())
        return time.perf_counter() - begun, usage.ru_maxrss / 1000

    def cold(self) -> tuple[float, float]:
        """Build with a cache that holds the debs only."""
        shutil.rmtree(self.workspace / "distroless-out", ignore_errors=True)
        for path in self.cache.iterdir():
            if path.name not in ("cas", "archives", "lock", "CACHEDIR.TAG"):
                shutil.rmtree(path)
        for blob in self.cache.glob("cas/*/*"):
            if blob.name.partition(".")[0] not in self.locked:
                blob.unlink()
        return self.build(self.target)

    def second(self) -> tuple[float, float]:
        """Build an image that shares its debs with one that is built."""
        self.cold()
        return self.build(self.target.replace(":image", ":second"))

    def best(self, run: Callable[[], tuple[float, float]], rounds: int) -> tuple[float, float]:
        """Give the least seconds and the most memory of some rounds."""
        results = [run() for _ in range(rounds)]
        return min(seconds for seconds, _ in results), max(memory for _, memory in results)

    def compress(self, name: str) -> None:
        """Have the image compressed another way."""
        path = self.workspace / self.target[2:].partition(":")[0] / "BUILD"
        text = re.sub(r'    compression = "[a-z]*",\n', "", path.read_text("utf-8"))
        text = text.replace("distroless_image(\n", f'distroless_image(\n    compression = "{name}",\n')
        path.write_text(text, "utf-8")

    def peer(self, command: str) -> float:
        """Time another builder."""
        root = self.folder / "peer"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        for path in self.folder.glob("peer.out*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if "mmdebstrap" in command and not (self.debs / "Packages").exists():
            scan = "dpkg-scanpackages -m . | sed '/Depends:/d; /^Recommends:/d' > Packages"
            subprocess.run(["sh", "-ec", scan], cwd=self.debs, check=True, stderr=subprocess.DEVNULL)
        names = ",".join(path.stem for path in self.debs.glob("*.deb"))
        text = command.format(debs=self.debs, root=root, out=self.folder / "peer.out", names=names)
        return _seconds(["sh", "-ec", text])


def _seconds(words: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _digests(value: object) -> set[str]:
    """Give every string of 64 characters in a lock: the debs' digests are among them."""
    if isinstance(value, dict):
        return set().union(*map(_digests, value.values())) if value else set()
    if isinstance(value, list):
        return set().union(*map(_digests, value)) if value else set()
    return {value} if isinstance(value, str) and len(value) == 64 else set()


def _architecture() -> str:
    return subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
