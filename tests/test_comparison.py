"""The comparison in docs/ has a row for each example."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.fat import BUILT

ROOT = Path(__file__).resolve().parent.parent


def test_every_example_is_compared() -> None:
    text = (ROOT / "docs/comparison.md").read_text("utf-8")
    compared = re.findall(r"^\| (\w+) \| packages \|", text, re.MULTILINE)
    builds = {build.parent.name: build.read_text("utf-8") for build in ROOT.glob("examples/*/BUILD")}
    named = {name for name, build in builds.items() if "@trixie//" in build and "_binary(" not in build}
    assert named
    assert set(compared) == named | set(BUILT)
    assert len(re.findall(r"^\|  \| files \|", text, re.MULTILINE)) == len(compared)
