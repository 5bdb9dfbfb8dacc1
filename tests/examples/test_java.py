"""Java from source: what a jar holds, what is in an image, what an error says."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.support.built import Built, workspace

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Built:
    made = workspace(tmp_path_factory.mktemp("java"), shared, {}, "jvm")
    made.ask("build", "//jvm:image", "//jvm:answer")
    return made


def failure(shop: Built, target: str, status: int = 1) -> str:
    done = shop.attempt("build", target)
    assert done.returncode == status, done.stderr
    return done.stderr


def test_a_jar_has_classes_and_resources_in_order_and_of_one_date(shop: Built) -> None:
    with zipfile.ZipFile(shop.root / "distroless-out/jvm/libanswer.jar") as jar:
        assert jar.namelist() == ["greeting.txt", "org/example/answer/Answer.class"]
        assert {entry.date_time for entry in jar.infolist()} == {(1980, 2, 1, 0, 0, 0)}


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
def test_the_image_has_a_java_and_no_compiler(shop: Built, platform: str) -> None:
    (known,) = json.loads(shop.ask("inspect", "--json", "--platform", platform, "//jvm:image"))
    assert known["config"]["Entrypoint"] == [
        "/usr/bin/java",
        "-XX:+UseSerialGC",
        "-cp",
        "/usr/local/lib/server/libserver.jar:/usr/local/lib/server/libanswer.jar",
        "org.example.Server",
    ]
    assert not [name for name in known["report"]["debs"] if name.endswith("jdk-headless")]
    files = {entry.path for layer in shop.layers("//jvm:image") for entry in layer}
    assert not [path for path in files if path.endswith(("/javac", "/bin/jar", "/sh"))]


def test_an_error_of_the_compiler_is_shown_with_the_workspace_s_paths(shop: Built) -> None:
    file = shop.root / "jvm/org/example/answer/Answer.java"
    text = file.read_text()
    file.write_text(text.replace("return", "retrn", 1))
    said = failure(shop, "//jvm:image")
    file.write_text(text)
    assert "jvm/BUILD:5: cannot perform Javac for //jvm:answer: exit status 1" in said
    assert "jvm/org/example/answer/Answer.java:" in said
    assert "error: ';' expected" in said


def test_a_class_that_no_dep_has(shop: Built) -> None:
    file = shop.root / "jvm/BUILD"
    text = file.read_text()
    file.write_text(text.replace('    deps = [":answer"],\n', ""))
    said = failure(shop, "//jvm:image")
    file.write_text(text)
    assert "package org.example.answer does not exist" in said


def test_a_resource_outside_of_its_prefix(shop: Built) -> None:
    file = shop.root / "jvm/BUILD"
    text = file.read_text()
    file.write_text(text.replace('resource_strip_prefix = "org/example/resources"', 'resource_strip_prefix = "other"'))
    said = failure(shop, "//jvm:image", 2)
    file.write_text(text)
    assert 'jvm/org/example/resources/greeting.txt is not below resource_strip_prefix "other"' in said
