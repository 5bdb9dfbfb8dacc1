"""Images that others made: names, folders and archives in, one image out, or an error that says what is there."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from distroless_rules.errors import DistrolessError, FormatError, RequestError
from distroless_rules.oci import archive, layout
from distroless_rules.oci.config import Start
from distroless_rules.oci.opened import Opened, open_image
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import Platform
from tests.support.image import file, index, layout_of, tar

LAYERS = [tar(file("a", b"1")), tar(file("b", b"2"))]


def image(folder: Path, entrypoint: str = "/a", platform: str = "linux/amd64", compression: str = "gzip") -> Path:
    return layout_of(folder, LAYERS, Start((entrypoint,)), platform=Platform.parse(platform), compression=compression)


def opened(name: str, platform: str = "") -> tuple[str, list[bytes]]:
    with open_image(name, Platform.parse(platform) if platform else None) as found:
        return found.config.start.entrypoint[0], [layer(found, number) for number in range(len(found.layers))]


def layer(found: Opened, number: int) -> bytes:
    return b"".join(found.pieces(number))


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
@pytest.mark.parametrize("prefix", ["", "oci:"])
def test_a_layout(tmp_path: Path, compression: str, prefix: str) -> None:
    assert opened(f"{prefix}{image(tmp_path / 'image', compression=compression)}") == ("/a", LAYERS)


@pytest.mark.parametrize("way", ["oci", "docker"])
@pytest.mark.parametrize("packed", [False, True], ids=["tar", "tar.gz"])
def test_an_archive(tmp_path: Path, way: str, packed: bool) -> None:
    at = tmp_path / "image.tar"
    if way == "oci":
        archive.write_oci(image(tmp_path / "image"), at)
    else:
        archive.write_docker(image(tmp_path / "image"), at, "app:1")
    if packed:
        at.write_bytes(gzip.compress(at.read_bytes(), 1))
    assert opened(str(at)) == ("/a", LAYERS)
    assert opened(f"{way}-archive:{at}") == ("/a", LAYERS)


def test_a_tag_of_a_docker_archive(tmp_path: Path) -> None:
    archive.write_docker(image(tmp_path / "image"), tmp_path / "image.tar", "shop/app:1")
    assert opened(f"{tmp_path}/image.tar:1")[0] == "/a"
    with pytest.raises(RequestError, match='it has no "2"; name one, as FILE:TAG: shop/app:1'):
        opened(f"{tmp_path}/image.tar:2")


def test_layers_that_an_archive_has_once_and_links_to(tmp_path: Path) -> None:
    config = json.loads(config_of(image(tmp_path / "image")))
    config["rootfs"]["diff_ids"] = [config["rootfs"]["diff_ids"][0]] * 2
    rows = [{"Config": "c.json", "RepoTags": None, "Layers": ["1/layer.tar", "2/layer.tar"]}]
    members = {
        "manifest.json": json.dumps(rows).encode(),
        "c.json": json.dumps(config).encode(),
        "1/layer.tar": LAYERS[0],
    }
    with tarfile.open(tmp_path / "image.tar", "w") as made:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("2/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../1/layer.tar"
        made.addfile(link)
    assert opened(str(tmp_path / "image.tar")) == ("/a", [LAYERS[0], LAYERS[0]])


def config_of(folder: Path) -> bytes:
    with open_image(str(folder)):
        rows = [path.read_bytes() for path in (folder / "blobs/sha256").iterdir()]
    return next(row for row in rows if b'"rootfs"' in row)


def tagged(folder: Path, *tags: str) -> Path:
    """Give a layout that names images of two entrypoints, /1 and /2 and so on, with docker's media types."""
    (folder / "blobs/sha256").mkdir(parents=True)
    manifests = []
    for number, tag in enumerate(tags, 1):
        other = image(folder.with_name(f"{folder.name}.{number}"), f"/{number}")
        for blob in (other / "blobs/sha256").iterdir():
            data = blob.read_bytes().replace(b"vnd.oci.image.manifest.v1", b"vnd.docker.distribution.manifest.v2")
            data = data.replace(b"vnd.oci.image.layer.v1.tar+gzip", b"vnd.docker.image.rootfs.diff.tar.gzip")
            digest = Digest.of(data)
            (folder / "blobs/sha256" / digest.hash).write_bytes(data)
            if b'"layers":[' in data:
                kind = "application/vnd.docker.distribution.manifest.v2+json"
                name = {"org.opencontainers.image.ref.name": tag}
                manifests.append({"mediaType": kind, "digest": digest.oci, "size": digest.size, "annotations": name})
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


def test_one_of_several_tags(tmp_path: Path) -> None:
    folder = tagged(tmp_path / "two", "one", "example/app:two")
    assert opened(f"{folder}:one")[0] == "/1"
    assert opened(f"{folder}:two")[0] == "/2"
    with open_image(f"{folder}:two") as found:
        assert opened(f"{folder}@{found.digest}")[0] == "/2"
    with pytest.raises(RequestError, match=r'"[^"]*two:three": it has no "three"; it has: example/app:two, one'):
        opened(f"{folder}:three")
    with pytest.raises(RequestError, match=r"it has 2 images; name one, as FOLDER:TAG: example/app:two .*, one"):
        opened(str(folder))


def test_one_of_several_platforms(tmp_path: Path) -> None:
    images = [image(tmp_path / name, f"/{name}", f"linux/{name}") for name in ("amd64", "arm64", "riscv64")]
    folder = index(tmp_path / "index", images)
    assert opened(str(folder), "linux/arm64")[0] == "/arm64"
    digest = layout.root(images[2]).digest.oci
    assert opened(f"{folder}@{digest}")[0] == "/riscv64"
    with pytest.raises(RequestError, match=r"it has none for linux/s390x; it has: .*riscv64"):
        opened(str(folder), "linux/s390x")


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("none", "No such file or directory"),
        ("empty", "it is neither an OCI layout"),
        ("text", "it is no folder, and no tar archive that can be read"),
        ("docker://example/app", "images are read from folders and archives; copy it first: skopeo copy"),
    ],
)
def test_what_is_no_image(tmp_path: Path, name: str, cause: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("hello " * 1000)
    with pytest.raises(DistrolessError, match=cause):
        open_image(name if "://" in name else str(tmp_path / name))


@pytest.mark.parametrize(
    ("at", "cause"), [("manifest", "it is damaged"), ("config", "it is damaged"), ("layer", "the blob is damaged")]
)
def test_blobs_are_checked(tmp_path: Path, at: str, cause: str) -> None:
    folder = image(tmp_path / "image")
    manifest = layout.read(folder).manifest
    digest = {
        "manifest": layout.root(folder).digest,
        "config": manifest.config.digest,
        "layer": manifest.layers[0].digest,
    }[at]
    blob = layout.blob(folder, digest)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.unlink()
    blob.write_bytes(data)
    with pytest.raises(FormatError, match=cause):
        opened(str(folder))
    blob.unlink()
    with pytest.raises(FormatError, match="No such file"):
        opened(str(folder))
