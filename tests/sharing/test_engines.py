"""Builds whose commands run on a real engine: the same digests, what stays here, and engines that are not there."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from distroless_rules.logs.file import unpack
from distroless_rules.storage.signatures import generate
from tests.support import engines
from tests.support.command import Commands, Ran
from tests.support.logs import logs_of, parts_of

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = {
    "distroless.toml": (EXAMPLES / "distroless.toml").read_text(),
    "shout.bzl": """
        load("@distroless_rules//rules:defs.bzl", "BuildRootInfo")

        def _shout(ctx):
            out = ctx.actions.declare_file(ctx.label.name + ".txt")
            ctx.actions.run_shell(
                command = "tr a-z A-Z < $1 > $2; echo $0 >> $2",
                arguments = [ctx.file.src.path, out.path],
                inputs = [ctx.file.src],
                outputs = [out],
                mnemonic = "Shout",
                root = ctx.attr.root[BuildRootInfo].tree,
                execution_requirements = {"no-remote": ""} if ctx.attr.here else {},
            )
            return [DefaultInfo(files = depset([out]))]

        shout = rule(implementation = _shout, attrs = {
            "here": attr.bool(),
            "root": attr.label(cfg = "exec", providers = [BuildRootInfo], stage = "build"),
            "src": attr.label(allow_single_file = True),
        })
        """,
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "build_root", "distroless_image", "files")
        load(":shout.bzl", "shout")

        build_root(name = "root", debs = ["@trixie//coreutils", "@trixie//dash"])

        [shout(name = "t%d" % number, root = ":root", src = "%d.in" % number) for number in range(4)]

        shout(name = "tagged", root = ":root", src = "0.in", tags = ["local"])

        shout(name = "asked", root = ":root", src = "1.in", here = True)

        files(name = "app", srcs = {"/app/%d" % number: ":t%d" % number for number in range(4)})

        distroless_image(name = "image", contents = [":app"])
        """,
    **{f"{number}.in": f"text {number}\n" for number in range(4)},
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with engines.worker(tmp_path_factory.mktemp("engine") / "casd") as address:
        yield address


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> tuple[Commands, str]:
    """Give a workspace that was built on this machine, its debs fetched, and the image's digest."""
    commands = Commands(tmp_path_factory.mktemp("near"), FILES)
    ran = commands.run("build", "//...")
    assert ran.status == 0, ran.err
    return commands, digest(ran)


def digest(ran: Ran) -> str:
    found = re.search(r"sha256:[0-9a-f]{64}", ran.err)
    assert found, ran.err
    return found[0]


def another(near: tuple[Commands, str], folder: Path) -> Commands:
    """Give the same workspace elsewhere, with the debs and what tools made of them, and no result of a command."""
    commands = Commands(folder, FILES)
    shutil.copytree(near[0].cache, commands.cache, symlinks=True)
    shutil.copy(near[0].root / "distroless.lock", commands.root)
    for name in ("ac", "state"):
        shutil.rmtree(commands.cache / name)
    return commands


def test_two_workspaces_on_one_engine(engine: str, near: tuple[Commands, str], tmp_path: Path) -> None:
    first = another(near, tmp_path / "ada").run("build", "//...", f"--remote-executor={engine}")
    assert first.status == 0, first.err
    assert ", 0 remote hits, 4 run remotely, " in first.err, "two of six stay here"
    second = another(near, tmp_path / "bob with a longer name").run("build", "//...", f"--remote-executor={engine}")
    assert second.status == 0, second.err
    assert ", 4 remote hits, " in second.err
    assert "run remotely" not in second.err
    assert digest(first) == digest(second) == near[1]


def test_where_results_must_be_signed_an_engine_runs_all_again(
    engine: str, near: tuple[Commands, str], tmp_path: Path
) -> None:
    another(near, tmp_path / "first").run("build", "//...", f"--remote-executor={engine}")
    settings = f'{FILES["distroless.toml"]}\n[cache]\ntrusted_keys = ["{generate("ci-1").public}"]\n'
    for number, words in enumerate(((), ("--noremote_accept",))):
        commands = another(near, tmp_path / f"release {number}")
        commands.write({"distroless.toml": FILES["distroless.toml"] if words else settings})
        ran = commands.run("build", "//...", f"--remote-executor={engine}", *words)
        assert ran.status == 0, ran.err
        assert ", 0 remote hits, 4 run remotely, " in ran.err
        assert digest(ran) == near[1]


def test_both_ways_at_once(engine: str, near: tuple[Commands, str], tmp_path: Path) -> None:
    commands = another(near, tmp_path)
    ran = commands.run("build", "//...", f"--remote-executor={engine}", "--strategy=dynamic", "--strategy=Other=local")
    assert ran.status == 0, ran.err
    assert digest(ran) == near[1]


def test_a_kind_that_stays_here(engine: str, near: tuple[Commands, str], tmp_path: Path) -> None:
    ran = another(near, tmp_path).run("build", "//...", f"--remote-executor={engine}", "--strategy=Shout=local")
    assert ran.status == 0, ran.err
    assert "on the engine" not in ran.err


def test_an_engine_that_is_not_there_costs_one_warning(near: tuple[Commands, str], tmp_path: Path) -> None:
    commands = another(near, tmp_path)
    address = f"grpc://127.0.0.1:{engines.free_port()}"
    ran = commands.run("build", "//...", f"--remote-executor={address}")
    assert ran.status == 0, ran.err
    assert ran.err.count("warning: ") == 1
    assert f"{address}: it cannot be reached" in ran.err
    assert 'see "remote" in [execution]; commands run on this machine instead' in ran.err
    assert digest(ran) == near[1]

    commands.write(
        {"distroless.toml": FILES["distroless.toml"] + f'\n[execution]\nremote = "{address}"\nfallback = false\n'}
    )
    for name in ("ac", "state"):
        shutil.rmtree(commands.cache / name)
    refused = commands.run("build", "//...")
    assert refused.status == 1
    assert f"distroless: cannot use {address}: it cannot be reached" in refused.err


def test_a_cache_that_runs_nothing_is_no_engine(near: tuple[Commands, str], tmp_path: Path) -> None:
    with engines.casd(tmp_path / "casd") as address:
        ran = another(near, tmp_path / "w").run("build", "//...", f"--remote-executor={address}")
    assert ran.status == 0, ran.err
    assert ran.err.count("warning: ") == 1
    assert f"{address}: it holds results and runs nothing" in ran.err
    assert digest(ran) == near[1]


@pytest.mark.long
@pytest.mark.parametrize("example", ["c", "go"])
def test_examples_have_the_same_digest_built_on_an_engine(engine: str, tmp_path: Path, example: str) -> None:
    commands = Commands(tmp_path, {"distroless.toml": FILES["distroless.toml"]})
    shutil.copytree(EXAMPLES / example, commands.root / example)
    here = commands.run("build", f"//{example}/...")
    assert here.status == 0, here.err
    before = (digest(here), made(commands, example))
    ran = forget_commands(commands)
    there = commands.run("build", f"//{example}/...", f"--remote-executor={engine}")
    assert there.status == 0, there.err
    assert f", 0 remote hits, {ran} run remotely, 0 run locally" in there.err, "what they make is what tools had before"
    assert (digest(there), made(commands, example)) == before


def made(commands: Commands, example: str) -> dict[str, str]:
    """Give the digests of the files that an example makes beside its image."""
    files = (path for path in (commands.root / "distroless-out" / example).iterdir() if path.is_file())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def forget_commands(commands: Commands) -> int:
    """Take away all outputs, and from the cache the results of commands alone; give how many there were."""
    (log,) = logs_of(commands)
    keys = {row["key"] for row in parts_of(unpack(log, "the log"))["actions"] if row["run"]}
    for key in keys:
        (commands.cache / "ac" / key[:2] / key).unlink()
    shutil.rmtree(commands.cache / "state")
    shutil.rmtree(commands.root / "distroless-out")
    return len(keys)
