"""``distroless inspect``: what it shows of an image that was built here, of an index, and of one made elsewhere."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import Commands
from tests.support.scene import Scene, scene

FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "distroless_image", "files", "distroless_index")

        files(
            name = "app",
            srcs = {"/app/main": "main"},
            mode = "0755",
        )

        distroless_image(
            name = "image",
            contents = [":app"],
            entrypoint = ["/app/main", "--serve"],
            cmd = ["8080"],
            env = {"MODE": "loud"},
            labels = {"org.opencontainers.image.title": "an image"},
            exposed_ports = ["8080/tcp"],
            workdir = "/app",
            allow_missing = ["/app/main"],
        )

        distroless_index(
            name = "index",
            image = ":image",
            platforms = ["linux/amd64", "linux/arm64"],
        )
        """,
    "main": "program\n",
}


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return Commands(tmp_path_factory.mktemp("inspect"), FILES)


@pytest.fixture(scope="module")
def debs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("debs")) as made:
        yield made


def _shown(commands: Commands, *words: str) -> str:
    ran = commands.run("inspect", "--platform", "linux/amd64", *words)
    assert (ran.status, ran.err) == (0, "")
    text = re.sub(r"sha256:[0-9a-f]{64}", "<digest>", ran.out)
    text = re.sub(r"\b[0-9a-f]{12}\b", "<hash>", text)
    return re.sub(r"\d[\d.]* k?B", lambda found: f"{'<size>':>{len(found[0])}}", text)


def test_an_image(commands: Commands) -> None:
    assert re.sub(" +", " ", _shown(commands, "//:image")) == (
        "//:image linux/amd64\n"
        " digest <digest>\n"
        " size <size>, <size> unpacked\n"
        " user 65532 (nonroot)\n"
        " entrypoint /app/main --serve\n"
        " cmd 8080\n"
        " env MODE=loud\n"
        " env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        " workdir /app\n"
        " ports 8080/tcp\n"
        " label org.opencontainers.image.title=an image\n"
        " created 1970-01-01T00:00:00Z\n"
        " policy passes: 0 errors, 0 warnings, 0 notes, 0 waived\n"
        "\n"
        "layers (2)\n"
        " 0 <hash> <size> <size> 30 entries system\n"
        " 1 <hash> <size> <size> 2 entries application\n"
    )


def test_the_digest_is_the_builds(commands: Commands) -> None:
    (built,) = json.loads(commands.run("build", "//:image", "--json").out)
    (document,) = json.loads(commands.run("inspect", "//:image", "--json").out)
    assert document["digest"] == built["digest"]
    assert document["target"] == "//:image"
    assert document["config"]["Entrypoint"] == ["/app/main", "--serve"]
    assert [layer["content"] for layer in document["layers"]] == ["system", "application"]
    assert document["size"] == built["size"] - _manifest_size(commands)


def _manifest_size(commands: Commands) -> int:
    index = json.loads((commands.root / "distroless-out/image/index.json").read_bytes())
    return int(index["manifests"][0]["size"])


def test_every_path(commands: Commands) -> None:
    ran = commands.run("inspect", "--files", "//:image")
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[-2:] == [
        " 1 drwxr-xr-x     0:0              0 /app",
        " 1 -rwxr-xr-x     0:0              8 /app/main",
    ]
    assert " 0 lrwxrwxrwx     0:0              0 /bin -> usr/bin" in lines
    assert " 0 drwxrwxrwt     0:0              0 /tmp" in lines
    assert " 0 drwx------ 65532:65532          0 /home/nonroot" in lines


def test_an_index_is_shown_image_by_image(commands: Commands) -> None:
    text = _shown(commands, "//:index")
    assert re.findall(r"^//:index .*", text, re.MULTILINE) == ["//:index  linux/amd64", "//:index  linux/arm64"]
    documents = json.loads(commands.run("inspect", "--json", "//:index").out)
    assert [document["platform"] for document in documents] == ["linux/amd64", "linux/arm64"]


def test_several_images(commands: Commands) -> None:
    heads = re.findall(r"^//:\w+  \S+", _shown(commands, "//..."), re.MULTILINE)
    assert heads == ["//:image  linux/amd64", "//:index  linux/amd64", "//:index  linux/arm64"]


def test_a_layout_from_elsewhere(commands: Commands, tmp_path: Path) -> None:
    assert commands.run("build", "//:image").status == 0
    shutil.copytree(commands.root / "distroless-out/image", tmp_path / "layout")
    for folder in (commands.root / "distroless-out", tmp_path):
        name = "image" if folder != tmp_path else "layout"
        ran = commands.run("inspect", str(folder / name))
        assert (ran.status, ran.err) == (0, "")
        assert ran.out.startswith(f"{folder / name}  linux/")
        assert ("unpacked" in ran.out) == (name == "image")  # which the build's report says
        assert "layers (2)\n" in ran.out
    (blob,) = (path for path in (tmp_path / "layout/blobs/sha256").iterdir() if b"rootfs" in path.read_bytes())
    blob.write_bytes(b"{}")
    ran = commands.run("inspect", str(tmp_path / "layout"))
    assert ran.status == 1
    assert ran.err.startswith("distroless: cannot ")


def test_what_is_no_layout(commands: Commands, tmp_path: Path) -> None:
    ran = commands.run("inspect", str(tmp_path))
    assert (ran.status, ran.out) == (2, "")
    cause = "it is not the folder of an OCI layout: it has no index.json"
    assert ran.err == f'distroless: cannot inspect "{tmp_path}": {cause}\n'


def test_debs_and_what_was_left_out_of_them(debs: Scene) -> None:
    ran = debs.run("inspect", "//:image")
    assert ran.status == 0, ran.err
    assert re.search(r"^debs \(\d\)\n", ran.out, re.MULTILINE)
    assert re.search(r"^  libsmall +1\.0 +\d+ B +3 files$", ran.out, re.MULTILINE), ran.out
    assert re.search(r"^  small +1\.0 +\d+ B +3 files$", ran.out, re.MULTILINE), ran.out
    (document,) = json.loads(debs.run("inspect", "--json", "//:image").out)
    assert document["digest"] == debs.digest
    assert sorted(document["report"]["debs"]) == ["libsmall", "small"]


def test_a_build_that_fails(commands: Commands) -> None:
    text = """
        load("@distroless_rules//rules:defs.bzl", "distroless_image", "files")
        files(name = "a", srcs = {"/a": "one"})
        files(name = "b", srcs = {"/a": "two"})
        distroless_image(name = "image", contents = [":a", ":b"])
        """
    commands.write({"broken/BUILD": text, "broken/one": "1", "broken/two": "2"})
    for flags in ((), ("--keep-going",)):
        ran = commands.run("inspect", "//broken:image", *flags)
        assert ran.out == ""
        assert ran.status in (1, 2)
        assert "/a" in ran.err
        assert "not an image" not in ran.err
    shutil.rmtree(commands.root / "broken")
