"""The loader of a full root against ours: each ELF file of each of its debs, some hundred, freshly installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from distroless_rules.closure.facts import Facts
from distroless_rules.closure.scan import scan
from distroless_rules.closure.view import View
from distroless_rules.elf.search import Loader
from distroless_rules.values.tree import Entry, Kind
from tests.support import fat_root as fat

LOADER = "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
ASK = 'for path; do echo "= $path"; /lib64/ld-linux-x86-64.so.2 --list "$path" 2>&1; done'

pytestmark = [
    pytest.mark.archive,
    pytest.mark.long,
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="asks the loader of x86-64"),
]


def entries(root: Path) -> Iterator[Entry]:
    """Give what is in a root."""
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder, name)
            at = path.relative_to(root).as_posix()
            if path.is_symlink():
                yield Entry.symlink(at, os.readlink(path))
            elif path.is_dir():
                yield Entry.directory(at)
            elif path.is_file():
                size = path.stat().st_size
                digest = hashlib.sha256(at.encode()).hexdigest()  # of the path: nothing here asks for that of the bytes
                yield Entry(at, Kind.FILE, path.stat().st_mode & 0o7777, size=size, sha256=digest)


def debs(root: Path) -> int:
    """Count the debs that are installed in a root."""
    return (root / "var/lib/dpkg/status").read_text("utf-8").count("\nStatus: install ok installed\n")


def listed(root: Path, paths: list[str]) -> dict[str, list[str]]:
    """Ask the root's own loader; give the lines that it prints of each file."""
    found: dict[str, list[str]] = {}
    for at in range(0, len(paths), 500):
        words = ["chroot", str(root), "/bin/sh", "-c", ASK, "sh", *(f"/{path}" for path in paths[at : at + 500])]
        environment = {"PATH": os.environ["PATH"]}
        done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False, errors="replace")
        for line in done.stdout.splitlines():
            if line.startswith("= /"):
                current = found[line[3:]] = []
            else:
                current.append(line.strip())
    return found


def told(view: View, lines: list[str]) -> tuple[set[str], set[str]]:
    """Give the real paths of what a loader says it loads, and the names that it says it does not find."""
    found, lost = set(), set()
    for line in lines:
        name, arrow, rest = line.partition(" => ")
        if arrow and rest.startswith("not found"):
            lost.add(name)
        elif ": cannot open shared object file" in line:  # the first that is lost ends it
            lost.add(line.split(": cannot open")[0].rpartition(": ")[2])
        elif "/" in line and "(0x" in line:
            found.add(view.real((rest if arrow else name).split(" (")[0]) or line)
    return found, lost


def folders(root: Path) -> tuple[str, ...]:
    """Give the folders of ld.so.conf."""
    files = sorted((root / "etc/ld.so.conf.d").glob("*.conf"))
    return tuple(line for file in files for line in file.read_text().splitlines() if line.startswith("/"))


def test_no_library_of_three_hundred_debs_is_missed(shared: Path) -> None:
    root = fat.root(shared)
    assert debs(root) >= 300
    tree = {entry.path: entry for entry in entries(root)}
    facts: dict[str, Facts] = scan(
        tree.values(),
        lambda entry, size: (root / entry.path).open("rb").read(size),
        lambda entry: (root / entry.path).read_bytes(),
    )
    assert not [each.broken for each in facts.values() if each.broken]
    view = View(tree, facts)
    loader = Loader(view.find_elf, (), folders(root))
    paths = [
        path
        for path in sorted(tree)
        if (each := view.facts(path)) and each.elf and each.elf.dynamic and each.elf.kind in ("dyn", "exec")
    ]
    wrong = []
    for path, lines in listed(root, paths).items():
        found, lost = told(view, lines)
        needs = list(loader.load(path))
        ours = {need.found.real for need in needs if need.found}
        missing = {need.name for need in needs if not need.found}
        same = ours - {path, LOADER} == found - {path, LOADER} and not missing
        if not (lost <= missing if lost else same):
            wrong.append((path, sorted(ours ^ found), sorted(missing ^ lost)))
    assert not wrong, wrong[:5]
    assert len(paths) > 1500
