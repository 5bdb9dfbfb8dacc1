"""The loader of this machine against ours: each ELF file of each deb that is installed here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from distroless_rules.elf.read import MAGIC, Elf, read
from distroless_rules.elf.search import Loader
from distroless_rules.errors import FormatError

LOADER = "/lib64/ld-linux-x86-64.so.2"
LISTS = sorted(Path("/var/lib/dpkg/info").glob("*.list"))

pytestmark = [
    pytest.mark.skipif(not os.path.exists(LOADER), reason=f"needs {LOADER}"),
    pytest.mark.skipif(len(LISTS) < 300, reason="needs a machine on which 300 debs are installed"),
]


@cache
def find(path: str) -> tuple[str, Elf] | None:
    """Look a path of this machine up (``elf.search.Find``)."""
    real = os.path.realpath(f"/{path}")
    try:
        with open(real, "rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return None
            file.seek(0)
            return real[1:], read(file.read())
    except (OSError, FormatError):
        return None


def programs() -> list[str]:
    """Give the files of debs that a loader can load."""
    paths = {os.path.realpath(path) for each in LISTS for path in each.read_text().splitlines() if "/" in path}
    found = []
    for path in sorted(paths):
        if not os.path.isfile(path) or not os.access(path, os.R_OK):
            continue
        known = find(path[1:])
        if known is not None and known[1].dynamic and known[1].kind in ("dyn", "exec"):
            if known[1].abi == ("EM_X86_64", 64, False):
                found.append(path)
            find.cache_clear()
    return found


def listed(path: str) -> tuple[set[str], set[str]]:
    """Ask the machine's loader: give the real paths of what it loads, and the names that it does not find."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LD_")}
    run = subprocess.run([LOADER, "--list", path], capture_output=True, text=True, env=environment, check=False)
    found, lost = set(), set()
    for line in run.stdout.splitlines():
        name, arrow, rest = line.strip().partition(" => ")
        if arrow and rest.startswith("not found"):
            lost.add(name)
        elif "/" in line:
            found.add(os.path.realpath((rest if arrow else name).split(" (")[0]))
    if run.returncode:  # the first that is lost ends it
        lost.update(line.split(": cannot open")[0].rpartition(": ")[2] for line in [run.stderr.strip()])
    return found, lost


def folders() -> Iterator[str]:
    """Give the folders of ld.so.conf."""
    for file in sorted(Path("/etc/ld.so.conf.d").glob("*.conf")):
        yield from (line for line in file.read_text().splitlines() if line.startswith("/"))


@pytest.mark.slow
def test_every_file_of_every_deb_here_loads_what_the_loader_loads() -> None:
    paths = programs()
    loader = Loader(find, (), tuple(folders()))
    wrong = []
    with ThreadPoolExecutor(2) as pool:
        for path, (found, lost) in zip(paths, pool.map(listed, paths), strict=True):
            needs = list(loader.load(path[1:]))
            ours = {os.path.realpath(f"/{need.found.path}") for need in needs if need.found}
            missing = {need.name for need in needs if not need.found}
            if lost:
                right = lost <= missing
            else:
                right = (
                    not missing
                    and ours <= found | {path, os.path.realpath(LOADER)}
                    and found - {path} <= ours | {os.path.realpath(LOADER)}
                )
            if not right:
                wrong.append((path, sorted(ours ^ found), sorted(missing ^ lost)))
    assert not wrong, wrong[:5]
    assert len(paths) > 500
