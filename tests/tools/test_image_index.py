"""The tool ImageIndex: descriptors of images in, an index out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distroless_rules.errors import AnalysisError, FormatError
from distroless_rules.oci.descriptor import INDEX, MANIFEST, Descriptor
from distroless_rules.oci.manifest import Index
from distroless_rules.tools.image_index import TOOL
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import Platform
from tests.support.workbench import perform


def image(platform: str, digit: str) -> bytes:
    return json.dumps(Descriptor(MANIFEST, Digest(digit * 64, 7), Platform.parse(platform)).document()).encode()


def make(folder: Path, *images: bytes, **annotations: str) -> dict[str, bytes]:
    inputs: dict[str, bytes | Path] = {f"image/{at:02}": data for at, data in enumerate(images)}
    return perform(TOOL, folder, inputs, {"annotations": annotations})


def test_index_names_its_images(tmp_path: Path) -> None:
    made = make(tmp_path, image("linux/arm64", "b"), image("linux/amd64", "a"), title="app")
    index = Index.loads(made["index"])
    assert [(str(each.platform), each.digest.hash[0]) for each in index.manifests] == [
        ("linux/amd64", "a"),
        ("linux/arm64", "b"),
    ]
    assert index.annotations == {"title": "app"}
    descriptor = Descriptor.parse(json.loads(made["descriptor"]), "")
    assert descriptor == Descriptor(INDEX, Digest.of(made["index"]))


def test_order_of_images_makes_no_other_index(tmp_path: Path) -> None:
    one, two = image("linux/arm64", "b"), image("linux/amd64", "a")
    assert make(tmp_path, one, two) == make(tmp_path, two, one)


def test_two_images_for_one_platform_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError) as caught:
        make(tmp_path, image("linux/amd64", "a"), image("linux/amd64", "b"))
    assert str(caught.value) == (
        "cannot write an image index: two of its images are for linux/amd64; who pulls it could get only one of them"
    )


def test_malformed_descriptors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match='"digest" is missing'):
        make(tmp_path, b"{}")
