"""What a sandbox costs: one command in it and out of it, and 500 actions beside ``xargs -P2 bwrap``, in one run.

Usage: ``python benchmarks/sandbox.py [--rounds N] [--actions N]``. Everything is on a tmpfs; the root is made of
trixie's dash and coreutils before anything is timed. The peer runs the same shell commands without staging inputs,
hashing outputs or keeping results: once in the same sandbox, by the command line that we use, and once in the plainest
one that bubblewrap makes (no limit to further user namespaces, a writable /proc, one mount less). The machine should do
nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from distroless_rules.sandbox.bubblewrap import Bubblewrap
from distroless_rules.sandbox.request import Limits, Request
from distroless_rules.sandbox.sandbox import sandbox

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
RULES = """
load("@distroless_rules//rules:defs.bzl", "BuildRootInfo")

def _trivial(ctx):
    out = ctx.actions.declare_file(ctx.label.name + ".txt")
    ctx.actions.run_shell(
        command = "echo %s > %s" % (ctx.attr.text, out.path),
        outputs = [out],
        root = ctx.attr.root[BuildRootInfo].tree,
    )
    return [DefaultInfo(files = depset([out]))]

trivial = rule(implementation = _trivial, attrs = {
    "root": attr.label(cfg = "exec", providers = [BuildRootInfo], stage = "build"),
    "text": attr.string(),
})
"""
BUILD = """
load("@distroless_rules//rules:defs.bzl", "build_root")
load(":trivial.bzl", "trivial")

build_root(name = "root", debs = ["@trixie//coreutils", "@trixie//dash"])

[trivial(name = "t%d" % number, root = ":root", text = str(number)) for number in range(ACTIONS)]
"""


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--actions", type=int, default=500)
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # byte code is kept where people install
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        workspace = folder / "workspace"
        workspace.mkdir()
        shutil.copy(EXAMPLES / "distroless.toml", workspace)
        (workspace / "trivial.bzl").write_text(RULES, "utf-8")
        (workspace / "BUILD").write_text(BUILD.replace("ACTIONS", str(options.actions)), "utf-8")
        build(workspace, folder / "cache", ["//:root"])
        root = workspace / "distroless-out/root"
        inside, outside = one(folder, root)
        extra = (inside - outside) * 1000
        print(f"one command: {inside * 1000:.1f} ms in a sandbox, {outside * 1000:.1f} ms outside: {extra:.1f} ms more")
        same = min(xargs(folder, same_sandbox(folder, root), options.actions) for _ in range(options.rounds))
        plain = min(xargs(folder, plain_sandbox(folder, root), options.actions) for _ in range(options.rounds))
        ours = min(many(workspace, folder / "cache") for _ in range(options.rounds))
        nothing = min(build(workspace, folder / "cache", ["//..."]) for _ in range(options.rounds))
        print(f"{options.actions} actions, xargs -P2 bwrap, the same sandbox: {same:.2f} s")
        print(f"{options.actions} actions, xargs -P2 bwrap, a plain sandbox:  {plain:.2f} s")
        times = f"{ours / same:.2f} x and {ours / plain:.2f} x as long"
        print(f"{options.actions} actions, distroless -j2: {ours:.2f} s, {times}")
        print(f"nothing to do:               {nothing:.2f} s")


def one(folder: Path, root: Path, times: int = 101) -> tuple[float, float]:
    """Give the median seconds of a command in a sandbox and outside."""
    inputs, out = folder / "inputs", folder / "out"
    (inputs / "out").mkdir(parents=True)
    out.mkdir()
    limits = Limits(60, 1 << 30, 100, 1 << 20, 1 << 30)
    request = Request(root, inputs, {}, {"out": out}, ("/bin/true",), {"PATH": "/bin"}, folder / "log", limits)
    kind = sandbox()
    inside, outside = [], []
    for _ in range(times):
        begun = time.perf_counter()
        assert kind.run(request, lambda: None).status == 0
        inside.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        subprocess.run(["/bin/true"], check=True)
        outside.append(time.perf_counter() - begun)
    return statistics.median(inside), statistics.median(outside)


def same_sandbox(folder: Path, root: Path) -> list[str]:
    """Give our own command line."""
    inputs = folder / "peer-inputs"
    (inputs / "out").mkdir(parents=True, exist_ok=True)
    limits = Limits(60, 1 << 30, 100, 1 << 20, 1 << 30)
    words = ("/bin/sh", "-e", "-c", "echo @ > out/@.txt")
    environment = {"PATH": "/bin", "SOURCE_DATE_EPOCH": "0", "TMPDIR": "/tmp"}
    made = Bubblewrap("bwrap")
    return made.command(Request(root, inputs, {}, {"out": folder / "peer"}, words, environment, folder / "log", limits))


def plain_sandbox(folder: Path, root: Path) -> list[str]:
    """Give a command line with no more than it takes."""
    words = ["bwrap", "--unshare-user", "--unshare-all", "--die-with-parent", "--clearenv", "--ro-bind", str(root), "/"]
    words += ["--bind", str(folder / "peer"), "/build", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    return [*words, "--chdir", "/build", "/bin/sh", "-e", "-c", "echo @ > @.txt"]


def xargs(folder: Path, words: list[str], actions: int) -> float:
    """Give the seconds that the peer takes."""
    out = folder / "peer"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    line = f"seq {actions} | xargs -P2 -I@ {shlex.join(words)}"
    begun = time.perf_counter()
    subprocess.run(["sh", "-c", line], check=True)
    seconds = time.perf_counter() - begun
    assert len(list(out.iterdir())) == actions
    return seconds


def many(workspace: Path, cache: Path) -> float:
    """Give the seconds that all actions take, with a cache that has the root."""
    shutil.rmtree(workspace / "distroless-out")
    for folder in ("ac", "state"):
        shutil.rmtree(cache / folder, ignore_errors=True)
    build(workspace, cache, ["//:root"])
    return build(workspace, cache, ["//...", "-j2"])


def build(workspace: Path, cache: Path, words: list[str]) -> float:
    """Build; give seconds."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "distroless_rules", "build", *words, "--cache-dir", str(cache)]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
