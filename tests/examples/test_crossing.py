"""The cut between the stages: planted leaks are caught and their chains named; ``why`` shows how anything came."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.built import Built, workspace

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]

BUILD = """
load("@distroless_rules//rules:defs.bzl", "build_root", "distroless_image", "files", "genrule")
load(":own.bzl", "copier", "greedy")

build_root(name = "root", debs = ["@trixie//coreutils", "@trixie//dash", "@trixie//libc6-dev"])
copier(name = "copied", root = ":root", what = "{what}")
files(name = "placed", srcs = {{"/opt/x": ":copied"}})
distroless_image(name = "image", contents = [":placed"], keep = {keep})

files(name = "all", srcs = {{"/opt/root": ":root"}})
distroless_image(name = "whole_root", contents = [":all"])

greedy(name = "greedy", debs = ["@trixie//libc6-dev"])
distroless_image(name = "dev", contents = [":greedy"])
distroless_image(name = "asked_for", contents = ["@trixie//libc6-dev"], waive = {{"*": "it is whole on purpose"}})

build_root(name = "second_root", debs = ["@trixie//coreutils", "@trixie//dash", "@trixie//sed"])
copier(name = "again", root = ":second_root", what = "$PWD/$2/in", srcs = [":copied"])
files(name = "again_placed", srcs = {{"/opt/again": ":again"}})
distroless_image(name = "through_two", contents = [":again_placed"])

genrule(name = "made", outs = ["made.txt"], cmd = "awk 'BEGIN {{ print 1 }}' > $@")
files(name = "made_placed", srcs = {{"/opt/made.txt": ":made"}})
distroless_image(name = "virtual", contents = [":made_placed", "@trixie//awk"])

genrule(name = "one", root = ":root", outs = ["stdio.h"], cmd = "cp /usr/include/stdio.h $@")
files(name = "one_placed", srcs = {{"/opt/stdio.h": ":one"}})
distroless_image(name = "declared", contents = [":one_placed"], waive = {{"headers": "one is declared"}})
"""
OWN = """
load("@distroless_rules//rules:defs.bzl", "BuildRootInfo", "DebInfo", "RuntimeInfo")

def _copier(ctx):
    out = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(
        command = "mkdir -p $1/in && cp -r %s $1/in && echo own > $1/own" % ctx.attr.what,
        arguments = [out.path] + [file.path for file in ctx.files.srcs],
        inputs = ctx.files.srcs,
        outputs = [out],
        root = ctx.attr.root[BuildRootInfo].tree,
    )
    return [DefaultInfo(files = depset([out]))]

copier = rule(implementation = _copier, attrs = {
    "root": attr.label(stage = "build"),
    "srcs": attr.label_list(stage = "build"),
    "what": attr.string(),
})

def _greedy(ctx):
    return [RuntimeInfo(entries = depset(), debs = [dep[DebInfo] for dep in ctx.attr.debs], entrypoint = [], env = {})]

greedy = rule(implementation = _greedy, attrs = {"debs": attr.label_list(stage = "build")})
"""
LICENCE = "/usr/share/doc/libc6-dev/copyright"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Built:
    return workspace(tmp_path_factory.mktemp("crossing"), shared, {"own.bzl": OWN})


def build(shop: Built, target: str, what: str = LICENCE, keep: str = "[]") -> str:
    """Build a target; give what is said if it fails, ``""`` if it is built."""
    (shop.root / "BUILD").write_text(BUILD.format(what=what, keep=keep))
    done = shop.attempt("build", target)
    assert done.returncode in (0, 1, 2), done.stderr
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize(
    ("what", "path", "deb"),
    [
        ("/usr/include/stdio.h", "usr/include/stdio.h", "libc6-dev"),
        ("/usr/bin/ls", "usr/bin/ls", "coreutils"),
        ("/usr/lib/x86_64-linux-gnu/libm.so.6", "usr/lib/x86_64-linux-gnu/libm.so.6", "libc6"),
        ("/usr/lib/x86_64-linux-gnu/libc.a", "usr/lib/x86_64-linux-gnu/libc.a", "libc6-dev"),
    ],
)
def test_a_file_of_the_build_stage_in_a_folder_is_a_leak(shop: Built, what: str, path: str, deb: str) -> None:
    said = build(shop, "//:image", what)
    name = path.rpartition("/")[2]
    assert f'"/opt/x/in/{name}" leaked from the build stage: it is "/{path}" of the deb {deb}' in said
    assert f"//:placed -> //:copied -> //:root -> {deb}" in said
    assert not (shop.root / "distroless-out/image").exists()


def test_a_leak_through_two_commands_in_two_roots(shop: Built) -> None:
    said = build(shop, "//:through_two", "/usr/include/stdio.h")
    assert (
        '"/opt/again/in/in/stdio.h" leaked from the build stage: it is "/usr/include/stdio.h" of the deb libc6-dev'
        in said
    )
    assert "//:again_placed -> //:again -> //:root -> libc6-dev" in said


def test_all_of_a_folder_is_told_shortly(shop: Built) -> None:
    said = build(shop, "//:image", "/usr/include")
    assert "more; make //:copied leave out what the image does not need" in said
    assert len(said.splitlines()) < 15


def test_what_is_wanted_can_be_kept(shop: Built) -> None:
    assert build(shop, "//:image", "/usr/include/stdio.h", '["/opt/x/in/*.h"]') == ""
    assert "opt/x/in/stdio.h" in {entry.path for layer in shop.layers("//:image") for entry in layer}
    shutil.rmtree(shop.root / "distroless-out/image")


def test_licences_and_files_declared_one_by_one_are_no_leaks(shop: Built) -> None:
    assert build(shop, "//:image") == ""
    assert build(shop, "//:declared") == ""
    shutil.rmtree(shop.root / "distroless-out/image")


def test_a_root_file_system_is_no_content(shop: Built) -> None:
    assert "//:all -> //:root ->" in build(shop, "//:whole_root")


def test_a_deb_that_only_the_build_stage_names_is_refused(shop: Built) -> None:
    chain = "only the build stage names it: //:dev -> //:greedy -> @trixie//libc6-dev"
    assert f'cannot put "@trixie//libc6-dev" into //:dev: {chain}' in build(shop, "//:dev")
    assert build(shop, "//:asked_for") == ""


def test_a_deb_that_both_stages_name_one_by_what_it_provides(shop: Built) -> None:
    assert build(shop, "//:virtual") == ""
    chain = json.loads(shop.ask("why", "--json", "//:virtual", "mawk"))["chain"]
    assert [link["name"] for link in chain] == ["//:virtual", "@trixie//awk", "@trixie//mawk"]


WHY = {
    "//c:image /usr/local/bin/server": [
        ["//c:image", "//c:server", "/usr/local/bin/server"],
        "/usr/local/bin/server was made by CcLink of //c:server, in the build stage",
    ],
    "//c:image libc6": [
        ["//c:image", "//c:server", "@distroless_rules//toolchains:cc_of_debs", "@trixie//libc6"],
        "libc6 is a deb of the image",
    ],
    "//python:image /app/server.py": [
        ["//python:image", "//python:app", "/app/server.py"],
        "/app/server.py is the workspace's own file python/server.py",
    ],
    "//python:image /usr/bin/python3": [
        ["//python:image", "@trixie//python3", "@trixie//python3-minimal", "/usr/bin/python3"],
        "/usr/bin/python3 is a link of the deb python3-minimal",
    ],
    "//typescript:image /usr/local/lib/server/typescript/lib/server.js": [
        [
            "//typescript:image",
            "//typescript:server",
            "//typescript:compiled",
            "/usr/local/lib/server/typescript/lib/server.js",
        ],
        "/usr/local/lib/server/typescript/lib/server.js was made by RunBinary of //typescript:compiled, "
        "in the build stage",
    ],
}


@pytest.mark.parametrize("question", WHY)
def test_why(built: Built, question: str) -> None:
    answer = json.loads(built.ask("why", "--json", *question.split()))
    chain, origin = WHY[question]
    assert [link["name"] for link in answer["chain"]] == chain
    assert answer["origin"] == origin
    lines = built.ask("why", *question.split()).splitlines()
    assert [line.split("  (")[0].strip() for line in lines[:-1]] == chain


def test_no_chain_leads_through_a_dependency_that_was_cut(built: Built) -> None:
    names = [link["name"] for link in json.loads(built.ask("why", "--json", "//python:image", "libssl3t64"))["chain"]]
    assert "@trixie//openssl" not in names
    assert names[-1] == "@trixie//libssl3t64"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("/usr/bin/pythn3", "it has no such path; did you mean"),
        ("libc", 'it has no such deb; did you mean "libc6"?'),
    ],
)
def test_what_is_not_there(built: Built, what: str, said: str) -> None:
    done = built.attempt("why", "//python:image", what)
    assert done.returncode == 2
    assert said in done.stderr
