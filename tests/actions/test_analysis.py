"""Rules of a user's own, as the documentation shows them: what ctx gives, what implementations give, what comes out."""

from __future__ import annotations

import json

import pytest

from tests.support.workspace import analysed, error_of, listing, messages, small_lock

OWN_RULES = """
load("//tools:words.bzl", "words", "word_list")

words(
    name = "fruit",
    srcs = ["apple.txt", "pear.txt"],
)

words(
    name = "all",
    srcs = ["nut.txt"],
    deps = [":fruit"],
    shout = select({"//tools:loud": True, "//conditions:default": False}),
)

word_list(name = "list", words = ":all")
-- apple.txt --
-- pear.txt --
-- nut.txt --
-- tools/BUILD --
exports_files(["header.txt"])
config_setting(name = "loud", define = {"loud": "yes"}, visibility = ["//visibility:public"])
-- tools/header.txt --
-- tools/words.bzl --
'''Words: an example of rules, a provider and actions.'''

WordsInfo = provider(doc = "Words.", fields = {"files": "A depset of files with words.", "count": "How many files."})

def _words(ctx):
    files = depset(ctx.files.srcs, transitive = [dep[WordsInfo].files for dep in ctx.attr.deps])
    out = ctx.actions.declare_file(ctx.label.name + ".joined")
    ctx.actions.write(out, "\\n".join([("%s!" if ctx.attr.shout else "%s") % f.basename for f in files.to_list()]))
    return [
        DefaultInfo(files = depset([out])),
        WordsInfo(files = files, count = len(files.to_list())),
    ]

words = rule(
    implementation = _words,
    doc = "Some words.",
    attrs = {
        "srcs": attr.label_list(allow_files = [".txt"], mandatory = True, doc = "Files with words."),
        "deps": attr.label_list(providers = [WordsInfo], doc = "More words."),
        "shout": attr.bool(doc = "Whether to shout."),
    },
    provides = [WordsInfo],
)

def _word_list(ctx):
    out = ctx.outputs.out if ctx.outputs.out else ctx.actions.declare_file(ctx.label.name)
    ctx.actions.expand_template(
        template = ctx.file._header,
        output = out,
        substitutions = {"{count}": str(ctx.attr.words[WordsInfo].count)},
    )
    return [DefaultInfo(files = depset([out]))]

word_list = rule(
    implementation = _word_list,
    attrs = {
        "words": attr.label(providers = [WordsInfo], mandatory = True),
        "out": attr.output(),
        "_header": attr.label(allow_single_file = True, default = "//tools:header.txt"),
    },
)
"""


def test_rules_of_a_users_own() -> None:
    analysis = analysed(OWN_RULES, "//...", define={"loud": "yes"})
    assert listing(analysis.actions) == (
        """\
WriteFile //:fruit runtime linux/amd64 | Writing fruit.joined
  > out: derived linux-amd64/fruit.joined
  content = "apple.txt\\npear.txt"

WriteFile //:all runtime linux/amd64 | Writing all.joined
  > out: derived linux-amd64/all.joined
  content = "apple.txt!\\npear.txt!\\nnut.txt!"

ExpandTemplate //:list runtime linux/amd64 | Expanding list
  < template: source tools/header.txt
  > out: derived linux-amd64/list
  substitutions = {"{count}": "3"}
"""
    )
    assert [(str(w.label), w.rule, [str(file) for file in w.files]) for w in analysis.wanted] == [
        ("//:fruit", "words", ["linux-amd64/fruit.joined"]),
        ("//:all", "words", ["linux-amd64/all.joined"]),
        ("//:list", "word_list", ["linux-amd64/list"]),
        ("//tools:loud", "config_setting", []),
    ]


def test_actions_of_what_is_not_asked_for_are_not_made() -> None:
    assert [action.owner for action in analysed(OWN_RULES, "//:fruit").actions] == ["//:fruit"]


def test_what_ctx_and_files_say_of_themselves() -> None:
    text = """
-- app/BUILD --
load("//:d.bzl", "r")
r(name = "a", srcs = ["x/y.tar.gz", ":gen"], outs = ["o.txt", "p/q"], tags = ["t"])
r(name = "gen", out = "made.c")
-- app/x/y.tar.gz --
-- d.bzl --
def _r(ctx):
    for f in ctx.files.srcs + ctx.outputs.outs:
        print(f.path, f.short_path, f.basename, f.dirname, f.extension, f.is_source, f.owner)
        if not f.is_source and f.owner == "//app:a":
            ctx.actions.write(f, "")
    if ctx.outputs.out:
        ctx.actions.write(ctx.outputs.out, "")
    sibling = ctx.actions.declare_file("s", sibling = ctx.outputs.outs[1]) if ctx.outputs.outs else None
    if sibling:
        ctx.actions.write(sibling, "")
        print(sibling.path)
    print(ctx.label.package, ctx.label.name, ctx.label.canonical, repr(ctx.label.repo_name), ctx.attr.tags)
    p = ctx.platform
    print(p.name, p.os, p.architecture, repr(p.variant), p.deb_architecture, p.multiarch, sorted(ctx.compressors))
r = rule(implementation = _r, attrs = {
    "srcs": attr.label_list(allow_files = True),
    "out": attr.output(),
    "outs": attr.output_list(),
})
"""
    shown = [line.partition(": ")[2] for line in messages(text, "//app:a", platform="armhf").splitlines()]
    platform = 'linux/arm/v7 linux arm "v7" armhf arm-linux-gnueabihf ["gzip", "none", "zstd"]'
    assert shown == [
        'app gen //app:gen "" []',
        platform,
        "app/x/y.tar.gz app/x/y.tar.gz y.tar.gz app/x gz True //app:x/y.tar.gz",
        "distroless-out/linux-arm-v7/app/made.c app/made.c made.c distroless-out/linux-arm-v7/app c False //app:gen",
        "distroless-out/linux-arm-v7/app/o.txt app/o.txt o.txt distroless-out/linux-arm-v7/app txt False //app:a",
        "distroless-out/linux-arm-v7/app/p/q app/p/q q distroless-out/linux-arm-v7/app/p  False //app:a",
        "distroless-out/linux-arm-v7/app/p/s",
        'app a //app:a "" ["t"]',
        platform,
    ]


def test_what_is_printed_of_values() -> None:
    text = """
load(":d.bzl", "r")
r(name = "a", deps = [":g", "x.txt"], out = "o")
filegroup(name = "g")
-- x.txt --
-- d.bzl --
def _r(ctx):
    ctx.actions.write(ctx.outputs.out, "")
    print(ctx.label, ctx.outputs.out, ctx.attr.deps, depset(ctx.files.deps), "text", 1, None, sep = ", ")
    print(struct(a = 1), {"k": ["v"]}, ("t",))
r = rule(implementation = _r, attrs = {"deps": attr.label_list(allow_files = True), "out": attr.output()})
"""
    assert messages(text, "//:a").splitlines() == [
        "d.bzl:3: //:a, <generated file o>, [<target //:g>, <target //:x.txt>], depset([<source file x.txt>]), "
        "text, 1, None",
        'd.bzl:4: struct(a=1) {"k": ["v"]} ("t",)',
    ]


def test_what_every_target_has() -> None:
    text = """
load(":d.bzl", "r")
r(name = "a")
r(name = "b", tags = ["t"], testonly = True)
-- d.bzl --
def _r(ctx):
    print(ctx.attr.name, ctx.attr.tags, ctx.attr.testonly)
r = rule(implementation = _r)
"""
    assert messages(text).splitlines() == ["d.bzl:2: a [] False", 'd.bzl:2: b ["t"] True']


def test_labels_in_implementations_and_defaults_are_relative_to_the_file_of_the_rule() -> None:
    text = """
load("//tools:d.bzl", "r")
r(name = "a")
-- tools/BUILD --
exports_files(["t.txt"])
-- tools/t.txt --
-- tools/d.bzl --
def _r(ctx):
    print(Label(":x"), Label("//a:b").package, native.package_relative_label(":y"), ctx.file._t)
r = rule(implementation = _r, attrs = {"_t": attr.label(default = Label(":t.txt"), allow_single_file = True)})
"""
    assert messages(text, "//:a") == "tools/d.bzl:2: //tools:x a //tools:y <source file tools/t.txt>"


def test_what_is_asked_for_may_be_a_file() -> None:
    text = """
load("@distroless_rules//rules:defs.bzl", "write_file")
write_file(name = "w", out = "x/y.txt", content = ["a"])
write_file(name = "v", out = "y.txt", content = ["b"])
-- z.txt --
"""
    analysis = analysed(text, "//:y.txt", "//:x/y.txt", "//:z.txt")
    assert [(wanted.rule, [str(file) for file in wanted.files]) for wanted in analysis.wanted] == [
        ("generated file", ["linux-amd64/y.txt"]),
        ("generated file", ["linux-amd64/x/y.txt"]),
        ("source file", ["z.txt"]),
    ]
    assert [action.owner for action in analysis.actions] == ["//:v", "//:w"]


def test_what_a_target_gives_when_its_rule_says_nothing() -> None:
    text = """
load(":d.bzl", "nothing", "outputs", "one")
nothing(name = "n")
outputs(name = "o", out = "x")
one(name = "p")
-- d.bzl --
def _nothing(ctx):
    pass
def _outputs(ctx):
    ctx.actions.write(ctx.outputs.out, "")
    ctx.actions.write(ctx.actions.declare_file("more"), "")
def _one(ctx):
    return DefaultInfo(files = depset())
nothing = rule(implementation = _nothing)
outputs = rule(implementation = _outputs, attrs = {"out": attr.output()})
one = rule(implementation = _one)
"""
    assert [[str(f) for f in wanted.files] for wanted in analysed(text).wanted] == [[], ["linux-amd64/x"], []]


def test_actions_carry_all_that_a_tool_is_told() -> None:
    text = """
load(":d.bzl", "r")
r(name = "a", src = "b.txt")
-- b.txt --
-- d.bzl --
def _r(ctx):
    out = ctx.actions.declare_file("out")
    ctx.actions.tool(
        mnemonic = "ExpandTemplate",
        inputs = {"template": ctx.file.src, "a": ctx.file.src},
        outputs = {"out": out},
        parameters = {"z": [1, True, None, "ä"], "a": {"c": 1, "b": 2}},
        stage = "build",
        weight = 17,
    )
r = rule(implementation = _r, attrs = {"src": attr.label(allow_single_file = True)})
"""
    (action,) = analysed(text).actions
    assert action.parameters == '{"a":{"b":2,"c":1},"z":[1,true,null,"\\u00e4"]}'
    assert json.loads(action.parameters)["z"] == [1, True, None, "ä"]
    assert [each.name for each in action.inputs] == ["a", "template"]
    assert (action.stage, action.weight, action.platform, action.owner) == ("build", 17, "linux/amd64", "//:a")
    assert action.progress == "ExpandTemplate //:a"


WRITE = 'ctx.actions.tool(mnemonic = "WriteFile", outputs = {"out": ctx.actions.declare_file("x")}, %s)'


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("ctx.actions.declare_file(3)", "declare a file: expected a name, got 3"),
        ('ctx.actions.declare_file("")', 'declare the file "": its name is empty'),
        ('ctx.actions.declare_file("/x")', 'declare the file "/x": the name "/x" has the part ""'),
        (
            'ctx.actions.declare_file("a/../../b")',
            'declare the file "a/../../b": the name "a/../../b" has the part ".."',
        ),
        ('ctx.actions.declare_file("x", sibling = "y")', 'analyse "//:a": sibling must be a File, not string'),
        (
            'ctx.actions.tool(mnemonic = "WriteFile", outputs = {"out": "x"})',
            'analyse "//:a": output "out" must be a File, not string',
        ),
        (
            WRITE % 'stage = "later"',
            'declare a WriteFile action: its stage must be "build" or "runtime", not "later"',
        ),
        (WRITE % 'weight = "big"', 'declare a WriteFile action: its weight must be an integer, not "big"'),
        (WRITE % "progress_message = 3", "declare a WriteFile action: its progress must be a string, not 3"),
        (
            'ctx.debs.closure([struct(archive = "trixie", name = "no")])',
            'use "@trixie//no": distroless.lock does not have it',
        ),
        ("ctx.nonesuch", 'analyse "//:a": Object of type "struct" has no attribute "nonesuch"'),
    ],
)
def test_misuse(body: str, error: str) -> None:
    text = f"""
load(":d.bzl", "r")
r(name = "a")
-- d.bzl --
def _r(ctx):
    {body}
r = rule(implementation = _r)
"""
    found = error_of(text, lock=small_lock("libc6 2"))
    assert found.partition(" (in d.bzl:")[0] == f"BUILD:2:1: cannot {error}"


def test_a_deep_chain_of_depsets() -> None:
    rows = "\n".join(f'r(name = "t{at}", dep = ":t{at + 1}")' for at in range(2000))
    text = f"""
load(":d.bzl", "r", "top")
{rows}
r(name = "t2000")
top(name = "top", dep = ":t0")
-- d.bzl --
XInfo = provider()
def _r(ctx):
    return [XInfo(x = depset([ctx.label.name], transitive = [ctx.attr.dep[XInfo].x] if ctx.attr.dep else []))]
r = rule(implementation = _r, attrs = {{"dep": attr.label()}})
def _top(ctx):
    found = ctx.attr.dep[XInfo].x.to_list()
    print(len(found), found[0], found[-1])
top = rule(implementation = _top, attrs = {{"dep": attr.label()}})
"""
    assert messages(text, "//:top") == "d.bzl:7: 2001 t2000 t0"


def test_rules_of_the_same_name_and_rules_under_two_names() -> None:
    text = """
load(":a.bzl", ra = "r", same = "again")
load(":b.bzl", rb = "r")
load(":c.bzl", "passed_on")
ra(name = "x")
rb(name = "y")
same(name = "z")
passed_on(name = "w")
-- a.bzl --
def _r(ctx):
    print("a", ctx.label.name)
r = rule(implementation = _r)
again = r
-- b.bzl --
def _r(ctx):
    print("b", ctx.label.name)
r = rule(implementation = _r)
-- c.bzl --
load(":a.bzl", "r")
passed_on = r
"""
    assert [line.partition(": ")[2] for line in messages(text).splitlines()] == ["a x", "b y", "a z", "a w"]
    assert [wanted.rule for wanted in analysed(text).wanted][1] == "r"


def test_a_provider_passes_between_files() -> None:
    text = """
load(":a.bzl", "giver")
load(":b.bzl", "taker")
giver(name = "x")
taker(name = "y", dep = ":x")
-- a.bzl --
load(":p.bzl", "PInfo")
def _giver(ctx):
    return [PInfo(value = {"list": [1], "label": ctx.label})]
giver = rule(implementation = _giver)
-- b.bzl --
load(":p.bzl", Renamed = "PInfo")
load(":q.bzl", "QInfo")
def _taker(ctx):
    print(ctx.attr.dep[Renamed].value["list"], Renamed in ctx.attr.dep, QInfo in ctx.attr.dep)
taker = rule(implementation = _taker, attrs = {"dep": attr.label(providers = [[QInfo], [Renamed]])})
-- p.bzl --
PInfo = provider(fields = ["value"])
-- q.bzl --
QInfo = provider()
"""
    assert messages(text) == "b.bzl:4: [1] True False"


def test_providers_are_told_apart_by_their_names_when_they_are_missing() -> None:
    text = """
load(":a.bzl", "r")
r(name = "a", deps = [":b"])
filegroup(name = "b")
-- a.bzl --
AInfo = provider()
BInfo = provider()
CInfo = provider()
def _r(ctx):
    pass
r = rule(implementation = _r, attrs = {"deps": attr.label_list(providers = [[AInfo, BInfo], [CInfo]])})
"""
    assert error_of(text, "//:a") == (
        'BUILD:2:1: cannot analyse "//:a": attribute "deps" takes targets that give AInfo and BInfo or CInfo; '
        "//:b does not"
    )
