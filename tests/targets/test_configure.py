"""The configured target graph: what is in it, what each edge is, for which platform, and what is not loaded for it."""

from __future__ import annotations

import pytest

from distroless_rules.targets.graph import TargetGraph
from tests.support.workspace import error_of, graph_of, messages, small_lock

RULES = """
-- d.bzl --
def _r(ctx):
    return []
r = rule(implementation = _r, attrs = {
    "deps": attr.label_list(allow_files = True),
    "tools": attr.label_list(stage = "build", allow_files = True),
    "one": attr.label(allow_files = True),
    "x": attr.string(),
})
"""


def drawn(graph: TargetGraph) -> list[str]:
    """Give each target with its edges on one line."""
    lines = []
    for key, target in graph.targets.items():
        edges = " ".join(f"{edge.attribute}:{edge.stage}:{edge.to}" for edge in target.edges)
        lines.append(f"{target.kind.value} {key} [{key.platform}] {edges}".strip())
    return lines


def test_every_kind_of_node_and_edge() -> None:
    text = f"""
load(":d.bzl", "r")
load("@distroless_rules//rules:defs.bzl", "write_file")
r(name = "top", deps = [":mid", "a.txt", "gen.txt"], tools = [":tool"], one = ":nick")
r(name = "mid", deps = ["@trixie//curl"])
r(name = "tool", deps = [":mid"])
alias(name = "nick", actual = ":real")
filegroup(name = "real")
write_file(name = "writer", out = "gen.txt")
r(name = "unused")
-- a.txt --
{RULES.strip()}
"""
    graph = graph_of(text, "//:top", lock=small_lock("curl 8"))
    assert drawn(graph) == [
        "deb @trixie//curl [linux/amd64]",
        "rule //:mid [linux/amd64] deps:runtime:@trixie//curl",
        "source file //:a.txt []",
        "rule //:writer [linux/amd64]",
        "generated file //:gen.txt [linux/amd64] generating rule:runtime://:writer",
        "rule //:tool [linux/amd64] deps:runtime://:mid",
        "rule //:real [linux/amd64]",
        "rule //:top [linux/amd64] deps:runtime://:mid deps:runtime://:a.txt deps:runtime://:gen.txt "
        "tools:build://:tool one:runtime://:real",
    ]
    assert [target.rule for target in graph.targets.values()][:5] == [
        "deb", "r", "source file", "write_file", "generated file",
    ]  # fmt: skip
    assert [str(key) for key in graph.roots] == ["//:top"]


def test_dependencies_come_first_and_once() -> None:
    rows = "\n".join(
        f'filegroup(name = "t{at}", srcs = [{", ".join(f"""":t{other}" """ for other in range(at + 1, 12))}])'
        for at in range(12)
    )
    graph = graph_of(rows, "//:t0", "//:t5")
    places = {str(key): at for at, key in enumerate(graph.targets)}
    assert len(places) == 12
    for key, target in graph.targets.items():
        assert all(places[str(edge.to)] < places[str(key)] for edge in target.edges)


def test_a_long_chain_needs_no_deep_stack() -> None:
    rows = "\n".join(f'filegroup(name = "t{at}", srcs = [":t{at + 1}"])' for at in range(1500))
    graph = graph_of(f'{rows}\nfilegroup(name = "t1500", srcs = ["a.txt"])\n-- a.txt --\n', "//:t0")
    assert len(graph.targets) == 1502
    assert messages(f'{rows}\nfilegroup(name = "t1500")\nprint("made")\n', "//:t0") == "BUILD:1502: made"


def test_only_packages_of_what_is_needed_are_loaded() -> None:
    text = """
filegroup(name = "a", srcs = ["//b"] + select({":arm": ["//evil:arm"], "//conditions:default": []}))
filegroup(name = "other", srcs = ["//evil"])
config_setting(name = "arm", platforms = ["linux/arm64"])
-- b/BUILD --
filegroup(name = "b", visibility = ["//visibility:public"])
-- evil/BUILD --
fail("loaded")
"""
    assert drawn(graph_of(text, "//:a")) == ["rule //b:b [linux/amd64]", "rule //:a [linux/amd64] srcs:runtime://b:b"]
    assert error_of(text, "//:a", platform="linux/arm64") == "evil/BUILD:1:1: cannot evaluate evil/BUILD: loaded"
    assert error_of(text, "//:other") == "evil/BUILD:1:1: cannot evaluate evil/BUILD: loaded"


@pytest.mark.parametrize(
    ("platform", "edge"),
    [("linux/arm64", "//:arm"), ("arm64", "//:arm"), ("//p:arm", "//:arm"), ("linux/amd64", "//:x")],
)
def test_platforms(platform: str, edge: str) -> None:
    text = """
alias(name = "a", actual = select({"//p:arm": ":arm", "//conditions:default": ":x"}))
filegroup(name = "x")
filegroup(name = "arm")
-- p/BUILD --
platform(name = "arm", platform = "linux/arm64")
filegroup(name = "none")
"""
    graph = graph_of(text, "//:a", platform=platform)
    (root,) = graph.roots
    assert str(root) == edge
    assert root.platform == ("linux/arm64" if edge == "//:arm" else "linux/amd64")
    assert {str(label): str(key) for label, key in graph.named.items()} == {"//:a": edge}


@pytest.mark.parametrize(
    ("platform", "error"),
    [
        ("linux/amd46", 'cannot use platform "linux/amd46": it is not known; did you mean "linux/amd64"?'),
        ("//:x", 'cannot use platform "//:x": it is a filegroup, not a platform'),
        ("//:y", 'cannot resolve "//:y": no such target or file'),
        ("//:BUILD", 'cannot use "//:BUILD": it is a source file, not a target of a rule'),
        ("//:bad", 'BUILD:2:24: cannot use platform "linux/vax": it is not known'),
    ],
)
def test_what_is_no_platform(platform: str, error: str) -> None:
    text = 'filegroup(name = "x")\nplatform(name = "bad", platform = "linux/vax")\n'
    assert error_of(text, "//:x", platform=platform).partition('; did you mean "linux/s')[0] == error


def test_labels_that_mean_the_same_are_one_target() -> None:
    text = f"""
load(":d.bzl", "r")
r(name = "a", deps = [":nick"], tools = ["//:real", "@trixie//:curl"], one = "@trixie//curl")
alias(name = "nick", actual = ":nick2")
alias(name = "nick2", actual = ":real")
filegroup(name = "real")
{RULES.strip()}
"""
    graph = graph_of(text, "//:a", "//:nick", lock=small_lock("curl 8"))
    assert [str(key) for key in graph.targets] == ["//:real", "@trixie//curl", "//:a"]
    assert [str(key) for key in graph.roots] == ["//:a", "//:real"]


def test_one_image_for_several_platforms() -> None:
    text = """
load(":d.bzl", "index", "leaf")
index(name = "i", image = ":nick", platforms = ["linux/arm64", "amd64", "linux/arm64"])
alias(name = "nick", actual = ":leaf")
leaf(name = "leaf", x = select({":arm": "A", "//conditions:default": "B"}), src = "a.txt")
config_setting(name = "arm", platforms = ["linux/arm64"])
-- a.txt --
-- d.bzl --
def _leaf(ctx):
    print(ctx.label.name, ctx.platform.name, ctx.attr.x)
def _index(ctx):
    print(ctx.label.name, ctx.platform.name, len(ctx.attr.image))
leaf = rule(implementation = _leaf, attrs = {"x": attr.string(), "src": attr.label(allow_files = True)})
index = rule(implementation = _index, attrs = {
    "image": attr.label(platforms = "platforms"),
    "platforms": attr.string_list(),
})
"""
    assert drawn(graph_of(text, "//:i")) == [
        "source file //:a.txt []",
        "rule //:leaf [linux/arm64] src:runtime://:a.txt",
        "rule //:leaf [linux/amd64] src:runtime://:a.txt",
        "rule //:i [linux/amd64] image:runtime://:leaf image:runtime://:leaf",
    ]
    assert messages(text, "//:i") == (
        "d.bzl:2: leaf linux/arm64 A\nd.bzl:2: leaf linux/amd64 B\nd.bzl:4: i linux/amd64 2"
    )


@pytest.mark.parametrize(
    ("label", "error"),
    [
        ("@trixie//wget", 'use "@trixie//wget": distroless.lock does not have it; run `distroless lock`'),
        ("@trixie//a/b", 'resolve "@trixie//a/b:b": a deb\'s label has one part; write "@trixie//b"'),
        ("@trixie//a:b", 'resolve "@trixie//a:b": a deb\'s label has one part; write "@trixie//b"'),
        (
            "@bookworm//curl",
            'resolve "@bookworm//curl": there is no archive "bookworm"; declare [archive.bookworm] in distroless.toml',
        ),
        ("@trixy//curl", 'resolve "@trixy//curl": there is no archive "trixy"; did you mean "trixie"?'),
    ],
)
def test_debs_that_are_not_there(label: str, error: str) -> None:
    text = f'filegroup(name = "a", srcs = ["{label}"])'
    assert error_of(text, lock=small_lock("curl 8")) == f"BUILD:1:31: cannot {error}"


def test_a_deb_for_a_platform_that_the_archive_is_not_for() -> None:
    text = 'filegroup(name = "a", srcs = ["@trixie//curl"])'
    assert error_of(text, lock=small_lock("curl 8"), platform="linux/arm64") == (
        'BUILD:1:31: cannot use "@trixie//curl" for linux/arm64: [archive.trixie] is for amd64; '
        'add "arm64" to its architectures in distroless.toml'
    )
    files = {
        "BUILD": text,
        "distroless.toml": '[archive.trixie]\nsuites = ["trixie"]\narchitectures = ["amd64", "arm64"]\n',
    }
    assert error_of(files, lock=small_lock("curl 8"), platform="linux/arm64") == (
        'BUILD:1:31: cannot use "@trixie//curl" for linux/arm64: the archive has it for amd64 only'
    )
