"""Inputs: what each kind is, and what is no input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from distroless_rules.errors import ActionError, InternalError
from distroless_rules.storage.store import MissingBlobError, copy_in
from distroless_rules.values.digest import Digest
from tests.support.workshop import Open, Workshop, locked, out, source


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, mirror={"a.deb": b"deb"})


@pytest.fixture
def parts(shop: Workshop) -> Iterator[Open]:
    with shop.open() as parts:
        yield parts


def test_digests_of_what_exists_before_the_build(shop: Workshop, parts: Open) -> None:
    shop.write("dir/file", b"text")
    assert parts.supply.digest(source("dir/file")) == Digest.of(b"text")
    assert parts.supply.digest(locked("a.deb", b"deb")) == Digest.of(b"deb")
    with pytest.raises(InternalError, match='cannot find the digest of "a/out": it is derived and has none'):
        parts.supply.digest(out("a"))


def test_files_of_inputs(shop: Workshop, parts: Open) -> None:
    file = shop.write("file", b"text")
    digest = copy_in(parts.store, b"blob")
    assert parts.supply.open(source("file"), Digest.of(b"text")).path == file
    opened = parts.supply.open(out("a"), digest)
    assert (opened.path.read_bytes(), opened.digest) == (b"blob", digest)
    parts.supply.recheck(out("a"), digest)
    opened.path.chmod(0o644)
    opened.path.write_bytes(b"BLOB")
    with pytest.raises(MissingBlobError):
        parts.supply.recheck(out("a"), digest)
    with pytest.raises(MissingBlobError):
        parts.supply.open(out("a"), digest)


def test_a_source_is_checked_again_after_use(shop: Workshop, parts: Open) -> None:
    file = shop.write("file", b"text")
    digest = parts.supply.digest(source("file"))
    parts.supply.recheck(source("file"), digest)
    file.write_bytes(b"TEXT")
    with pytest.raises(ActionError, match="it changed while it was used"):
        parts.supply.recheck(source("file"), digest)


def test_downloads(parts: Open) -> None:
    deb = locked("a.deb", b"deb")
    assert parts.supply.absent([Digest.of(b"deb")]) == {Digest.of(b"deb")}
    checks: list[None] = []
    parts.supply.fetch(deb, lambda: checks.append(None))
    assert checks
    assert parts.supply.absent([Digest.of(b"deb")]) == set()
    assert parts.supply.open(deb, Digest.of(b"deb")).path.read_bytes() == b"deb"
