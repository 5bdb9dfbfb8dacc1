"""What every example holds and does not hold, layer by layer, and what other tools say of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from distroless_rules.values.tree import Entry, Kind
from tests.support.built import EXAMPLES, Built

pytestmark = pytest.mark.archive

EVERY = pytest.mark.parametrize("label", EXAMPLES)
PULLED = ("//base:image", "//c:image", "//python:image", "//together:image")
"""What podman copies to its own storage in each run, which takes it ten seconds or more; the others are long."""
SHELLS = "bash busybox csh dash fish ksh mksh posh rbash sh tcsh yash zsh"
MANAGERS = "apk apt apt-cache apt-get aptitude debconf dpkg dpkg-deb dpkg-query dnf pip pip3 rpm snap yum"
BUILDERS = "ar as c++ cc cpp g++ gcc ld make strip"
LANGUAGES = "awk ed gawk mawk perl python2 ruby sed tclsh"
BUDGET = 10
NO_DEBS = ("//go:image",)  # one static program
TOOLCHAINS = re.compile(
    r"(binutils|cargo|cpp|default-jdk|g\+\+|gcc|golang|libstd-rust|llvm|make|openjdk-\d+-jdk|rustc)(-(?!\d+-base$).*)?"
    r"|coreutils|dash|findutils|sed|.*-dev"
)


@pytest.fixture
def listed(built: Built, label: str) -> list[list[Entry]]:
    return built.layers(label)


@EVERY
def test_nothing_that_was_not_named(listed: list[list[Entry]], label: str) -> None:
    unwanted = set(f"{SHELLS} {MANAGERS} {BUILDERS} {LANGUAGES}".split())
    programs = {
        entry.path
        for layer in listed
        for entry in layer
        if entry.kind is not Kind.DIRECTORY and re.search(r"(^|/)(s?bin|games|lib/git-core)/[^/]*$", entry.path)
    }
    names = {re.sub(r"(^[a-z0-9_]+-linux-gnu-)|(-?[0-9][0-9.]*$)", "", path.rpartition("/")[2]) for path in programs}
    assert not names & unwanted
    if label.rpartition("/")[2].split(":")[0] == "static":
        assert not programs
    # What a shell or a compiler would need is not there under another name either.
    elsewhere = [entry.path for layer in listed for entry in layer if entry.path.endswith((".a", ".h", ".deb"))]
    assert elsewhere == []


@EVERY
def test_no_file_gives_its_user_more_rights(listed: list[list[Entry]], label: str) -> None:
    privileged = [entry.path for layer in listed for entry in layer if entry.kind is Kind.FILE and entry.mode & 0o6000]
    assert privileged == []
    capable = [entry.path for layer in listed for entry in layer if "security.capability" in dict(entry.xattrs)]
    assert capable == []
    loose = [e.path for layer in listed for e in layer if e.kind is not Kind.SYMLINK and e.mode & 0o002]
    assert {f"/{path}" for path in loose} <= {"/tmp", "/var/tmp", "/run/lock"}
    modes = {entry.path: entry.mode for layer in listed for entry in layer if entry.kind is Kind.DIRECTORY}
    assert modes["tmp"] == 0o1777


@EVERY
def test_layers(built: Built, listed: list[list[Entry]], label: str) -> None:
    seen: dict[str, Entry] = {}
    for layer in listed:
        here = set()
        for entry in layer:
            if entry.path:
                assert entry.path.rpartition("/")[0] in here | {""}, "every parent is in the layer, and before"
            assert entry.path not in here
            here.add(entry.path)
            before = seen.setdefault(entry.path, entry)
            if before is not entry:
                assert (entry.kind, before.kind) == (Kind.DIRECTORY, Kind.DIRECTORY), "no file in two layers"
                assert (entry.mode, entry.uid, entry.gid) == (before.mode, before.uid, before.gid)
    assert 1 <= len(listed) <= BUDGET
    (known,) = json.loads(built.ask("inspect", "--json", label))
    named = [layer["content"] for layer in known["layers"]]
    order = [name for name in named if name in ("system", "application")]
    assert order == named[len(named) - len(order) :]
    assert order == sorted(order, reverse=True)


@EVERY
def test_the_report_is_true(built: Built, listed: list[list[Entry]], label: str) -> None:
    (known,) = json.loads(built.ask("inspect", "--json", label))
    debs = known["report"]["debs"]
    status = {entry.path.rpartition("/")[2] for layer in listed for entry in layer if "/dpkg/status.d/" in entry.path}
    assert {name.removesuffix(".md5sums") for name in status} == set(debs)
    for deb in debs.values():
        held = [entry.path for entry in listed[deb["layer"]] if entry.kind is not Kind.DIRECTORY]
        assert len(held) >= deb["files"]
    text = built.ask("inspect", label)
    for deb, dependency, reason in known["report"]["cut"]:
        assert f"{deb} -> {dependency}: {reason}" in text
    if label == "//python:image":
        assert {("python3-minimal", "dpkg"), ("ca-certificates", "openssl")} <= {
            (deb, dependency) for deb, dependency, _ in known["report"]["cut"]
        }


@EVERY
def test_no_deb_of_a_toolchain(built: Built, label: str) -> None:
    (known,) = json.loads(built.ask("inspect", "--json", label))
    assert [name for name in known["report"]["debs"] if TOOLCHAINS.fullmatch(name)] == []


def test_what_is_taken_for_a_toolchain() -> None:
    debs = (
        "gcc-14 gcc-14-x86-64-linux-gnu g++ cpp-14 golang-go golang-1.24-src rustc libstd-rust-1.85 libc6-dev dash make"
    )
    assert [name for name in debs.split() if not TOOLCHAINS.fullmatch(name)] == []
    assert [
        name for name in ("gcc-14-base", "libgcc-s1", "openjdk-21-jre-headless") if TOOLCHAINS.fullmatch(name)
    ] == []


@EVERY
def test_licences_stay_and_other_documentation_goes(listed: list[list[Entry]], label: str) -> None:
    every = [entry for layer in listed for entry in layer if entry.kind is not Kind.DIRECTORY]
    documents = [e.path for e in every if e.path.startswith("usr/share/doc/") and e.path.count("/") > 3]
    assert documents or label in NO_DEBS
    assert [path for path in documents if not re.search(r"/(copyright|LICEN[CS]E|NOTICE)[^/]*$", path)] == []
    for folder in ("usr/share/man", "usr/share/info", "usr/share/locale", "usr/include", "var/cache/apt"):
        assert [entry.path for entry in every if entry.path.startswith(f"{folder}/")] == []


@EVERY
@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
def test_skopeo_takes_it(built: Built, label: str, tmp_path: Path) -> None:
    source = f"oci:{built.folder(label)}"
    told = json.loads(_output("skopeo", "inspect", source))
    assert told["Digest"] == built.digests[label]
    assert (told["Os"], told["Created"]) == ("linux", "1970-01-01T00:00:00Z")
    _output("skopeo", "copy", "-q", source, f"oci:{tmp_path}/copy:x")
    assert json.loads(_output("skopeo", "inspect", f"oci:{tmp_path}/copy:x"))["Digest"] == built.digests[label]


@EVERY
@pytest.mark.skipif(not shutil.which("umoci"), reason="umoci is not installed")
def test_umoci_unpacks_the_same_files(built: Built, listed: list[list[Entry]], label: str, tmp_path: Path) -> None:
    shutil.copytree(built.folder(label), tmp_path / "layout", copy_function=shutil.copyfile)
    _output("skopeo", "copy", "-q", f"oci:{built.folder(label)}", f"oci:{tmp_path}/named:x")
    _output("umoci", "unpack", "--rootless", "--image", f"{tmp_path}/named:x", str(tmp_path / "bundle"))
    root = tmp_path / "bundle/rootfs"
    unpacked = {path.relative_to(root).as_posix() for path in root.rglob("*")}
    assert unpacked == {entry.path for layer in listed for entry in layer if entry.path}


@pytest.mark.parametrize(
    "label", [pytest.param(label, marks=() if label in PULLED else pytest.mark.long) for label in EXAMPLES]
)
@pytest.mark.skipif(not shutil.which("podman"), reason="podman is not installed")
def test_podman_pulls_it(built: Built, label: str, tmp_path: Path) -> None:
    with podman(tmp_path) as words:
        name = _output(*words, "pull", "-q", f"oci:{built.folder(label)}").strip()
        (known,) = json.loads(_output(*words, "image", "inspect", name))
        assert known["Digest"] == built.digests[label]
        assert known["Config"]["User"] == "65532"
        assert len(known["RootFS"]["Layers"]) == len(built.image(label).manifest.layers)


@contextmanager
def podman(folder: Path) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # podman takes no long run root
        words = ["podman", "--root", f"{folder}/root", "--runroot", short, "--storage-driver=vfs"]
        yield words
        subprocess.run([*words, "rmi", "--all", "--force"], check=False, capture_output=True)


def _output(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
