"""The deb to add: an image that lacks something and a signed archive in, the error that names the deb out."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.archive import SmallArchive
from tests.support.command import Commands
from tests.support.debs import make_deb
from tests.support.elf import make_elf

BUILD = """
load("@distroless_rules//rules:defs.bzl", "distroless_image", "files")

files(name = "app", srcs = {"/app/lib.so": "lib.so"})

distroless_image(name = "image", contents = [":app", "@small//base"])
"""
LIB = "usr/lib/x86_64-linux-gnu"
LACKS = (
    'distroless: app/BUILD:5: cannot put the image together: "/app/lib.so" of //app:app needs the library '
    '"libfoo.so.1", and the image has none; '
)
WAIVE = ', or say allow_missing = ["libfoo.so.1"]'


@dataclass(frozen=True)
class Known:
    """An archive.

    Attributes:
        advice: what is advised.
        debs: names of debs that it has, beside the one of the image.
        contents: lines of its Contents index; None: it has none.
    """

    advice: str
    debs: tuple[str, ...] = ()
    contents: str | None = None


ARCHIVES = {
    "Contents say it": Known('add "@small//libfoo1" to contents', contents=f"{LIB}/libfoo.so.1 libs/libfoo1\n"),
    "Contents say what no rule does": Known(
        'add "@small//foo-runtime" to contents',
        ("libfoo1-dev",),
        f"{LIB}/libfoo.so.1 libs/foo-runtime\n{LIB}/libfoo.so.10 libs/other\n",
    ),
    "of several the one where the loader looks": Known(
        'add "@small//libfoo1" to contents',
        contents=f"opt/libfoo.so.1 x/a\nusr/aarch64-linux-gnu/lib/libfoo.so.1 x/b\n{LIB}/libfoo.so.1 libs/libfoo1\n",
    ),
    "its names say it": Known('add "@small//libfoo1t64" to contents', ("libfoo1t64",)),
    "its names, where Contents say nothing": Known('add "@small//libfoo1" to contents', ("libfoo1",), "etc/x net/x\n"),
    "nothing says it": Known("add what is missing to contents"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_the_deb_to_add(tmp_path: Path, case: str) -> None:
    known = ARCHIVES[case]
    archive = SmallArchive(tmp_path / "archive")
    archive.add(make_deb("usr/share/base/text = x\nusr/share/doc/base/copyright = free", {"Package": "base"}))
    for name in known.debs:
        archive.add_stanza(f"Package: {name}\nVersion: 1")
    index = None if known.contents is None else {"main/Contents-amd64.gz": gzip.compress(known.contents.encode())}
    archive.publish("trixie", further=index)
    settings = f'[workspace]\nname = "w"\n\n{archive.table("small")}'
    commands = Commands(tmp_path, {"distroless.toml": settings, "app/BUILD": BUILD})
    (commands.root / "app/lib.so").write_bytes(make_elf(needed=["libfoo.so.1"]))
    ran = commands.run("build", "--platform=linux/amd64", "//app:image")
    said = [line for line in ran.err.splitlines() if line.startswith("distroless: ")]
    assert (ran.status, ran.out, said) == (1, "", [f"{LACKS}{known.advice}{WAIVE}"])
