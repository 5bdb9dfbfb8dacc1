"""A real fat image: its debs in groups as apt itself would have them, and its distroless equivalent built and run."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distroless_rules.oci import layout
from distroless_rules.oci.opened import open_image
from tests.support.built import Built, cache_of
from tests.support.container import Container
from tests.support.debootstrapped import DEBS, Fat, make, without

pytestmark = [
    pytest.mark.archive,
    pytest.mark.runtime,
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="a base system is made by root"),
    pytest.mark.skipif(
        not (shutil.which("mmdebstrap") and shutil.which("umoci")), reason="mmdebstrap or umoci is missing"
    ),
]
GROUPS = ("runtime", "build", "manager", "unused")


@pytest.fixture(scope="module")
def fat() -> Iterator[Fat]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield make(Path(folder))


@pytest.fixture(scope="module")
def workspace(fat: Fat, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The workspace that analyze writes; nothing of it is built."""
    root = tmp_path_factory.mktemp("analyzed") / "workspace"
    root.mkdir()
    built = Built(root, cache_of(tmp_path_factory.getbasetemp().parent), {})
    built.ask("analyze", fat.layout, "--output", str(root))
    return built


@pytest.fixture(scope="module")
def found(fat: Fat, workspace: Built) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(workspace.ask("analyze", fat.layout, "--json"))
    return told


def test_every_deb_is_in_the_group_that_apt_would_take_away_with_its_roots(fat: Fat, found: dict[str, Any]) -> None:
    (fat.root / "tmp/status").write_text(without((fat.root / "var/lib/dpkg/status").read_text(), found["cut"]))
    options = [
        "Dir::State::extended_states=/tmp/marks",
        "Dir::State::status=/tmp/status",
        "pkgCacheGen::ForceEssential=,",
    ]
    options += [f"APT::AutoRemove::{name}Important=false" for name in ("Recommends", "Suggests")]
    words = [word for option in options for word in ("-o", option)]
    taken: dict[str, set[str]] = {}
    for group in GROUPS:
        fat.run("apt-mark", *words, "auto", *found["debs"])
        fat.run(
            "apt-mark",
            *words,
            "manual",
            *(name for other in GROUPS if other != group for name in found["roots"][other]),
        )
        lines = fat.run("apt-get", *words, "-s", "autoremove").splitlines()
        taken[group] = {line.split()[1].partition(":")[0] for line in lines if line.startswith("Remv ")}
    assert taken == {group: set(found["groups"][group]["debs"]) for group in GROUPS}
    rest = set(found["debs"]) - set().union(*taken.values())
    assert rest == set(found["groups"]["shared"]["debs"])
    assert min(map(len, taken.values())) > 5


def test_what_was_installed_by_name_is_what_apt_marks_as_such(fat: Fat, found: dict[str, Any]) -> None:
    by_name = {name for name, deb in found["debs"].items() if deb["by_name"]}
    assert by_name == set(DEBS)
    manual = set(fat.run("apt-mark", "showmanual").split())
    assert manual == {name for name, deb in found["debs"].items() if not deb["automatic"]}
    assert set(DEBS) <= {name for roots in found["roots"].values() for name in roots}


def test_files_that_are_hidden_and_the_applications(found: dict[str, Any]) -> None:
    assert "/srv/app/fast.c" in [row["path"] for row in found["hidden_files"]]
    assert found["application"] == [
        "/srv/app/libfast.so",
        "/srv/app/server.py",
        "/usr/local/lib/python3.13/dist-packages/helper/__init__.py",
        "/usr/local/lib/python3.13/dist-packages/helper/answer.py",
    ]
    assert found["changed"] == []


def test_the_equivalent_does_the_same_at_a_third_of_the_size(fat: Fat, workspace: Built, found: dict[str, Any]) -> None:
    workspace.ask("build", "//:image")
    done = Container(workspace, "crun").run("//:image", options=())
    expected = fat.run("/usr/bin/python3", "/srv/app/server.py", env={"GREETING": "hello"})
    assert done.status == 0, done.err
    assert json.loads(done.out) == {**json.loads(expected), "user": 1000}
    image = layout.read(workspace.folder("//:image"))
    packed = sum(layer.digest.size for layer in image.manifest.layers)
    with open_image(fat.layout) as before:
        assert packed * 3 <= sum(layer.size for layer in before.layers)
    told = json.loads(workspace.ask("analyze", str(workspace.folder("//:image")), "--json"))
    assert told["size"] * 3 <= found["size"]
    assert abs(told["size"] - found["estimate"]) < found["estimate"] / 10
    assert not {"bash", "dash", "apt", "dpkg", "gcc", "perl-base"} & set(told["debs"])


def test_a_page_of_both(fat: Fat, workspace: Built, tmp_path: Path) -> None:
    workspace.ask("analyze", fat.layout, "--html", str(tmp_path / "fat.html"))
    workspace.ask("inspect", "//:image", "--html", str(tmp_path / "own.html"))
    before, after = ((tmp_path / name).read_text() for name in ("fat.html", "own.html"))
    assert 'data-name="gcc"' in before
    assert 'data-name="gcc"' not in after
    assert "Left out: dependencies" in after
