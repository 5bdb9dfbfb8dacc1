"""The work that the examples' images do, done in a fat image: what works there and not in ours is named here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.examples import test_programs as programs
from tests.examples import test_servers as servers
from tests.support import fat_root as fat
from tests.support.built import ROOT, Built, workspace
from tests.support.container import Container, free_port
from tests.support.fat_root import FatContainer

pytestmark = [pytest.mark.archive, pytest.mark.runtime, pytest.mark.long]

# What Python does in a fat image and not in ours, and what brings it there.
BEHAVIOURS = {
    "locale": "the locale C.UTF-8 is in libc-bin; without it Python takes UTF-8 for its texts all the same",
    "locale, default": "as above",
    "terminals": "descriptions of terminals are in ncurses-base",
}


@pytest.fixture
def whole(shared: Path, built: Built, tmp_path: Path) -> FatContainer:
    """Give what starts the examples' programs in a fat image."""
    room = tmp_path / "room"
    room.mkdir()
    return FatContainer(built, "crun", fat.root(shared), room)


PROGRAMS: tuple[Callable[[Container], None], ...] = (
    programs.test_java_opens_a_tls_context,
    programs.test_node_reads_a_zone_and_verifies_a_chain,
    servers.test_postgresql_tells_its_version,
)


@pytest.mark.parametrize("work", PROGRAMS)
def test_programs_do_the_same(whole: FatContainer, work: Callable[[Container], None]) -> None:
    work(whole)


@pytest.mark.parametrize("label", ["//c:image", "//cpp:image", "//go:image", "//libraries:image", "//rust:image"])
def test_services_built_from_source_do_the_same(whole: FatContainer, label: str, tmp_path: Path) -> None:
    servers.test_a_service_built_from_source_answers(whole, label, tmp_path / "log")


def test_servers_do_the_same(whole: FatContainer, tmp_path: Path) -> None:
    servers.test_python_answers_a_request(whole, tmp_path / "python")
    servers.test_nginx_serves_a_file(whole, tmp_path, tmp_path / "nginx")
    servers.test_postgresql_answers_a_query(whole, tmp_path, tmp_path / "postgresql")
    servers.test_curl_asks_over_https(whole, tmp_path)


def said(container: Container, label: str) -> dict[str, Any]:
    """Give the object that a program prints."""
    done = container.run(label)
    assert done.status == 0, done.err
    found: dict[str, Any] = json.loads(done.out.splitlines()[-1])
    return found


def test_python_imports_what_it_imports_in_a_fat_image(whole: FatContainer, built: Built) -> None:
    there, here = said(whole, "//extra:python"), said(Container(built, "crun"), "//extra:python")
    lost = {name: why for name, why in here["failed"].items() if name not in there["failed"]}
    assert there["version"] == here["version"]
    assert there["tried"] - len(there["failed"]) > 680
    assert set(lost) <= set(programs.OURS), lost


def loaded(container: Container, label: str, log: Path) -> set[str]:
    """Give the modules that a server in Python has loaded once it has answered, as the interpreter says."""
    port = free_port()
    with container.serve(label, str(port), options=["-e", "PYTHONPROFILEIMPORTTIME=1"], log=log) as server:
        assert json.loads(server.ask(lambda: servers.fetch(port, "/")))["hello"] == "world"
        return set(re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+)$", server.said, re.MULTILINE))


def test_python_serves_with_the_modules_of_a_fat_image(
    whole: FatContainer, built: Built, shared: Path, tmp_path: Path
) -> None:
    """The application's own are there with each closure, whatever of the standard library is left out."""
    there = loaded(whole, "//python:image", tmp_path / "fat")
    assert {"http.server", "json", "socketserver", "_socket"} <= there
    text = (ROOT / "examples/python/BUILD").read_text("utf-8")
    less = text.replace("distroless_image(\n", 'distroless_image(\n    closure = "files",\n', 1)
    small = workspace(tmp_path, shared, {"python/BUILD": less}, "python")
    small.ask("build", "//python:image")
    for each, log in ((built, tmp_path / "packages"), (small, tmp_path / "files")):
        here = loaded(Container(each, "crun"), "//python:image", log)
        assert here == there, (here - there, there - here)


@pytest.mark.parametrize("label", ["//extra:behaviours", "//extra:behaviours_files"])
def test_python_does_what_it_does_in_a_fat_image(whole: FatContainer, built: Built, label: str) -> None:
    there, here = said(whole, "//extra:behaviours"), said(Container(built, "crun"), label)
    assert {name for name in there if there[name] != here[name]} == BEHAVIOURS.keys(), (there, here)
