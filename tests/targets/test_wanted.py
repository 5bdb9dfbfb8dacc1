"""What a lock must hold: every deb that any BUILD file names, in any branch, with the places that name it."""

from __future__ import annotations

from distroless_rules.targets.wanted import WantedDebs
from tests.support.workspace import fails, small_lock, wanted

RULES = """
-- d.bzl --
def _r(ctx):
    return []
r = rule(implementation = _r, attrs = {
    "one": attr.label(),
    "many": attr.label_list(allow_files = True, stage = "build"),
    "keyed": attr.label_keyed_string_dict(),
    "named": attr.string_keyed_label_dict(),
    "listed": attr.string_keyed_label_dict(allow_list = True),
    "text": attr.string(),
    "_default": attr.label(default = "@trixie//gcc"),
})
"""


def found(text: str) -> WantedDebs:
    return wanted(text + RULES.lstrip("\n"), small_lock())


def test_every_attribute_and_every_branch() -> None:
    text = """
load(":d.bzl", "r")
r(
    name = "a",
    one = select({":arm": "@trixie//one-arm", "//conditions:default": "@trixie//one"}),
    many = ["@trixie//many", "x.txt"] + select({":arm": ["@trixie//many-arm"], "//conditions:default": None}),
    keyed = {"@trixie//key": "v"},
    named = {"k": "@trixie//:value"},
    listed = ["@trixie//listed"],
    text = "@trixie//no",
)
config_setting(name = "arm", platforms = ["linux/arm64"])
-- x.txt --
-- sub/BUILD --
alias(name = "b", actual = "@trixie//many")
filegroup(name = "c", srcs = ["@trixie//many"], tags = ["manual"])
"""
    debs = found(text).debs["trixie"]
    assert sorted(debs) == sorted("one-arm one many many-arm key value listed gcc".split())  # noqa: SIM905
    assert debs["one-arm"] == ["BUILD:2 //:a"]
    assert debs["many"] == ["BUILD:2 //:a", "sub/BUILD:1 //sub:b", "sub/BUILD:2 //sub:c"]
    assert debs["gcc"] == ["BUILD:2 //:a"]


def test_local_debs() -> None:
    text = """
filegroup(name = "a", srcs = ["x.deb", "sub/y.deb", "//other:z.deb", "missing.deb", ":made.deb"])
filegroup(name = "made.deb")
-- x.deb --
-- sub/y.deb --
-- other/BUILD --
-- other/z.deb --
"""
    assert found(text).local == {
        "x.deb": ["BUILD:1 //:a"],
        "sub/y.deb": ["BUILD:1 //:a"],
        "other/z.deb": ["BUILD:1 //:a"],
    }


def test_nothing() -> None:
    assert wanted("", small_lock()) == WantedDebs()


def test_an_archive_that_is_not_declared() -> None:
    text = 'filegroup(\n    name = "a",\n    srcs = ["@bookworm//curl"],\n)'
    assert fails(lambda: wanted(text, small_lock())) == (
        'BUILD:3:13: cannot resolve "@bookworm//curl": there is no archive "bookworm"; '
        "declare [archive.bookworm] in distroless.toml"
    )


def test_a_label_that_is_none() -> None:
    text = 'filegroup(\n    name = "a",\n    srcs = ["@trixie//cu rl:"],\n)'
    assert fails(lambda: wanted(text, small_lock())).startswith('BUILD:3:13: cannot read label "@trixie//cu rl:": ')


def test_a_deb_with_an_impossible_label_is_refused_before_it_is_locked() -> None:
    text = 'filegroup(name = "a", srcs = ["@trixie//a/b"])'
    assert fails(lambda: wanted(text, small_lock())) == (
        'BUILD:1:31: cannot resolve "@trixie//a/b:b": a deb\'s label has one part; write "@trixie//b"'
    )


def test_every_package_is_loaded() -> None:
    assert fails(lambda: wanted("-- far/away/BUILD --\nfail('no')\n", small_lock())).startswith("far/away/BUILD:1:1: ")


def test_a_default_is_a_label_of_the_rules_package() -> None:
    text = """
load("//lib:r.bzl", "r")
r(name = "a")
-- lib/BUILD --
-- lib/x.deb --
-- lib/r.bzl --
def _r(ctx):
    return []
r = rule(implementation = _r, attrs = {"deb": attr.label(default = ":x.deb", allow_files = True)})
"""
    assert wanted(text, small_lock()).local == {"lib/x.deb": ["BUILD:2 //:a"]}
