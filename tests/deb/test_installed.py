"""dpkg's database of an image: files in, each deb's fields, paths and sums out, whichever way they are recorded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.deb.installed import Files, Installed, holds, installed
from distroless_rules.errors import FormatError
from distroless_rules.values.tree import Entry, Kind

SUM = "0123456789abcdef" * 2


def read(texts: dict[str, bytes], sizes: dict[str, int] | None = None) -> Installed:
    """Read the database of an image that has some files; paths are below var/lib/dpkg."""
    held = {f"var/lib/dpkg/{path}": data for path, data in texts.items()}
    sizes = {f"var/lib/dpkg/{path}": size for path, size in (sizes or {}).items()}

    def at(path: str) -> Entry | None:
        return Entry(path, Kind.FILE, 0o644, size=sizes.get(path, len(held[path]))) if path in held else None

    def names(folder: str) -> set[str]:
        return {path.rpartition("/")[2] for path in held if path.rpartition("/")[0] == folder}

    def bytes_of(entry: Entry) -> bytes:
        assert holds(entry.path), "nothing else is read"
        return held[entry.path]

    return installed(Files(at, names, bytes_of))


def told(found: Installed) -> list[tuple[str, str, str, tuple[str, ...], dict[str, str]]]:
    records = found.records
    return [(each.name, each.version, each.architecture, each.paths(), each.sums()) for each in records]


def stanza(name: str, status: str = "install ok installed", architecture: str = "amd64") -> str:
    return f"Package: {name}\nStatus: {status}\nVersion: 1\nArchitecture: {architecture}\n"


def test_a_whole_system() -> None:
    status = "\n".join([stanza("libc6"), stanza("libc6", architecture="i386"), stanza("sh", architecture="all")])
    found = read(
        {
            "status": status.encode(),
            "info/libc6:amd64.list": b"/.\n/lib\n/lib/libc.so\n",
            "info/libc6:amd64.md5sums": f"{SUM}  lib/libc.so\n".encode(),
            "info/libc6:i386.list": b"/.\n/lib/./i386/../i386/libc.so\n\n",
            "info/sh.list": b"/bin/sh\n/bin/a b\x85\xe9\n",
            "info/sh.postinst": b"not read",
        }
    )
    assert found.kind == "dpkg"
    assert told(found) == [
        ("libc6", "1", "amd64", ("lib", "lib/libc.so"), {"lib/libc.so": SUM}),
        ("libc6", "1", "i386", ("lib/i386/libc.so",), {}),
        ("sh", "1", "all", ("bin/sh", "bin/a b\udc85\udce9"), {}),
    ]


def test_stanzas_of_a_distroless_image() -> None:
    found = read(
        {
            "status.d/base": b"Package: base-files\nVersion: 12\nArchitecture: amd64\n",
            "status.d/base.md5sums": f"{SUM}  ./etc/a\n{SUM} */etc/b\nnonsense\n".encode(),
            "status.d/tzdata": b"Package: tzdata\n",
        }
    )
    assert found.kind == "status.d"
    assert told(found) == [
        ("base-files", "12", "amd64", ("etc/a", "etc/b"), {"etc/a": SUM, "etc/b": SUM}),
        ("tzdata", "", "", (), {}),
    ]


@pytest.mark.parametrize(
    ("state", "is_there"),
    [
        ("install ok installed", True),
        ("hold ok installed", True),
        ("install ok triggers-pending", True),
        ("install ok unpacked", True),
        ("install reinstreq half-installed", True),
        ("deinstall ok config-files", False),
        ("unknown ok not-installed", False),
        ("installed", False),
        ("", False),
    ],
)
def test_debs_whose_files_are_there(state: str, is_there: bool) -> None:
    assert [each.name for each in read({"status": stanza("a", state).encode()}).records] == ["a"] * is_there


def test_configuration_files() -> None:
    lines = f"Conffiles:\n /etc/a {SUM}\n /etc/b c {SUM} obsolete\n /etc/new newconffile\n"
    (record,) = read({"status": f"{stanza('a')}{lines}".encode()}).records
    assert record.conffiles() == {"etc/a": SUM, "etc/b c": SUM}


@pytest.mark.parametrize(
    ("texts", "kind", "names"),
    [
        ({}, "", []),
        ({"status": b""}, "dpkg", []),
        ({"status": b"", "status.d/a": b"Package: a\n"}, "status.d", ["a"]),
        ({"status": stanza("b").encode(), "status.d/a": b"Package: a\n"}, "dpkg", ["b", "a"]),
        ({"status": b"Version: 1\n"}, "dpkg", []),
    ],
)
def test_which_database_it_is(texts: dict[str, bytes], kind: str, names: list[str]) -> None:
    found = read(texts)
    assert (found.kind, [each.name for each in found.records]) == (kind, names)


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(FormatError, match=r'cannot read "/var/lib/dpkg/status": it has 67108865 bytes'):
        read({"status": b""}, {"status": (64 << 20) + 1})


def test_a_malformed_stanza_is_named() -> None:
    with pytest.raises(FormatError, match=r'cannot read "/var/lib/dpkg/status\.d/x"'):
        read({"status.d/x": b"Package: x\nnonsense\n"})


LINES = st.sampled_from(
    [b"/a/../../b\n", b"//\n", b"/.\n", b"\n", b"../x\n", b"\xff\0\n", f"{SUM}  ../../c\n".encode()]
)
LISTS = st.lists(LINES).map(b"".join) | st.binary(max_size=50)


@given(LISTS, LISTS)
def test_whatever_lists_hold_paths_lie_in_the_image(listed: bytes, sums: bytes) -> None:
    (record,) = read({"status": stanza("a").encode(), "info/a.list": listed, "info/a.md5sums": sums}).records
    assert not [path for path in record.paths() if {"", ".", ".."} & set(path.split("/"))]
