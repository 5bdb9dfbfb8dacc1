"""Debs in; what is known of them, or one named error, out."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.deb import package
from distroless_rules.deb.package import DebIndex
from distroless_rules.errors import FormatError
from distroless_rules.values.tree import Kind
from tests.support.debs import PACKERS, ar, deb_of, make_deb, member, tar
from tests.support.workbench import map_on

LISTING = "0755 usr/bin/hello = #!/bin/sh\\n\netc/hello.conf = x\nusr/bin/hi -> hello\nusr/bin/hey => usr/bin/hello"
SCRIPTS = {"postinst": "#!/bin/sh\nldconfig\n", "prerm": "#!/bin/sh\n"}
CONTROL = tar(member("control", data=b"Package: small\nVersion: 1.0\nArchitecture: amd64\n"))
GOOD = make_deb(LISTING, {"Depends": "libc6"}, SCRIPTS, ["/etc/hello.conf"], triggers="activate ldconfig\n")


def read(deb: bytes) -> tuple[DebIndex, bytes]:
    """Give the index and the decoded data archive."""
    data = bytearray()
    index = package.read(io.BytesIO(deb), "x.deb", data.extend, map_on(2))
    return index, bytes(data)


def refusal(deb: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        read(deb)
    return str(caught.value)


@pytest.mark.parametrize("compression", PACKERS)
def test_everything_that_a_deb_says(compression: str) -> None:
    deb = make_deb(
        LISTING, {"Depends": "libc6"}, SCRIPTS, ["/etc/hello.conf"], compression=compression, triggers="activate x\n"
    )
    index, data = read(deb)
    assert index.control["Package"] == "small"
    assert index.control["Depends"] == "libc6"
    assert index.scripts == SCRIPTS
    assert index.conffiles == ("/etc/hello.conf",)
    assert index.triggers == "activate x\n"
    assert index.md5sums == {
        "usr/bin/hello": "3e2b31c72181b87149ff995e7202c0e3",
        "etc/hello.conf": "9dd4e461268c8034f5c8564e155c67a6",
    }
    files = {e.path: data[e.offset : e.offset + e.size] for e in index.entries if e.kind is Kind.FILE}
    assert files == {"usr/bin/hello": b"#!/bin/sh\n", "etc/hello.conf": b"x"}
    assert [entry.path for entry in index.entries if entry.kind is not Kind.FILE] == [
        *("", "usr", "usr/bin", "etc", "usr/bin/hi", "usr/bin/hey")
    ]


def test_a_deb_with_nothing_in_it() -> None:
    index, _ = read(make_deb())
    assert (index.scripts, index.conffiles, index.triggers, index.md5sums) == ({}, (), "", {})
    assert [entry.path for entry in index.entries] == [""]


def test_the_control_fields_alone(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_bytes(GOOD)
    assert package.read_control(tmp_path / "x.deb") == read(GOOD)[0].control
    (tmp_path / "cut.deb").write_bytes(GOOD[:500])
    with pytest.raises(FormatError, match=r"cannot read cut.deb: it is cut off in member"):
        package.read_control(tmp_path / "cut.deb")
    with pytest.raises(FileNotFoundError):
        package.read_control(tmp_path / "none.deb")


def test_text_that_is_not_utf8_is_kept() -> None:
    control = tar(
        member("control", data=b"Package: s\nVersion: 1\nArchitecture: all\nMaintainer: caf\xe9\n"),
        member("postinst", data=b"echo caf\xe9\n"),
    )
    index, _ = read(deb_of(control, tar(member("caf\udce9"))))
    assert index.control["Maintainer"] == "caf\udce9"
    assert index.scripts["postinst"].encode("utf-8", "surrogateescape") == b"echo caf\xe9\n"
    assert package.loads(package.dumps(index, "")) == index


def test_lines_of_conffiles_and_md5sums_that_say_something_else() -> None:
    flagged = make_deb("", conffiles=["remove-on-upgrade /etc/old", " /etc/a ", "", "relative"], md5sums="x  y\n\n")
    index, _ = read(flagged)
    assert (index.conffiles, index.md5sums) == (("/etc/a",), {})


def test_members_that_other_programs_add() -> None:
    parts = [("debian-binary", b"2.1\nmore\n"), ("_gpgorigin", b"x"), ("control.tar", CONTROL)]
    index, _ = read(ar([*parts, ("_x", b""), ("data.tar", tar(member("a"))), ("anything", b"x"), ("data.tar", b"")]))
    assert [entry.path for entry in index.entries] == ["a"]


BINARY = ("debian-binary", b"2.0\n")
EMPTY = ("data.tar", tar())


def with_control(text: str) -> bytes:
    return deb_of(tar(member("control", data=text.encode())), tar())


REFUSED = {
    "nothing": (b"", "read x.deb: it is empty"),
    "no deb": (b"<html>not found</html>", "read x.deb: it is no ar archive, so no deb"),
    "no members": (ar([]), 'read x.deb: it has no member "debian-binary"'),
    "another archive": (ar([("a.o", b"")]), 'read x.deb: it has the member "a.o" where "debian-binary" should be'),
    "a future format": (ar([("debian-binary", b"3.0\n")]), 'read x.deb: its format is "3.0"; only 2.x is known'),
    "no control": (ar([BINARY]), 'read x.deb: it has no member "control"'),
    "another order": (ar([BINARY, EMPTY]), 'read x.deb: it has the member "data.tar" where "control" should be'),
    "no data": (ar([BINARY, ("control.tar", CONTROL)]), 'read x.deb: it has no member "data"'),
    "an unknown compression": (
        ar([BINARY, ("control.tar.br", b"")]),
        'read x.deb: "control.tar.br" is compressed in a way that is not known',
    ),
    "no control file": (deb_of(tar(member("other")), tar()), "read x.deb: it has no control file"),
    "a control file that is a link": (
        deb_of(tar(member("control", "2", link="/etc/passwd")), tar()),
        "read x.deb: it has no control file",
    ),
    "an empty control file": (with_control(""), "read control file of x.deb: it is empty"),
    "no stanza": (with_control("hello"), 'read control file of x.deb: the line "hello" is not "Field: value"'),
    "no version": (
        with_control("Package: a\nArchitecture: all\n"),
        "read x.deb: its control file has no Version",
    ),
    "two stanzas": (
        with_control("Package: a\n\nPackage: b\n"),
        "read control file of x.deb: it holds more than one stanza",
    ),
    "a control archive that is a bomb": (
        deb_of(CONTROL + bytes(65 << 20), tar(), "gzip"),
        "read control.tar.gz of x.deb: it unpacks to more than 67108864 bytes",
    ),
    "a hostile control archive": (
        deb_of(tar(member("../control")), tar()),
        'read control.tar.xz of x.deb: path "../control" climbs out with ".."',
    ),
    "hostile data": (
        deb_of(CONTROL, tar(member("../../etc/passwd"))),
        'read data.tar.xz of x.deb: path "../../etc/passwd" climbs out with ".."',
    ),
    "md5sums that climb out": (
        make_deb("", md5sums=f"{'0' * 32}  ../../etc/shadow\n"),
        'read md5sums of x.deb: path "../../etc/shadow" climbs out with ".."',
    ),
    "data that is not compressed": (
        ar([BINARY, ("control.tar", CONTROL), ("data.tar.xz", CONTROL)]),
        "read data.tar.xz of x.deb: it is malformed: Input format not supported by decoder",
    ),
}


@pytest.mark.parametrize(("deb", "message"), REFUSED.values(), ids=list(REFUSED))
def test_refused(deb: bytes, message: str) -> None:
    assert refusal(deb) == f"cannot {message}"


def test_an_index_comes_back() -> None:
    index, _ = read(GOOD)
    again = package.loads(package.dumps(index, "f" * 64))
    assert [(e.path, e.kind, e.source) for e in again.entries] == [
        (e.path, e.kind, "f" * 64 if e.kind is Kind.FILE else "") for e in index.entries
    ]
    assert package.dumps(again, "f" * 64) == package.dumps(index, "f" * 64)
    assert package.loads(package.dumps(index, "")) == index


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"1", b"[" * 100_000, b'{"source":"","entries":[[]]}', b"\xff"])
def test_an_index_that_is_none_of_ours(data: bytes) -> None:
    with pytest.raises(FormatError, match="cannot read the index of a deb: it is not one of ours"):
        package.loads(data)


segment = st.text(
    st.characters(codec="utf-8", exclude_characters="/ \0\n\r\t\\=<>\u2028\u2029"), min_size=1, max_size=8
).filter(lambda name: name not in (".", ".."))


@given(st.dictionaries(segment, st.text("abc\n", max_size=700), max_size=5), st.sampled_from(list(PACKERS)))
def test_files_come_back(files: dict[str, str], compression: str) -> None:
    members = [member(f"./d/{name}", data=text.encode()) for name, text in files.items()]
    index, data = read(make_deb(members, compression=compression))
    found = {e.path: data[e.offset : e.offset + e.size].decode() for e in index.entries if e.kind is Kind.FILE}
    assert found == {f"d/{name}": text for name, text in files.items()}


damage = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=3)
DEBS = {name: make_deb(LISTING, {}, SCRIPTS, compression=name) for name in PACKERS}


@given(st.sampled_from(list(PACKERS)), damage)
def test_any_damage_is_one_named_error_or_another_good_deb(
    compression: str, places: list[tuple[float, int, bytes]]
) -> None:
    deb = DEBS[compression]
    for share, gone, new in places:
        at = int(share * len(deb))
        deb = deb[:at] + new + deb[at + gone :]
    try:
        index, _ = read(deb)
    except FormatError:
        return
    assert package.loads(package.dumps(index, "")) == index


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="this machine has no dpkg-deb")
@pytest.mark.parametrize("compression", ["none", "gzip", "xz", "zstd"])
def test_dpkg_writes_what_is_read(tmp_path: Path, compression: str) -> None:
    root = tmp_path / "root"
    (root / "DEBIAN").mkdir(parents=True)
    control = "Package: small\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@example.com>\nDescription: x\n"
    (root / "DEBIAN/control").write_text(control)
    (root / "usr").mkdir()
    (root / "usr/file").write_bytes(b"text")
    (root / "usr/link").symlink_to("file")
    (root / "usr/hard").hardlink_to(root / "usr/file")
    command = ["dpkg-deb", "--root-owner-group", f"-Z{compression}", "-b", str(root), str(tmp_path / "x.deb")]
    subprocess.run(command, check=True, capture_output=True)
    index, _ = read((tmp_path / "x.deb").read_bytes())
    kinds = {entry.path: entry.kind for entry in index.entries}
    assert kinds.pop("usr/link") is Kind.SYMLINK
    assert sorted(kind.name for path, kind in kinds.items() if path in ("usr/file", "usr/hard")) == ["FILE", "HARDLINK"]
