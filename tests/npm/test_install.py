"""Archives of packages: what of them becomes ``node_modules``, and what is said of hostile ones."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.errors import FormatError
from distroless_rules.npm.install import install
from distroless_rules.npm.lockfile import Locked
from distroless_rules.tar import reader
from distroless_rules.values.tree import Kind


def archive(path: Path, members: Iterable[tuple[str, bytes] | tarfile.TarInfo], mode: int = 0o644) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member, io.BytesIO(bytes(member.size)))
                continue
            info = tarfile.TarInfo(member[0])
            info.size, info.mode, info.mtime = len(member[1]), mode, 12345
            tar.addfile(info, io.BytesIO(member[1]))
    return path


def package(place: str = "node_modules/a", **bins: str) -> Locked:
    return Locked(place, place.rpartition("node_modules/")[2], "1", "", "sha512", b"", tuple(sorted(bins.items())))


def tree(*packages: tuple[Locked, Path]) -> list[str]:
    data = bytearray()
    install(packages, data.extend)
    kinds = {Kind.DIRECTORY: "/", Kind.FILE: "", Kind.SYMLINK: " -> "}
    return [
        f"{entry.mode:o} {entry.path}{kinds[entry.kind]}{entry.target}"
        for entry in reader.read(io.BytesIO(bytes(data)), "", "a tree")
    ]


def test_files_modes_and_commands(tmp_path: Path) -> None:
    first = archive(
        tmp_path / "1", [("package/package.json", b"{}"), ("package/bin/run.js", b"#!"), ("package/lib/x.js", b"")]
    )
    second = archive(tmp_path / "2", [("other-name/x.js", b"x")], 0o755)
    assert tree((package("node_modules/@s/a", run="./bin/run.js"), first), (package("node_modules/b"), second)) == [
        "755 /",
        "755 @s/",
        "755 @s/a/",
        "755 @s/a/bin/",
        "755 @s/a/bin/run.js",
        "755 @s/a/lib/",
        "644 @s/a/lib/x.js",
        "644 @s/a/package.json",
        "755 b/",
        "755 b/x.js",
        "755 .bin/",
        "777 .bin/run -> ../@s/a/bin/run.js",
    ]


def test_nothing_to_install_is_an_empty_folder() -> None:
    assert tree() == ["755 /"]


def test_commands_of_packages_within_packages_are_theirs(tmp_path: Path) -> None:
    path = archive(tmp_path / "1", [("package/run.js", b"#!")])
    assert "777 .bin/run -> ../a/node_modules/b/run.js" not in tree(
        (package("node_modules/a/node_modules/b", run="run.js"), path)
    )


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".", ""])
def test_a_command_s_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "1", [("package/run.js", b"#!")])
    locked = Locked("node_modules/a", "a", "1", "", "sha512", b"", ((name, "run.js"),))
    assert not [line for line in tree((locked, path)) if "->" in line]


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    link, device, hard = (tarfile.TarInfo(f"package/{name}") for name in ("link", "device", "hard"))
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device.type = tarfile.CHRTYPE
    hard.type, hard.linkname = tarfile.LNKTYPE, "../../etc/passwd"
    path = archive(tmp_path / "1", [link, device, hard, ("package/x", b"x")])
    assert tree((package(), path)) == ["755 /", "755 a/", "644 a/x"]


@pytest.mark.parametrize("name", ["package/../../x", "package/a/../../b", "package//x", "package/./x", "package/a\0b"])
def test_paths_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "1", [(name, b"x")])
    if "\0" in name:
        return  # what tarfile does not write
    with pytest.raises(FormatError, match="a file in it is called"):
        tree((package(), path))


@given(data=st.binary(max_size=2000))
def test_what_is_no_archive_is_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("npm") / "x"
    path.write_bytes(data)
    with pytest.raises(FormatError, match="cannot read the archive of a@1"):
        tree((package(), path))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_archive_is_refused(tmp_path: Path, share: float) -> None:
    path = archive(tmp_path / "1", [(f"package/{number}", str(number).encode() * 999) for number in range(50)])
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(FormatError, match="it is damaged"):
        tree((package(), path))


def test_an_archive_that_holds_too_much_is_refused(tmp_path: Path) -> None:
    big = tarfile.TarInfo("package/big")
    big.size = 2 << 30
    path = tmp_path / "1"
    import gzip

    with gzip.open(path, "wb", 1) as file:
        file.write(big.tobuf(tarfile.USTAR_FORMAT))
        file.write(bytes(1 << 20))
    with pytest.raises(FormatError, match="it holds too much to be a package"):
        tree((package(), path))
