"""``distroless diff``: two images that differ in one thing in; that thing, and nothing else, out."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from distroless_rules.errors import FormatError
from distroless_rules.oci import archive
from distroless_rules.oci.config import Start
from distroless_rules.oci.window import Window
from distroless_rules.values.platform import Platform
from tests.support.command import Commands, Ran
from tests.support.image import Member, directory, file, hardlink, index, layout_of, symlink, tar

_STANZA = "Package: {0}\nStatus: install ok installed\nArchitecture: {2}\nVersion: {1}\n"


def _deb(name: str, version: str, architecture: str = "amd64", *paths: str) -> list[Member]:
    """The stanza of a deb as distroless images have it."""
    sums = "".join(f"{'0' * 32}  {path}\n" for path in paths).encode()
    stanza = _STANZA.format(name, version, architecture).encode()
    folder = "var/lib/dpkg/status.d"
    return [file(f"{folder}/{name}", stanza), file(f"{folder}/{name}.md5sums", sums)]


BASE = (
    directory("app"),
    file("app/main", b"one\n", 0o755),
    file("app/data", b"data", 0o640, 7, 8),
    symlink("app/link", "main"),
    hardlink("app/hard", "app/main"),
)
DEBS = (*_deb("libone", "1.0-1", "amd64", "usr/lib/libone.so"), *_deb("two", "2.0"), file("usr/lib/libone.so", b"lib"))
START = Start(
    entrypoint=("/app/main",),
    cmd=("--port", "80"),
    env={"A": "1"},
    user="65532",
    workdir="/app",
    labels={"k": "v"},
    ports=("80/tcp",),
    volumes=("/data",),
    stop_signal="SIGTERM",
)


@dataclass(frozen=True)
class Made:
    """What an image is made of: members of each layer, and the config."""

    layers: Sequence[Sequence[Member]] = (BASE, DEBS)
    start: Start = START
    compression: str = "gzip"
    platform: Platform = field(default_factory=lambda: Platform("linux", "amd64"))

    def write(self, folder: Path) -> Path:
        layers = [tar(*members) for members in self.layers]
        return layout_of(folder, layers, self.start, compression=self.compression, platform=self.platform)


def _run(folder: Path, *words: str) -> Ran:
    return Commands(folder / "commands", {}).run("diff", *words)


def _compared(folder: Path, old: Made, new: Made) -> Any:
    ran = _run(folder, str(old.write(folder / "old")), str(new.write(folder / "new")), "--json")
    assert (ran.status, ran.err) == (0, "")
    (document,) = json.loads(ran.out)
    return document


def _said(document: Any) -> list[str]:
    """Give what differs, a line each."""
    files = [
        " ".join([row["change"], row["path"], *(f"{name}:{old}>{new}" for name, (old, new) in _aspects(row))])
        for row in document["files"]
        if not row["path"].startswith("/var/lib/dpkg/")
    ]
    debs = [f"{row['change']} {row['name']} {row['old']}>{row['new']}" for row in document["debs"]]
    return [*files, *debs, *(f"{row['name']}: {row['old']}>{row['new']}" for row in document["config"])]


def _aspects(row: Any) -> list[tuple[str, list[str]]]:
    return [(name, ["", ""] if name == "content" else values) for name, values in row["aspects"].items()]


def _with(*members: Member) -> Made:
    """An image with other or more paths in its first layer."""
    names = {info.name for info, _ in members}
    first = [member for member in BASE if member[0].name not in names]
    links = [member for member in first if member[0].linkname]
    return Made((([member for member in first if member not in links] + [*members] + links), DEBS))


def _without(name: str) -> Made:
    return Made(([member for member in BASE if member[0].name != name], DEBS))


def _start(**fields: Any) -> Made:
    return Made(start=replace(START, **fields))


def _xattr(member: Member) -> Member:
    member[0].pax_headers = {"SCHILY.xattr.user.note": "x"}
    return member


def _debs(*members: Member) -> Made:
    return Made((BASE, [*members, file("usr/lib/libone.so", b"lib")]))


ONE = _deb("libone", "1.0-1", "amd64", "usr/lib/libone.so")
TWO = _deb("two", "2.0")

CASES: dict[str, tuple[Made, list[str]]] = {
    "content": (_with(file("app/data", b"DATA", 0o640, 7, 8)), ["changed /app/data content:>"]),
    "content of a hard link": (
        _with(file("app/main", b"two\n", 0o755)),
        ["changed /app/hard content:>", "changed /app/main content:>"],
    ),
    "mode": (_with(file("app/data", b"data", 0o600, 7, 8)), ["changed /app/data mode:0640>0600"]),
    "setuid": (_with(file("app/data", b"data", 0o4640, 7, 8)), ["changed /app/data mode:0640>4640"]),
    "owner": (_with(file("app/data", b"data", 0o640, 0, 8)), ["changed /app/data owner:7:8>0:8"]),
    "group": (_with(file("app/data", b"data", 0o640, 7, 0)), ["changed /app/data owner:7:8>7:0"]),
    "target": (_with(symlink("app/link", "data")), ["changed /app/link target:main>data"]),
    "type": (_with(file("app/link", b"x", 0o777)), ["changed /app/link type:link>file"]),
    "attributes": (
        _with(_xattr(file("app/data", b"data", 0o640, 7, 8))),
        ["changed /app/data attributes:none>user.note=0x78"],
    ),
    "a folder's mode": (_with(directory("app", 0o700)), ["changed /app mode:0755>0700"]),
    "a file more": (_with(file("app/new", b"")), ["added /app/new"]),
    "a folder more": (_with(directory("srv")), ["added /srv"]),
    "a file less": (_without("app/data"), ["removed /app/data"]),
    "a file hidden by a layer": (Made((BASE, DEBS, [file("app/.wh.data")])), ["removed /app/data"]),
    "a folder emptied by a layer": (
        Made((BASE, DEBS, [file("app/.wh..wh..opq")])),
        ["removed /app/data", "removed /app/hard", "removed /app/link", "removed /app/main"],
    ),
    "a file replaced by a layer": (
        Made((BASE, DEBS, [file("app/data", b"new", 0o640, 7, 8)])),
        ["changed /app/data content:>"],
    ),
    "entrypoint": (_start(entrypoint=("/app/x",)), ['entrypoint: ["/app/main"]>["/app/x"]']),
    "cmd": (_start(cmd=()), ['cmd: ["--port", "80"]>None']),
    "env changed": (_start(env={"A": "2"}), ["env A: 1>2"]),
    "env more": (_start(env={"A": "1", "B": ""}), ["env B: None>"]),
    "user": (_start(user=""), ["user: 65532>0"]),
    "workdir": (_start(workdir=""), ["workdir: /app>/"]),
    "label": (_start(labels={}), ["label k: v>None"]),
    "port": (_start(ports=("80/tcp", "81/udp")), ["port 81/udp: None>exposed"]),
    "volume": (_start(volumes=()), ["volume /data: declared>None"]),
    "stop signal": (_start(stop_signal="SIGINT"), ["stop signal: SIGTERM>SIGINT"]),
    "platform": (Made(platform=Platform("linux", "arm64")), ["platform: linux/amd64>linux/arm64"]),
    "a deb upgraded": (
        _debs(*_deb("libone", "1.0-2", "amd64", "usr/lib/libone.so"), *TWO),
        ["upgraded libone 1.0-1>1.0-2"],
    ),
    "a deb downgraded": (_debs(*ONE, *_deb("two", "2.0~rc1")), ["downgraded two 2.0>2.0~rc1"]),
    "a newer epoch": (_debs(*ONE, *_deb("two", "1:0.1")), ["upgraded two 2.0>1:0.1"]),
    "a deb of another architecture": (_debs(*ONE, *_deb("two", "2.0", "arm64")), ["changed two 2.0>2.0"]),
    "a version that is none": (_debs(*ONE, *_deb("two", "1_2")), ["changed two 2.0>1_2"]),
    "a deb more": (_debs(*ONE, *TWO, *_deb("zoo", "3")), ["added zoo None>3"]),
    "a deb less": (_debs(*ONE), ["removed two 2.0>None"]),
    "nothing but the compression": (Made(compression="zstd"), []),
    "nothing but the layers": (Made(((*BASE, *DEBS),)), []),
    "nothing": (Made(), []),
}


@pytest.mark.parametrize("case", CASES)
def test_a_difference(tmp_path: Path, case: str) -> None:
    new, expected = CASES[case]
    document = _compared(tmp_path, Made(), new)
    found = _said(document)
    assert found == expected
    assert document["same"] is (not expected)
    back = _compared(tmp_path, new, Made())
    assert len(_said(back)) == len(expected)


def test_what_a_person_sees(tmp_path: Path) -> None:
    old = Made()
    debs = [*_deb("libone", "1.0-2", "amd64", "usr/lib/libone.so"), file("usr/lib/libone.so", b"library")]
    new = Made((_with(file("app/main", b"one\ntwo\n", 0o755)).layers[0], debs), replace(START, cmd=("--port", "81")))
    ran = _run(tmp_path, str(old.write(tmp_path / "old")), str(new.write(tmp_path / "new")), "--text")
    assert (ran.status, ran.err) == (0, "")
    head, _, rest = ran.out.partition("\n\n")
    assert [line.split()[:3] for line in head.splitlines()] == [
        ["---", f"{tmp_path}/old", "linux/amd64"],
        ["+++", f"{tmp_path}/new", "linux/amd64"],
    ]
    body, _, layers = rest.partition("\n\nlayers: ")
    assert body == (
        "config\n"
        '  cmd  ["--port", "80"] -> ["--port", "81"]\n'
        "\n"
        "debs: 1 upgraded, 1 removed\n"
        "  ~ libone 1.0-1 -> 1.0-2  upgraded, +4 B\n"
        "  - two 2.0  -75 B\n"
        "\n"
        "files: 4 changed, 2 removed\n"
        "  files of no deb: 2 changed, +8 B\n"
        "    ~ /app/hard  content, 4 B -> 8 B\n"
        "    ~ /app/main  content, 4 B -> 8 B\n"
        "  libone: 2 changed, +4 B\n"
        "    ~ /usr/lib/libone.so  content, 3 B -> 7 B\n"
        "    ~ /var/lib/dpkg/status.d/libone  content, 80 B -> 80 B\n"
        "  two: 2 removed, -75 B\n"
        "\n"
        "--- /app/hard\n"
        "+++ /app/hard\n"
        "@@ -1 +1,2 @@\n"
        " one\n"
        "+two\n"
        "\n"
        "--- /app/main\n"
        "+++ /app/main\n"
        "@@ -1 +1,2 @@\n"
        " one\n"
        "+two\n"
        "\n"
        "--- /usr/lib/libone.so\n"
        "+++ /usr/lib/libone.so\n"
        "@@ -1 +1 @@\n"
        "-lib\n"
        "+library"
    )

    assert layers.startswith("0 shared (0 B), 2 replaced (")
    assert "\n2 debs, 6 paths, 1 setting differ; " in layers


def test_lists_are_short_unless_all_are_wanted(tmp_path: Path) -> None:
    names = [f"app/f{number:02}" for number in range(20)]
    old, new = Made(), Made(((*BASE, *(file(name) for name in names)), DEBS))
    words = [str(old.write(tmp_path / "old")), str(new.write(tmp_path / "new"))]
    assert "    + /app/f07  0 B\n    and 12 more; --files lists them\n" in _run(tmp_path, *words).out
    assert "    + /app/f19  0 B\n" in _run(tmp_path, *words, "--files").out


def test_the_exit_status(tmp_path: Path) -> None:
    old, same = Made().write(tmp_path / "old"), Made(compression="none").write(tmp_path / "same")
    new = _start(user="0").write(tmp_path / "new")
    assert [_run(tmp_path, str(old), str(each)).status for each in (same, new)] == [0, 0]
    assert [_run(tmp_path, str(old), str(each), "--exit-code").status for each in (same, new)] == [0, 1]


@pytest.mark.parametrize("kind", ["docker", "oci", "docker.gz", "oci.gz"])
def test_archives(tmp_path: Path, kind: str) -> None:
    old, new = Made().write(tmp_path / "old"), _start(user="0").write(tmp_path / "new")
    target = tmp_path / "image.tar"
    if kind.startswith("docker"):
        archive.write_docker(new, target, "app:latest")
    else:
        archive.write_oci(new, target)
    if kind.endswith(".gz"):
        target.write_bytes(gzip.compress(target.read_bytes()))
    (document,) = json.loads(_run(tmp_path, str(old), str(target), "--json").out)
    assert _said(document) == ["user: 65532>0"]


def test_several_platforms(tmp_path: Path) -> None:
    amd, arm = Platform("linux", "amd64"), Platform("linux", "arm64")
    parts = [replace(Made(), platform=platform).write(tmp_path / platform.architecture) for platform in (amd, arm)]
    other = replace(_start(user="0"), platform=arm).write(tmp_path / "other")
    both, mixed = index(tmp_path / "both", parts), index(tmp_path / "mixed", [parts[0], other])
    documents = json.loads(_run(tmp_path, str(both), str(mixed), "--json").out)
    assert [(row["new"]["platform"], _said(row)) for row in documents] == [
        ("linux/amd64", []),
        ("linux/arm64", ["user: 65532>0"]),
    ]
    (document,) = json.loads(_run(tmp_path, str(both), str(other), "--json").out)
    assert _said(document) == ["user: 65532>0"]
    ran = _run(tmp_path, str(both), str(mixed), "--platform", "linux/amd64", "--exit-code")
    assert (ran.status, ran.out.splitlines()[-1]) == (0, "the images are the same")


def test_a_fat_image_beside_a_distroless_one(tmp_path: Path) -> None:
    status = "\n".join(_STANZA.format(*each) for each in (("libone", "0.9", "amd64"), ("bash", "5", "amd64")))
    removed = _STANZA.format("gone", "1", "amd64").replace("install ok installed", "deinstall ok config-files")
    fat = Made(
        (
            [
                file("var/lib/dpkg/status", f"{status}\n{removed}".encode()),
                file("var/lib/dpkg/info/libone:amd64.list", b"/.\n/lib\n/lib/libone.so\n"),
                file("var/lib/dpkg/info/bash.list", b"/.\n/bin/bash\n"),
                symlink("lib", "usr/lib"),
                file("usr/lib/libone.so", b"old"),
                file("bin/bash", b"shell", 0o755),
            ],
            BASE,
        )
    )
    document = _compared(tmp_path, fat, Made())
    debs = [(row["name"], row["change"], row["growth"]) for row in document["debs"]]
    assert debs[0][:2] == ("bash", "removed")
    assert [row[:2] for row in debs[1:]] == [("libone", "upgraded"), ("two", "added")]
    owners = {row["path"]: row["deb"] for row in document["files"]}
    assert (owners["/bin/bash"], owners["/usr/lib/libone.so"]) == ("bash", "libone")


def _cut(folder: Path) -> Path:
    (blob,) = sorted((folder / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)[-1:]
    data = blob.read_bytes()
    blob.chmod(0o644)
    blob.write_bytes(data[: len(data) // 2])
    return folder


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder / "blobs")
    return folder


def _not_json(folder: Path) -> Path:
    (folder / "index.json").unlink()
    (folder / "index.json").write_text("{")
    return folder


def _no_archive(folder: Path) -> Path:
    target = folder.with_name("bad.tar")
    target.write_bytes(b"no archive" * 100)
    return target


def _other_archive(folder: Path) -> Path:
    target = folder.with_name("bad.tar")
    with tarfile.open(target, "w") as made:
        made.addfile(tarfile.TarInfo("x"), io.BytesIO())
    return target


@pytest.mark.parametrize("damage", [_cut, _empty, _not_json, _no_archive, _other_archive])
def test_a_damaged_image_is_one_error(tmp_path: Path, damage: Callable[[Path], Path]) -> None:
    old, new = Made().write(tmp_path / "old"), _start(user="0").write(tmp_path / "new")
    damaged = damage(new)
    for words in ([str(old), str(damaged)], [str(damaged), str(old)]):
        ran = _run(tmp_path, *words)
        assert (ran.status in (1, 2), ran.out) == (True, "")
        assert ran.err.startswith("distroless: cannot read ")
        assert ran.err.count("\n") == 1


def test_names_cannot_act_on_a_terminal(tmp_path: Path) -> None:
    document = (Made(), Made(((*BASE, file("app/\x1b[31mred")), DEBS)))
    words = [str(each.write(tmp_path / name)) for each, name in zip(document, ("old", "new"), strict=True)]
    out = _run(tmp_path, *words).out
    assert "\x1b" not in out
    assert "    + /app/\\x1b[31mred  0 B\n" in out


def test_labels_are_built(tmp_path: Path) -> None:
    build = """
        load("@distroless_rules//rules:defs.bzl", "distroless_image", "files")
        files(name = "app", srcs = {"/app/main": "main"})
        distroless_image(name = "one", contents = [":app"])
        distroless_image(name = "two", contents = [":app"], user = "1000")
        """
    commands = Commands(tmp_path, {"app/BUILD": build, "app/main": "main"})
    (document,) = json.loads(commands.run("diff", "//app:one", ":two", "--json", folder="app").out)
    assert "user: 65532>1000" in _said(document)
    ran = commands.run("diff", "//app:one", "distroless-out/app/one")
    assert ran.out.endswith("\nthe images are the same\n"), ran
    ran = commands.run("diff", "//app:app", "//app:one")
    assert (ran.status, ran.err) == (2, 'distroless: cannot compare "//app:app": it is not an image\n')
    ran = commands.run("diff", "//app:one", "./nothing")
    assert (ran.status, ran.out) == (2, "")


def test_a_window_holds_the_last_bytes() -> None:
    window = Window([b"abc", b"def", b"ghi"], 4)
    stream = iter(window)
    assert next(stream) + next(stream) == b"abcdef"
    assert window.bytes_at(2, 3) == b"cde"
    assert next(stream) == b"ghi"
    assert window.bytes_at(5, 4) == b"fghi"
    with pytest.raises(FormatError, match="it has 9 bytes, more than 4"):
        window.bytes_at(0, 9)
