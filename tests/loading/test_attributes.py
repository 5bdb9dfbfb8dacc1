"""Every kind of attribute, with values that are right and values that are wrong."""

from __future__ import annotations

import json

import pytest

from tests.support.workspace import error_of, graph_of, messages

WORKSPACE = """
load(":d.bzl", "r")
r(name = "a", x = {value})
-- d.bzl --
def _r(ctx):
    print(json.encode(ctx.attr.x))
r = rule(implementation = _r, attrs = {{"x": attr.{type}({more})}})
"""
LABELS = """
load(":d.bzl", "r")
r(name = "a", x = {value})
filegroup(name = "f", srcs = ["one.txt", "two.md"])
-- one.txt --
-- two.md --
-- d.bzl --
def _shown(x):
    if type(x) == "struct":
        return [(_shown(k), _shown(v)) for k, v in x.items()]
    if type(x) == "string":
        return x
    if type(x) == "list":
        return [_shown(each) for each in x]
    return x and x[DefaultInfo].label.name
def _r(ctx):
    print(_shown(ctx.attr.x), [f.path for f in ctx.files.x], getattr(ctx.file, "x", None) and ctx.file.x.basename)
r = rule(implementation = _r, attrs = {{"x": attr.{type}({more})}})
"""


@pytest.mark.parametrize(
    ("kind", "value", "given"),
    [
        ("string()", '"a"', '"a"'),
        ("string()", "None", '""'),
        ('string(default = "d")', "None", '"d"'),
        ('string(default = "d")', '""', '""'),
        ('string(values = ["a", "b"])', '"b"', '"b"'),
        ("bool()", "True", "true"),
        ("bool()", "0", "false"),
        ("bool(default = True)", "None", "true"),
        ("int()", "-3", "-3"),
        ("int(default = 7)", "None", "7"),
        ("int(values = [1, 2])", "2", "2"),
        ("int()", "1 << 80", str(1 << 80)),
        ("string_list()", '["a", "b", "a"]', '["a","b","a"]'),
        ("string_list()", '["a"] + ["b"]', '["a","b"]'),
        ("string_list()", "None", "[]"),
        ("string_list()", '("a", "b")', '["a","b"]'),
        ("int_list()", "[1, -2]", "[1,-2]"),
        ("string_dict()", '{"a": "b"}', '{"a":"b"}'),
        ("string_list_dict()", '{"a": ["b", "c"], "d": []}', '{"a":["b","c"],"d":[]}'),
        ("string()", '"ä\\n\\u2028\\"\\\\"', json.dumps('ä\n\u2028"\\', ensure_ascii=False)),
    ],
)
def test_plain_values(kind: str, value: str, given: str) -> None:
    name, _, more = kind.partition("(")
    text = WORKSPACE.format(value=value, type=name, more=more[:-1])
    assert json.loads(messages(text).partition(": ")[2]) == json.loads(given)


@pytest.mark.parametrize(
    ("kind", "value", "cause"),
    [
        ("string()", "3", "expected a string, got the integer 3"),
        ("string()", '["a"]', 'expected a string, got the list ["a"]'),
        ("string()", "True", "expected a string, got True"),
        ("string()", 'Label(":x")', 'expected a string, got the dictionary Label("//:x")'),
        ('string(values = ["a"])', '"b"', '"b" is not one of "a"'),
        ("bool()", "2", "expected True or False, got the integer 2"),
        ("bool()", '"yes"', 'expected True or False, got the string "yes"'),
        ("int()", "True", "expected an integer, got True"),
        ("int()", "1.5", "expected an integer, got the number 1.5"),
        ("int(values = [1, 2])", "3", "3 is not one of 1, 2"),
        ("string_list()", '"a"', 'expected a list of strings, got the string "a"'),
        ("string_list()", "[None]", "expected a list of strings, got the list [None]"),
        ("string_list(allow_empty = False)", "[]", "it must not be empty"),
        ("int_list()", "[True]", "expected a list of integers, got the list [True]"),
        ("string_dict()", '{"a": 1}', 'expected a dictionary of strings, got the dictionary {"a": 1}'),
        (
            "string_list_dict()",
            '{"a": "b"}',
            'expected a dictionary of lists of strings, got the dictionary {"a": "b"}',
        ),
        ("label()", '["b"]', 'expected a label, got the list ["b"]'),
        ("label_list()", '{"b": "c"}', 'expected a list of labels, got the dictionary {"b": "c"}'),
        ("label_keyed_string_dict()", '["b"]', 'expected a dictionary from labels to strings, got the list ["b"]'),
        ("string_keyed_label_dict()", '["b"]', 'expected a dictionary from strings to labels, got the list ["b"]'),
        ("output()", '["b"]', 'expected a file name, got the list ["b"]'),
        ("output_list()", '"b"', 'expected a list of file names, got the string "b"'),
    ],
)
def test_wrong_values(kind: str, value: str, cause: str) -> None:
    name, _, more = kind.partition("(")
    found = error_of(WORKSPACE.format(value=value, type=name, more=more[:-1]))
    assert found.partition("; did you mean")[0] == f'BUILD:2:15: cannot set "x": {cause}'


@pytest.mark.parametrize(
    ("kind", "value", "given"),
    [
        ("label(allow_files = True)", '"one.txt"', 'one.txt ["one.txt"] one.txt'),
        ("label(allow_single_file = True)", '"one.txt"', 'one.txt ["one.txt"] one.txt'),
        ('label(allow_single_file = [".txt"])', '":one.txt"', 'one.txt ["one.txt"] one.txt'),
        ("label()", '":f"', 'f ["one.txt", "two.md"] None'),
        ("label()", 'Label("//:f")', 'f ["one.txt", "two.md"] None'),
        ("label_list()", '[Label("//:f")]', '["f"] ["one.txt", "two.md"] None'),
        ("label_list()", 'select({"//conditions:default": [Label(":f")]})', '["f"] ["one.txt", "two.md"] None'),
        ("string_keyed_label_dict()", '{"k": Label(":f")}', '[("k", "f")] ["one.txt", "two.md"] None'),
        ("label()", "None", "None [] None"),
        ('label(default = ":f")', "None", 'f ["one.txt", "two.md"] None'),
        (
            "label_list(allow_files = True)",
            '[":f", "one.txt"]',
            '["f", "one.txt"] ["one.txt", "two.md", "one.txt"] None',
        ),
        ('label_list(allow_files = [".md", ".txt"])', '["two.md"]', '["two.md"] ["two.md"] None'),
        ("label_list()", "[]", "[] [] None"),
        ("label_keyed_string_dict()", '{":f": "v"}', '[("f", "v")] ["one.txt", "two.md"] None'),
        ("string_keyed_label_dict(allow_files = True)", '{"k": "one.txt"}', '[("k", "one.txt")] ["one.txt"] None'),
        (
            "string_keyed_label_dict(allow_files = True, allow_list = True)",
            '["one.txt"]',
            '[("", "one.txt")] ["one.txt"] None',
        ),
    ],
)  # fmt: skip
def test_labels(kind: str, value: str, given: str) -> None:
    name, _, more = kind.partition("(")
    assert messages(LABELS.format(value=value, type=name, more=more[:-1])) == f"d.bzl:10: {given}"


@pytest.mark.parametrize(
    ("value", "platform", "define", "given"),
    [
        ('select({":arm": ["arm"], "//conditions:default": ["other"]})', "linux/arm64", {}, '["arm"]'),
        ('select({":arm": ["arm"], "//conditions:default": ["other"]})', "linux/amd64", {}, '["other"]'),
        ('["a"] + select({":arm": ["arm"], "//conditions:default": []}) + ["z"]', "linux/arm64", {}, '["a","arm","z"]'),
        ('["a"] + select({":arm": ["arm"], "//conditions:default": []})', "linux/amd64", {}, '["a"]'),
        (
            'select({":arm": ["1"], "//conditions:default": None}) + select({":debug": ["2"]})',
            "linux/amd64",
            {"debug": "1"},
            '["2"]',
        ),
        ('select({":debug": ["d"], ":arm_debug": ["both"]})', "linux/arm64", {"debug": "1"}, '["both"]'),
        ('select({":debug": ["same"], ":arm": ["same"]})', "linux/arm64", {"debug": "1"}, '["same"]'),
        ('select({":either": ["e"]})', "linux/amd64", {}, '["e"]'),
        ('select({":either": ["e"]})', "linux/arm64", {}, '["e"]'),
        ('select({":plat": ["p"]})', "linux/arm64", {}, '["p"]'),
        ('select({":alias": ["by alias"]})', "linux/arm64", {}, '["by alias"]'),
        ('select({":bazel": ["b"], "//conditions:default": ["d"]})', "linux/arm64", {"debug": "1"}, '["b"]'),
        ('select({"//conditions:default": None})', "linux/arm64", {}, '["default"]'),
        ('select({"//cond:far": ["far"]})', "linux/arm64", {}, '["far"]'),
    ],
)  # fmt: skip
def test_select(value: str, platform: str, define: dict[str, str], given: str) -> None:
    text = f"""
load(":d.bzl", "r")
r(name = "a", x = {value})
config_setting(name = "arm", platforms = ["linux/arm64"])
config_setting(name = "either", platforms = ["linux/arm64", "amd64"])
config_setting(name = "debug", define = {{"debug": "1"}})
config_setting(name = "bazel", values = {{"define": "debug=1"}})
config_setting(name = "arm_debug", platforms = ["linux/arm64"], define = {{"debug": "1"}})
platform(name = "plat", platform = "linux/arm64")
alias(name = "alias", actual = ":arm")
-- cond/BUILD --
config_setting(name = "far", platforms = ["linux/arm64"], visibility = ["//visibility:public"])
-- d.bzl --
def _r(ctx):
    print(json.encode(ctx.attr.x))
r = rule(implementation = _r, attrs = {{"x": attr.string_list(default = ["default"])}})
"""
    assert messages(text, "//:a", platform=platform, define=define) == f"d.bzl:2: {given}"


@pytest.mark.parametrize(
    ("kind", "value", "given"),
    [
        ("string()", 'select({"//conditions:default": "s"})', '"s"'),
        ("bool()", 'select({"//conditions:default": True})', "true"),
        ("string_dict()", 'select({"//conditions:default": {"a": "b"}})', '{"a":"b"}'),
        ("string_list(allow_empty = False)", '["a"] + select({"//conditions:default": []})', '["a"]'),
        (
            "string_list(allow_empty = False)",
            'select({"//conditions:default": ["a"]}) + select({"//conditions:default": ["b"]})',
            '["a","b"]',
        ),
    ],
)  # fmt: skip
def test_select_for_every_type(kind: str, value: str, given: str) -> None:
    name, _, more = kind.partition("(")
    assert messages(WORKSPACE.format(value=value, type=name, more=more[:-1])) == f"d.bzl:2: {given}"


def test_a_list_that_select_leaves_empty_may_not_be_when_it_must_not() -> None:
    text = WORKSPACE.format(
        value='[] + select({"//conditions:default": []})', type="string_list", more="allow_empty = False"
    )
    assert error_of(text) == 'BUILD:2:15: cannot set "x": it must not be empty'


def test_stages_of_labels() -> None:
    text = """
load(":d.bzl", "r")
r(name = "a", build = [":b"], run = [":c"])
filegroup(name = "b", srcs = ["b.txt"])
filegroup(name = "c")
-- b.txt --
-- d.bzl --
def _r(ctx):
    return []
r = rule(implementation = _r, attrs = {
    "build": attr.label_list(stage = "build"),
    "run": attr.label_list(),
    "_tool": attr.label(default = "//:c", stage = "build"),
})
"""
    graph = graph_of(text, "//:a")
    edges = [
        (str(key), edge.attribute, edge.stage, str(edge.to)) for key, t in graph.targets.items() for edge in t.edges
    ]
    assert edges == [
        ("//:b", "srcs", "runtime", "//:b.txt"),
        ("//:a", "build", "build", "//:b"),
        ("//:a", "run", "runtime", "//:c"),
        ("//:a", "_tool", "build", "//:c"),
    ]
    drawn = graph.networkx()
    assert sorted((str(a), str(b), data["stage"]) for a, b, data in drawn.edges(data=True))[:2] == [
        ("//:a", "//:b", "build"),
        ("//:a", "//:c", "build"),
    ]
