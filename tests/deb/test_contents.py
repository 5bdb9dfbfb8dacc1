"""Contents indexes: lines in, which deb has what out; and of a signed archive only what is signed for."""

from __future__ import annotations

import gzip
import hashlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.deb import archive
from distroless_rules.deb.contents import compact, lookup, unzipped
from distroless_rules.errors import FormatError
from tests.support.archive import SmallArchive
from tests.support.workspace import fails

INDEX = b"""FILE                                                    LOCATION
bin/bash                                                shells/bash
usr/bin/node\tjavascript/nodejs
usr/games/fortune                                       games/fortune-mod
usr/include/openssl/ssl.h                               libdevel/libssl-dev
usr/lib/python3.13/json/__init__.py                     python/libpython3.13-stdlib
usr/lib/python3/dist-packages/yaml/__init__.py          python/python3-yaml
usr/lib/python3/dist-packages/yaml/loader.py            python/python3-yaml
usr/lib/python3/dist-packages/lxml/etree.cpython-313-x86_64-linux-gnu.so python/python3-lxml
usr/lib/x86_64-linux-gnu/libssl.so                      libdevel/libssl-dev
usr/lib/x86_64-linux-gnu/libssl.so.3                    libs/libssl3t64,libs/libssl3
usr/share/doc/a b/with blanks.so.1                      doc/odd
"""
FOUND = {
    "libssl.so.3": [("usr/lib/x86_64-linux-gnu/libssl.so.3", "libssl3t64"),
                    ("usr/lib/x86_64-linux-gnu/libssl.so.3", "libssl3")],
    "/usr/bin/bash": [("usr/bin/bash", "bash")],
    "/bin/bash": [("usr/bin/bash", "bash")],
    "node": [("usr/bin/node", "nodejs")],
    "python:yaml": [("usr/lib/python3/dist-packages/yaml/__init__.py", "python3-yaml")],
    "python:json": [("usr/lib/python3.13/json/__init__.py", "libpython3.13-stdlib")],
    "libnone.so.1": [],
    "/usr/include/openssl/ssl.h": [],
    ".*": [],
}  # fmt: skip


@pytest.mark.parametrize("wants", FOUND)
def test_which_deb_has_it(wants: str) -> None:
    kept = compact([INDEX])
    assert [(hit.path, hit.deb) for hit in lookup(kept, wants)] == FOUND[wants]
    assert b"with blanks" not in kept
    assert b"ssl.h" not in kept


@given(st.lists(st.integers(1, 200), max_size=8), st.booleans())
def test_pieces_of_any_size_give_the_same(sizes: list[int], ends: bool) -> None:
    text = INDEX if ends else INDEX.rstrip(b"\n")
    pieces, at = [], 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    assert compact([*pieces, text[at:]]) == compact([INDEX])


@given(st.binary(max_size=400), st.text(max_size=20))
def test_any_bytes_are_read(data: bytes, wants: str) -> None:
    lookup(compact([data]), wants)


def test_a_damaged_or_a_larger_file_is_refused() -> None:
    whole = gzip.compress(INDEX * 3)
    assert b"".join(unzipped([whole[:50], whole[50:]], len(INDEX) * 3, "it")) == INDEX * 3
    assert "unpacks to more than the 10 bytes" in fails(lambda: list(unzipped([whole], 10, "it")))
    assert b"".join(unzipped([whole + whole + b"\0" * 9], 1 << 20, "it")) == INDEX * 6
    with pytest.raises(FormatError, match="malformed"):
        list(unzipped([b"no gzip file"], 10, "it"))


@pytest.mark.parametrize("lost", [1, 8, 9, 200])
def test_a_file_that_was_cut_off_is_refused(lost: int) -> None:
    data = gzip.compress(INDEX)[:-lost]
    assert fails(lambda: list(unzipped([data[:20], data[20:]], 1 << 20, "it"))) == "cannot read it: it is cut off"


def published(folder: Path, data: bytes, listed: bytes | None = None) -> SmallArchive:
    """Give an archive with a Contents index; ``listed`` is what the release file says it is."""
    made = SmallArchive(folder / "archive")
    path = made.folder / "dists/trixie/main/Contents-amd64.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    told = listed or data
    made.add_stanza("Package: a\nVersion: 1")
    packages = b"Package: a\nVersion: 1\n"  # nobody reads it here
    lines = [("main/Contents-amd64.gz", told), ("main/binary-amd64/Packages", packages)]
    rows = "".join(f"\n {hashlib.sha256(text).hexdigest()} {len(text)} {name}" for name, text in lines)
    made.publish("trixie", by_hash=False, fields={"SHA256": rows})
    return made


def contents(made: SmallArchive, folder: Path) -> list[bytes]:
    return archive.contents(made.declare(), "amd64", folder, folder / "cache", ["amd64", "all"], None, time.time())


def test_what_is_signed_for_is_read_and_kept(tmp_path: Path) -> None:
    made = published(tmp_path, gzip.compress(INDEX))
    (first,) = contents(made, tmp_path)
    assert first == compact([INDEX])
    (made.folder / "dists/trixie/main/Contents-amd64.gz").unlink()
    assert contents(made, tmp_path) == [first]


def test_what_is_not_signed_for_says_nothing(tmp_path: Path) -> None:
    made = published(tmp_path, gzip.compress(INDEX), gzip.compress(b"another day's\n"))
    assert contents(made, tmp_path) == []


def test_an_archive_without_the_index_says_nothing(tmp_path: Path) -> None:
    made = SmallArchive(tmp_path / "archive")
    made.add_stanza("Package: a\nVersion: 1")
    made.publish("trixie")
    assert contents(made, tmp_path) == []
