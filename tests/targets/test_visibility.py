"""Who may use what: every form of visibility, groups, files, and the exact words of a refusal."""

from __future__ import annotations

import pytest

from distroless_rules.errors import AnalysisError
from tests.support.workspace import error_of, graph_of, small_lock

OWNER = """
-- own/BUILD --
filegroup(name = "x", visibility = {visibility})
package_group(name = "group", packages = ["//lib/...", "//tools"], includes = [":more", "//others:far"])
package_group(name = "more", packages = ["//more/..."], includes = [":group"])
package_group(name = "everywhere", packages = ["//..."])
package_group(name = "root", packages = ["//"])
-- others/BUILD --
package_group(name = "far", packages = ["//far"])
-- {user}BUILD --
filegroup(name = "user", srcs = ["//own:x"])
"""


def may(user: str, visibility: str) -> bool:
    """Say whether a package may use a target with a visibility."""
    text = OWNER.format(user=f"{user}/" if user else "", visibility=visibility)
    label = f"//{user}:user"
    try:
        graph = graph_of(text, label)
    except AnalysisError as error:
        refused = str(error)
    else:
        return any(str(key) == "//own:x" for key in graph.targets)
    assert f'cannot use "//own:x": it is not visible to package "//{user}"' in refused
    return False


@pytest.mark.parametrize(
    ("visibility", "allowed", "refused"),
    [
        ('["//visibility:public"]', ["lib", ""], []),
        ('["//visibility:private"]', [], ["lib", ""]),
        ("[]", [], ["lib"]),
        ("None", [], ["lib"]),
        ('["//visibility:private", "//lib:__pkg__"]', ["lib"], ["app"]),
        ('["//lib:__pkg__"]', ["lib"], ["lib/sub", "library", ""]),
        ('["//lib:__subpackages__"]', ["lib", "lib/sub", "lib/sub/deep"], ["library", ""]),
        ('["//:__pkg__"]', [""], ["lib"]),
        ('["//:__subpackages__"]', ["", "lib", "lib/sub"], []),
        ('[":group"]', ["lib", "lib/sub", "tools", "more/x", "far"], ["tools/sub", "library", "far/sub", ""]),
        ('["//own:group"]', ["lib"], ["app"]),
        ('[":everywhere"]', ["", "lib/sub"], []),
        ('[":root"]', [""], ["lib"]),
    ],
)
def test_visibility(visibility: str, allowed: list[str], refused: list[str]) -> None:
    assert [user for user in allowed if not may(user, visibility)] == []
    assert [user for user in refused if may(user, visibility)] == []


def test_a_package_always_sees_its_own() -> None:
    text = """
filegroup(name = "a", srcs = [":b", "c.txt"])
filegroup(name = "b", visibility = ["//visibility:private"])
-- c.txt --
"""
    assert len(graph_of(text, "//:a").targets) == 3


@pytest.mark.parametrize(
    ("exports", "refusal"),
    [
        ('exports_files(["x.txt"])', ""),
        ('exports_files(["x.txt"], visibility = ["//:__pkg__"])', ""),
        ('exports_files(["x.txt"], visibility = ["//lib:__pkg__"])', 'it is visible to "//lib:__pkg__"'),
        ('exports_files(["x.txt"], visibility = ["//visibility:private"])', 'it is visible to "//visibility:private"'),
        ('exports_files(["y.txt"])', 'exports_files(["x.txt"]) in own/BUILD would allow it'),
        (
            'package(default_visibility = ["//visibility:public"])',
            'exports_files(["x.txt"]) in own/BUILD would allow it',
        ),
        ('filegroup(name = "x.txt", visibility = ["//visibility:public"])', ""),
    ],
)
def test_files(exports: str, refusal: str) -> None:
    text = f'filegroup(name = "a", srcs = ["//own:x.txt"])\n-- own/BUILD --\n{exports}\n-- own/x.txt --\n'
    if refusal:
        assert error_of(text, "//:a") == (
            f'BUILD:1:31: cannot use "//own:x.txt": it is not visible to package "//"; {refusal}'
        )
    else:
        assert "//own:x.txt" in [str(key) for key in graph_of(text, "//:a").targets]


def test_a_generated_file_is_as_visible_as_what_makes_it() -> None:
    text = """
filegroup(name = "a", srcs = ["//own:x.txt"])
-- own/BUILD --
load("@distroless_rules//rules:defs.bzl", "write_file")
write_file(name = "x", out = "x.txt", visibility = ["//{}:__pkg__"])
"""
    assert len(graph_of(text.replace("{}", ""), "//:a").targets) == 3
    assert error_of(text.replace("{}", "lib"), "//:a") == (
        'BUILD:1:31: cannot use "//own:x.txt": it is not visible to package "//"; it is visible to "//lib:__pkg__"'
    )


def test_an_alias_is_asked_and_what_it_stands_for_is_asked_for_the_alias() -> None:
    text = """
filegroup(name = "a", srcs = ["//own:door"])
-- own/BUILD --
alias(name = "door", actual = "//inner:x", visibility = ["//visibility:public"])
-- inner/BUILD --
filegroup(name = "x", visibility = ["//own:__pkg__"])
"""
    assert [str(key) for key in graph_of(text, "//:a").targets] == ["//inner:x", "//:a"]
    closed = text.replace('["//own:__pkg__"]', '["//:__pkg__"]')
    assert error_of(closed, "//:a") == (
        'own/BUILD:1:31: cannot use "//inner:x": it is not visible to package "//own"; it is visible to "//:__pkg__"'
    )
    shut = text.replace('["//visibility:public"]', "[]")
    assert 'cannot use "//own:door": it is not visible' in error_of(shut, "//:a")


def test_a_rules_own_default_needs_no_visibility_but_a_users_choice_does() -> None:
    text = """
load("//lib:r.bzl", "r")
r(name = "a"{})
-- lib/BUILD --
filegroup(name = "tool")
-- lib/r.bzl --
def _r(ctx):
    return []
r = rule(implementation = _r, attrs = {"tool": attr.label(default = ":tool")})
"""
    assert [str(key) for key in graph_of(text.replace("{}", ""), "//:a").targets] == ["//lib:tool", "//:a"]
    chosen = text.replace('"a"{}', '"a", tool = "//lib:tool"')
    assert error_of(chosen, "//:a").startswith('BUILD:2:22: cannot use "//lib:tool": it is not visible to package "//"')


def test_debs_are_everybodys() -> None:
    text = 'filegroup(name = "a", srcs = ["@trixie//curl"])'
    assert len(graph_of(text, "//:a", lock=small_lock("curl 8")).targets) == 2


@pytest.mark.parametrize(
    ("packages", "user", "may"),
    [
        ('["//...", "-//inner/..."]', "app", True),
        ('["//...", "-//inner/..."]', "inner", False),
        ('["//...", "-//inner/..."]', "inner/deep", False),
        ('["-//app", "//..."]', "app", False),
        ('["-//app", "//..."]', "app/deep", True),
        ('["public"]', "app", True),
        ('["private"]', "app", False),
        ('["public", "-//app"]', "app", False),
    ],
)
def test_groups_that_leave_packages_out(packages: str, user: str, may: bool) -> None:
    text = f"""
package_group(name = "g", packages = {packages})
-- own/BUILD --
filegroup(name = "x", visibility = ["//:g"])
-- {user}/BUILD --
filegroup(name = "a", srcs = ["//own:x"])
"""
    if may:
        assert len(graph_of(text, f"//{user}:a").targets) == 2
    else:
        assert "it is not visible to package" in error_of(text, f"//{user}:a")


def test_what_a_group_leaves_out_another_may_let_in() -> None:
    text = """
package_group(name = "g", packages = ["//...", "-//app"], includes = [":h"])
package_group(name = "h", packages = ["//app"])
-- own/BUILD --
filegroup(name = "x", visibility = ["//:g"])
-- app/BUILD --
filegroup(name = "a", srcs = ["//own:x"])
"""
    assert len(graph_of(text, "//app:a").targets) == 2


@pytest.mark.parametrize(
    ("visibility", "hint"),
    [
        ("//visibility:publik", '; did you mean "//visibility:public"?'),
        ("//visibility:privat", '; did you mean "//visibility:private"?'),
        ("//visibility:all", ""),
        ("public", '; did you mean "//visibility:public"?'),
    ],
)
def test_visibilities_that_are_none(visibility: str, hint: str) -> None:
    text = f"""
filegroup(name = "a", srcs = ["//own:x"])
-- own/BUILD --
filegroup(name = "x", visibility = ["{visibility}"])
"""
    assert error_of(text, "//:a").partition(": ")[2] == f'cannot read the visibility "{visibility}": it is none{hint}'
