"""distroless.toml that is right, and finding it; what is wrong with one is in tests/golden/settings.txt."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from distroless_rules.errors import ConfigError
from distroless_rules.loading.workspace import Workspace, find_root, parse, read
from distroless_rules.values.archive import Archive
from distroless_rules.values.remote_execution import Strategy
from tests.support.workspace import fails

FULL = """
[workspace]
name = "shop"
build_file = "BUILD.distroless"
ignore = ["/vendor/", "third_party/old"]

[archive.trixie]
type = "deb"
suites = ["trixie", "trixie-security"]
components = ["main", "contrib"]
architectures = ["amd64", "arm64"]
uris = ["https://mirror.example/debian/"]
keyring = "keys/debian.gpg"
pins = { curl = "8.14.1-2", base-files = "13" }

[archive."ubuntu-24.04"]
suites = ["noble"]

[cache]
path = ".cache/distroless"
"""


def test_every_key() -> None:
    assert parse(FULL, Path("/w")) == Workspace(
        root=Path("/w"),
        name="shop",
        build_file="BUILD.distroless",
        ignore=("vendor", "third_party/old"),
        archives={
            "trixie": Archive(
                name="trixie",
                suites=("trixie", "trixie-security"),
                components=("main", "contrib"),
                architectures=("amd64", "arm64"),
                uris=("https://mirror.example/debian",),
                keyring="keys/debian.gpg",
                pins=(("base-files", "13"), ("curl", "8.14.1-2")),
            ),
            "ubuntu-24.04": Archive(name="ubuntu-24.04", suites=("noble",)),
        },
        cache=".cache/distroless",
    )


def test_an_engine() -> None:
    text = """
    [execution]
    remote = "grpcs://engine.example:8980/main"
    token_file = "token"
    strategy = "dynamic"
    strategies = { GoLink = "local" }
    jobs = 100
    priority = -1
    delay = 2
    fallback = false
    properties = { pool = "big", OSFamily = "linux" }
    """
    found = parse(text, Path("/w")).execution
    assert (found.server.address, found.server.source) == (
        "grpcs://engine.example:8980/main",
        '"remote" in [execution]',
    )
    assert found.server.token_file == Path("/w/token")
    assert (found.strategy, found.kinds) == (Strategy.DYNAMIC, {"GoLink": Strategy.LOCAL})
    assert (found.jobs, found.priority, found.delay, found.fallback) == (100, -1, 2, False)
    assert found.properties == (("OSFamily", "linux"), ("pool", "big"))


def test_nothing_at_all() -> None:
    assert parse("", Path("/w/shop")) == Workspace(root=Path("/w/shop"), name="shop", archives={})


def test_the_nearest_folder_above_is_the_workspace(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "distroless.toml").write_text("")
    assert find_root(inner) == tmp_path
    (tmp_path / "a" / "distroless.toml").write_text("")
    assert find_root(inner) == tmp_path / "a"
    assert find_root(tmp_path / "a") == tmp_path / "a"


def test_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "distroless.toml").mkdir()
    found = fails(lambda: find_root(tmp_path))
    assert found == (
        f"cannot find the workspace: neither {tmp_path} nor a folder above it has a distroless.toml; "
        "`distroless init` writes one"
    )


def test_settings_that_are_not_there(tmp_path: Path) -> None:
    assert fails(lambda: read(tmp_path)) == "cannot read distroless.toml: No such file or directory"
    (tmp_path / "distroless.toml").mkdir()
    assert fails(lambda: read(tmp_path)) == "cannot read distroless.toml: Is a directory"


@pytest.mark.parametrize("name", ["BUILD", "BUILD.bazel", "distroless.star", "_"])
def test_names_for_build_files(name: str) -> None:
    assert parse(f'[workspace]\nbuild_file = "{name}"', Path("/w")).build_file == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/BUILD", "a b"])
def test_what_is_no_name_for_build_files(name: str) -> None:
    assert "is not the name of a file" in fails(lambda: parse(f'[workspace]\nbuild_file = "{name}"', Path("/w")))


_TOML = (
    '[workspace] [archive] [archive.a] [[archive]] [cache] name suites pins path = \n "x" "" [ ] { } , 1 true '
    "1979-05-27 ''' # \\ . inf é \0"
)
_WORDS = st.sampled_from(_TOML.split(" "))


@given(st.lists(_WORDS, max_size=12).map(" ".join))
@example("[workspace]\nname = 1979-05-27")
@example("[archive.a]\nsuites = inf")
@example("[archive.a]\npins = { x = {} }")
@example("archive = [ { suites = 1 } ]")
@example("workspace.name = nan")
@example("x = " + "[" * 2000)
@example("x = " + "9" * 5000)
def test_any_text_is_a_workspace_or_an_error_with_its_place(text: str) -> None:
    try:
        parse(text, Path("/w"))
    except ConfigError as error:
        found = error
    else:
        return
    assert found.at is not None
    assert found.at.file == "distroless.toml"
