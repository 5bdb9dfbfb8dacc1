"""Attributes whose target is built for several platforms at once."""

from __future__ import annotations

from tests.support.workspace import analysed, error_of, graph_of

RULES = """
-- rules.bzl --
def _part(ctx):
    out = ctx.actions.declare_file(ctx.label.name)
    text = ctx.platform.name + ctx.attr.text
    ctx.actions.tool(mnemonic = "WriteFile", outputs = {"file": out}, parameters = {"content": text})
    return [DefaultInfo(files = depset([out]))]

part = rule(implementation = _part, attrs = {"text": attr.string(), "deps": attr.label_list(allow_files = True)})

def _all(ctx):
    print([dep[DefaultInfo].label.name for dep in ctx.attr.dep], [file.path for file in ctx.files.dep])
    return [DefaultInfo(files = depset(ctx.files.dep))]

every = rule(implementation = _all, attrs = {"dep": attr.label(platforms = "of"), "of": attr.string_list()})
"""
BUILD = """
load("//:rules.bzl", "every", "part")
config_setting(name = "arm", platforms = ["linux/arm64"])
part(name = "low", deps = ["file.txt"])
part(name = "part", deps = [":low"], text = select({":arm": " by arm", "//conditions:default": " by others"}))
alias(name = "other", actual = select({":arm": ":part", "//conditions:default": ":low"}))
"""
FILE = "-- file.txt --\nhello\n"


def workspace(target: str) -> str:
    return BUILD + target + RULES + FILE


def test_target_is_made_for_each_platform_with_all_that_it_needs() -> None:
    graph = graph_of(workspace('every(name = "x", dep = ":part", of = ["linux/arm64", "arm64", "amd64"])'), "//:x")
    assert [(str(key), key.platform) for key in graph.targets] == [
        ("//:file.txt", ""),
        ("//:low", "linux/arm64"),
        ("//:part", "linux/arm64"),
        ("//:low", "linux/amd64"),
        ("//:part", "linux/amd64"),
        ("//:x", "linux/amd64"),
    ]


def test_select_sees_the_platform_that_its_target_is_for() -> None:
    analysis = analysed(workspace('every(name = "x", dep = ":part", of = ["linux/arm64", "linux/amd64"])'), "//:x")
    made = {action.parameters for action in analysis.actions if action.owner == "//:part"}
    assert made == {'{"content":"linux/arm64 by arm"}', '{"content":"linux/amd64 by others"}'}
    assert [file.path for file in analysis.wanted[0].files] == ["linux-arm64/part", "linux-amd64/part"]
    assert {action.platform for action in analysis.actions} == {"linux/arm64", "linux/amd64"}


def test_alias_is_followed_for_each_platform() -> None:
    graph = graph_of(workspace('every(name = "x", dep = ":other", of = ["linux/arm64", "linux/amd64"])'), "//:x")
    x = next(target for key, target in graph.targets.items() if str(key) == "//:x")
    assert [(str(edge.to), edge.to.platform) for edge in x.edges] == [
        ("//:part", "linux/arm64"),
        ("//:low", "linux/amd64"),
    ]


def test_without_platforms_it_is_what_the_command_asks_for() -> None:
    graph = graph_of(workspace('every(name = "x", dep = ":part")'), "//:x", platform="linux/arm64")
    assert {key.platform for key in graph.targets} == {"", "linux/arm64"}


def test_nothing_is_made_without_a_label() -> None:
    assert len(graph_of(workspace('every(name = "x", of = ["linux/arm64"])'), "//:x").targets) == 1


def test_unknown_platforms_are_named() -> None:
    error = error_of(workspace('every(name = "x", dep = ":part", of = ["linux/amd46"])'), "//:x")
    assert 'cannot use platform "linux/amd46": it is not known; did you mean "linux/amd64"?' in error
    assert error.startswith("BUILD:")


def test_cycles_are_found_over_platforms() -> None:
    text = workspace('every(name = "x", dep = ":x", of = ["linux/amd64"])')
    assert "targets need each other: //:x -> //:x" in error_of(text, "//:x")


def test_platforms_must_come_from_a_list_of_the_rule() -> None:
    text = workspace('every(name = "x")').replace('"of": attr.string_list()', '"of": attr.string()')
    assert (
        'cannot declare the attribute "dep": its platforms are those of "of", which is no string_list of the rule'
        in error_of(text, "//:x")
    )
