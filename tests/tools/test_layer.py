"""The Layer tool: a recipe and blobs in, a layer and its descriptor out."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from distroless_rules.errors import AnalysisError, FormatError, LockError
from distroless_rules.oci.compressor import recipe
from distroless_rules.tools.layer import TOOL
from distroless_rules.values import tree
from distroless_rules.values.tree import Entry, Kind
from tests.support.workbench import perform

ARCHIVE = b"headers of no interest, then: hello\n"
GENERATED = b"root:x:0:0::/root:\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


ROWS = [
    Entry.directory("etc"),
    Entry("etc/passwd", Kind.FILE, 0o644, size=len(GENERATED), source=sha256(GENERATED), mtime=1234567890),
    Entry("hello", Kind.FILE, 0o755, size=6, source=sha256(ARCHIVE), offset=30),
    Entry.symlink("link", "hello"),
]
INPUTS: dict[str, bytes | Path] = {"recipe": tree.dump(ROWS), "blob/0": ARCHIVE, "blob/1": GENERATED, "blob/2": ARCHIVE}


def parameters(compression: str, **more: object) -> dict[str, object]:
    return {"compression": compression, "compressor": recipe(compression), "epoch": 0} | more


@pytest.mark.parametrize(("name", "suffix", "mode"), [("gzip", "+gzip", "r:gz"), ("none", "", "r:")])
def test_a_layer_and_its_descriptor(name: str, suffix: str, mode: str, tmp_path: Path) -> None:
    made = perform(TOOL, tmp_path, INPUTS, parameters(name))
    assert sorted(made) == ["blob", "descriptor"]
    with tarfile.open(fileobj=io.BytesIO(made["blob"]), mode=mode) as tar:  # type: ignore[call-overload]
        shown = [(m.name, m.mode, m.mtime, file.read() if (file := tar.extractfile(m)) else m.linkname) for m in tar][
            :3
        ]
        plain = tar.fileobj
        plain.seek(0)
        archive = plain.read()
    assert shown == [("etc", 0o755, 0, ""), ("etc/passwd", 0o644, 0, GENERATED), ("hello", 0o755, 0, b"hello\n")]
    assert json.loads(made["descriptor"]) == {
        "mediaType": "application/vnd.oci.image.layer.v1.tar" + suffix,
        "digest": "sha256:" + sha256(made["blob"]),
        "size": len(made["blob"]),
        "diffId": "sha256:" + sha256(archive),
        "bytes": len(archive),
        "files": 3,
    }


def test_the_descriptor_is_canonical(tmp_path: Path) -> None:
    text = perform(TOOL, tmp_path, INPUTS, parameters("none"))["descriptor"].decode()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize("name", ["gzip", "zstd", "none"])
def test_the_same_bytes_on_any_number_of_threads(name: str, tmp_path: Path) -> None:
    large = bytes(range(256)) * 40_000
    rows = tree.dump([Entry("large", Kind.FILE, 0o644, size=len(large), source=sha256(large))])
    inputs: dict[str, bytes | Path] = {"recipe": rows, "blob/0": large}
    first, *others = (perform(TOOL, tmp_path, inputs, parameters(name), threads) for threads in (1, 2, 8))
    assert all(other == first for other in others)


def test_every_entry_has_the_time_given(tmp_path: Path) -> None:
    blob = perform(TOOL, tmp_path, INPUTS, parameters("none", epoch=1700000000))["blob"]
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:") as tar:
        assert {member.mtime for member in tar} == {1700000000}


def test_another_compressor_than_the_pinned_one(tmp_path: Path) -> None:
    with pytest.raises(LockError) as error:
        perform(TOOL, tmp_path, INPUTS, parameters("gzip", compressor="libdeflate of deflate 0.1, level 1"))
    assert str(error.value) == (
        'cannot write a layer: it is to be compressed by "libdeflate of deflate 0.1, level 1", '
        f'and this is "{recipe("gzip")}"; run `distroless lock` to take the one that is here'
    )


def test_an_unknown_compression(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match='cannot compress with "lz4": expected one of gzip, zstd, none'):
        perform(TOOL, tmp_path, INPUTS, {"compression": "lz4", "compressor": "", "epoch": 0})


@pytest.mark.parametrize("epoch", [-1, 1 << 40])
def test_a_time_that_tar_does_not_have(epoch: int, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=f"its mtime is {epoch}"):
        perform(TOOL, tmp_path, INPUTS, parameters("none", epoch=epoch))


@pytest.mark.parametrize("text", [b"{}", b"[1]\n", b"\xff", b'["a","9",0,0,0,0,"","","",0,[],0]\n'])
def test_a_recipe_that_is_none(text: bytes, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot read a file list: it is not one of ours"):
        perform(TOOL, tmp_path, {"recipe": text}, parameters("none"))


def test_bytes_that_no_input_has(tmp_path: Path) -> None:
    inputs = {name: data for name, data in INPUTS.items() if name != "blob/1"}
    with pytest.raises(FormatError, match='cannot write "/etc/passwd" to a layer: no input has the SHA-256'):
        perform(TOOL, tmp_path, inputs, parameters("none"))
