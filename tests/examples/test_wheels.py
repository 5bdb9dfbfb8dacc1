"""Python with wheels from the registry: which are chosen, what a wrong hash says, what is in the image."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.support.built import ROOT, Built, workspace

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Built:
    made = workspace(tmp_path_factory.mktemp("wheels"), shared, {}, "wheels")
    made.ask("lock")
    return made


@pytest.mark.parametrize(("platform", "machine"), [("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")])
def test_the_image_has_the_wheels_of_its_platform_and_no_pip(shop: Built, platform: str, machine: str) -> None:
    (known,) = json.loads(shop.ask("inspect", "--json", "--platform", platform, "//wheels:image"))
    assert known["config"]["Entrypoint"] == ["/usr/bin/python3", "/usr/local/lib/server"]
    assert {"python3", "libc6"} <= set(known["report"]["debs"])
    files = [entry.path for layer in shop.layers("//wheels:image") for entry in layer]
    (compiled,) = [path for path in files if path.startswith("usr/local/lib/server/") and path.endswith(".so")]
    assert re.fullmatch(rf".*/site-packages/orjson/orjson\.cpython-313-{machine}-linux-gnu\.so", compiled)
    assert not [path for path in files if "/pip/" in path or path.endswith((".pyc", "/sh"))]


def test_a_wheel_with_another_hash_is_refused_and_the_image_before_stays(shop: Built) -> None:
    shop.ask("build", "//wheels:image")
    before = (shop.root / "distroless-out/wheels/image/index.json").read_bytes()
    file = shop.root / "wheels/requirements.txt"
    text = file.read_text()
    file.write_text(re.sub(r"sha256:[0-9a-f]{4}", "sha256:0000", text))
    done = shop.attempt("build", "//wheels:image")
    file.write_text(text)
    assert done.returncode == 1
    assert "cannot fetch the wheels of wheels/requirements.txt for Python 3.13 on linux/amd64: pip says:" in done.stderr
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert "the file is not the one that was locked" in done.stderr
    assert (shop.root / "distroless-out/wheels/image/index.json").read_bytes() == before


def test_a_file_that_does_not_fit_what_it_was_made_from(shop: Built) -> None:
    file = shop.root / "wheels/requirements.in"
    text = file.read_text()
    file.write_text(text.replace("orjson>=3.10", "orjson<3"))
    done = shop.attempt("build", "//wheels:image")
    file.write_text(text)
    assert done.returncode == 1
    assert (
        'wheels/requirements.in:2: cannot meet the requirement "orjson<3": wheels/requirements.txt has 3.'
        in done.stderr
    )
    assert "renew it with `pip-compile --generate-hashes`" in done.stderr


@pytest.mark.runtime
def test_a_module_of_a_wheel_can_be_the_program(shop: Built) -> None:
    if not shutil.which("crun"):
        pytest.skip("crun is not installed")
    (shop.root / "tool").mkdir(exist_ok=True)
    (shop.root / "tool/show.py").write_text("import sys, orjson\nprint(sys.argv[1:], orjson.loads(b'[1]'))\n")
    (shop.root / "tool/BUILD").write_text(
        'load("@distroless_rules//rules:defs.bzl", "distroless_image", "py_binary")\n'
        'py_binary(name = "tool", srcs = ["show.py"], module = "tool.show", deps = ["//wheels:requirements"])\n'
        'distroless_image(name = "image", binary = ":tool", cmd = ["a", "b"])\n'
    )
    (shop.root / "wheels/BUILD").write_text(
        (ROOT / "examples/wheels/BUILD").read_text() + 'package(default_visibility = ["//visibility:public"])\n'
    )
    assert shop.ask("run", "--runtime", "crun", "//tool:image") == "['a', 'b'] [1]\n"
