"""The workspace that is written: a small fat image in, the text of its BUILD file and its files out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from distroless_rules.analyzing import analyzed
from distroless_rules.anatomy import declared, workspace
from distroless_rules.anatomy.declared import Declared
from distroless_rules.errors import RequestError
from distroless_rules.oci.config import Start
from tests.anatomy.test_groups import FAST, LIBC, PROGRAM, TOOLS
from tests.support.command import Commands
from tests.support.fat import Deb, deb, fat
from tests.support.image import Member, directory, file

START = Start(
    ("/srv/run",),
    ("--name", 'a "b"\\'),
    {"PATH": "/usr/bin", "GREETING": "hello\nworld"},
    user="app",
    workdir="/srv",
    labels={"a.b": "c"},
    ports=("80/tcp",),
    volumes=("/data",),
    stop_signal="SIGQUIT",
)
PASSWD = b"root:x:0:0:root:/root:/bin/bash\napp:x:1000:1000::/home/app:/bin/sh\nwww-data:x:33:33::/var/www:/x\n"
GROUP = b"root:x:0:\napp:x:1000:\nteam:x:1500:\n"
MASTERS = deb(
    "base-passwd",
    priority="required",
    files={"usr/share/base-passwd/passwd.master": b"root:x:0:0:root:/root:/bin/bash\n"},
)


def written(
    folder: Path, *layers: list[Member], debs: list[Deb] | None = None, start: Start = START, **more: object
) -> Path:
    """Analyze a fat image and write the workspace; give its folder."""
    image = fat(
        folder / "image", debs or [LIBC, *TOOLS, FAST, MASTERS], {"srv/run": PROGRAM}, *layers, start=start, **more
    )  # type: ignore[arg-type]
    with analyzed(str(image)) as found:
        said = declared.declare(found)
        workspace.write(workspace.render(found, said), folder / "workspace", found)
    return folder / "workspace"


def said_of(folder: Path, *layers: list[Member], **more: object) -> Declared:
    image = fat(folder / "image", [LIBC, *TOOLS, FAST], {"srv/run": PROGRAM}, *layers, start=START, **more)  # type: ignore[arg-type]
    with analyzed(str(image)) as found:
        return declared.declare(found)


def test_the_whole_declaration(tmp_path: Path) -> None:
    application = [
        directory("data", 0o700, 1000, 1000),
        file("srv/data.txt", b"data", 0o640, 1000, 1500),
        file("etc/passwd", PASSWD),
        file("etc/group", GROUP),
    ]
    found = written(tmp_path, application)
    text = (found / "BUILD").read_text()
    head, _, rest = text.partition("\n")
    assert head.startswith("# Made by `distroless analyze` from ")
    assert rest == (Path(__file__).parent / "declaration.txt").read_text()
    if buildifier := shutil.which("buildifier"):
        subprocess.run([buildifier, "--mode=check", found / "BUILD"], check=True)
    assert (found / "rootfs/srv/run").read_bytes() == PROGRAM
    assert (found / "rootfs/srv/data.txt").read_bytes() == b"data"
    assert (found / "distroless.toml").read_text() == (
        '[workspace]\nname = "image"\n\n[archive.trixie]\ntype = "deb"\n'
        'suites = ["trixie", "trixie-updates", "trixie-security"]\ncomponents = ["main"]\narchitectures = ["amd64"]\n'
        "# uris and keyring are left out: they are taken from this machine's apt sources\n"
    )


def test_names_that_no_label_can_have_and_such_as_mean_something(tmp_path: Path) -> None:
    names = [
        "srv/a:b",
        "srv/BUILD",
        "srv/distroless.toml",
        "srv/new\nline",
        "srv/sp ace",
        "srv/.hidden",
        'srv/"q"\\',
        "srv/ü",
    ]
    found = written(tmp_path, [file(name, name.encode()) for name in names])
    assert not (found / "BUILD").exists(), "an application's file of that name would be one"
    assert 'build_file = "BUILD.distroless"' in (found / "distroless.toml").read_text()
    commands = Commands(tmp_path / "commands", {})
    commands.root = found
    ran = commands.run("query", "--output", "label", "labels(srcs, //:app) + labels(srcs, //:odd)")
    assert ran.status == 0, ran.err
    assert {(found / line.removeprefix("//:")).read_bytes() for line in ran.out.split("\n") if line} == {
        PROGRAM,
        *(name.encode() for name in names),
    }


def test_a_folder_with_something_in_it_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace/mine").write_text("mine")
    with pytest.raises(RequestError, match="there is something already"):
        written(tmp_path)
    assert [path.name for path in (tmp_path / "workspace").iterdir()] == ["mine"]


def test_names_that_are_not_utf8_are_left_out_and_told(tmp_path: Path) -> None:
    found = said_of(tmp_path, [file("srv/\udcff", b"x")])
    assert found.skipped == {"srv/\udcff": "its name is not UTF-8"}


def test_sources_say_which_suites_and_what_is_not_taken_over(tmp_path: Path) -> None:
    sources = (
        b"Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie trixie-backports\nComponents: main contrib\n\n"
        b"Types: deb\nURIs: http://mirror.example/node\nSuites: nodistro\nComponents: main\n"
    )
    found = written(tmp_path, [file("etc/apt/sources.list.d/debian.sources", sources)])
    text = (found / "distroless.toml").read_text()
    assert 'suites = ["trixie", "trixie-backports"]\ncomponents = ["main", "contrib"]' in text
    assert "# not taken over, as it is no suite of trixie: nodistro of /etc/apt/sources.list.d/debian.sources" in text


def test_what_is_missing_in_the_image_too_is_waived(tmp_path: Path) -> None:
    python = deb("python3.13-minimal", "libc6", files={"usr/bin/python3.13": PROGRAM, "usr/lib/python3.13/os.py": b""})
    application = [
        file("srv/app.py", b"import os, nowhere\n"),
        file("srv/tool.sh", b"#!/bin/sh\n", 0o755),
        file("srv/lost.so", PROGRAM.replace(b"libfast.so.1", b"libnone.so.1")),
    ]
    found = written(tmp_path, application, debs=[LIBC, *TOOLS, FAST, python])
    text = (found / "BUILD").read_text()
    waived = json.loads(
        text.partition("allow_missing = ")[2].partition("]")[0].replace(",\n    ", ",").rstrip(", \n") + "]"
    )
    assert waived == ["/bin/sh", "libnone.so.1", "python:nowhere"]
