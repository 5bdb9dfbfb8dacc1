"""``BUILD.example``, copied into a workspace as it stands: it builds, runs, and shows every rule there is."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from distroless_rules.oci.runtime_commands import RUNTIMES
from tests.support.built import ROOT, Built, cache_of

SOURCES = ROOT / "tests/examples/build_example"
MAIN = """
import datetime, os, pwd, subprocess
print(pwd.getpwuid(os.getuid()).pw_name, os.getcwd(), datetime.datetime(2026, 7, 1).astimezone().tzname())
print(subprocess.check_output(["/usr/local/bin/greet"], text=True), end="")
print(open("/app/shop.conf").read() + open("/etc/motd").read(), end="")
"""
CONFIG = "port={{port}}\nlog={{log}}\n"
MOTD = "Sold here: exactly what it needs!\n"


def test_every_rule_is_shown() -> None:
    rules = (ROOT / "distroless_rules/rules/defs.bzl").read_text("utf-8")
    named = set(re.findall(r"^([a-z]\w*) = ", rules, re.MULTILINE))
    used = set(re.findall(r"^([a-z]\w*)\($", (ROOT / "BUILD.example").read_text("utf-8"), re.MULTILINE))
    assert named
    assert named - used == set()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Built:
    """Give a workspace with the file as its only package, built."""
    folder = tmp_path_factory.mktemp("shop")
    app = folder / "workspace/app"
    app.mkdir(parents=True)
    shutil.copy(ROOT / "examples/distroless.toml", app.parent)
    shutil.copy(ROOT / "BUILD.example", app / "BUILD")
    shutil.copy(ROOT / "examples/node/authority.crt", app)
    (app / "main.py").write_text(MAIN)
    shutil.copytree(SOURCES, app, dirs_exist_ok=True)
    for name in ("requirements.in", "requirements.txt"):
        shutil.copy(ROOT / "examples/wheels" / name, app)
    with zipfile.ZipFile(app / "bought.jar", "w") as jar:
        jar.writestr("bought.txt", "bought\n")
    (app / "shop.conf.in").write_text(CONFIG)
    cache = cache_of(shared)
    made = Built(app.parent, cache, {})
    rows = json.loads(made.ask("build", "--json", "//..."))
    return Built(made.root, cache, {row["label"]: row["digest"] for row in rows if row["digest"]})


@pytest.fixture(scope="module")
def known(shop: Built) -> Mapping[str, Any]:
    (document,) = json.loads(shop.ask("inspect", "--json", "//app:image"))
    return dict(document)


@pytest.mark.archive
def test_the_config_is_what_the_file_says(known: Mapping[str, Any]) -> None:
    config = known["config"]
    assert config["User"] == "2000"
    assert config["Entrypoint"] == ["/usr/bin/python3", "/app/main.py"]
    assert config["WorkingDir"] == "/app"
    assert config["Labels"] == {"org.opencontainers.image.title": "shop"}
    assert "PYTHONUNBUFFERED=1" in config["Env"]
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    assert known["annotations"] == {"org.opencontainers.image.source": "https://git.example/shop"}
    assert len(known["layers"]) <= 8
    assert known["report"]["users"]["shop"] == [2000, 2000]
    assert {"ca-certificates", "python3", "tzdata"} <= set(known["report"]["debs"])


@pytest.mark.archive
def test_the_files_are_where_and_whose_the_file_says(shop: Built) -> None:
    lines = shop.ask("inspect", "--files", "//app:image").splitlines()
    found = {words[4]: words for words in (line.split(maxsplit=4) for line in lines)}
    assert found["/app/main.py"][1:4] == ["-rw-r--r--", "0:0", str(len(MAIN))]
    assert found["/var/lib/shop"][1:3] == ["drwx------", "2000:2000"]
    assert found["/app/shop.conf -> /etc/shop/shop.conf"][1].startswith("l")
    assert found["/etc/localtime -> /usr/share/zoneinfo/Europe/Berlin"][1].startswith("l")
    assert not [path for path in found if path.startswith("/usr/share/zoneinfo/right/")]
    assert "/usr/share/zoneinfo/Europe/Berlin" in found
    assert not [path for path in found if path.endswith(("/sh", "/bin/dpkg"))]


@pytest.mark.archive
def test_the_index_has_the_image_for_each_platform(shop: Built, known: Mapping[str, Any]) -> None:
    both = json.loads(shop.ask("inspect", "--json", "//app:index"))
    assert [each["platform"] for each in both] == ["linux/amd64", "linux/arm64"]
    assert known["digest"] in {each["digest"] for each in both}


@pytest.mark.archive
@pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")
def test_every_test_passes(shop: Built) -> None:
    rows = json.loads(shop.ask("test", "--json", "//..."))
    assert {row["label"]: row["verdict"] for row in rows} == {
        f"//app:{name}_test": "PASSED"
        for name in ("greeting", "image", "words", "words_rs", "words_java", "words_python", "words_node", "written")
    }


@pytest.mark.archive
@pytest.mark.runtime
@pytest.mark.parametrize(("words", "port", "log"), [([], 8080, "info"), (["--define", "mode=debug"], 8081, "debug")])
def test_it_runs(shop: Built, words: list[str], port: int, log: str) -> None:
    if not any(shutil.which(name) for name in RUNTIMES):
        pytest.skip("this machine has no container runtime")
    done = shop.attempt("run", *words, "//app:image")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"shop /app CEST\nhello\nport={port}\nlog={log}\n{MOTD}"
