"""``distroless query``: a workspace and a query in, the answer out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distroless_rules.deb import lock as locks
from distroless_rules.values.archive import Lock, LockedArchive, LockedDeb
from tests.support.command import Commands

_FILES = {
    "rules/BUILD": "",
    "rules/defs.bzl": """
        # Rules that nobody runs.
        def _nothing(ctx):
            fail("queries run no implementation")

        image = rule(
            implementation = _nothing,
            attrs = {
                "contents": attr.label_list(allow_files = True),
                "compiler": attr.label(stage = "build"),
                "labels": attr.string_dict(),
                "squash": attr.bool(),
            },
        )
        generated = rule(
            implementation = _nothing,
            attrs = {"out": attr.output(), "seed": attr.label(allow_files = True)},
        )
        """,
    "app/BUILD": """
        load("//rules:defs.bzl", "generated", "image")

        image(
            name = "image",
            contents = [":main.py", ":config.ini", "//lib:all_of_it"],
            compiler = "//tools:compiler",
            labels = {"team": "web"},
        )
        generated(name = "config", out = "config.ini", seed = "seed.txt")
        image(name = "slow", tags = ["manual", "slow"], squash = True)
        alias(name = "newest", actual = ":image")
        """,
    "app/main.py": "",
    "app/seed.txt": "",
    "lib/BUILD": """
        filegroup(name = "all_of_it", srcs = glob(["*.py"]), visibility = ["//visibility:public"])
        """,
    "lib/one.py": "",
    "lib/two.py": "",
    "tools/BUILD": """
        load("//rules:defs.bzl", "image")

        image(name = "compiler", contents = select({
            ":arm": [":arm.txt"],
            "//conditions:default": [":other.txt"],
        }), visibility = ["//visibility:public"])
        config_setting(name = "arm", platforms = ["linux/arm64"])
        """,
    "tools/arm.txt": "",
    "tools/other.txt": "",
}


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return Commands(tmp_path_factory.mktemp("query"), _FILES)


def _answer(commands: Commands, *words: str, folder: str = "") -> str:
    ran = commands.run("query", *words, folder=folder)
    assert (ran.status, ran.err) == (0, "")
    return " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("//app:image", "//app:image"),
        ("//...", "//app:config //app:image //app:slow //lib:all_of_it //tools:arm //tools:compiler"),
        ("//app:all - //app:slow", "//app:config //app:image"),
        ("deps(//lib:all_of_it)", "//lib:all_of_it //lib:one.py //lib:two.py"),
        ("deps(//app:image, 1)", "//app:config.ini //app:image //app:main.py //lib:all_of_it //tools:compiler"),
        ("deps(//app:config.ini)", "//app:config //app:config.ini //app:seed.txt"),
        ("rdeps(//..., //lib:one.py)", "//app:image //lib:all_of_it //lib:one.py"),
        ("rdeps(//..., //lib:one.py, 1)", "//lib:all_of_it //lib:one.py"),
        ("rdeps(//tools:all, //lib:one.py)", ""),
        ("somepath(//app:image, //lib:two.py)", "//app:image //lib:all_of_it //lib:two.py"),
        ("somepath(//lib:all_of_it, //app:image)", ""),
        ("allpaths(//app:image, //app:seed.txt)", "//app:config //app:config.ini //app:image //app:seed.txt"),
        ("kind('image rule', //...)", "//app:image //app:slow //tools:compiler"),
        ("kind('source file', deps(//app:config))", "//app:seed.txt"),
        ("kind('generated file', deps(//app:image))", "//app:config.ini"),
        ("attr(tags, '\\bslow\\b', //...)", "//app:slow"),
        ("attr(squash, 1, //...)", "//app:slow"),
        ("attr(labels, 'team=web', //...)", "//app:image"),
        ("attr(contents, '//lib:', //...)", "//app:image"),
        ("attr(compiler, '.', //...)", "//app:image"),
        ("attr(out, '^config.ini$', //...)", "//app:config"),
        ("attr(name, '^s', //...)", "//app:slow"),
        ("attr(visibility, public, //...)", "//lib:all_of_it //tools:compiler"),
        ("attr(nonsense, '', //...)", ""),
        ("filter('py$', deps(//...))", "//app:main.py //lib:one.py //lib:two.py"),
        ("labels(contents, //app:image)", "//app:config.ini //app:main.py //lib:all_of_it"),
        ("some(//app:all)", "//app:config"),
        ("set(//app:image //lib:all)", "//app:image //lib:all_of_it"),
        ("let a = deps(//app:image) in $a ^ //lib:all", "//lib:all_of_it"),
        ("//app:newest", "//app:image"),  # an alias is what it stands for
        ("rdeps(//app:newest, //app:main.py)", "//app:image //app:main.py"),
    ],
)
def test_queries(commands: Commands, query: str, answer: str) -> None:
    assert _answer(commands, query) == answer


def test_patterns_are_relative_to_the_folder(commands: Commands) -> None:
    assert _answer(commands, ":image + :config", folder="app") == "//app:config //app:image"
    assert _answer(commands, "...", folder="lib") == "//lib:all_of_it"
    assert _answer(commands, "kind(image, app:all)") == "//app:image //app:slow"


def test_only_edges_of_a_stage_are_followed(commands: Commands) -> None:
    build = "//app:image //tools:compiler"
    runtime = (
        "//app:config //app:config.ini //app:image //app:main.py //app:seed.txt "
        "//lib:all_of_it //lib:one.py //lib:two.py"
    )
    assert _answer(commands, "--stage", "build", "deps(//app:image)") == build
    assert _answer(commands, "--stage", "runtime", "deps(//app:image)") == runtime


def test_selects_are_resolved_for_the_platform(commands: Commands) -> None:
    assert _answer(commands, "--platform", "linux/arm64", "labels(contents, //tools:compiler)") == "//tools:arm.txt"
    assert _answer(commands, "--platform", "linux/amd64", "labels(contents, //tools:compiler)") == "//tools:other.txt"


def test_kinds(commands: Commands) -> None:
    ran = commands.run("query", "--output", "label_kind", "deps(//app:config.ini)")
    assert ran.out == "generated rule //app:config\ngenerated file //app:config.ini\nsource file //app:seed.txt\n"


def test_json(commands: Commands) -> None:
    ran = commands.run("query", "--output=json", "--stage=build", "//app:image + //lib:one.py")
    assert json.loads(ran.out) == [
        {
            "label": "//app:image",
            "kind": "image rule",
            "location": "app/BUILD:3",
            "needs": [{"attribute": "compiler", "stage": "build", "label": "//tools:compiler"}],
        },
        {"label": "//lib:one.py", "kind": "source file", "location": None, "needs": []},
    ]
    assert json.loads(commands.run("query", "--output=json", "set()").out) == []


def test_dot(commands: Commands) -> None:
    ran = commands.run("query", "--output=dot", "set(//app:image //tools:compiler //lib:all_of_it //lib:one.py)")
    assert ran.out.splitlines() == [
        "digraph query {",
        "  node [shape=box];",
        '  "//app:image";',
        '  "//lib:all_of_it";',
        '  "//lib:one.py";',
        '  "//tools:compiler";',
        '  "//app:image" -> "//lib:all_of_it";',
        '  "//app:image" -> "//tools:compiler" [style=dashed];',
        '  "//lib:all_of_it" -> "//lib:one.py";',
        "}",
    ]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("//app:imag", 'cannot resolve "//app:imag": no such target or file; did you mean "//app:image"?'),
        ("deps(//ap:image)", 'cannot resolve "//ap:image": there is no file ap/BUILD; did you mean "//app"?'),
        ("//app/none/...", 'cannot find targets of "//app/none/...": no folder there has a BUILD file'),
        ("@trixie//curl", 'cannot resolve "@trixie//curl": there is no archive "trixie"; declare [archive.trixie] in '
         "distroless.toml"),
        ("some(set())", "cannot answer the query: some() has no target to choose from"),
        ("dep(//app:image)", 'query:1: cannot read the query: there is no function "dep"; did you mean "deps"?\n'
         "  dep(//app:image)\n  ^"),
    ],
)  # fmt: skip
def test_errors(commands: Commands, query: str, message: str) -> None:
    ran = commands.run("query", query)
    assert (ran.status, ran.out, ran.err) == (2, "", f"distroless: {message}\n")


def test_words_are_joined(commands: Commands) -> None:
    assert _answer(commands, "//app:image", "+", "//app:slow") == "//app:image //app:slow"


def test_cycles_are_shown(tmp_path: Path) -> None:
    text = """
        filegroup(name = "a", srcs = [":b"])
        filegroup(name = "b", srcs = [":c"])
        filegroup(name = "c", srcs = [":a"])
        """
    ran = Commands(tmp_path, {"BUILD": text}).run("query", "deps(//:b)")
    assert (ran.status, ran.out) == (2, "")
    cause = 'BUILD:1:23: cannot analyse "//:b": targets need each other: //:b -> //:c -> //:a -> //:b'
    assert ran.err == f"distroless: {cause}\n"


def test_only_what_is_asked_for_is_loaded(tmp_path: Path) -> None:
    commands = Commands(tmp_path, {"good/BUILD": 'filegroup(name = "good")\n', "bad/BUILD": "oh no\n"})
    assert _answer(commands, "deps(//good)") == "//good:good"
    assert commands.run("query", "rdeps(//..., //good)").status == 2


_DEBS = {
    "distroless.toml": """
        [workspace]
        name = "w"

        [archive.trixie]
        suites = ["trixie"]
        architectures = ["amd64"]
        uris = ["http://mirror.example/debian"]
        """,
    "BUILD": """
        filegroup(name = "image", srcs = ["@trixie//curl", "@trixie//mail-transport-agent"])
        """,
}
_NOTE = "not in distroless.lock, so what they need is not known; `distroless lock` adds them\n"


def _locked(commands: Commands) -> None:
    """Lock curl and what it needs, with two debs that need each other, and a name that stands for another deb."""
    needs = {
        "curl": ("libc6", "libcurl4t64"),
        "exim4": ("libc6",),
        "libc6": ("libgcc-s1",),
        "libcurl4t64": ("libc6",),
        "libgcc-s1": ("libc6",),
    }
    debs = {
        name: LockedDeb("trixie", name, "1.0", "amd64", name, f"pool/{name}.deb", 9, "a" * 64, "trixie", 1, depends)
        for name, depends in needs.items()
    }
    roots = (("curl", {"amd64": "curl"}), ("mail-transport-agent", {"amd64": "exim4"}))
    archive = LockedArchive("trixie", (), (), roots, {"amd64": debs})
    locks.write(commands.root / "distroless.lock", Lock({"trixie": archive}))


def test_without_a_lock_debs_are_only_names(tmp_path: Path) -> None:
    commands = Commands(tmp_path, _DEBS)
    ran = commands.run("query", "deps(//:image)", "--platform", "linux/amd64")
    assert ran.out == "//:image\n@trixie//curl\n@trixie//mail-transport-agent\n"
    assert (ran.status, ran.err) == (0, f"2 debs are {_NOTE}")
    assert not (commands.root / "distroless.lock").exists()


def test_a_lock_says_what_debs_need(tmp_path: Path) -> None:
    commands = Commands(tmp_path, _DEBS)
    _locked(commands)

    def answer(query: str) -> str:
        return _answer(commands, "--platform", "linux/amd64", query)

    assert answer("deps(@trixie//curl)") == "@trixie//curl @trixie//libc6 @trixie//libcurl4t64 @trixie//libgcc-s1"
    assert answer("deps(@trixie//mail-transport-agent, 1)") == "@trixie//exim4 @trixie//mail-transport-agent"
    assert answer("somepath(//:image, @trixie//libgcc-s1)").split()[::3] == ["//:image", "@trixie//libgcc-s1"]
    assert answer("rdeps(//:image, @trixie//libcurl4t64)") == "//:image @trixie//curl @trixie//libcurl4t64"
    assert answer("kind(deb, deps(//:image, 1))") == "@trixie//curl @trixie//mail-transport-agent"
    assert answer("attr(version, '^1', deps(@trixie//curl, 1))") == "@trixie//curl @trixie//libc6 @trixie//libcurl4t64"
    rows = json.loads(commands.run("query", "--platform=amd64", "--output=json", "@trixie//curl").out)
    assert rows[0]["needs"] == [
        {"attribute": "depends", "stage": "runtime", "label": "@trixie//libc6"},
        {"attribute": "depends", "stage": "runtime", "label": "@trixie//libcurl4t64"},
    ]


def test_a_stale_lock_and_a_misspelt_deb(tmp_path: Path) -> None:
    commands = Commands(tmp_path, _DEBS)
    _locked(commands)
    commands.write({"BUILD": 'filegroup(name = "image", srcs = ["@trixie//curl", "@trixie//jq"])\n'})
    ran = commands.run("query", "--platform=amd64", "deps(//:image, 1)")
    assert (ran.status, ran.out) == (0, "//:image\n@trixie//curl\n@trixie//jq\n")
    assert ran.err == "1 deb is " + _NOTE.replace("they need", "it needs").replace("them", "it")
    ran = commands.run("query", "--platform=amd64", "deps(@trixie//crul)")
    cause = 'cannot resolve "@trixie//crul": distroless.lock does not have it; did you mean "curl"?'
    assert (ran.status, ran.err) == (2, f"distroless: {cause}\n")


def test_a_platform_that_the_archive_lacks(tmp_path: Path) -> None:
    commands = Commands(tmp_path, _DEBS)
    _locked(commands)
    ran = commands.run("query", "--platform=linux/arm64", "deps(//:image)")
    assert ran.out == "//:image\n@trixie//curl\n@trixie//mail-transport-agent\n"
