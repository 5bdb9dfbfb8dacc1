"""Layouts checked whole: what is found in damaged and in badly made ones."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from distroless_rules.oci import layout
from distroless_rules.oci.config import Config, History
from distroless_rules.oci.descriptor import CONFIG, MANIFEST, Descriptor
from distroless_rules.oci.manifest import Manifest
from distroless_rules.oci.validate import validate
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import HOST, Platform
from tests.support.image import Member, directory, file, index, layout_of, symlink, tar

BASE = [directory("./"), directory("etc"), file("etc/a", b"1")]
TOP = [directory("etc"), directory("srv"), file("srv/b", b"2")]


def found(folder: Path, *layers: list[Member], **options: bool) -> list[str]:
    """Give what is wrong with an image of these layers, each layer's digest as its number."""
    layout_of(folder, [tar(*layer) for layer in layers])
    problems = validate(folder, **options)
    for number, layer in enumerate(layout.read(folder).manifest.layers):
        problems = [problem.replace(layer.digest.oci, str(number)) for problem in problems]
    return problems


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_sound_layouts_have_no_problems(tmp_path: Path, compression: str) -> None:
    folder = layout_of(tmp_path / "image", [tar(*BASE), tar(*TOP)], compression=compression)
    assert validate(folder) == []


def late(member: Member) -> Member:
    info, data = member
    changed = tarfile.TarInfo.frombuf(info.tobuf(), "utf-8", "surrogateescape")
    changed.mtime = 5
    return changed, data


@pytest.mark.parametrize(
    ("layers", "problems"),
    [
        ([BASE, [file("etc/a", b"1")]], ["layer 1: /etc/a is in a lower layer too"]),
        ([BASE, [symlink("etc", "srv")]], ["layer 1: /etc is in a lower layer too"]),
        (
            [BASE, [directory("etc", 0o700)]],
            ["layer 1: /etc is a folder with another mode or owner than in a lower layer"],
        ),
        (
            [BASE, [directory("etc", uid=5)]],
            ["layer 1: /etc is a folder with another mode or owner than in a lower layer"],
        ),
        ([[directory("b"), directory("a")]], ["layer 0: /a is out of order"]),
        ([BASE, [file("opt/x")]], ["layer 1: /opt/x comes before its folder"]),
        ([BASE, [file("etc/a/x")]], ["layer 1: /etc/a/x is in something that is no folder"]),
        ([BASE, [file("etc/.wh.a")]], ["layer 1: /etc/.wh.a hides what a lower layer has"]),
        ([BASE, [late(file("x"))]], ["layer 1: /x has another time than what was before it: 5, not 0"]),
        ([[file("../x")]], ['layer 0: path "../x" climbs out with ".."']),
    ],
)
def test_badly_made_layers_are_found(tmp_path: Path, layers: list[list[Member]], problems: list[str]) -> None:
    assert found(tmp_path / "image", *layers) == problems


def test_overlaps_can_be_allowed(tmp_path: Path) -> None:
    layers = [BASE, [directory("etc", 0o700), file("etc/.wh.b"), file("etc/a", b"2")]]
    assert found(tmp_path / "image", *layers, overlaps=True) == []


def test_damage_is_found(tmp_path: Path) -> None:
    folder = layout_of(tmp_path / "image", [tar(*BASE), tar(*TOP)])
    image = layout.read(folder)
    for digest in [layer.digest for layer in image.manifest.layers]:
        path = layout.blob(folder, digest)
        good = path.read_bytes()
        path.unlink()
        assert validate(folder) == [f"layer {digest.oci}: No such file or directory"]
        path.write_bytes(good[:20] + bytes([good[20] ^ 1]) + good[21:])
        assert validate(folder) == [f"layer {digest.oci}: the blob is damaged"]
        path.write_bytes(good)
    layout.blob(folder, image.manifest.config.digest).unlink()
    (problem,) = validate(folder)
    assert "No such file" in problem


def test_wrong_diff_ids_are_found(tmp_path: Path) -> None:
    layer = tar(*BASE)
    wrong = "sha256:" + "0" * 64
    folder = layout_of(tmp_path / "image", [layer], diff_ids=[wrong])
    digest = layout.read(folder).manifest.layers[0].digest.oci
    assert validate(folder) == [f"layer {digest}: its diff ID is {Digest.of(layer).oci}, not {wrong}"]


def test_strangers_are_found(tmp_path: Path) -> None:
    folder = layout_of(tmp_path / "image", [tar(*BASE)])
    (folder / "blobs/sha256/stranger").write_text("x")
    assert validate(folder) == ["blob stranger belongs to nothing"]


def test_platforms_and_histories_that_disagree_are_found(tmp_path: Path) -> None:
    config = Config(HOST, history=(History("one"), History("two", empty_layer=True))).dump()
    manifest = Manifest(Descriptor(CONFIG, Digest.of(config)), ()).dump()
    blobs = {}
    for data in (config, manifest):
        (tmp_path / Digest.of(data).hash).write_bytes(data)
        blobs[Digest.of(data).oci] = tmp_path / Digest.of(data).hash
    descriptor = Descriptor(MANIFEST, Digest.of(manifest), Platform.parse("linux/s390x"))
    layout.write(tmp_path / "image", json.loads(json.dumps(descriptor.document())), blobs)
    assert validate(tmp_path / "image") == [
        f"image {descriptor.digest.oci}: an index says that it is for linux/s390x, and its config for {HOST}",
        f"image {descriptor.digest.oci}: its history has 1 layers, and it has 0",
    ]


def test_every_image_of_an_index_is_checked(tmp_path: Path) -> None:
    sound = layout_of(tmp_path / "amd64", [tar(*BASE)], platform=Platform.parse("linux/amd64"))
    bad = layout_of(tmp_path / "arm64", [tar(file("x/y"))], platform=Platform.parse("linux/arm64"))
    (problem,) = validate(index(tmp_path / "both", [sound, bad]))
    assert problem.endswith("/x/y comes before its folder")
