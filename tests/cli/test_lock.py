"""``distroless lock``: what it writes and prints when the archive moves on, and what ``--check`` says of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.debs import make_deb
from tests.support.scene import Scene, scene


def _deb(name: str, version: str, depends: str = "") -> bytes:
    fields = {"Package": name, "Version": version} | ({"Depends": depends} if depends else {})
    files = f"usr/share/{name}/text = {version}\\n\nusr/share/doc/{name}/copyright = free\\n"
    return make_deb(files, fields)


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Scene]:
    """Give a workspace that is not locked yet; ``small`` needs ``libsmall``."""
    with scene(tmp_path, [_deb("small", "1", "libsmall"), _deb("libsmall", "1")], built=False) as made:
        yield made


def _moves_on(it: Scene, *debs: bytes) -> None:
    for deb in debs:
        it.archive.add(deb)
    it.archive.publish("trixie")


def test_the_first_lock(it: Scene) -> None:
    ran = it.run("lock")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err == "Locking debs: there is no distroless.lock\ndistroless.lock holds 2 debs\n"
    assert it.run("lock", "--check").err == "distroless.lock is current\n"
    assert not (it.root / "distroless-out").exists()


def test_locking_again_changes_nothing(it: Scene) -> None:
    it.run("lock")
    _moves_on(it, _deb("libsmall", "2"))
    ran = it.run("lock")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err == "Locking debs: as asked\ndistroless.lock holds 2 debs, the same as before\n"
    assert it.run("lock").err.endswith("distroless.lock is unchanged (2 debs)\n")
    assert (it.root / "distroless.lock").read_text("utf-8").count('"version": "1"') == 2


def test_newer_versions_when_asked(it: Scene) -> None:
    it.run("lock")
    _moves_on(it, _deb("small", "2", "libsmall, other"), _deb("libsmall", "2"), _deb("other", "1"))
    one = it.run("lock", "--update", "libsmall")
    assert (one.status, one.out) == (0, "  @trixie//libsmall (amd64) 1 -> 2\n")
    assert one.err == "Locking debs: as asked\ndistroless.lock holds 2 debs\n"
    every = it.run("lock", "--update")
    assert every.out == "+ @trixie//other (amd64) 1\n  @trixie//small (amd64) 1 -> 2\n"
    assert every.err == "Locking debs: as asked\ndistroless.lock holds 3 debs\n"
    assert it.run("lock", "--update").err.endswith("distroless.lock is unchanged (3 debs)\n")


@pytest.mark.parametrize("name", ["libsmall", "@trixie//libsmall", "@trixie//:libsmall", "@trixie//libsmall:libsmall"])
def test_a_deb_may_be_named_by_its_label(it: Scene, name: str) -> None:
    it.run("lock")
    _moves_on(it, _deb("libsmall", "2"))
    assert it.run("lock", "--update", name).out == "  @trixie//libsmall (amd64) 1 -> 2\n"


def test_what_is_not_named_any_more_goes(it: Scene) -> None:
    it.run("lock")
    it.write({"BUILD": (it.root / "BUILD").read_text("utf-8").replace("//small", "//libsmall")})
    assert it.run("lock").out == "- @trixie//small (amd64) 1\n"


def test_check_changes_nothing(it: Scene) -> None:
    missing = it.run("lock", "--check")
    assert (missing.status, missing.out) == (2, "")
    assert missing.err == (
        "distroless: cannot use distroless.lock: there is no distroless.lock; run `distroless lock`\n"
    )
    assert not (it.root / "distroless.lock").exists()
    it.run("lock")
    before = (it.root / "distroless.lock").read_bytes()
    it.server.requests.clear()
    it.write({"BUILD": (it.root / "BUILD").read_text("utf-8").replace("//small", "//other")})
    stale = it.run("lock", "--check")
    assert (stale.status, stale.out) == (2, "")
    assert "@trixie//other" in stale.err
    assert stale.err.endswith("run `distroless lock`\n")
    assert (it.root / "distroless.lock").read_bytes() == before
    assert it.server.requests == []


def test_a_lock_that_cannot_be_made_leaves_the_old_one(it: Scene) -> None:
    it.run("lock")
    before = (it.root / "distroless.lock").read_bytes()
    it.write({"BUILD": (it.root / "BUILD").read_text("utf-8").replace("//small", "//smal")})
    ran = it.run("lock")
    assert ran.status == 2
    assert ran.err == (
        "Locking debs: as asked\ndistroless: BUILD:3: cannot resolve @trixie//smal: "
        'its suites (trixie) have no such deb; did you mean "small"?\n'
    )
    assert (it.root / "distroless.lock").read_bytes() == before
    assert not list(it.root.glob("distroless.lock?*"))


def test_a_file_in_its_place(it: Scene) -> None:
    (it.root / "distroless.lock").mkdir()
    ran = it.run("lock")
    assert ran.status == 2
    assert ran.err.startswith("distroless: cannot read distroless.lock: ")


def test_without_an_archive(tmp_path: Path, it: Scene) -> None:
    it.write({"distroless.toml": '[workspace]\nname = "w"\n', "BUILD": ""})
    assert it.run("lock").err.endswith("distroless.lock holds 0 debs\n")


def test_a_build_locks_what_is_new_and_says_why(it: Scene) -> None:
    it.run("lock")
    _moves_on(it, _deb("other", "1"))
    text = (it.root / "BUILD").read_text("utf-8")
    it.write({"BUILD": text.replace('"@trixie//small"', '"@trixie//small", "@trixie//other"')})
    refused = it.run("build", "--locked", "//:image")
    assert refused.status == 2
    assert "@trixie//other" in refused.err
    ran = it.run("build", "//:image")
    assert ran.status == 0, ran.err
    assert ran.err.startswith('Locking debs: "@trixie//other" is new\n')
