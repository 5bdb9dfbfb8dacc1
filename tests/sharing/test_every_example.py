"""What one user has built of the examples, another one elsewhere finds: everything, with the same digests, and all of
these are known for less than a megabyte.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import engines
from tests.support.built import EXAMPLES, ROOT, Built, cache_of, copy_debs
from tests.support.relay import relaying

pytestmark = pytest.mark.archive

STRANGER = 54321
PYTHONS = (os.path.realpath(sys.executable), "/usr/bin/python3")
PATH = os.pathsep.join((str(ROOT), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
USERS = (
    ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "--no-new-privs"],
    ["unshare", f"--map-user={STRANGER}", f"--map-group={STRANGER}"],
)
QUICK = ("base", "c", "python", "static")  # one of each kind: nothing, a program from source, an interpreter
COUNTS = re.compile(r"(\d+) actions: (\d+) up to date, (\d+) disk hits?, (\d+) remote hits?, (\d+) run locally \(")
TRAFFIC = re.compile(r"shared cache: ([0-9.]+) (kB|MB) received, ")


def somebody_else() -> list[str]:
    """Give how another user starts this Python, or one like it that everybody may start."""
    for who in USERS:
        for python in PYTHONS:
            words = [*who, python, "-c", "import distroless_rules, grpc, os; exit(os.getuid() != 54321)"]
            if not subprocess.run(words, env={"PYTHONPATH": PATH}, capture_output=True, cwd="/").returncode:
                return [*who, python]
    pytest.skip("nobody else can run this Python here")


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """Give a folder that every user can pass, far from where the tests are."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.parametrize(
    ("engine", "packages"),
    [
        pytest.param(engines.casd, QUICK, id="casd"),
        pytest.param(engines.nginx, QUICK, id="nginx", marks=pytest.mark.long),
        pytest.param(engines.casd, (), id="casd-all", marks=pytest.mark.long),
    ],
)
def test_another_user_finds_all(tmp_path: Path, shared: Path, elsewhere: Path, engine: Any, packages: Any) -> None:
    who = somebody_else()
    with engine(tmp_path / "server") as address:
        ada = workspace(tmp_path / "ada", packages)
        locked = Built(ada.root, cache_of(shared), {}).attempt("lock")
        assert locked.returncode == 0, locked.stderr
        copy_debs(ada.root, cache_of(shared), ada.cache)
        sent = ada.attempt("build", "--json", "//...", f"--remote-cache={address}", "--remote-upload")
        assert sent.returncode == 0, sent.stderr
        digests = {row["label"]: row["digest"] for row in json.loads(sent.stdout) if row["digest"]}
        assert set(digests) >= {label for label in EXAMPLES if not packages or label[2:].split(":")[0] in packages}
        before = kept(tmp_path / "server")

        bob = elsewhere / "someone else's place" / "Werkstätte"
        shutil.copytree(ada.root, bob, ignore=shutil.ignore_patterns("distroless-out"))
        for path in (elsewhere, *elsewhere.rglob("*")):
            os.chown(path, STRANGER, STRANGER) if os.geteuid() == 0 else None
        with relaying(address) as relay:
            words = ["build", "--json", "//...", f"--remote-cache={relay.address}"]
            learned = attempt(bob, who, *words, "--remote-download-minimal")
            assert learned.returncode == 0, learned.stderr
            assert relay.down < 1_000_000
        rows = json.loads(learned.stdout)
        assert {row["label"]: row["digest"] for row in rows if row["digest"]} == digests
        total, same, cached, found, ran = counts(learned.stderr)
        assert (same, cached, found, ran) == (0, 0, total, 0)
        assert received(learned.stderr) < 1_000_000
        assert not (bob / "distroless-out").exists()
        assert not any(row["paths"] for row in rows)

        brought = attempt(bob, who, *words[:-1], f"--remote-cache={address}")
        assert brought.returncode == 0, brought.stderr
        assert {row["label"]: row["digest"] for row in json.loads(brought.stdout) if row["digest"]} == digests
        assert counts(brought.stderr) == (total, total, 0, 0, 0)
        for row in json.loads(brought.stdout):
            assert all(Path(path).exists() for path in row["paths"])
        assert kept(tmp_path / "server") == before, "who only reads leaves nothing there"


def workspace(folder: Path, packages: tuple[str, ...]) -> Built:
    """Copy some packages of the examples, or all."""
    root = folder / "examples"
    shutil.copytree(
        ROOT / "examples",
        root,
        ignore=lambda at, names: {
            name
            for name in names
            if name in ("distroless-out", "distroless.lock")
            or (packages and at == str(ROOT / "examples") and name not in (*packages, "distroless.toml"))
        },
    )
    return Built(root, folder / "cache", {})


def attempt(root: Path, who: list[str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ``distroless`` as somebody else, who has another home, locale, time zone and umask."""
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(root.parents[1] / "home"),
        "PYTHONPATH": PATH,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "4321",
        "TZ": "Pacific/Kiritimati",
        "LANG": "tr_TR.UTF-8",
    }
    return subprocess.run(
        [*who, "-m", "distroless_rules", *words],
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        preexec_fn=functools.partial(os.umask, 0o077),
    )


def kept(folder: Path) -> set[tuple[str, int]]:
    """Give what a server keeps: results and blobs, with the size of each."""
    places = [file for file in folder.rglob("*") if {"ac", "actioncache", "cas"} & set(file.parts) and file.is_file()]
    assert places
    return {(str(file.relative_to(folder)), file.stat().st_size) for file in places}


def counts(printed: str) -> tuple[int, ...]:
    """Give how many actions there were, and how they ended."""
    found = COUNTS.search(printed)
    assert found, printed
    return tuple(map(int, found.groups()))


def received(printed: str) -> float:
    """Give the bytes that came from the shared cache, by what a build says of itself."""
    found = TRAFFIC.search(printed)
    assert found, printed
    return float(found[1]) * {"kB": 1e3, "MB": 1e6}[found[2]]
