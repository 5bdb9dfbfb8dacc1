"""Beside ninja: 1,000 trivial actions, nothing to do, and one changed file in a program of 500, in one run.

Usage: ``python benchmarks/ninja.py [--actions N] [--files N] [--rounds N]``. ninja runs the machine's own programs as
they are; we run those of locked debs in sandboxes, hash what they read and write, and keep it. Everything is on a
tmpfs. The machine should do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from sandbox import EXAMPLES, RULES

TRIVIAL = """
load("@distroless_rules//rules:defs.bzl", "build_root")
load(":trivial.bzl", "trivial")

build_root(name = "root", debs = ["@trixie//coreutils", "@trixie//dash"])

[trivial(name = "t%d" % number, root = ":root", text = str(number)) for number in range(COUNT)]
"""
PROGRAM = """
load("@distroless_rules//rules:defs.bzl", "cc_binary")

cc_binary(name = "program", srcs = glob(["*.c", "*.h"]))
"""


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--actions", type=int, default=1000)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # byte code is kept where people install
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        os.environ["DISTROLESS_CACHE"] = f"{name}/cache"
        trivial(Path(name), options.actions, options.rounds)
        program(Path(name), options.files, options.rounds)


def trivial(folder: Path, count: int, rounds: int) -> None:
    """Print how long trivial actions take, and how long it takes to see that nothing is to be done."""
    ours, theirs = workspace(folder / "trivial"), folder / "trivial-ninja"
    (ours / "trivial.bzl").write_text(RULES)
    (ours / "BUILD").write_text(TRIVIAL.replace("COUNT", str(count)))
    theirs.mkdir()
    rows = [f"build out/{number}.txt: echo\n  text = {number}" for number in range(count)]
    (theirs / "build.ninja").write_text("rule echo\n  command = echo $text > $out\n" + "\n".join(rows) + "\n")
    run(distroless("//:root"), ours)
    cache = folder / "cache"

    def forget() -> None:
        for path in (ours / "distroless-out", cache / "ac", cache / "state"):
            shutil.rmtree(path, ignore_errors=True)
        run(distroless("//:root"), ours)

    compared(
        f"{count} actions",
        least(lambda: run(distroless("//..."), ours), forget, rounds),
        least(lambda: run(["ninja", "-j2"], theirs), lambda: shutil.rmtree(theirs / "out", ignore_errors=True), rounds),
    )
    compared(
        "nothing to do",
        least(lambda: run(distroless("//..."), ours), None, rounds),
        least(lambda: run(["ninja", "-j2"], theirs), None, rounds),
    )


def program(folder: Path, count: int, rounds: int) -> None:
    """Print how long a program of many files takes, and one changed file of it."""
    ours, theirs = workspace(folder / "program"), folder / "program-ninja"
    theirs.mkdir()
    for place in (ours, theirs):
        (place / "all.h").write_text("".join(f"int f{number}(void);\n" for number in range(count)))
        for number in range(count):
            (place / f"f{number}.c").write_text(f'#include "all.h"\nint f{number}(void) {{ return {number}; }}\n')
        calls = " + ".join(f"f{number}()" for number in range(count))
        (place / "main.c").write_text(f'#include "all.h"\nint main(void) {{ return ({calls}) & 1; }}\n')
    (ours / "BUILD").write_text(PROGRAM)
    names = [*(f"f{number}" for number in range(count)), "main"]
    rules = "rule cc\n  command = gcc -O2 -MMD -MF $out.d -c $in -o $out\n  depfile = $out.d\n  deps = gcc\n"
    rules += "rule link\n  command = gcc $in -o $out\n"
    rows = [f"build {name}.o: cc {name}.c" for name in names]
    (theirs / "build.ninja").write_text(
        rules + "\n".join(rows) + f"\nbuild program: link {' '.join(f'{n}.o' for n in names)}\n"
    )
    compared(f"{count + 1} files", run(distroless("//..."), ours), run(["ninja", "-j2"], theirs))
    changed = iter(range(1, 1000))

    def change(place: Path) -> Callable[[], None]:
        return lambda: (
            (place / "f7.c").write_text(f'#include "all.h"\nint f7(void) {{ return {next(changed)} * 2; }}\n') and None
        )

    compared(
        "one changed file",
        least(lambda: run(distroless("//..."), ours), change(ours), rounds),
        least(lambda: run(["ninja", "-j2"], theirs), change(theirs), rounds),
    )


def compared(title: str, ours: float, theirs: float) -> None:
    """Print a line."""
    print(f"{title:<18} distroless {ours:6.2f} s   ninja {theirs:6.3f} s   {ours / theirs:6.1f} x", flush=True)


def workspace(folder: Path) -> Path:
    """Make a workspace that has the archive of the examples."""
    folder.mkdir()
    shutil.copy(EXAMPLES / "distroless.toml", folder)
    return folder


def distroless(target: str) -> list[str]:
    """Give a build's command line."""
    return [sys.executable, "-m", "distroless_rules", "build", "-j2", target]


def least(work: Callable[[], float], before: Callable[[], None] | None, rounds: int) -> float:
    """Give the shortest of some times of ``work``, each after ``before``."""
    times = []
    for _ in range(rounds):
        if before:
            before()
        times.append(work())
    return min(times)


def run(words: list[str], folder: Path) -> float:
    """Run a command, and give its seconds."""
    begun = time.perf_counter()
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begun
    assert done.returncode == 0, done.stderr + done.stdout
    return seconds


if __name__ == "__main__":
    main()
