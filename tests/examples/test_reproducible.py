"""The examples built again with all else changed: user, umask, time zone, locale, paths, clock, hash seed, number of
cores, order of folders, times of files, Python version. Every digest is the same.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.built import EXAMPLES, ROOT, Built, copy_debs

pytestmark = pytest.mark.archive

DOCUMENTS = ("//nginx:spdx", "//nginx:cyclonedx")
KINDS = {"cyclonedx-json": "cdx.json", "spdx-json": "spdx.json"}
BILLS = """
load("@distroless_rules//rules:defs.bzl", bill = "image_sbom")

[bill(name = "{name}." + kind, format = kind, image = ":{name}") for kind in ("cyclonedx-json", "spdx-json")]
"""
STRANGER = 54321
SYSTEM = "/usr/bin/python3"
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


def pythons() -> Iterator[tuple[str, str]]:
    """Find other Pythons: on PATH, and among the versions that pyenv installed."""
    places = os.environ["PATH"].split(os.pathsep)
    places += [str(path) for path in sorted(Path.home().glob(".pyenv/versions/*/bin"))]
    mine = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for version in VERSIONS:
        for place in places if version != mine else ():
            program = f"{place}/python{version}"
            if os.access(program, os.X_OK) and _works(program, "-c", "import ensurepip, venv, ssl"):
                yield version, program
                break


def _works(*words: str) -> bool:
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def machines() -> Iterator[tuple[str, str, list[str]]]:
    """Give what the examples are built again by: a name, a Python, and what makes another user of this one."""
    found = list(pythons())
    mapped = ["unshare", f"--map-user={STRANGER}", f"--map-group={STRANGER}"]
    for version, program in dict.fromkeys((*found[:1], *found[-1:])):
        yield version, program, mapped if _works(*mapped, "true") else []
    if os.geteuid() == 0 and _works(
        SYSTEM, "-c", "import sys, ensurepip, venv; sys.version_info >= (3, 10) or exit(1)"
    ):
        who = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "--no-new-privs"]
        yield "stranger", SYSTEM, who
    if not found:
        yield "this Python", sys.executable, mapped if _works(*mapped, "true") else []


_FOUND = list(machines())
# Each builds every example anew, which takes minutes: the last, where there is root another user, in each run.
MACHINES = [
    pytest.param(*machine, id=machine[0], marks=pytest.mark.long if machine is not _FOUND[-1] else ())
    for machine in _FOUND
]


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """Give a folder that every user can pass, far from where the examples were built."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def other_python(program: str, folder: Path) -> str:
    """Install the project for another Python, as a user would, and give that Python."""
    subprocess.run([program, "-m", "venv", folder], check=True, capture_output=True, timeout=600)
    python = str(folder / "bin/python")
    installed = subprocess.run(
        [python, "-m", "pip", "install", "-q", str(ROOT)], capture_output=True, text=True, timeout=300, check=False
    )
    assert installed.returncode == 0, installed.stderr
    return python


def another_workspace(built: Built, folder: Path) -> tuple[Path, Path]:
    """Copy the workspace with its lock, and a cache with the debs and nothing else; all their times differ."""
    root, cache = folder / "die Werkstätte", folder / "cache"
    shutil.copytree(built.root, root, ignore=shutil.ignore_patterns("distroless-out"), copy_function=shutil.copyfile)
    copy_debs(root, built.cache, cache)
    for path in (root, *root.rglob("*")):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return root, cache


def give(folder: Path) -> None:
    """Make a folder and what is below it a stranger's."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


@pytest.mark.parametrize(("name", "program", "who"), MACHINES)
def test_the_same_digests(built: Built, elsewhere: Path, name: str, program: str, who: list[str]) -> None:
    root, cache = another_workspace(built, elsewhere)
    python = other_python(program, elsewhere / "venv")
    if "setpriv" in who:
        give(elsewhere)
    env = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(elsewhere),
        "DISTROLESS_CACHE": str(cache),
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "LANG": "tr_TR",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONHASHSEED": "4321",
    }
    one_core = ["taskset", "-c", str(min(os.sched_getaffinity(0)))]
    script = shutil.copy(ROOT / "tests/examples/otherwise.py", elsewhere)
    done = subprocess.run(
        [*one_core, *who, python, str(script), name, "build", "--json", *EXAMPLES, *DOCUMENTS],
        cwd=root,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        preexec_fn=functools.partial(os.umask, 0o077),
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    digests = {row["label"]: row["digest"] for row in rows if row["label"] not in DOCUMENTS}
    assert digests == {label: built.digests[label] for label in EXAMPLES}
    for path in ("nginx/image.spdx.json", "nginx/image.cdx.json"):
        assert (root / "distroless-out" / path).read_bytes() == (built.root / "distroless-out" / path).read_bytes()
    # Nothing came from the other build; a few actions of one are the same, and find each other's results.
    counts = re.search(r"([0-9]+) actions: 0 up to date, ([0-9]+) disk hits, ([0-9]+) run locally", done.stderr)
    assert counts is not None, done.stderr
    total, hits, ran = map(int, counts.groups())
    assert total == hits + ran
    assert hits < total / 100


@pytest.mark.long
def test_two_builds_give_the_same_documents(built: Built, elsewhere: Path) -> None:
    """Each example's bills of materials, made again of nothing but the debs, with another seed for hashes."""
    root, cache = another_workspace(built, elsewhere)
    labels = [label for label in EXAMPLES if label != "//nginx:image"]  # whose own BUILD file has them
    for label in labels:
        package, _, name = label.removeprefix("//").partition(":")
        with (root / package / "BUILD").open("a", encoding="utf-8") as file:
            file.write(BILLS.format(name=name))
    env = os.environ | {"DISTROLESS_CACHE": str(cache), "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "4321"}
    wanted = [f"{label}.{kind}" for label in labels for kind in KINDS]
    done = subprocess.run(
        built.command("build", *wanted), cwd=root, env=env, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    for label in labels:
        package, _, name = label.removeprefix("//").partition(":")
        for kind, suffix in KINDS.items():
            document = (root / f"distroless-out/{package}/{name}.{suffix}").read_text("utf-8")
            assert document == built.ask("sbom", label, "--format", kind), (label, kind)
