"""Resolving in the real archive, against apt, and its speed."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from distroless_rules.deb.archive import open_archive
from distroless_rules.deb.index import Index
from distroless_rules.deb.resolve import Root, resolve
from distroless_rules.deb.universe import Preferences
from distroless_rules.values.archive import Archive

pytestmark = [pytest.mark.archive, pytest.mark.slow]

TRIXIE = Archive("trixie", ("trixie", "trixie-updates", "trixie-security"))
_NAMED = """
    openjdk-21-jre-headless ca-certificates-java python3 python3-numpy postgresql nginx nodejs npm curl git ruby php-fpm
    mariadb-server redis-server g++ golang rustc apache2 openssh-server haproxy tomcat10 maven ffmpeg octave ghc tini
    r-base-core texlive-latex-base libreoffice-writer-nogui
"""
ROOTS = tuple(_NAMED.split())
OFTEN = ("openjdk-21-jre-headless", "python3", "postgresql", "nginx", "npm", "g++")
"""What each run asks apt for: it reads its whole list every time, which takes seconds."""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("archive")
    return open_archive(TRIXIE, "amd64", folder, folder / "cache", None, time.time())[0]


def chosen(index: Index, *names: str) -> dict[str, str]:
    roots = [Root(f"@trixie//{name}", name, name) for name in names]
    solution = resolve("trixie", index, roots, Preferences(named=frozenset(names)))
    return {name: deb.package.version for name, deb in solution.debs.items()}


@pytest.fixture(scope="module")
def apt(index: Index, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An apt that knows the same packages, with nothing installed: the environment to run it in."""
    folder = tmp_path_factory.mktemp("apt")
    for name in ("lists/partial", "cache/archives/partial", "repository"):
        (folder / name).mkdir(parents=True)
    data = b"\n".join(file.data for file in index._files)
    (folder / "repository" / "Packages").write_bytes(data)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb [trusted=yes] file:{folder}/repository ./\n")
    (folder / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{folder}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
        f'Dir::State "{folder}";\nDir::State::status "{folder}/status";\nDir::Cache "{folder}/cache";\n'
        'APT::Architecture "amd64";\nAPT::Architectures {"amd64";};\nAPT::Install-Recommends "false";\n'
        'APT::Sandbox::User "root";\nDebug::NoLocking "true";\n'
    )
    environment = os.environ | {"APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C"}
    subprocess.run(["apt-get", "update", "-q"], env=environment, check=True, capture_output=True)
    return environment


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=() if each in OFTEN else pytest.mark.long) for each in ROOTS]
)
def test_it_chooses_what_apt_chooses(index: Index, apt: dict[str, str], name: str, tmp_path: Path) -> None:
    run = subprocess.run(["apt-get", "install", "-s", name], env=apt, capture_output=True, text=True, check=True)
    installed = dict(re.findall(r"^Inst (\S+) \((\S+)", run.stdout, re.MULTILINE))
    assert chosen(index, name) == installed


def test_ordinary_images_together_take_less_than_half_a_second(index: Index) -> None:
    names = ("openjdk-21-jre-headless", "python3", "postgresql", "nginx", "nodejs")
    start = time.perf_counter()
    debs = chosen(index, *names)
    assert time.perf_counter() - start < 0.5  # measured 0.14, most of it looking for names that are provided
    assert len(debs) > 100


def test_many_images_together(index: Index) -> None:
    start = time.perf_counter()
    assert len(chosen(index, *ROOTS)) > 1000
    assert time.perf_counter() - start < 2  # measured 0.2
