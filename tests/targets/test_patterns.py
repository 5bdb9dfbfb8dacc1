"""Target patterns become labels."""

from __future__ import annotations

import pytest

from tests.support.workspace import analysed, error_of

WORKSPACE = """
filegroup(name = "a")
filegroup(name = "slow", tags = ["manual"])
-- lib/BUILD --
filegroup(name = "lib")
filegroup(name = "b", srcs = ["b.txt"])
-- lib/b.txt --
-- lib/deep/BUILD --
filegroup(name = "c")
-- empty/BUILD --
-- nothing/here.txt --
"""


@pytest.mark.parametrize(
    ("patterns", "labels"),
    [
        ("//...", "//:a //lib:lib //lib:b //lib/deep:c"),
        ("//lib/...", "//lib:lib //lib:b //lib/deep:c"),
        ("//lib:all", "//lib:lib //lib:b"),
        ("//lib:*", "//lib:lib //lib:b"),
        ("//lib", "//lib:lib"),
        ("//lib/deep:c", "//lib/deep:c"),
        ("//:slow", "//:slow"),
        ("//:all", "//:a"),
        ("//... -//lib/...", "//:a"),
        ("//... -//lib:b", "//:a //lib:lib //lib/deep:c"),
        ("//lib:b //... //lib:b", "//lib:b //:a //lib:lib //lib/deep:c"),
        ("-//lib:b //lib:b", "//lib:b"),
        ("//:a -//nonesuch/...", "//:a"),
        ("//:a -//lib:nonesuch", "//:a"),
        ("//:a //empty:all", "//:a"),
        ("//:slow -//:all", ""),
        ("//lib:b.txt", "//lib:b.txt"),
        ("//... -//...", ""),
    ],
)
def test_patterns(patterns: str, labels: str) -> None:
    assert " ".join(str(wanted.label) for wanted in analysed(WORKSPACE, *patterns.split()).wanted) == labels


@pytest.mark.parametrize(
    ("patterns", "error"),
    [
        ("//nothing/...", 'cannot find targets of "//nothing/...": no folder there has a BUILD file'),
        ("//nothing:all", 'cannot load package "//nothing": there is no nothing/BUILD'),
        ("//lib:nonesuch", 'cannot resolve "//lib:nonesuch": no such target or file'),
        ("//lib:bb", 'cannot resolve "//lib:bb": no such target or file; did you mean "//lib:b"?'),
        ("-//nonesuch:all", 'cannot load package "//nonesuch": there is no nonesuch/BUILD'),
        (
            "@nonesuch//...",
            'cannot find targets of "@nonesuch//...": "@nonesuch" holds no packages; '
            'name one target: "@nonesuch//name"',
        ),
        (
            "@nonesuch//a:all",
            'cannot find targets of "@nonesuch//a:all": "@nonesuch" holds no packages; '
            'name one target: "@nonesuch//name"',
        ),
    ],
)
def test_patterns_that_mean_nothing(patterns: str, error: str) -> None:
    assert error_of(WORKSPACE, *patterns.split()) == error


def test_a_suite_is_made_of_its_tests() -> None:
    text = """
load(":own.bzl", "own_test")
test_suite(name = "t", tests = [":a", ":inner"])
test_suite(name = "inner", tests = [":b"])
own_test(name = "a")
own_test(name = "b")
-- own.bzl --
def _own_test(ctx):
    log = ctx.actions.declare_file(ctx.label.name + ".log")
    ctx.actions.write(log, "passed")
    return [TestInfo(logs = depset([log]))]

own_test = rule(implementation = _own_test, test = True)
"""
    (wanted,) = analysed(text, "//:t").wanted
    assert [log.path for log in wanted.tests] == ["linux-amd64/a.log", "linux-amd64/b.log"]
