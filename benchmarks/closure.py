"""Closure and gate: what it takes to know that an image runs, beside reading what must be known for it, in one run.

Usage: ``python benchmarks/closure.py [java ...] [--rounds N] [--cache-dir DIR]``. For each example and both closures it
performs ``Compose`` anew (what of the debs is in the image, closure, gate), and what holds the image to its policy,
with everything before them in the cache; the floor is to read the files that Compose reads and parse them as JSON, in
the same process. Then all actions of the image anew, with what share of them the facts of its ELF files and the policy
are, the ELF files a second that are read from debs and that come from the cache, beside pyelftools alone; and a build
with nothing to do. Best of N rounds.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from distroless_rules.actions.action import Action
from distroless_rules.build import Options, analysed
from distroless_rules.closure import facts
from distroless_rules.deb import package
from distroless_rules.elf import read as elf
from distroless_rules.execution import events
from distroless_rules.machine import Machine
from distroless_rules.project import open_project
from distroless_rules.values.label import Pattern
from distroless_rules.values.request import Request

_POLICY = ("Findings", "Policy")
_OF_DEBS = ("DebUnpack", "Facts", "Mentions", "Screen", "Checksums")
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def main() -> None:
    """Build, time and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("examples", nargs="*", default=["java", "python"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cache-dir", default="", help="the cache of distroless; its own by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for example in options.examples:
            root = Path(folder) / example
            root.mkdir()
            shutil.copy(EXAMPLES / "distroless.toml", root)
            shutil.copytree(EXAMPLES / example, root / example)
            for closure in ("packages", "files"):
                build = root / example / "BUILD"
                text = re.sub(r' {4}closure = "[a-z]*",\n', "", build.read_text("utf-8"))
                image = f'distroless_image(\n    closure = "{closure}",\n'
                build.write_text(text.replace("distroless_image(\n", image), "utf-8")
                Bench(root, f"//{example}:image", closure, options.cache_dir, options.rounds).run()


@dataclass(frozen=True)
class Bench:
    """One image with one closure."""

    root: Path
    label: str
    closure: str
    cache: str
    rounds: int

    def run(self) -> None:
        """Time and print."""
        project = open_project(self.root, self.cache, lambda _: None)
        analysis, _ = analysed(project, Request((Pattern.parse(self.label),)), Options())
        with Machine(project, 0, events.ignore) as machine:
            made = machine.execute(analysis, keep_going=False).made
            known = {path: machine.store.path(digest) for path, digest in made.items()}
        actions = {each for each in analysis.actions if all(named.artifact.path in known for named in each.outputs)}
        owned = {each.mnemonic: each for each in actions if each.owner == self.label}
        inputs = [known[named.artifact.path] for named in owned["Compose"].inputs if _is_read(named.name)]

        def again(actions: set[Action]) -> tuple[float, Mapping[str, float]]:
            spent: dict[str, float] = {}

            def listen(event: events.Event) -> None:
                if isinstance(event, events.ActionFinished) and event.ending is events.Ending.RAN:
                    name = event.action.mnemonic
                    spent[name] = spent.get(name, 0) + event.milliseconds / 1000

            begun = time.perf_counter()
            with Machine(project, 0, listen, again=actions) as machine:
                machine.execute(analysis, keep_going=False)
            return time.perf_counter() - begun, spent

        composed = min(again({owned["Compose"]})[1]["Compose"] for _ in range(self.rounds))
        policed = min(sum(again({owned[n] for n in _POLICY})[1].values()) for _ in range(self.rounds))
        floor = self._best(lambda: [json.loads(path.read_bytes()) for path in inputs])
        size = sum(path.stat().st_size for path in inputs) / 1e6
        print(f'{self.label}, closure = "{self.closure}": {len(inputs)} files of {size:.1f} MB are read')
        _print("floor: read them, parse JSON", floor, floor)
        _print("closure and gate (Compose)", composed, floor)
        _print(f"policy ({' and '.join(_POLICY)})", policed, floor)
        wall, spent = again(actions)
        total = sum(spent.values())
        for name in ("Facts", "Mentions", "Screen"):
            print(f"  {name} of all debs anew: {spent.get(name, 0):.3f} of {total:.3f} s of all actions ({wall:.3f} s)")
        policy = sum(spent[name] for name in _POLICY)
        warm = sum(seconds for name, seconds in spent.items() if name not in _OF_DEBS)
        share = (policy + spent.get("Screen", 0)) / total
        print(f"  the policy's share of all actions: {share:.0%}; with the debs in the cache: {policy / warm:.0%}")
        self._rates(actions, known)
        words = [sys.executable, "-m", "distroless_rules", "build", self.label]
        words += ["--cache-dir", self.cache] if self.cache else []
        subprocess.run(words, cwd=self.root, check=True, capture_output=True)
        bare = self._best(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True))
        nothing = self._best(lambda: subprocess.run(words, cwd=self.root, check=True, capture_output=True))
        print(f"  nothing to do: {nothing:.3f} s, {nothing / bare:.1f} x starting Python ({bare:.3f} s)")

    def _best(self, work: Callable[[], object]) -> float:
        found = []
        for _ in range(self.rounds):
            begun = time.perf_counter()
            work()
            found.append(time.perf_counter() - begun)
        return min(found)

    def _rates(self, actions: set[Action], known: Mapping[str, Path]) -> None:
        """Print how many ELF files a second are read from debs, come from the cache, and are read by pyelftools."""
        files: list[bytes] = []
        said: list[bytes] = []
        for action in (each for each in actions if each.mnemonic == "Facts"):
            paths = {named.name: known.get(named.artifact.path) for named in (*action.inputs, *action.outputs)}
            index, tree, found = paths.get("index"), paths.get("tree"), paths["facts"]
            assert found is not None
            said.append(found.read_bytes())
            if index is not None and tree is not None:
                elves = {sha256 for sha256, each in facts.loads(said[-1]).items() if each.elf}
                data = tree.read_bytes()
                entries = package.loads(index.read_bytes()).entries
                files += [data[e.offset : e.offset + e.size] for e in entries if e.sha256 in elves]
        ways: dict[str, Callable[[], object]] = {
            "read": lambda: [elf.read(data) for data in files],
            "from the cache": lambda: [facts.loads(data) for data in said],
            "by pyelftools alone, less of it": lambda: [*map(_tags, files)],
        }
        rates = [f"{len(files) / self._best(work):.0f} {way}" for way, work in ways.items()]
        print(f"  {len(files)} ELF files; a second: {', '.join(rates)}")


def _tags(data: bytes) -> list[object]:
    """Read the rows of a dynamic section as pyelftools offers it."""
    segments = ELFFile(io.BytesIO(data)).iter_segments()
    return [tag.entry.d_val for each in segments if isinstance(each, DynamicSegment) for tag in each.iter_tags()]


def _is_read(name: str) -> bool:
    return name.endswith(("/index", "/facts", "/mentions")) or name.startswith(("facts/", "mentions/"))


def _print(name: str, seconds: float, floor: float) -> None:
    print(f"  {name:<30} {seconds:7.3f} s  {seconds / floor:5.2f} x floor")


if __name__ == "__main__":
    main()
