"""Locks as text: exact round trips, and what is said of texts that are no locks."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.deb import lock as locks
from distroless_rules.errors import LockError
from distroless_rules.values.archive import Lock, LockedArchive, LockedDeb, LockedIndex, LockedSuite

NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{0,6}", fullmatch=True)
ARCHITECTURES = st.sampled_from(("amd64", "arm64", "riscv64"))
SHA256 = st.binary(min_size=32, max_size=32).map(bytes.hex)
SIZES = st.integers(0, 2**50)
WORDS = st.text(st.characters(categories=("L", "N", "P")), max_size=8)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def debs(archive: str, name: str, depends: list[str], suite: st.SearchStrategy[str]) -> st.SearchStrategy[LockedDeb]:
    return st.builds(
        LockedDeb,
        archive=st.just(archive),
        name=st.just(name),
        version=st.from_regex(r"([1-9]:)?[0-9][a-z0-9.+~]{0,5}(-[0-9])?", fullmatch=True),
        architecture=ARCHITECTURES | st.just("all"),
        source=NAMES,
        path=PATHS,
        size=SIZES,
        sha256=SHA256,
        suite=suite,
        installed_size=SIZES,
        depends=st.lists(st.sampled_from(depends), unique=True).map(tuple) if depends else st.just(()),
    )


SUITES = st.builds(
    LockedSuite,
    suite=NAMES,
    codename=WORDS,
    origin=WORDS,
    date=SIZES,
    sha256=SHA256,
    signers=st.lists(WORDS, max_size=2).map(tuple),
    indexes=st.lists(st.builds(LockedIndex, PATHS, SHA256, SIZES), max_size=2).map(tuple),
)


@st.composite
def archives(draw: st.DrawFn, name: str) -> LockedArchive:
    table = {}
    for architecture in sorted(draw(st.sets(ARCHITECTURES))):
        names = sorted(draw(st.sets(NAMES, max_size=5)))
        table[architecture] = {deb: draw(debs(name, deb, names, NAMES)) for deb in names}
    meanings = st.fixed_dictionaries({}, optional={a: st.sampled_from(sorted(d)) for a, d in table.items() if d})
    pins = draw(st.dictionaries(NAMES, NAMES, max_size=2))
    roots = draw(st.dictionaries(NAMES, meanings, max_size=3))
    suites = tuple(draw(st.lists(SUITES, max_size=2)))
    return LockedArchive(name, suites, tuple(sorted(pins.items())), tuple(sorted(roots.items())), table)


@st.composite
def any_lock(draw: st.DrawFn) -> Lock:
    found = {name: draw(archives(name)) for name in draw(st.sets(NAMES, max_size=2))}
    home = draw(st.sampled_from(["", *sorted(found)]))
    known = sorted({deb for table in found[home].debs.values() for deb in table}) if home else []
    local = [draw(debs("", name, known, st.just(""))) for name in draw(st.lists(NAMES, max_size=2))]
    return Lock(found, {deb.path: deb for deb in local}, home, draw(st.dictionaries(NAMES, WORDS, max_size=2)))


@given(any_lock())
def test_a_lock_survives_its_text(lock: Lock) -> None:
    text = locks.text(lock)
    assert locks.parse(text, "distroless.lock") == lock
    assert locks.text(locks.parse(text, "distroless.lock")) == text
    json.loads(text)


DEB = LockedDeb("trixie", "curl", "8.14.1-2", "amd64", "curl", "pool/c.deb", 10, "a" * 64, "trixie", 30, ("libc6",))
LIBC = LockedDeb("trixie", "libc6", "2.41-12", "amd64", "glibc", "pool/g.deb", 20, "b" * 64, "trixie", 40)
LOCAL = LockedDeb("", "server", "1.0", "amd64", "server", "app/server.deb", 5, "c" * 64, depends=("libc6",))
SUITE = LockedSuite("trixie", "trixie", "Debian", 17, "d" * 64, ("AB",), (LockedIndex("main/x/Packages", "e" * 64, 9),))
ARCHIVE = LockedArchive(
    "trixie", (SUITE,), (("curl", "8.14.1-2"),), (("curl", {"amd64": "curl"}),), {"amd64": {"curl": DEB, "libc6": LIBC}}
)
LOCK = Lock({"trixie": ARCHIVE}, {"app/server.deb": LOCAL}, "trixie", {"gzip": "deflate 1"})

TEXT = f"""{{
 "archives": {{
  "trixie": {{
   "debs": {{
    "amd64": {{
     "curl": {{"architecture": "amd64", "depends": ["libc6"], "installed_size": 30, "path": "pool/c.deb", \
"sha256": "{"a" * 64}", "size": 10, "source": "curl", "suite": "trixie", "version": "8.14.1-2"}},
     "libc6": {{"architecture": "amd64", "depends": [], "installed_size": 40, "path": "pool/g.deb", \
"sha256": "{"b" * 64}", "size": 20, "source": "glibc", "suite": "trixie", "version": "2.41-12"}}
    }}
   }},
   "pins": {{
    "curl": "8.14.1-2"
   }},
   "roots": {{
    "curl": {{"amd64": "curl"}}
   }},
   "suites": [
    {{
     "codename": "trixie",
     "date": 17,
     "indexes": [
      {{"path": "main/x/Packages", "sha256": "{"e" * 64}", "size": 9}}
     ],
     "origin": "Debian",
     "sha256": "{"d" * 64}",
     "signers": [
      "AB"
     ],
     "suite": "trixie"
    }}
   ]
  }}
 }},
 "compressors": {{
  "gzip": "deflate 1"
 }},
 "local": {{
  "app/server.deb": {{"architecture": "amd64", "depends": ["libc6"], "installed_size": 0, "name": "server", \
"path": "app/server.deb", "sha256": "{"c" * 64}", "size": 5, "source": "server", "suite": "", "version": "1.0"}}
 }},
 "local_archive": "trixie",
 "note": "made by `distroless lock`; commit it, and do not edit it",
 "version": 1
}}
"""


def test_the_text() -> None:
    assert locks.text(LOCK) == TEXT


READING = "cannot read distroless.lock: "
FAULTS = {
    "nothing": ("", f"distroless.lock:1:1: {READING}it is not JSON: Expecting value"),
    "a list": ("[]", f"distroless.lock:1: {READING}it does not tell its version, so it is not a lock"),
    "nesting": ("[" * 100000, f"{READING}its values are nested too deeply"),
    "not a number": ('{"version": NaN}', f"distroless.lock:1:1: {READING}NaN is not JSON"),
    "a later version": (
        TEXT.replace('"version": 1\n', '"version": 2\n'),
        f"distroless.lock:1: {READING}it is of version 2, and this program knows version 1; "
        "use a newer distroless-rules",
    ),
    "a merge": (
        TEXT.replace('   "pins"', '<<<<<<< HEAD\n   "pins"'),
        f"distroless.lock:10:1: {READING}it holds the marks of a merge that was not resolved; "
        "take the file of either side and run `distroless lock`",
    ),
    "a merge of two lines for one deb": (
        TEXT.replace('"libc6": {', '"curl": {'),
        f'distroless.lock:6:6: {READING}"curl" is given twice',
    ),
    "a negative size": (
        TEXT.replace('"size": 10', '"size": -1'),
        f'distroless.lock:6:184: {READING}size "-1" is malformed',
    ),
    "a size in words": (
        TEXT.replace('"size": 10', '"size": "10"'),
        f'distroless.lock:6:184: {READING}size "10" is malformed',
    ),
    "a path that leaves the archive": (
        TEXT.replace("pool/c.deb", "pool/../../c.deb"),
        f'distroless.lock:6:84: {READING}path "pool/../../c.deb" is malformed',
    ),
    "an absolute path": (
        TEXT.replace('"pool/c.deb', '"/c.deb'),
        f'distroless.lock:6:84: {READING}path "/c.deb" is malformed',
    ),
    "a digest cut off": (
        TEXT.replace("a" * 64, "aa"),
        f'distroless.lock:6:106: {READING}sha256 "aa" is malformed',
    ),
    "a name with a slash": (
        TEXT.replace('"curl": {"arch', '"../curl": {"arch'),
        f'distroless.lock:6:6: {READING}"../curl" is not a package name',
    ),
    "a field too many": (
        TEXT.replace('"size": 10', '"size": 10, "colour": 1'),
        f'distroless.lock:6:196: {READING}"colour" is not known',
    ),
    "a field too few": (TEXT.replace(', "size": 10', ""), f'distroless.lock:6:6: {READING}"size" is missing'),
    "a dependency that is not there": (
        TEXT.replace('["libc6"], "installed_size": 30', '["libc7"], "installed_size": 30'),
        f'distroless.lock:6:52: {READING}curl depends on "libc7", which is not among the debs',
    ),
    "a local deb's dependency that is not there": (
        TEXT.replace('["libc6"], "installed_size": 0', '["libc7"], "installed_size": 0'),
        f'distroless.lock:37:59: {READING}server depends on "libc7", which is not among the debs',
    ),
    "a root that is not there": (
        TEXT.replace('{"amd64": "curl"}', '{"amd64": "wget"}'),
        f'distroless.lock:14:5: {READING}"wget" is not among the debs of amd64',
    ),
    "a home that is not there": (
        TEXT.replace('"local_archive": "trixie"', '"local_archive": "sid"'),
        f'distroless.lock:39:2: {READING}"local_archive" names "sid", which is not in the lock',
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_it_says_what_is_wrong_and_where(name: str) -> None:
    text, message = FAULTS[name]
    with pytest.raises(LockError) as caught:
        locks.parse(text, "distroless.lock")
    assert str(caught.value) == message


@given(st.data())
def test_whatever_a_value_becomes_is_read_or_refused(data: st.DataObject) -> None:
    document = json.loads(TEXT)
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            places.append((value, key))
            walk(value[key])

    walk(document)
    new: st.SearchStrategy[Any] = (
        st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just([]) | st.just({}) | st.just([{}])
    )
    value, key = data.draw(st.sampled_from(places))
    value[key] = data.draw(new)
    try:
        lock = locks.parse(json.dumps(document), "distroless.lock")
    except LockError:
        return
    assert locks.parse(locks.text(lock), "distroless.lock") == lock


@given(st.text(max_size=40) | st.text('{}[]":,1 ', max_size=40))
def test_any_text_is_refused_with_a_lock_error(text: str) -> None:
    with pytest.raises(LockError):
        locks.parse(text, "distroless.lock")


def test_writing_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "distroless.lock"
    locks.write(path, LOCK)
    assert locks.read(path) == LOCK
    assert path.read_text() == TEXT
    locks.write(path, Lock())
    assert locks.read(path) == Lock()
    assert [file.name for file in tmp_path.iterdir()] == ["distroless.lock"]


def test_an_error_while_writing_leaves_the_old_lock(tmp_path: Path) -> None:
    path = tmp_path / "distroless.lock"
    path.mkdir()
    with pytest.raises(LockError, match=r"^cannot write distroless.lock: Is a directory$"):
        locks.write(path, LOCK)
    assert [file.name for file in tmp_path.iterdir()] == ["distroless.lock"]


def test_readers_see_a_whole_lock_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "distroless.lock"
    locks.write(path, LOCK)

    def work() -> None:
        for _ in range(20):
            locks.write(path, LOCK)

    writers = [threading.Thread(target=work) for _ in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert locks.read(path) == LOCK
    assert [file.name for file in tmp_path.iterdir()] == ["distroless.lock"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "distroless.lock"
    with pytest.raises(LockError, match=r"^cannot read distroless.lock: No such file or directory$"):
        locks.read(path)
    path.write_bytes(b'{"version": "\xff"}')
    with pytest.raises(LockError, match=r"^cannot read distroless.lock: byte 13 is not UTF-8$"):
        locks.read(path)


def test_a_large_lock_is_read_quickly() -> None:
    import time

    names = [f"deb{number}" for number in range(300)]
    table = {
        architecture: {
            name: LockedDeb(
                "trixie", name, f"1.{at}", architecture, name, f"pool/{name}.deb", at, "a" * 64, "trixie", at,
                tuple(names[max(0, at - 6) : at]),
            )
            for at, name in enumerate(names)
        }
        for architecture in ("amd64", "arm64")
    }  # fmt: skip
    text = locks.text(Lock({name: LockedArchive(name, debs=table) for name in ("one", "two")}))
    times = []
    for _ in range(7):
        start = time.perf_counter()
        locks.parse(text, "distroless.lock")
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05  # 8 ms where nothing else runs
