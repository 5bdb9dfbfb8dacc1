"""Every example with ``closure = "files"``: smaller, and it does the same work in a container runtime."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.examples import test_programs as programs
from tests.examples import test_servers as servers
from tests.support.built import ROOT, Built, workspace
from tests.support.container import Container

pytestmark = [pytest.mark.archive, pytest.mark.runtime]
NAMES = (
    "c",
    "cpp",
    "curl",
    "go",
    "java",
    "jvm",
    "nginx",
    "node",
    "postgresql",
    "python",
    "rust",
    "typescript",
    "wheels",
)
EXTRA = ROOT / "tests/examples/extra"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Built:
    """Give the examples' workspace in which each image holds of needed debs what is reached."""
    changed = {f"extra/{path.name}": path.read_text("utf-8") for path in EXTRA.iterdir() if path.is_file()}
    for name in NAMES:
        text = (ROOT / f"examples/{name}/BUILD").read_text("utf-8")
        changed[f"{name}/BUILD"] = text.replace("distroless_image(\n", 'distroless_image(\n    closure = "files",\n', 1)
    found = workspace(tmp_path_factory.mktemp("files"), shared, changed, *NAMES)
    built = json.loads(found.ask("build", "--json", *(f"//{name}:image" for name in NAMES)))
    return replace(found, digests={each["label"]: each["digest"] for each in built})


@pytest.fixture
def container(small: Built) -> Container:
    """Give what starts its images."""
    return Container(small, "crun")


def size(built: Built, name: str) -> tuple[int, int]:
    """Give the files of an image's debs, and their bytes."""
    report = json.loads(built.ask("inspect", "--json", f"//{name}:image"))[0]["report"]["debs"].values()
    return sum(deb["files"] for deb in report), sum(deb["bytes"] for deb in report)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_smaller(small: Built, built: Built, name: str) -> None:
    files, whole = size(small, name), size(built, name)
    if name in ("go", "rust"):  # linked statically, or with libc alone
        assert files <= whole
    else:
        assert files[0] < whole[0]
        assert files[1] < whole[1]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_left_out_can_be_asked_before(small: Built, built: Built, name: str) -> None:
    listed = json.loads(built.ask("inspect", "--unreached", "--json", f"//{name}:image"))
    report = json.loads(small.ask("inspect", "--json", f"//{name}:image"))[0]["report"]["debs"]
    counts = {deb: said["dropped"].get("unreached", 0) for deb, said in report.items()}
    found = dict.fromkeys(counts, 0)
    for each in listed:
        found[each["deb"]] += 1
    assert found == counts
    assert json.loads(small.ask("inspect", "--unreached", "--json", f"//{name}:image")) == []


PROGRAMS = (programs.test_java_opens_a_tls_context, programs.test_node_reads_a_zone_and_verifies_a_chain)


@pytest.mark.parametrize("work", PROGRAMS)
def test_it_does_the_same_work(container: Container, work: Callable[[Container], None]) -> None:
    work(container)


def test_python_answers_a_request(container: Container, tmp_path: Path) -> None:
    servers.test_python_answers_a_request(container, tmp_path / "log")


@pytest.mark.parametrize("label", [each for each in servers.SERVICES if each[2:].partition(":")[0] in NAMES])
def test_a_service_built_from_source_answers(container: Container, label: str, tmp_path: Path) -> None:
    servers.test_a_service_built_from_source_answers(container, label, tmp_path / "log")


def test_nginx_serves_a_file(container: Container, tmp_path: Path) -> None:
    servers.test_nginx_serves_a_file(container, tmp_path, tmp_path / "log")


def test_postgresql_answers_a_query(container: Container, tmp_path: Path) -> None:
    servers.test_postgresql_answers_a_query(container, tmp_path, tmp_path / "log")


def test_curl_asks_over_https(container: Container, tmp_path: Path) -> None:
    servers.test_curl_asks_over_https(container, tmp_path)
