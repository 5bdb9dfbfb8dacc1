from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pysequoia import Tsk

from distroless_rules.deb.archive import fetch_deb, open_archive
from distroless_rules.deb.index import Index
from distroless_rules.deb.mirror import NotFoundError
from distroless_rules.errors import ConfigError, DistrolessError, FetchError, StorageError, TrustError
from distroless_rules.values.archive import Archive, LockedArchive, LockedDeb, LockedSuite
from distroless_rules.values.digest import Digest
from tests.support.archive import SmallArchive
from tests.support.server import Fault, Server

INDEX = "main/binary-amd64/Packages"
DAY = 24 * 3600


class Case:
    """A small archive behind a server, and a workspace with a cache."""

    def __init__(self, folder: Path, server: Server, archive: SmallArchive) -> None:
        self.folder, self.server, self.archive = folder, server, archive

    def open(
        self,
        *suites: str,
        components: Sequence[str] = ("main",),
        architecture: str = "amd64",
        seen: tuple[LockedSuite, ...] = (),
        uris: Sequence[str] = (),
        now: float | None = None,
    ) -> tuple[Index, tuple[LockedSuite, ...]]:
        declared = self.archive.declare("a", suites or ("trixie",), components, uris or [self.server.uri])
        moment = time.time() if now is None else now
        locked = LockedArchive("a", seen) if seen else None
        return open_archive(declared, architecture, self.folder, self.folder / "cache", locked, moment)

    def refused(self, kind: type[DistrolessError], *suites: str, **options: object) -> str:
        with pytest.raises(kind) as caught:
            self.open(*suites, **options)  # type: ignore[arg-type]
        return str(caught.value)

    def packages_asked(self) -> list[str]:
        return [path for path in self.server.paths() if "InRelease" not in path]


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    archive = SmallArchive(tmp_path / "archive")
    archive.add_stanza("Package: a\nVersion: 1\nDepends: b")
    archive.add_stanza("Package: b\nVersion: 2\nArchitecture: all\nProvides: c (= 3)")
    archive.publish("trixie")
    with Server(archive.folder) as server:
        yield Case(tmp_path, server, archive)


def test_opens_and_proves(case: Case) -> None:
    date = int(time.time()) - 100
    case.archive.publish("trixie", date=date)
    index, [proof] = case.open()
    assert index.names() == ["a", "b"]
    assert [deb.name for deb, _ in index.providers("c")] == ["b"]
    plain = Digest.of((case.archive.folder / "dists/trixie" / INDEX).read_bytes())
    inrelease = (case.archive.folder / "dists/trixie/InRelease").read_bytes()
    assert (proof.suite, proof.codename, proof.origin, proof.date) == ("trixie", "trixie", "Small", date)
    assert proof.sha256 == Digest.of(inrelease).hash
    assert proof.signers == (case.archive.secret.extract_certificate().fingerprint.upper(),)
    assert [(i.path, i.sha256, i.size) for i in proof.indexes] == [(INDEX, plain.hash, plain.size)]


def test_a_second_run_asks_only_whether_the_release_file_has_changed(case: Case) -> None:
    first = case.open()
    case.server.requests.clear()
    second = case.open()
    assert case.server.paths() == ["/dists/trixie/InRelease"]
    assert "if-none-match" in case.server.requests[0].headers
    assert second[1] == first[1]
    assert second[0].versions("a") == first[0].versions("a")
    case.archive.add_stanza("Package: d\nVersion: 1")
    case.archive.publish("trixie")
    assert case.open()[0].names() == ["a", "b", "d"]


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_each_compression(case: Case, suffix: str) -> None:
    case.archive.publish("trixie", suffixes=[suffix])
    assert case.open()[0].names() == ["a", "b"]
    assert len(case.packages_asked()) == 1


def test_the_smallest_is_taken_by_its_hash(case: Case) -> None:
    case.open()
    xz = Digest.of((case.archive.folder / "dists/trixie" / f"{INDEX}.xz").read_bytes())
    assert case.packages_asked() == [f"/dists/trixie/main/binary-amd64/by-hash/SHA256/{xz.hash}"]


def test_without_by_hash_the_path_is_taken(case: Case) -> None:
    case.archive.publish("trixie", by_hash=False, fields={"Acquire-By-Hash": "yes"})
    for path in (case.archive.folder / "dists").rglob("by-hash/SHA256/*"):
        path.unlink()
    case.open()
    assert case.packages_asked()[-1] == f"/dists/trixie/{INDEX}.xz"
    assert len(case.packages_asked()) == 2


def test_several_suites_and_components(case: Case) -> None:
    case.archive.add_stanza("Package: x\nVersion: 1", component="contrib")
    case.archive.publish("trixie", components=["main", "contrib"])
    case.archive.clear()
    case.archive.add_stanza("Package: a\nVersion: 1", deb=b"other build")
    case.archive.add_stanza("Package: y\nVersion: 1", component="contrib")
    case.archive.publish("updates", components=["main", "contrib"])
    index, proofs = case.open("updates", "trixie", components=["main", "contrib"])
    assert index.names() == ["a", "b", "x", "y"]
    assert [deb.suite for deb in index.versions("a")] == ["updates", "trixie"]
    assert [proof.suite for proof in proofs] == ["updates", "trixie"]
    assert [len(proof.indexes) for proof in proofs] == [2, 2]


def test_security_suites_tell_their_components_with_a_prefix(case: Case) -> None:
    case.archive.publish("trixie", fields={"Components": "updates/main updates/contrib"})
    assert case.open()[0].names() == ["a", "b"]


def test_an_index_of_its_own_for_all(case: Case) -> None:
    case.archive.publish("trixie", architectures=["amd64", "all"])
    index, [proof] = case.open()
    assert index.names() == ["a", "b"]
    assert [i.path for i in proof.indexes] == [INDEX, "main/binary-all/Packages"]
    case.archive.publish("trixie", fields={"Architectures": "all amd64", "No-Support-for-Architecture-all": "Packages"})
    assert [i.path for i in case.open()[1][0].indexes] == [INDEX]


def test_what_a_suite_does_not_have_is_named(case: Case) -> None:
    assert case.refused(ConfigError, components=["main", "universe"]) == (
        'cannot read suite trixie for amd64: it has no component "universe", only main'
    )
    assert case.refused(ConfigError, architecture="arm64") == (
        'cannot read suite trixie for arm64: component "main" is not there for it, only for amd64'
    )
    assert case.refused(ConfigError, "forky") == (
        f"cannot find suite forky of archive a: {case.server.uri[7:]}: it has no such file; "
        'write uris = ["https://mirror.example/debian"] under [archive.a] in distroless.toml'
    )


def test_another_key_is_refused(case: Case) -> None:
    case.archive.publish("trixie", keys=[Tsk.generate(user_id="evil")])
    message = case.refused(TrustError)
    assert message.startswith("cannot trust release file of suite trixie: no signature counts: the keyring has no key ")
    case.archive.publish("trixie", keys=[Tsk.generate(user_id="other"), case.archive.secret])
    assert case.open()


def test_an_altered_release_file_is_refused(case: Case) -> None:
    case.open()
    path = case.archive.folder / "dists/trixie/InRelease"
    path.write_bytes(path.read_bytes().replace(b"Label: Small", b"Label: Large"))
    assert "does not match the text" in case.refused(TrustError)


@pytest.mark.parametrize("kind", ["*.zst", "*.release", "*"])
def test_what_is_damaged_in_the_cache_is_fetched_anew(case: Case, kind: str) -> None:
    first = case.open()[1]
    files = list((case.folder / "cache").glob(kind))
    assert files
    for place in (0, 10, -1):
        for path in files:
            data = bytearray(path.read_bytes())
            data[place] ^= 1
            path.write_bytes(data)
        assert case.open()[1] == first
    for path in files:
        path.write_bytes(b"")
    assert case.open()[1] == first


def test_another_suite_in_its_place_is_refused(case: Case) -> None:
    case.archive.publish("sid")
    (case.archive.folder / "dists/trixie/InRelease").write_bytes(
        (case.archive.folder / "dists/sid/InRelease").read_bytes()
    )
    assert 'it is the release file of another suite (suite "sid", codename "sid"), not "trixie"' in case.refused(
        TrustError
    )


def test_dates(case: Case) -> None:
    now = int(time.time())
    case.archive.publish("trixie", date=now - 2 * DAY, valid_until=now + DAY)
    [proof] = case.open()[1]
    assert "it expired on" in case.refused(TrustError, now=now + 2 * DAY)
    assert "in the future" in case.refused(TrustError, now=now - 4 * DAY)
    assert case.open(seen=(proof,))[1] == (proof,)
    case.archive.publish("trixie", date=now - 3 * DAY)
    assert "that distroless.lock was made from" in case.refused(TrustError, seen=(proof,))
    assert case.open()


def test_a_suite_that_has_become_another_is_refused(case: Case) -> None:
    [proof] = case.open()[1]
    case.archive.publish("trixie", codename="forky")
    assert 'its codename was "trixie" when distroless.lock was made, and now is "forky"' in case.refused(
        TrustError, seen=(proof,)
    )
    case.archive.publish("trixie", fields={"Origin": "Evil"})
    assert 'its origin was "Small"' in case.refused(TrustError, seen=(proof,))


@pytest.mark.parametrize("by_hash", [True, False])
def test_an_altered_index_is_refused(case: Case, by_hash: bool) -> None:
    case.archive.publish("trixie", by_hash=by_hash)
    for path in (case.archive.folder / "dists/trixie/main").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1] + b"\n")
    message = case.refused(TrustError)
    assert f'cannot fetch "dists/trixie/{INDEX}.xz"' in message
    assert "it serves another file" in message


def test_an_index_that_unpacks_to_something_else_is_refused(case: Case) -> None:
    path = case.archive.folder / "dists/trixie" / INDEX
    told = {"xz": (path.parent / "Packages.xz").read_bytes()}
    listing = f"\n {'0' * 64} {path.stat().st_size} {INDEX}\n {Digest.of(told['xz']).hash} {len(told['xz'])} {INDEX}.xz"
    case.archive.publish("trixie", fields={"SHA256": listing})
    assert "not 0000" in case.refused(TrustError)


def test_a_mirror_that_lags_is_left_for_the_one_that_served_the_release_file(case: Case, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert case.open(uris=[empty.as_uri(), case.server.uri])[0].names() == ["a", "b"]


def test_failing_mirrors(case: Case) -> None:
    case.server.plant(f"/dists/trixie/{INDEX}.xz", Fault(status=503, times=1))
    case.server.plant("/dists/trixie/InRelease", Fault(cut=20, times=1))
    assert case.open()[0].names() == ["a", "b"]


def test_offline(case: Case) -> None:
    case.open()
    message = case.refused(FetchError, uris=["http://none.invalid"])
    assert message == 'cannot fetch "dists/trixie/InRelease": none.invalid: its name cannot be resolved'


def test_a_cache_that_cannot_be_written(case: Case) -> None:
    (case.folder / "cache").write_text("a file")
    assert "cannot write" in case.refused(StorageError)


def locked(case: Case, name: str) -> LockedDeb:
    [deb] = case.open()[0].versions(name)
    return LockedDeb(
        "a", deb.name, deb.version, deb.architecture, deb.source, deb.filename, deb.size, deb.sha256, deb.suite
    )


def test_fetches_a_locked_deb(case: Case, tmp_path: Path) -> None:
    declared = case.archive.declare("a", uris=[case.server.uri])
    assert fetch_deb(declared, locked(case, "a"), tmp_path, tmp_path / "a.deb") == case.server.uri
    assert (tmp_path / "a.deb").read_bytes() == b"a 1"


def test_a_locked_deb_that_has_left_the_mirrors(case: Case, tmp_path: Path) -> None:
    deb = locked(case, "a")
    (case.archive.folder / deb.path).unlink()
    with pytest.raises(NotFoundError) as caught:
        fetch_deb(case.archive.declare("a", uris=[case.server.uri]), deb, tmp_path, tmp_path / "a.deb")
    assert str(caught.value) == (
        f"cannot fetch a 1: it has left the mirrors ({case.server.uri[7:]}: it has no such file); "
        "to take its successor, run distroless lock --update a"
    )


def test_an_altered_deb_is_refused(case: Case, tmp_path: Path) -> None:
    deb = locked(case, "a")
    (case.archive.folder / deb.path).write_bytes(b"a 9")
    with pytest.raises(TrustError, match="it serves another file"):
        fetch_deb(case.archive.declare("a", uris=[case.server.uri]), deb, tmp_path, tmp_path / "a.deb")


TRIXIE = Archive("trixie", ("trixie", "trixie-updates", "trixie-security"))


@pytest.mark.archive
def test_the_real_archive(tmp_path: Path) -> None:
    index, proofs = open_archive(TRIXIE, "amd64", tmp_path, tmp_path / "cache", None, time.time())
    assert len(index.names()) > 60_000
    assert [proof.codename for proof in proofs] == list(TRIXIE.suites)
    assert all(proof.signers and proof.indexes for proof in proofs)
    assert {deb.name for deb, _ in index.providers("awk")} >= {"gawk", "mawk"}
    best = index.versions("base-files")[0]
    deb = LockedDeb(
        "trixie",
        best.name,
        best.version,
        best.architecture,
        best.source,
        best.filename,
        best.size,
        best.sha256,
        best.suite,
    )
    fetch_deb(TRIXIE, deb, tmp_path, tmp_path / "x.deb")
    fields = subprocess.run(
        ["dpkg-deb", "-f", "x.deb", "Package", "Version"], cwd=tmp_path, capture_output=True, text=True
    )
    assert fields.stdout == f"Package: {best.name}\nVersion: {best.version}\n"


@pytest.mark.archive
def test_every_entry_of_the_real_archive_is_well_formed(tmp_path: Path) -> None:
    index, _ = open_archive(TRIXIE, "arm64", tmp_path, tmp_path / "cache", None, time.time())
    for name in index.names():
        for deb in index.versions(name):
            assert deb.depends is not None
            assert all(len(group) == 1 for group in deb.provides)


@pytest.mark.archive
def test_memory_of_opening_the_real_archive(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\n"
        "from distroless_rules.deb.archive import open_archive\nfrom distroless_rules.values.archive import Archive\n"
        f"archive = Archive('trixie', {TRIXIE.suites!r})\nfolder = Path(sys.argv[1])\n"
        "index, _ = open_archive(archive, 'amd64', folder, folder / 'cache', None, time.time())\n"
        "index.providers('awk')\nprint(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])\n"
    )
    for _ in ("cold", "warm"):
        run = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
        assert int(run.stdout) < 250_000  # KiB; measured 185,000 cold, 135,000 warm
