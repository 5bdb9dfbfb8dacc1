"""A deb in; its data archive and its index out, or an error and nothing."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from distroless_rules.deb import package
from distroless_rules.errors import FormatError, TrustError
from distroless_rules.tools.deb_unpack import TOOL
from distroless_rules.values.tree import Kind
from tests.support.debs import deb_of, make_deb, member, tar
from tests.support.workbench import Bench

SMALL = {"name": "small", "version": "1.0", "architecture": "amd64"}


def bench(folder: Path, deb: bytes, **wanted: str) -> Bench:
    return Bench({**SMALL, **wanted}, {"deb": deb}, folder)


@pytest.mark.parametrize("compression", ["xz", "zstd", "gzip", "none"])
def test_the_archive_and_where_things_are_in_it(tmp_path: Path, compression: str) -> None:
    made = bench(tmp_path, make_deb("usr/bin/hello = hi\nusr/bin/hey -> hello", compression=compression))
    TOOL.perform(made)
    tree, index = made.outputs["tree"], package.loads(made.outputs["index"])
    with tarfile.open(fileobj=io.BytesIO(tree)) as archive:
        assert archive.getnames() == [".", "./usr", "./usr/bin", "./usr/bin/hello", "./usr/bin/hey"]
    (file,) = (entry for entry in index.entries if entry.kind is Kind.FILE)
    assert file.source == hashlib.sha256(tree).hexdigest()
    assert tree[file.offset : file.offset + file.size] == b"hi"


def test_the_same_every_time(tmp_path: Path) -> None:
    first, second = (bench(tmp_path, make_deb("usr/bin/hello = hi", compression=how)) for how in ("xz", "zstd"))
    TOOL.perform(first)
    TOOL.perform(second)
    assert first.outputs == second.outputs


@pytest.mark.parametrize(
    ("wanted", "cause"),
    [
        (
            {"name": "large"},
            'cannot unpack large_1.0_amd64.deb: its control file says Package: "small" and not "large"',
        ),
        ({"version": "2"}, 'cannot unpack small_2_amd64.deb: its control file says Version: "1.0" and not "2"'),
        (
            {"architecture": "arm64"},
            'cannot unpack small_1.0_arm64.deb: its control file says Architecture: "amd64" and not "arm64"',
        ),
    ],
)
def test_a_deb_that_is_another_one(tmp_path: Path, wanted: dict[str, str], cause: str) -> None:
    made = bench(tmp_path, make_deb("usr/bin/hello = hi"), **wanted)
    with pytest.raises(TrustError) as caught:
        TOOL.perform(made)
    assert str(caught.value) == cause
    assert made.outputs == {}


def test_a_hostile_deb_leaves_nothing(tmp_path: Path) -> None:
    made = bench(tmp_path, deb_of(tar(member("control", data=b"Package: small\nVersion: 1\nArchitecture: all\n")), b""))
    with pytest.raises(FormatError, match=r"cannot read data.tar.xz of small_1.0_amd64.deb: it is cut off"):
        TOOL.perform(made)
    assert made.outputs == {}
