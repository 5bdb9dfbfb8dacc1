"""BUILD and .bzl files: what they know, what they may do, and that each is evaluated once."""

from __future__ import annotations

import pytest

from distroless_rules.loading.loader import Loader
from tests.support.workspace import analysed, error_of, graph_of, loaded, messages


def declared(loader: Loader, package: str = "") -> list[str]:
    return [f"{target.rule.name} {target.label}" for target in loader.package("", package).targets.values()]


def test_a_file_is_evaluated_once_however_often_it_is_loaded() -> None:
    text = """
load(":a.bzl", "x")
load("//:a.bzl", y = "x")
load("//b:b.bzl", "z")
print("BUILD", x, y, z)
-- a.bzl --
print("a")
x = [1]
-- b/b.bzl --
load("//:a.bzl", "x")
print("b")
z = x
-- b/BUILD --
load(":b.bzl", "z")
"""
    assert messages(text) == "a.bzl:1: a\nb/b.bzl:2: b\nBUILD:4: BUILD [1] [1] [1]"


def test_only_what_is_asked_for_is_loaded() -> None:
    text = """
filegroup(name = "a", srcs = ["//b"])
print("root")
-- b/BUILD --
filegroup(name = "b", visibility = ["//visibility:public"])
print("b")
-- evil/BUILD --
fail("loaded")
-- evil/below/BUILD --
(((
"""
    assert messages(text, "//:a") == "BUILD:2: root\nb/BUILD:2: b"
    assert error_of(text, "//...").startswith("evil/BUILD:1:1: cannot evaluate evil/BUILD: loaded")


def test_the_first_statement_may_be_of_any_kind() -> None:
    for text in (
        '"""doc"""\nprint(1)',
        "def f():\n    print(1)\nf()",
        "for x in [1]:\n    print(x)",
        "# c\n\nprint(1)",
    ):
        assert messages(text).endswith(": 1")


def test_names_known_without_a_load_can_be_used_for_something_else() -> None:
    text = """
load(":a.bzl", "glob", "rule")
def select(x):
    return x
filegroup = 3
print(glob, rule, select(2), filegroup)
-- a.bzl --
glob = "glob"
rule = "rule"
native = 5
attr = lambda: native
print(attr())
"""
    assert messages(text) == "a.bzl:5: 5\nBUILD:5: glob rule 2 3"


def test_a_docstring_that_names_a_function_makes_it_not_public() -> None:
    text = """
load(":a.bzl", "x")
-- a.bzl --
'''rule, attr, depset, native.glob'''
x = 1
"""
    assert messages(text) == ""


def test_macros_declare_targets_where_they_are_called() -> None:
    text = """
-- app/BUILD --
load("//lib:m.bzl", "m")
print(package_name())

m(
    name = "x",
)
-- app/a.txt --
-- lib/m.bzl --
def _inner(name):
    native.filegroup(name = name, srcs = native.glob(["*.txt"]), tags = [native.package_name()])

def m(name):
    _inner(name + "_in")
    native.alias(name = name, actual = ":" + name + "_in")
    print(native.existing_rule(name + "_in")["tags"], native.existing_rule("none"))
    print(sorted(native.existing_rules()), native.package_relative_label("y").canonical, repr(native.repo_name()))
-- lib/BUILD --
"""
    assert loaded(text, lambda loader: declared(loader, "app")) == ["filegroup //app:x_in", "alias //app:x"]
    assert messages(text, "//app:x") == (
        'app/BUILD:2: app\napp/BUILD:4: ["app"] None\napp/BUILD:4: ["x", "x_in"] //app:y ""'
    )
    assert [str(key) for key in graph_of(text, "//app:x").targets] == ["//app:a.txt", "//app:x_in"]


def test_a_label_in_a_bzl_file_is_of_that_files_package() -> None:
    text = """
load("//lib:m.bzl", "m")
m()
-- lib/m.bzl --
here = Label(":x")
def m():
    there = native.package_relative_label(":x")
    print(here.canonical, here.package, here.name, there.canonical, Label("@t//curl").canonical)
-- lib/BUILD --
"""
    assert messages(text) == "BUILD:2: //lib:x lib x //:x @t//curl"


def test_print_and_fail_take_several_values() -> None:
    assert messages('print("a", 1, None, True, ["b"], {"c": 2}, sep = "-")') == 'BUILD:1: a-1-None-True-["b"]-{"c": 2}'
    assert messages("print()") == "BUILD:1: "


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("struct(a = 1).a", "1"),
        ("json.encode({'a': [1, None, True]})", '{"a":[1,null,true]}'),
        ("sorted(['b', 'a'])", '["a", "b"]'),
        ("depset([3, 1], transitive = [depset([2])]).to_list()", "[2, 3, 1]"),
        ("depset([3], transitive = [depset([2])], order = 'preorder').to_list()", "[3, 2]"),
        ("depset([1, 1, 2], transitive = [depset([2, 3])]).to_list()", "[2, 3, 1]"),
        ("depset().to_list()", "[]"),
        ("hasattr(DefaultInfo(files = depset()), 'files')", "True"),
        ("type(provider())", "function"),
        ("type(rule(implementation = lambda ctx: []))", "function"),
        ("type(attr.label())", "dict"),
        ("'%s-%d' % ('a', 3)", "a-3"),
        ("[x for x in range(3)]", "[0, 1, 2]"),
        ("dir(struct(b = 1, a = 2))", '["a", "b"]'),
        ("{'a': 1} | {'b': 2}", '{"a": 1, "b": 2}'),
        ("1 << 70", "1180591620717411303424"),
    ],
)
def test_what_bzl_files_know(expression: str, value: str) -> None:
    assert messages(f'load(":a.bzl", "x")\nprint(x)\n-- a.bzl --\nx = {expression}\n'.join(["-- BUILD --\n", ""])) == (
        f"BUILD:2: {value}"
    )


def order(kind: str) -> str:
    text = f"""
load(":a.bzl", "x")
print(x)
-- a.bzl --
c = depset(["c"], order = "{kind}")
d = depset(["d"], transitive = [c], order = "{kind}")
e = depset(["e", "c"], transitive = [c], order = "{kind}")
x = depset(["a"], transitive = [d, e], order = "{kind}").to_list()
"""
    return messages(text)


def test_orders_of_depsets() -> None:
    assert order("preorder") == 'BUILD:2: ["a", "d", "c", "e"]'
    assert order("postorder") == 'BUILD:2: ["c", "d", "e", "a"]'
    assert order("default") == 'BUILD:2: ["c", "d", "e", "a"]'


def test_a_wide_and_deep_depset_is_flattened_once() -> None:
    text = """
load(":a.bzl", "x")
print(len(x.to_list()))
-- a.bzl --
def _f():
    node = depset([0])
    for i in range(300):
        node = depset([i], transitive = [node, node])
    return node
x = _f()
"""
    assert messages(text) == "BUILD:2: 300"


def test_package_sets_the_visibility_of_all_that_follows_and_all_before() -> None:
    text = """
-- a/BUILD --
filegroup(name = "before")
package(default_visibility = ["//b:__pkg__"])
filegroup(name = "after")
filegroup(name = "own", visibility = ["//visibility:private"])
-- b/BUILD --
filegroup(name = "x", srcs = ["//a:before", "//a:after"])
filegroup(name = "y", srcs = ["//a:own"])
-- c/BUILD --
filegroup(name = "x", srcs = ["//a:after"])
"""
    assert len(graph_of(text, "//b:x").targets) == 3
    assert error_of(text, "//b:y").endswith('not visible to package "//b"; it is visible to "//visibility:private"')
    assert error_of(text, "//c:x").endswith('it is not visible to package "//c"; it is visible to "//b:__pkg__"')


def test_other_names_for_build_files() -> None:
    text = {
        "distroless.toml": '[workspace]\nname = "x"\nbuild_file = "BUILD.distroless"\nignore = ["old", "/vendor/"]\n',
        "BUILD": "(((",
        "BUILD.distroless": 'filegroup(name = "a")',
        "sub/BUILD.distroless": 'filegroup(name = "b")',
        "old/BUILD.distroless": "(((",
        "vendor/x/BUILD.distroless": "(((",
        ".git/BUILD.distroless": "(((",
        "distroless-out/BUILD.distroless": "(((",
        "other/distroless.toml": "",
        "other/BUILD.distroless": "(((",
        "other/deeper/BUILD.distroless": "(((",
    }
    assert [str(wanted.label) for wanted in analysed(text).wanted] == ["//:a", "//sub:b"]


def test_built_in_files_can_be_loaded_but_not_the_engines_own() -> None:
    assert messages('load("@distroless_rules//rules:defs.bzl", "files")\nprint(type(files))') == "BUILD:2: function"
    private = 'load("@distroless_rules//rules/private:layers.bzl", "deb_layers")\nprint(type(deb_layers))'
    assert messages(private) == "BUILD:2: function"


@pytest.mark.parametrize("name", ["_declare_", "_glob_", "_next_", "_add_action_", "run_", "collect_", "_deb_closure_"])
def test_what_is_for_the_engine_is_not_known_to_files(name: str) -> None:
    assert f'cannot evaluate BUILD: "{name}" is not defined' in error_of(f"{name}()")
    assert f'cannot evaluate a.bzl: "{name}" is not defined' in error_of(
        f'load(":a.bzl", "x")\n-- a.bzl --\nx = {name}\n'.join(["-- BUILD --\n", ""])
    )


@pytest.mark.parametrize("file", ["prelude.bzl", "core.bzl", "attr.bzl"])
def test_the_engines_own_files_cannot_be_loaded(file: str) -> None:
    assert error_of(f'load("@builtin/{file}", "run_")').startswith("BUILD:1:6: cannot read label ")
    assert error_of(f'load("@distroless_rules//loading:{file}", "run_")') == (
        f'BUILD:1:6: cannot load "@distroless_rules//loading:{file}": @distroless_rules//loading holds no files to load'
        "; they are in @distroless_rules//rules or @distroless_rules//toolchains"
    )


def test_what_only_looks_like_an_assignment_is_none() -> None:
    text = """
load(":a.bzl", "r")
r(name = "x")
-- a.bzl --
\'\'\'Rules.

nonesuch = rule(...)
\'\'\'
def _r(ctx):
    return []

# other = 1 (
\"\"\"
more = 2
\"\"\"
r = rule(
implementation = _r,
doc = "=)",
)
x = [")"
for y in [1]]
z = 3; w = 4
"""
    assert loaded(text, declared) == ["r //:x"]
