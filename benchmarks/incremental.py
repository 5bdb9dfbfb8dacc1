"""What comes after the first build: nothing changed, one file changed, and 10,000 targets loaded and analysed.

Usage: ``python benchmarks/incremental.py [--rounds N] [--targets N]``. Everything is timed as whole processes on a
tmpfs. Prints the best and the median of N rounds in milliseconds, each as a ratio to what the same Python needs to
start and import nothing, so that runs on different machines can be compared, and peak memory.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
RULES = """
def _text(ctx):
    out = ctx.actions.declare_file(ctx.label.name + ".txt")
    ctx.actions.write(out, ctx.attr.text)
    return [DefaultInfo(files = depset([out], transitive = [dep[DefaultInfo].files for dep in ctx.attr.deps]))]

text = rule(implementation = _text, attrs = {"deps": attr.label_list(), "text": attr.string()})
"""


def main() -> None:
    """Build, time and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--targets", type=int, default=10_000)
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # byte code is kept where people install
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        floor = [_run([sys.executable, "-c", "pass"], folder)[0] for _ in range(options.rounds)]
        _print("python, nothing imported", floor, 0, min(floor))
        for name, seconds, memory in (*image(folder, options.rounds), *large(folder, options)):
            _print(name, seconds, memory, min(floor))


def image(folder: Path, rounds: int) -> list[tuple[str, list[float], float]]:
    """Measure the java example: an image of 200 MB unpacked."""
    root = folder / "image"
    root.mkdir()
    shutil.copytree(EXAMPLES / "java", root / "java")
    shutil.copy(EXAMPLES / "distroless.toml", root)
    source = root / "java/Tls.class"
    build = _builder(root, folder / "cache", "//java:image")
    build()

    def changed() -> tuple[float, float]:
        source.write_bytes(source.read_bytes() + b"\0")
        return build()

    return [_rounds("nothing changed", build, rounds), _rounds("one application file changed", changed, rounds)]


def large(folder: Path, options: argparse.Namespace) -> list[tuple[str, list[float], float]]:
    """Measure a workspace of many small targets in packages of ten."""
    root = folder / "large"
    for number in range(options.targets // 10):
        package = root / f"p{number // 100}/q{number}"
        package.mkdir(parents=True)
        lines = ['load("//:rules.bzl", "text")', 'package(default_visibility = ["//visibility:public"])']
        above = f'"//p{(number - 1) // 100}/q{number - 1}:t3"' if number % 10 else ""
        for each in range(10):
            deps = f'":t{each - 1}"' if each else above
            lines.append(f'text(name = "t{each}", deps = [{deps}], text = "{number}-{each}")')
        (package / "BUILD").write_text("\n".join(lines) + "\n", "utf-8")
    (root / "BUILD").write_text('load("//:rules.bzl", "text")\ntext(name = "one", deps = ["//p0/q5:t9"])\n', "utf-8")
    (root / "rules.bzl").write_text(RULES, "utf-8")
    (root / "distroless.toml").write_text('[workspace]\nname = "large"\n', "utf-8")
    everything = _builder(root, folder / "cache", "//...")
    plan = _builder(root, folder / "cache", "//:one", verb="plan")
    query = _builder(root, folder / "cache", "//...", verb="query")
    first, memory = everything()
    return [
        ("build of everything, first", [first], memory),
        _rounds("nothing changed, everything", everything, options.rounds),
        _rounds("query of everything", query, options.rounds),
        _rounds("one target's plan", plan, options.rounds),
        _rounds("load and analyse everything", _analyser(root), min(options.rounds, 3)),
    ]


def _analyser(root: Path) -> Callable[[], tuple[float, float]]:
    """Load and analyse every target, with no state of an earlier build."""
    code = (
        "from pathlib import Path\n"
        "from distroless_rules.build import Options, analysed\n"
        "from distroless_rules.project import open_project\n"
        "from distroless_rules.values.label import Pattern\n"
        "from distroless_rules.values.request import Request\n"
        "project = open_project(Path.cwd(), '', print)\n"
        "analysis, _ = analysed(project, Request((Pattern.parse('//...', package=''),), '', {}), Options())\n"
        "assert analysis.actions\n"
    )
    return lambda: _run([sys.executable, "-c", code], root)


def _builder(root: Path, cache: Path, target: str, verb: str = "build") -> Callable[[], tuple[float, float]]:
    words = [sys.executable, "-m", "distroless_rules", verb, target, "--cache-dir", str(cache)]
    return lambda: _run(words, root)


def _rounds(name: str, run: Callable[[], tuple[float, float]], rounds: int) -> tuple[str, list[float], float]:
    results = [run() for _ in range(rounds)]
    return name, [seconds for seconds, _ in results], max(memory for _, memory in results)


def _run(words: list[str], folder: Path) -> tuple[float, float]:
    """Run a process; give seconds and megabytes of peak memory."""
    begun = time.perf_counter()
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(message.decode())
    return time.perf_counter() - begun, usage.ru_maxrss / 1000


def _print(name: str, seconds: list[float], memory: float, floor: float) -> None:
    best, median = 1000 * min(seconds), 1000 * statistics.median(seconds)
    peak = f"{memory:5.0f} MB" if memory else ""
    ratio = best / 1000 / floor
    print(f"{name:<30} {best:7.0f} ms  median {median:7.0f} ms  {ratio:6.1f} x python  {peak}", flush=True)


if __name__ == "__main__":
    main()
