"""Making and checking locks, against small archives that are signed and served as real ones are."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from distroless_rules.actions import debs as images
from distroless_rules.deb import lock as locks
from distroless_rules.deb.locking import BASE, Wanted, check, make_lock
from distroless_rules.errors import ConfigError, FormatError, RequestError, ResolveError, TrustError
from distroless_rules.values.archive import Archive, Lock
from tests.support.archive import SmallArchive

PLACE = "app/BUILD:3 //app:image"


def deb(control: str) -> bytes:
    """Make a deb that has a control file and no more (deb(5))."""

    def tar(files: Mapping[str, bytes]) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as writer:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                writer.addfile(member, io.BytesIO(data))
        return out.getvalue()

    members = {"debian-binary": b"2.0\n", "control.tar": tar({"./control": control.encode()}), "data.tar": tar({})}
    return b"!<arch>\n" + b"".join(
        f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
        for name, data in members.items()
    )


class Case:
    """A workspace, and the archive ``@trixie``."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "workspace"
        self.root.mkdir()
        self.archive = SmallArchive(folder / "archive")
        self.architectures: tuple[str, ...] = ("amd64",)
        self.suites: tuple[str, ...] = ("trixie",)
        self.pins: tuple[tuple[str, str], ...] = ()
        self.date = time.time() - 1000
        self.notes: list[str] = []

    def publish(self, *lines: str, suite: str = "trixie") -> None:
        """Publish an archive of just these debs: ``curl 8.1; Depends: libc6``; later than before."""
        self.archive.clear()
        for line in lines:
            head, *fields = line.split("; ")
            name, version = head.split()
            self.archive.add_stanza("\n".join([f"Package: {name}", f"Version: {version}", *fields]))
        self.date += 1
        self.archive.publish(suite, date=self.date, architectures=self.architectures)

    def declared(self) -> dict[str, Archive]:
        known = self.archive.declare("trixie", self.suites, architectures=self.architectures)
        return {"trixie": replace(known, pins=self.pins)}

    def wanted(self, names: str, *local: str) -> Wanted:
        return Wanted({"trixie": {name: [PLACE] for name in names.split()}}, {path: [PLACE] for path in local})

    def lock(
        self, names: str, *local: str, previous: Lock | None = None, update: tuple[str, ...] | None = None
    ) -> Lock:
        cache = self.root.parent / "cache"
        archives = self.declared()
        wanted = self.wanted(names, *local)
        lock, self.notes = make_lock(
            self.root, archives, wanted, previous, cache, time.time(), update, {"gzip": "some 1"}
        )
        assert locks.parse(locks.text(lock), "distroless.lock") == lock
        assert check(lock, archives, wanted, self.root) == []
        return lock

    def refused(self, kind: type[Exception], names: str, *local: str, **options: object) -> str:
        with pytest.raises(kind) as caught:
            self.lock(names, *local, **options)  # type: ignore[arg-type]
        return str(caught.value)

    def file(self, path: str, *fields: str) -> str:
        target = self.root / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(deb("\n".join([*fields, "Maintainer: a", "Description: a", ""])))
        return path


def told(lock: Lock, architecture: str = "amd64") -> list[str]:
    """Write what is locked as lines: ``curl 8.1 -> libc6``."""
    return [
        f"{name} {deb.version}" + (f" -> {' '.join(deb.depends)}" if deb.depends else "")
        for name, deb in lock.archives["trixie"].debs[architecture].items()
    ]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_a_closure_with_base_debs_that_bring_nothing(case: Case) -> None:
    case.publish(
        "base-files 13; Depends: awk",
        "curl 8.1; Depends: libc6; Source: curl-src (8)",
        "libc6 2",
        "libgcc-s1 14",
        "mawk 1",
    )
    lock = case.lock("curl")
    assert told(lock) == ["base-files 13", "curl 8.1 -> libc6", "libc6 2 -> libgcc-s1", "libgcc-s1 14"]
    archive = lock.archives["trixie"]
    assert archive.roots == (("curl", {"amd64": "curl"}),)
    assert lock.compressors == {"gzip": "some 1"}
    curl = archive.debs["amd64"]["curl"]
    assert (curl.archive, curl.source, curl.suite, curl.path) == (
        "trixie",
        "curl-src",
        "trixie",
        "pool/main/c/curl_8.1_amd64.deb",
    )
    assert case.archive.uri not in locks.text(lock)
    assert [(suite.suite, suite.origin) for suite in archive.suites] == [("trixie", "Small")]


def test_base_debs_that_are_wanted_bring_what_they_need(case: Case) -> None:
    case.publish("base-files 13; Depends: mawk", "mawk 1")
    assert told(case.lock("base-files")) == ["base-files 13 -> mawk", "mawk 1"]


def test_images_and_locks_agree_on_base_debs() -> None:
    assert BASE == images.BASE


def test_a_lock_made_twice_is_the_same(case: Case) -> None:
    case.publish("a 1; Depends: b | c, v", "b 1", "c 1", "p 1; Provides: v", "q 1; Provides: v")
    lock = case.lock("a c")
    assert locks.text(case.lock("c a")) == locks.text(lock)
    assert case.lock("a c", previous=lock) == lock


def test_several_suites_and_pins(case: Case) -> None:
    case.publish("a 2; Depends: l", "l 2", suite="trixie")
    case.publish("l 2+security", suite="trixie-security")
    case.suites = ("trixie", "trixie-security")
    lock = case.lock("a")
    assert told(lock) == ["a 2 -> l", "l 2+security"]
    assert lock.archives["trixie"].debs["amd64"]["l"].suite == "trixie-security"
    case.pins = (("l", "2"),)
    assert told(case.lock("a", previous=lock)) == ["a 2 -> l", "l 2"]
    case.pins = (("l", "3"),)
    message = "cannot pin l to 3 in [archive.trixie]: for amd64 its suites have 2+security and 2"
    assert case.refused(ResolveError, "a", previous=lock) == message
    case.pins = (("ll", "3"),)
    message = 'cannot pin ll in [archive.trixie]: its suites have no such deb; did you mean "l"?'
    assert case.refused(ResolveError, "a") == message


def test_architectures(case: Case) -> None:
    case.architectures = ("amd64", "arm64")
    case.publish(
        "a 1; Depends: b",
        "b 1; Architecture: all",
        "x86 1",
        "a 1; Architecture: arm64; Depends: b, c",
        "c 1; Architecture: arm64",
    )
    lock = case.lock("a x86")
    assert told(lock) == ["a 1 -> b", "b 1", "x86 1"]
    assert told(lock, "arm64") == ["a 1 -> b c", "b 1", "c 1"]
    assert lock.archives["trixie"].roots == (("a", {"amd64": "a", "arm64": "a"}), ("x86", {"amd64": "x86"}))
    assert case.notes == ["@trixie//x86 is not in arm64"]
    paths = [index.path for index in lock.archives["trixie"].suites[0].indexes]
    assert paths == ["main/binary-amd64/Packages", "main/binary-arm64/Packages"]


def test_names_that_are_provided(case: Case) -> None:
    case.publish("mawk 1; Provides: awk, one", "gawk 1; Provides: awk")
    lock = case.lock("one")
    assert told(lock) == ["mawk 1"]
    assert lock.archives["trixie"].roots == (("one", {"amd64": "mawk"}),)
    assert case.refused(ResolveError, "awk") == (
        "app/BUILD:3: cannot resolve @trixie//awk for amd64: 2 debs provide it: gawk, mawk; name one of them"
    )
    assert case.lock("awk gawk").archives["trixie"].roots[0] == ("awk", {"amd64": "gawk"})
    case.publish("only 1; Provides: awk")
    before = case.lock("awk")
    case.publish("only 1; Provides: awk", "gawk 1; Provides: awk")
    assert case.lock("awk", previous=before).archives["trixie"].roots == (("awk", {"amd64": "only"}),)


def test_names_that_are_not_there(case: Case) -> None:
    case.publish("curl 1", "wget 1")
    assert case.refused(ResolveError, "crul") == (
        'app/BUILD:3: cannot resolve @trixie//crul: its suites (trixie) have no such deb; did you mean "curl"?'
    )
    assert case.refused(ResolveError, "zzz").endswith("have no such deb")


class TestKeeping:
    """Locked versions stay until they are renewed."""

    def test_versions_stay_until_they_are_renewed(self, case: Case) -> None:
        case.publish("a 1; Depends: l", "b 1", "l 1")
        old = case.lock("a b")
        case.publish("a 1; Depends: l", "a 2; Depends: l", "b 1", "b 2", "l 1", "l 2")
        assert told(case.lock("a b", previous=old)) == ["a 1 -> l", "b 1", "l 1"]
        assert told(case.lock("a b", previous=old, update=("a",))) == ["a 2 -> l", "b 1", "l 1"]
        assert told(case.lock("a b", previous=old, update=("l", "b"))) == ["a 1 -> l", "b 2", "l 2"]
        assert told(case.lock("a b", previous=old, update=())) == ["a 2 -> l", "b 2", "l 2"]
        assert told(case.lock("a b")) == ["a 2 -> l", "b 2", "l 2"]

    def test_debs_that_left_the_archive_stay(self, case: Case) -> None:
        case.publish("a 1; Depends: l", "l 1")
        old = case.lock("a")
        case.publish("a 2; Depends: m", "m 1", "n 1")
        new = case.lock("a n", previous=old)
        assert told(new) == ["a 1 -> l", "l 1", "n 1"]
        assert new.archives["trixie"].debs["amd64"]["l"] == old.archives["trixie"].debs["amd64"]["l"]
        assert case.notes == ["a 1, l 1 left @trixie (amd64); `distroless lock --update` takes what came after"]
        assert told(case.lock("a n", previous=new, update=("a",))) == ["a 2 -> m", "m 1", "n 1"]

    def test_debs_of_a_suite_that_is_not_declared_any_more_go(self, case: Case) -> None:
        case.publish("a 1; Depends: l", "l 1", suite="trixie")
        case.publish("l 2", suite="backports")
        case.suites = ("trixie", "backports")
        old = case.lock("a")
        assert told(old) == ["a 1 -> l", "l 2"]
        case.suites = ("trixie",)
        assert told(case.lock("a", previous=old)) == ["a 1 -> l", "l 1"]

    def test_roots_that_are_not_named_any_more_go(self, case: Case) -> None:
        case.publish("a 1; Depends: l", "l 1", "b 1")
        assert told(case.lock("b", previous=case.lock("a b"))) == ["b 1"]

    def test_what_cannot_be_at_its_newest_is_as_new_as_can_be(self, case: Case) -> None:
        case.publish("a 1; Depends: l (<< 3)", "l 1")
        old = case.lock("a")
        case.publish("a 1; Depends: l (<< 3)", "l 1", "l 2", "l 3")
        assert told(case.lock("a", previous=old, update=("l",))) == ["a 1 -> l", "l 2"]
        assert case.notes == [
            "not everything asked for could be taken at its newest: "
            "//app:image wants @trixie//a 1 -> l (<< 3): trixie has l 3"
        ]

    def test_names_to_renew_that_nobody_knows(self, case: Case) -> None:
        case.publish("curl 1")
        assert case.refused(RequestError, "curl", update=("crul",)) == (
            'cannot update "crul": neither distroless.lock nor a BUILD file has it; did you mean "curl"?'
        )

    def test_an_older_archive_is_refused(self, case: Case) -> None:
        case.publish("a 1")
        case.date += 100
        case.publish("a 2")
        old = case.lock("a")
        case.date -= 50
        case.publish("a 1")
        assert "older" in case.refused(TrustError, "a", previous=old)


class TestLocalDebs:
    """Files of the workspace."""

    def test_their_dependencies_are_locked(self, case: Case) -> None:
        case.publish("libc6 2", "awk 1")
        one = case.file("app/one.deb", "Package: one", "Version: 1", "Architecture: amd64", "Depends: libc6, two (= 1)")
        two = case.file("app/two.deb", "Package: two", "Version: 1", "Architecture: all", "Installed-Size: 7")
        lock = case.lock("awk", one, two)
        assert told(lock) == ["awk 1", "libc6 2"]
        assert lock.local_archive == "trixie"
        assert {path: (deb.name, deb.depends, deb.installed_size) for path, deb in lock.local.items()} == {
            "app/one.deb": ("one", ("libc6", "two"), 0),
            "app/two.deb": ("two", (), 7),
        }
        case.file("app/two.deb", "Package: two", "Version: 2", "Architecture: all")
        wanted = case.wanted("awk", one, two)
        assert check(lock, case.declared(), wanted, case.root) == ["//app/two.deb has changed since it was locked"]
        (case.root / "app/two.deb").unlink()
        assert check(lock, case.declared(), wanted, case.root) == ["//app/two.deb has changed since it was locked"]
        assert check(lock, case.declared(), wanted) == []

    def test_one_may_replace_a_deb_of_the_archive(self, case: Case) -> None:
        case.publish("nginx 1; Depends: libc6", "libc6 2", "site 1; Depends: nginx")
        own = case.file("app/nginx.deb", "Package: nginx", "Version: 9", "Architecture: amd64", "Depends: libc6")
        lock = case.lock("site", own)
        assert told(lock) == ["libc6 2", "nginx 1 -> libc6", "site 1 -> nginx"]
        assert lock.local[own].version == "9"

    def test_what_they_lack_is_told(self, case: Case) -> None:
        case.publish("libc6 2")
        own = case.file("app/own.deb", "Package: own", "Version: 1", "Architecture: amd64", "Depends: libc6 (>= 3)")
        assert case.refused(ResolveError, "", own) == (
            "app/BUILD:3: cannot resolve //app/own.deb for amd64: "
            "//app:image wants //app/own.deb -> own 1 -> libc6 (>= 3): trixie has libc6 2"
        )

    def test_other_architectures_and_files_that_are_no_debs(self, case: Case) -> None:
        case.publish("libc6 2")
        own = case.file("app/own.deb", "Package: own", "Version: 1", "Architecture: arm64", "Depends: libc6")
        assert case.refused(ResolveError, "", own) == (
            "app/BUILD:3: cannot resolve //app/own.deb: it is for arm64, and [archive.trixie] for amd64; "
            'add "arm64" to its architectures in distroless.toml'
        )
        assert case.refused(ResolveError, "", "app/nix.deb") == (
            "app/BUILD:3: cannot read //app/nix.deb: No such file or directory"
        )
        (case.root / "app/bad.deb").write_bytes(b"bad")
        case.refused(FormatError, "", "app/bad.deb")

    def test_without_an_archive(self, case: Case) -> None:
        free = case.file("app/free.deb", "Package: free", "Version: 1", "Architecture: amd64")
        lock, _ = make_lock(case.root, {}, case.wanted("", free), None, case.root / "cache", time.time())
        assert lock.local[free].name == "free"
        bound = case.file("app/bound.deb", "Package: bound", "Version: 1", "Architecture: amd64", "Depends: libc6")
        with pytest.raises(ResolveError, match=r"it depends on debs, and distroless.toml declares no archive"):
            make_lock(case.root, {}, case.wanted("", bound), None, case.root / "cache", time.time())


class TestCheck:
    """Reasons why a lock does not fit."""

    def reasons(self, lock: Lock, archives: Mapping[str, Archive], names: Sequence[str] = ("a",)) -> list[str]:
        return check(lock, archives, Wanted({"trixie": {name: [PLACE] for name in names}}))

    def test_archives(self, case: Case) -> None:
        case.publish("a 1")
        lock = case.lock("a")
        known = case.declared()["trixie"]
        other = replace(
            known,
            suites=("trixie", "more"),
            components=("main", "contrib"),
            architectures=("amd64", "arm64"),
            pins=(("a", "1"),),
        )
        assert check(lock, {"trixie": other}, None) == [
            "[archive.trixie] has suites trixie, more, and was locked with trixie",
            "[archive.trixie] has components contrib, main, and was locked with main",
            "[archive.trixie] has architectures amd64, arm64, and was locked with amd64",
            "[archive.trixie] has pins a 1, and was locked with none",
        ]
        assert check(lock, {"sid": replace(known, name="sid")}, None) == [
            "[archive.sid] is not locked",
            "[archive.trixie] is not in distroless.toml any more",
        ]
        assert check(lock, {"trixie": replace(known, uris=("http://mirror.example",))}, None) == []

    def test_roots(self, case: Case) -> None:
        case.publish("a 1", "b 1")
        lock = case.lock("a")
        assert self.reasons(lock, case.declared(), ["b"]) == [
            "@trixie//b is not locked, and app/BUILD:3 //app:image names it",
            "@trixie//a is locked, and nothing names it any more",
        ]

    def test_local_debs(self, case: Case) -> None:
        case.publish("a 1")
        own = case.file("own.deb", "Package: own", "Version: 1", "Architecture: amd64")
        lock = case.lock("a", own)
        archives = case.declared()
        wanted = Wanted({"trixie": {"a": [PLACE]}}, {"other.deb": [PLACE]})
        assert check(lock, archives, wanted) == [
            "//other.deb is not locked, and app/BUILD:3 //app:image names it",
            "//own.deb is locked, and nothing names it any more",
        ]
        first = {"first": replace(archives["trixie"], name="first")}
        assert "local debs were resolved in [archive.trixie], which is not the first any more" in check(
            lock, first | archives, None
        )


def test_a_component_that_is_not_there(case: Case) -> None:
    case.publish("a 1")
    archives = {"trixie": replace(case.declared()["trixie"], components=("contrib",))}
    with pytest.raises(ConfigError, match=r'it has no component "contrib"'):
        make_lock(case.root, archives, case.wanted("a"), None, case.root / "cache", time.time())
