"""Mirrors that are gone, that lie, and that no longer have what the lock names."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pysequoia import Tsk

from tests.support.debs import make_deb
from tests.support.scene import BUILD, DEBS, Scene, scene
from tests.support.server import Fault

RELEASE = "/dists/trixie/InRelease"
DEB = "/pool/main/s/small_1.0_amd64.deb"
NEWS = {"BUILD": BUILD.replace("small", "news")}  # a deb that the lock does not have, so that the archive is read


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path) as made:
        yield made


@pytest.fixture
def renewed(built: Scene) -> Iterator[Scene]:
    """A scene whose archive has got another deb since; in the end it can be built with that."""
    built.archive.add(make_deb("usr/share/news = x\nusr/share/doc/news/copyright = free", {"Package": "news"}))
    built.archive.publish("trixie")
    yield built
    built.server.heal()
    built.recovers()
    built.archive.publish("trixie")
    built.write(NEWS)
    assert built.build().status == 0


@pytest.fixture
def emptied(built: Scene) -> Iterator[Scene]:
    """A scene whose cache is gone, so that debs are fetched again; in the end that works."""
    shutil.rmtree(built.cache)
    yield built
    built.server.heal()
    built.recovers()


def index_paths(it: Scene) -> list[str]:
    folder = it.archive.folder
    return [f"/{path.relative_to(folder)}" for path in (folder / "dists/trixie/main").rglob("*") if path.is_file()]


UNSIGNED = "trust release file of suite trixie: it does not begin with an OpenPGP cleartext signature"
RELEASES = {
    "forbidden": (Fault(status=403), 'fetch "dists/trixie/InRelease": mirror: it answers 403 Forbidden'),
    "out of order": (Fault(status=503), 'fetch "dists/trixie/InRelease": mirror: it answers 503 Service Unavailable'),
    "sent round in circles": (
        Fault(status=302, headers={"Location": RELEASE}),
        'fetch "dists/trixie/InRelease": mirror: it redirects more than 5 times',
    ),
    "sent to a file": (
        Fault(status=302, headers={"Location": "file:///etc/passwd"}),
        'fetch "dists/trixie/InRelease": mirror: it redirects from http to file',
    ),
    "another page": (Fault(body=b"<html>Log in to this network</html>"), UNSIGNED),
    "empty": (Fault(body=b""), UNSIGNED),
    "cut off": (Fault(cut=100), 'fetch "dists/trixie/InRelease": mirror: the answer is cut off'),
    "endless": (
        Fault(body=bytes(40 << 20)),
        'fetch "dists/trixie/InRelease": mirror: it serves 41943040 bytes, more than the 10485760 that are allowed',
    ),
}


@pytest.mark.parametrize(("fault", "error"), RELEASES.values(), ids=list(RELEASES))
def test_a_release_file_that_is_not_given(renewed: Scene, fault: Fault, error: str) -> None:
    renewed.server.plant(RELEASE, fault)
    renewed.fails(1, f"distroless: cannot {error}", change=NEWS)


def test_a_suite_that_the_mirror_does_not_have(renewed: Scene) -> None:
    renewed.server.plant(RELEASE, Fault(status=404))
    error = (
        "distroless: cannot find suite trixie of archive trixie: mirror: it has no such file; "
        'write uris = ["https://mirror.example/debian"] under [archive.trixie] in distroless.toml'
    )
    renewed.fails(2, error, change=NEWS)


def test_a_release_file_that_was_altered(renewed: Scene) -> None:
    good = (renewed.archive.folder / RELEASE[1:]).read_bytes()
    renewed.server.plant(RELEASE, Fault(body=good.replace(b"Origin: Small", b"Origin: Smell")))
    renewed.fails(
        1,
        (
            "distroless: cannot trust release file of suite trixie: no signature counts: "
            "the one by <key> does not match the text, or that key may not sign"
        ),
        change=NEWS,
    )


def test_a_release_file_that_someone_else_signed(renewed: Scene) -> None:
    renewed.archive.publish("trixie", keys=[Tsk.generate(user_id="Someone Else <else@example.com>")])
    renewed.fails(
        1,
        ("distroless: cannot trust release file of suite trixie: no signature counts: the keyring has no key <key>"),
        change=NEWS,
    )


def test_a_release_file_that_has_expired(renewed: Scene) -> None:
    renewed.archive.publish("trixie", date=time.time() + 1, valid_until=time.time() - 86_400)
    renewed.fails(
        1,
        (
            "distroless: cannot trust release file of suite trixie: it expired on <time>; "
            "use a mirror that is up to date"
        ),
        change=NEWS,
    )


def test_a_release_file_that_is_older_than_the_locked_one(renewed: Scene) -> None:
    renewed.archive.publish("trixie", date=1_700_000_000)
    renewed.fails(
        1,
        (
            "distroless: cannot trust release file of suite trixie: it is of <time>, "
            "older than the one of <time> that distroless.lock was made from; a mirror that lags behind, "
            "or a rollback; try another mirror"
        ),
        change=NEWS,
    )


def test_an_index_that_was_altered(renewed: Scene) -> None:
    for path in index_paths(renewed):
        data = (renewed.archive.folder / path[1:]).read_bytes()
        renewed.server.plant(path, Fault(body=data[:-9] + b"X" + data[-8:]))
    renewed.fails(
        1,
        (
            'distroless: cannot fetch "dists/trixie/main/binary-amd64/Packages.xz": mirror: '
            "it serves another file (SHA-256 <digest>, not <digest>); "
            "the mirror may be in the middle of an update; try again in some minutes, or another mirror"
        ),
        change=NEWS,
    )


def test_an_index_that_is_cut_off(renewed: Scene) -> None:
    for path in index_paths(renewed):
        renewed.server.plant(path, Fault(cut=50))
    renewed.fails(
        1,
        (
            'distroless: cannot fetch "dists/trixie/main/binary-amd64/by-hash/SHA256/<digest>": mirror: '
            "the answer is cut off"
        ),
        change=NEWS,
    )


def test_an_index_that_is_not_there(renewed: Scene) -> None:
    for path in index_paths(renewed):
        renewed.server.plant(path, Fault(status=404))
    renewed.fails(
        1,
        ('distroless: cannot fetch "dists/trixie/main/binary-amd64/Packages.xz": mirror: it has no such file'),
        change=NEWS,
    )


WHO = "distroless: BUILD:3: cannot resolve @trixie//news for amd64: "
WANTS = "//:image wants @trixie//news 1"
UNSOLVABLE = {
    "nothing has it": ("Depends: nothing", f"{WANTS} -> nothing: trixie has no nothing"),
    "too old": ("Depends: libsmall (>= 2)", f"{WANTS} -> libsmall (>= 2): trixie has libsmall 1.0"),
    "in conflict": (
        "Depends: small, other\nConflicts: libsmall",
        f"news 1 conflicts with libsmall: {WANTS}, and {WANTS} -> small 1.0 -> libsmall 1.0",
    ),
}


@pytest.mark.parametrize(("fields", "error"), UNSOLVABLE.values(), ids=list(UNSOLVABLE))
def test_debs_that_do_not_go_together(built: Scene, fields: str, error: str) -> None:
    built.archive.add_stanza(f"Package: news\nVersion: 1\n{fields}")
    built.archive.publish("trixie")
    built.fails(2, WHO + error, change=NEWS)
    built.recovers()


def test_a_dependency_that_is_malformed(built: Scene) -> None:
    built.archive.add_stanza("Package: news\nVersion: 1\nDepends: small (>> )")
    built.archive.publish("trixie")
    error = 'distroless: cannot read relation "small (>> )": it is malformed, in "small (>> )"'
    built.fails(1, error, change=NEWS)


SIZE = len(DEBS[0])
NOT_GIVEN = {
    "forbidden": (Fault(status=403), "it answers 403 Forbidden"),
    "out of order": (Fault(status=503), "it answers 503 Service Unavailable"),
    "another page": (Fault(body=b"<html>Log in</html>"), f"it serves another file (19 bytes, not {SIZE})"),
    "altered": (
        Fault(body=b"!<arch>\n" + bytes(SIZE - 8)),
        "it serves another file (SHA-256 <digest>, not <digest>)",
    ),
    "longer": (Fault(body=bytes(50 << 20)), f"it serves another file (52428800 bytes, not {SIZE})"),
    "cut off": (Fault(cut=300, ranges=False), "the answer is cut off"),
    "shorter": (Fault(body=b"!<arch>\n"), f"it serves another file (8 bytes, not {SIZE})"),
    "empty": (Fault(body=b""), f"it serves another file (0 bytes, not {SIZE})"),
}


@pytest.mark.parametrize(("fault", "error"), NOT_GIVEN.values(), ids=list(NOT_GIVEN))
def test_a_deb_that_is_not_given(emptied: Scene, fault: Fault, error: str) -> None:
    emptied.server.plant(DEB, fault)
    emptied.fails(1, f'distroless: cannot fetch "{DEB[1:]}": mirror: {error}')


def test_a_deb_that_has_left_the_mirror(emptied: Scene) -> None:
    emptied.server.plant(DEB, Fault(status=404))
    error = (
        "distroless: cannot fetch small 1.0: it has left the mirrors (mirror: it has no such file); "
        "to take its successor, run distroless lock --update small"
    )
    emptied.fails(1, error)


def test_a_deb_that_is_cut_off_once_is_fetched_to_the_end(emptied: Scene) -> None:
    emptied.server.plant(DEB, Fault(cut=300, times=1))
    emptied.recovers()


def test_another_mirror_has_what_the_first_one_has_not(emptied: Scene) -> None:
    uri = emptied.server.uri
    text = (emptied.root / "distroless.toml").read_text().replace(f'"{uri}"', f'"{uri}/empty", "{uri}"')
    (emptied.root / "distroless.toml").write_text(text)
    emptied.recovers()
