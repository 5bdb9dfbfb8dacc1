"""Toolchains by type: which of those registered stands for a type, and what is said when none does."""

from __future__ import annotations

import pytest

from tests.support.workspace import analysed, error_of

WORKSPACE = """
load("//tools:pen.bzl", "write")
write(name = "letter")
write(name = "note", pen = "//tools:quill")
-- distroless.toml --
[workspace]
name = "w"
toolchains = [TOOLCHAINS]
-- tools/BUILD --
load(":pen.bzl", "pen")
toolchain_type(name = "type", visibility = ["//visibility:public"])
alias(name = "alias", actual = ":type", visibility = ["//visibility:public"])
pen(name = "quill", ink = "black", visibility = ["//visibility:public"])
pen(name = "biro", ink = "blue")
pen(name = "brush", ink = "red")
toolchain(name = "a", toolchain_type = ":type", toolchain = ":quill", platforms = ["linux/amd64"])
toolchain(name = "b", toolchain_type = "//tools:type", toolchain = ":biro", platforms = ["linux/amd64", "arm64"])
toolchain(name = "c", toolchain_type = ":type", toolchain = ":brush", exec_platforms = ["linux/s390x"])
-- tools/pen.bzl --
PenInfo = provider(fields = ["ink"])

def _pen(ctx):
    return [PenInfo(ink = ctx.attr.ink)]

pen = rule(implementation = _pen, attrs = {"ink": attr.string()}, provides = [PenInfo])

def _write(ctx):
    out = ctx.actions.declare_file(ctx.label.name + ".out")
    ctx.actions.write(out, ctx.attr.pen[PenInfo].ink)
    return [DefaultInfo(files = depset([out]))]

write = rule(
    implementation = _write,
    attrs = {"pen": attr.label(default = "//tools:alias", providers = [PenInfo], stage = "build")},
)
"""


def workspace(registered: str) -> str:
    return WORKSPACE.replace("TOOLCHAINS", registered)


def ink(registered: str, platform: str, target: str = "//:letter") -> str:
    (action,) = analysed(workspace(registered), target, platform=platform).actions
    return action.parameters


@pytest.mark.parametrize(
    ("registered", "platform", "expected"),
    [
        ('"//tools:a", "//tools:b"', "linux/amd64", "black"),
        ('"//tools:b", "//tools:a"', "linux/amd64", "blue"),
        ('"//tools:a", "//tools:b"', "linux/arm64", "blue"),
        ('"//tools:c", "//tools:b"', "linux/arm64", "blue"),  # c works on another machine
    ],
)
def test_the_first_that_fits_stands_for_the_type(registered: str, platform: str, expected: str) -> None:
    assert ink(registered, platform) == f'{{"content":"{expected}"}}'


def test_a_target_can_name_one_itself() -> None:
    assert ink("", "linux/s390x", "//:note") == '{"content":"black"}'


def test_all_targets_can_be_asked_for_when_none_is_registered() -> None:
    assert len(analysed(workspace(""), "//tools/...", "//:note").actions) == 1


ERRORS = [
    (
        '"//tools:a"',
        "linux/arm64",
        'BUILD:2:1: cannot find a toolchain of the type "//tools:type" for linux/arm64 on linux/amd64: there is'
        ' "//tools:quill" for linux/amd64 (the default of "pen" in tools/pen.bzl); register one for linux/arm64, or'
        " build for another",
    ),
    (
        '"//tools:c"',
        "linux/arm64",
        'BUILD:2:1: cannot find a toolchain of the type "//tools:type" for linux/arm64 on linux/amd64: there is'
        ' "//tools:brush" for any platform on linux/s390x (the default of "pen" in tools/pen.bzl); register one for'
        " linux/arm64, or build for another",
    ),
    (
        "",
        "linux/amd64",
        'BUILD:2:1: cannot find a toolchain of the type "//tools:type" for linux/amd64 on linux/amd64: none of the type'
        ' is registered (the default of "pen" in tools/pen.bzl); register one: toolchains = [...] in [workspace] of'
        " distroless.toml",
    ),
    (
        '"//tools:biro"',
        "linux/amd64",
        'distroless.toml: cannot register the toolchain "//tools:biro": it is a target of the rule pen, not of the rule'
        ' toolchain (the default of "pen" in tools/pen.bzl)',
    ),
    (
        '"//tools:d"',
        "linux/amd64",
        'distroless.toml: cannot resolve "//tools:d": no such target or file (the default of "pen" in tools/pen.bzl)',
    ),
]


@pytest.mark.parametrize(("registered", "platform", "error"), ERRORS)
def test_errors(registered: str, platform: str, error: str) -> None:
    assert error_of(workspace(registered), "//:letter", platform=platform) == error
