"""A workspace with a rule, a provider, a macro and a toolchain of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from distroless_rules.oci.runtime_commands import RUNTIMES
from tests.support.built import ROOT, Built, cache_of

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Built:
    root = tmp_path_factory.mktemp("own") / "workspace"
    shutil.copytree(ROOT / "examples/own", root, ignore=shutil.ignore_patterns("distroless*out", "distroless.lock"))
    made = Built(root, cache_of(shared), {})
    made.ask("build", "//...")
    return made


def test_the_image_has_what_it_runs_with_and_no_compiler(own: Built) -> None:
    (known,) = json.loads(own.ask("inspect", "--json", "//:image"))
    assert known["config"]["Entrypoint"] == ["/usr/bin/lua5.4", "/usr/local/lib/image_binary.lua"]
    files = {entry.path for layer in own.layers("//:image") for entry in layer}
    assert {"usr/local/share/lua/5.4/app/main.lua", "usr/local/share/lua/5.4/app/greeting.lua"} <= files
    assert not [path for path in files if "luac" in path]


@pytest.mark.runtime
def test_it_runs(own: Built) -> None:
    if not any(shutil.which(name) for name in RUNTIMES):
        pytest.skip("this machine has no container runtime")
    assert own.ask("run", "//:image", "--", "you") == "Hello, you, from Lua 5.4!\n"


def test_its_programs_are_tests_and_tools(own: Built) -> None:
    assert "//:greeting_test" in own.ask("test", "//...")
    assert (own.root / "distroless-out/greeted.txt").read_text() == "Hello, you, from Lua 5.4!\n"


def test_a_source_that_does_not_compile_is_shown_where_it_is(own: Built) -> None:
    file = own.root / "app/greeting.lua"
    text = file.read_text()
    file.write_text("local = 1\n")
    done = own.attempt("build", "//:image")
    file.write_text(text)
    assert done.returncode == 1
    assert "BUILD:23: cannot perform LuaCompile for //:greeting: exit status 1" in done.stderr
    assert "app/greeting.lua:1:" in done.stderr


def test_without_its_registration_a_toolchain_is_not_taken(own: Built) -> None:
    file = own.root / "distroless.toml"
    text = file.read_text()
    file.write_text(text.replace('toolchains = ["//:lua_toolchain"]\n', ""))
    done = own.attempt("build", "//:image")
    file.write_text(text)
    assert done.returncode == 2
    assert "//:lua" in done.stderr
    assert "toolchains" in done.stderr
