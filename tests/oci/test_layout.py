"""Layouts: what is written, what other tools read of it, what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from distroless_rules.errors import FormatError, StorageError
from distroless_rules.oci import layout
from distroless_rules.oci.config import Start
from distroless_rules.oci.descriptor import INDEX, MANIFEST, Descriptor
from distroless_rules.oci.manifest import Index
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import Platform
from tests.support.image import directory, file, index, layout_of, tar

LAYER = tar(directory("etc"), file("etc/motd", b"hello\n"))
AMD64, ARM64 = Platform.parse("linux/amd64"), Platform.parse("linux/arm64")


def small(folder: Path, text: bytes = b"hello\n", platform: Platform = AMD64) -> Path:
    layer = tar(directory("etc"), file("etc/motd", text))
    return layout_of(folder, [layer], Start(entrypoint=("/bin/true",)), platform=platform)


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_layout_holds_its_blobs_and_two_documents(tmp_path: Path) -> None:
    image = layout.read(small(tmp_path / "image"))
    blobs = {image.descriptor.digest, image.manifest.config.digest, image.manifest.layers[0].digest}
    wanted = {"oci-layout", "index.json"} | {f"blobs/sha256/{digest.hash}" for digest in blobs}
    assert names(tmp_path / "image") == wanted
    assert all((tmp_path / "image" / name).stat().st_mode & 0o777 == 0o444 for name in wanted)
    assert (tmp_path / "image/oci-layout").read_text() == '{"imageLayoutVersion":"1.0.0"}'
    entry = json.loads((tmp_path / "image/index.json").read_text())["manifests"][0]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "latest"}
    assert image.config.start.entrypoint == ("/bin/true",)


def test_blobs_are_links_where_that_is_possible(tmp_path: Path) -> None:
    small(tmp_path / "image")
    for path in (tmp_path / "image/blobs/sha256").iterdir():
        assert path.stat().st_ino == (tmp_path / "image.store" / path.name).stat().st_ino


def test_blobs_are_copied_to_another_file_system(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system only")
    folder = other / f"layout-{os.getpid()}"
    image = layout.read(small(tmp_path / "image"))
    blobs = {digest.oci: layout.blob(image.folder, digest) for digest in [image.descriptor.digest]}
    try:
        layout.write(folder, image.descriptor.document(), blobs)
        copy = layout.blob(folder, image.descriptor.digest)
        assert copy.read_bytes() == layout.blob(image.folder, image.descriptor.digest).read_bytes()
        assert copy.stat().st_mode & 0o777 == 0o444
    finally:
        shutil.rmtree(folder)


def test_layout_is_written_over_an_older_one(tmp_path: Path) -> None:
    old = layout.read(small(tmp_path / "image", b"old\n"))
    (tmp_path / "image/other").mkdir()
    (tmp_path / "image/other/file").write_text("of a target in a package below")
    killed = tmp_path / "image/blobs/sha256/.half"
    killed.write_text("what a killed build leaves")
    new = layout.read(small(tmp_path / "image", b"new\n"))
    assert new.descriptor.digest != old.descriptor.digest
    blobs = {new.descriptor.digest, new.manifest.config.digest, new.manifest.layers[0].digest}
    assert {path.name for path in (tmp_path / "image/blobs/sha256").iterdir()} == {digest.hash for digest in blobs}
    assert (tmp_path / "image/other/file").exists()


def test_same_layout_again_changes_nothing(tmp_path: Path) -> None:
    image = layout.read(small(tmp_path / "image"))
    before = {name: (tmp_path / "image" / name).stat().st_ino for name in names(tmp_path / "image")}
    files = [image.descriptor.digest, image.manifest.config.digest, image.manifest.layers[0].digest]
    blobs = {digest.oci: tmp_path / "image.store" / digest.hash for digest in files}
    layout.write(tmp_path / "image", image.descriptor.document(), blobs)
    assert {name: (tmp_path / "image" / name).stat().st_ino for name in names(tmp_path / "image")} == before


def test_a_damaged_blob_is_put_right(tmp_path: Path) -> None:
    digest = layout.read(small(tmp_path / "image")).manifest.layers[0].digest
    path = layout.blob(tmp_path / "image", digest)
    path.unlink()
    path.write_bytes(b"damaged")
    small(tmp_path / "image")
    assert Digest.of(path.read_bytes()) == digest


def test_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "image").symlink_to("home")
    with pytest.raises(StorageError, match="cannot write the layout"):
        small(tmp_path / "image")
    assert names(tmp_path / "home") == set()


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image").write_text("mine")
    with pytest.raises(StorageError, match="cannot write the layout"):
        small(tmp_path / "image")


def test_descriptor_of_no_blob_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=f"there is no blob sha256:{'a' * 64}"):
        layout.write(tmp_path / "image", Descriptor(MANIFEST, Digest("a" * 64, 1)).document(), {})
    assert not (tmp_path / "image").exists()


def test_index_gives_the_image_of_the_platform(tmp_path: Path) -> None:
    one, two = small(tmp_path / "amd64"), small(tmp_path / "arm64", platform=ARM64)
    both = index(tmp_path / "both", [one, two])
    assert layout.read(both, ARM64).descriptor.digest == layout.root(two).digest
    assert layout.read(both, AMD64).descriptor.digest == layout.root(one).digest
    assert [image.config.platform for image in layout.images(both)] == [AMD64, ARM64]
    with pytest.raises(FormatError) as caught:
        layout.read(both, Platform.parse("linux/s390x"))
    assert str(caught.value).endswith("it has no image for linux/s390x; it has: linux/amd64, linux/arm64")


def test_indexes_that_multiply_are_read_once(tmp_path: Path) -> None:
    image = layout.read(small(tmp_path / "image"))
    blobs = {path.name: path for path in (tmp_path / "image/blobs/sha256").iterdir()}
    top = image.descriptor
    for level in range(3):
        data = Index((top,) * 5_000).dump()
        top = Descriptor(INDEX, Digest.of(data))
        blobs[top.digest.hash] = tmp_path / f"index{level}"
        blobs[top.digest.hash].write_bytes(data)
    layout.write(tmp_path / "many", top.document(), {f"sha256:{name}": path for name, path in blobs.items()})
    assert len(list(layout.images(tmp_path / "many"))) == 1


def test_indexes_too_deep_are_refused(tmp_path: Path) -> None:
    image = small(tmp_path / "0")
    for level in range(1, 6):
        image = index(tmp_path / str(level), [image])
    with pytest.raises(FormatError, match="is no image"):
        layout.read(image)


def test_damage_is_found(tmp_path: Path) -> None:
    image = layout.read(small(tmp_path / "image"))
    for digest in (image.descriptor.digest, image.manifest.config.digest):
        path = layout.blob(tmp_path / "image", digest)
        good = path.read_bytes()
        path.unlink()
        with pytest.raises(FormatError, match="No such file"):
            layout.read(tmp_path / "image")
        path.write_bytes(good[:-1] + b" ")
        with pytest.raises(FormatError, match=f"blob {digest.oci} is damaged"):
            layout.read(tmp_path / "image")
        path.write_bytes(b"{" * (5 << 20))
        with pytest.raises(FormatError, match="more than 4194304 bytes"):
            layout.read(tmp_path / "image")
        path.write_bytes(good)


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("oci-layout", "{}", "it is of version 'None', and 1.0.0 is known"),
        ("oci-layout", "", "it is not JSON"),
        ("index.json", '{"schemaVersion":2,"manifests":[]}', "it has 0 entries, and one is expected"),
        ("index.json", '{"schemaVersion":2}', '"manifests" is missing'),
    ],
)
def test_malformed_layouts_are_refused(tmp_path: Path, name: str, text: str, cause: str) -> None:
    small(tmp_path / "image")
    (tmp_path / "image" / name).unlink()
    (tmp_path / "image" / name).write_text(text)
    with pytest.raises(FormatError) as caught:
        layout.read(tmp_path / "image")
    assert caught.value.cause.startswith(cause)


def test_config_that_lacks_a_layer_is_refused(tmp_path: Path) -> None:
    layout_of(tmp_path / "image", [LAYER], diff_ids=["sha256:" + "0" * 64] * 2)
    with pytest.raises(FormatError, match="its manifest has 1 layers, its config 2"):
        layout.read(tmp_path / "image")


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_skopeo_reads_it(tmp_path: Path, compression: str) -> None:
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not installed")
    layout_of(tmp_path / "image", [LAYER], Start(cmd=("/x",)), compression=compression)
    done = subprocess.run(["skopeo", "inspect", f"oci:{tmp_path}/image"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Digest"] == layout.root(tmp_path / "image").digest.oci
    copy = ["skopeo", "copy", "-q", "--preserve-digests", f"oci:{tmp_path}/image:latest", f"oci:{tmp_path}/copy:v1"]
    subprocess.run(copy, check=True)
    assert layout.root(tmp_path / "copy").digest == layout.root(tmp_path / "image").digest


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_umoci_unpacks_it(tmp_path: Path, compression: str) -> None:
    if not shutil.which("umoci"):
        pytest.skip("umoci is not installed")
    layout_of(tmp_path / "image", [LAYER], compression=compression)
    command = ["umoci", "unpack", "--rootless", "--image", f"{tmp_path}/image:latest", f"{tmp_path}/bundle"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "bundle/rootfs/etc/motd").read_text() == "hello\n"
