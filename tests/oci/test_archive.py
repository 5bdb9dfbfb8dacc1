"""Archives: what is in them, that the bytes are always the same, and that other tools load them."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

from distroless_rules.errors import FormatError, RequestError
from distroless_rules.oci import archive, layout
from distroless_rules.oci.config import Start
from distroless_rules.values.platform import Platform
from tests.support.image import directory, file, index, layout_of, tar

BASE = tar(directory("./"), directory("etc"), file("etc/a", b"one\n"))
TOP = tar(directory("srv"), file("srv/b", b"two\n" * 50_000))
TAG = "app/image:latest"
COMPRESSIONS = pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])


def made(folder: Path, compression: str = "gzip") -> Path:
    return layout_of(folder, [BASE, TOP], Start(entrypoint=("/srv/b",), user="65532"), compression=compression)


def write(kind: str, folder: Path, target: Path) -> None:
    if kind == "docker":
        archive.write_docker(folder, target, TAG)
    else:
        archive.write_oci(folder, target)


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as opened:
        found = {}
        for info in opened:
            assert (info.mtime, info.uid, info.gid, info.uname, info.gname) == (0, 0, 0, "", "")
            assert info.name not in found
            stream = opened.extractfile(info)
            found[info.name] = stream.read() if stream else b""
        return found


@COMPRESSIONS
def test_docker_archive_names_what_it_holds(tmp_path: Path, compression: str) -> None:
    folder = made(tmp_path / "image", compression)
    archive.write_docker(folder, tmp_path / "file.tar", TAG)
    found = members(tmp_path / "file.tar")
    image = layout.read(folder)
    (manifest,) = json.loads(found.pop("manifest.json"))
    assert manifest["RepoTags"] == [TAG]
    assert found.pop(manifest["Config"]) == layout.read_document(folder, image.manifest.config)
    layers = [found.pop(name) for name in manifest["Layers"]]
    if compression == "gzip":
        assert layers == [layout.blob(folder, each.digest).read_bytes() for each in image.manifest.layers]
    else:
        assert layers == [BASE, TOP]
    assert found == {}


@COMPRESSIONS
def test_oci_archive_is_the_layout(tmp_path: Path, compression: str) -> None:
    folder = made(tmp_path / "image", compression)
    (folder / "stranger").write_text("of a target in a package below")
    archive.write_oci(folder, tmp_path / "file.tar")
    found = members(tmp_path / "file.tar")
    assert [name for name, data in found.items() if not data] == ["blobs", "blobs/sha256"]
    assert {name for name, data in found.items() if data} == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != "stranger"
    }
    assert all((folder / name).read_bytes() == data for name, data in found.items() if data)


def test_same_image_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = made(tmp_path / name)
        for path in folder.rglob("*"):
            os.utime(path, (len(name), 12345 * len(str(path))))
        archive.write_docker(folder, tmp_path / f"{name}.docker", TAG)
        archive.write_oci(folder, tmp_path / f"{name}.oci")
    assert (tmp_path / "one.docker").read_bytes() == (tmp_path / "two.docker").read_bytes()
    assert (tmp_path / "one.oci").read_bytes() == (tmp_path / "two.oci").read_bytes()


def test_archives_are_written_to_a_pipe(tmp_path: Path) -> None:
    folder = made(tmp_path / "image")
    for write, arguments in ((archive.write_docker, (TAG,)), (archive.write_oci, ())):
        write(folder, tmp_path / "file.tar", *arguments)  # type: ignore[operator]
        stream = io.BytesIO()
        write(folder, stream, *arguments)  # type: ignore[operator]
        assert stream.getvalue() == (tmp_path / "file.tar").read_bytes()
    reader, writer = os.pipe()
    tool = subprocess.Popen(["tar", "-tf", "-"], stdin=reader, stdout=subprocess.PIPE, text=True)
    os.close(reader)
    with open(writer, "wb", buffering=0) as pipe:
        archive.write_oci(folder, pipe)  # type: ignore[arg-type]
    said, _ = tool.communicate()
    assert said.splitlines()[:2] == ["oci-layout", "index.json"]


def test_layers_that_are_alike_are_there_once(tmp_path: Path) -> None:
    layout_of(tmp_path / "image", [BASE, TOP, BASE])
    archive.write_docker(tmp_path / "image", tmp_path / "file.tar", TAG)
    found = members(tmp_path / "file.tar")
    names = json.loads(found["manifest.json"])[0]["Layers"]
    assert names[0] == names[2] != names[1]
    assert len(found) == 4


def test_index_is_no_docker_archive(tmp_path: Path) -> None:
    layouts = [
        layout_of(tmp_path / name, [BASE], platform=Platform.parse(f"linux/{name}")) for name in ("amd64", "arm64")
    ]
    both = index(tmp_path / "both", layouts)
    with pytest.raises(RequestError) as caught:
        archive.write_docker(both, tmp_path / "file.tar", TAG)
    assert str(caught.value) == (
        "cannot write a docker-archive: it holds one image, and there are 2; "
        "build for one platform, or write an oci-archive"
    )
    archive.write_oci(both, tmp_path / "file.tar")
    blobs = [name for name, data in members(tmp_path / "file.tar").items() if data and name.startswith("blobs")]
    assert len(blobs) == 6  # an index, two manifests, two configs, one layer


@COMPRESSIONS
@pytest.mark.parametrize("kind", ["docker", "oci"])
def test_damage_leaves_the_older_file(tmp_path: Path, compression: str, kind: str) -> None:
    folder = made(tmp_path / "image", compression)
    (tmp_path / "out").mkdir()
    target = tmp_path / "out/file.tar"
    target.write_text("older")
    digest = layout.read(folder).manifest.layers[1].digest
    blob = layout.blob(folder, digest)
    good = blob.read_bytes()
    for bad in (b"", good[:-1], good + b"\0", bytes([good[0] ^ 1]) + good[1:], None):
        blob.unlink()
        if bad is not None:
            blob.write_bytes(bad)
        with pytest.raises(FormatError):
            write(kind, folder, target)
        assert target.read_text() == "older"
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["file.tar"]
        blob.write_bytes(good)


def test_file_that_cannot_be_written_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        archive.write_oci(made(tmp_path / "image"), tmp_path / "none/file.tar")


@COMPRESSIONS
def test_skopeo_reads_both(tmp_path: Path, compression: str) -> None:
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not installed")
    folder = made(tmp_path / "image", compression)
    archive.write_docker(folder, tmp_path / "docker.tar", TAG)
    archive.write_oci(folder, tmp_path / "oci.tar")
    for source in (f"docker-archive:{tmp_path}/docker.tar", f"oci-archive:{tmp_path}/oci.tar"):
        target = tmp_path / source.partition(":")[0]
        copied = subprocess.run(
            ["skopeo", "copy", "-q", source, f"oci:{target}:v"], capture_output=True, text=True, check=False
        )
        assert copied.returncode == 0, copied.stderr
        image = layout.read(target)
        assert image.config.diff_ids == layout.read(folder).config.diff_ids
        assert image.config.start.user == "65532"


@pytest.mark.runtime
@COMPRESSIONS
@pytest.mark.parametrize("kind", ["docker", "oci"])
def test_podman_loads_it(tmp_path: Path, compression: str, kind: str) -> None:
    if not shutil.which("podman"):
        pytest.skip("podman is not installed")
    folder = made(tmp_path / "image", compression)
    write(kind, folder, tmp_path / "file.tar")
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # podman takes no long run root
        base = ["podman", "--root", f"{tmp_path}/root", "--runroot", short, "--storage-driver=vfs"]
        load = [*base, "load", "-q", "-i", str(tmp_path / "file.tar")]
        loaded = subprocess.run(load, capture_output=True, text=True, check=False)
        assert loaded.returncode == 0, loaded.stderr
        name = loaded.stdout.split()[-1]
        shown = subprocess.run([*base, "inspect", name], capture_output=True, text=True, check=True).stdout
        assert json.loads(shown)[0]["RootFS"]["Layers"] == list(layout.read(folder).config.diff_ids)
        assert kind == "oci" or name == f"localhost/{TAG}"
        subprocess.run([*base, "rmi", "-f", name], check=True, capture_output=True)
