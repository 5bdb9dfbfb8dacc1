"""A query's text becomes an expression, or a message that shows the place."""

from __future__ import annotations

import pickle
import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from distroless_rules.targets.query_syntax import FUNCTIONS, Call, Chain, Let, Matches, QueryError, Variable, parse
from distroless_rules.values.label import Pattern


def _matches(*texts: str) -> Matches:
    return Matches(tuple(Pattern.parse(text) for text in texts))


A, B, C = _matches("//a:a"), _matches("//b:b"), _matches("//c:c")


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("//a", A),
        ("((//a))", A),
        ('"//a"', A),
        ("'//a'", A),
        ("//a + //b", Chain(A, (("union", B),))),
        ("//a union //b", Chain(A, (("union", B),))),
        ("//a-b", _matches("//a-b")),  # a hyphen belongs to a word that has begun
        ("//a +//b^//c", Chain(A, (("union", B), ("intersect", C)))),
        ("//a except (//b intersect //c)", Chain(A, (("except", Chain(B, (("intersect", C),))),))),
        ("//a - //b + //c", Chain(A, (("except", B), ("union", C)))),  # from left to right
        ("set()", _matches()),
        ("set(//a:a //b:b)", _matches("//a:a", "//b:b")),
        ("@trixie//libstdc++6", _matches("@trixie//libstdc++6")),
        ('"//a:x+y" + //b', Chain(_matches("//a:x+y"), (("union", B),))),
        ("//a:all", _matches("//a:all")),
        ("//...", _matches("//...")),
        ("deps(//a)", Call("deps", (A,))),
        ("deps(//a,2)", Call("deps", (A, 2))),
        ("rdeps(//a, //b, 0)", Call("rdeps", (A, B, 0))),
        ('kind(".*_image rule", //a)', Call("kind", (re.compile(".*_image rule"), A))),
        ("attr(tags, manual, //a)", Call("attr", ("tags", re.compile("manual"), A))),
        ("filter('^//a', deps(//b))", Call("filter", (re.compile("^//a"), Call("deps", (B,))))),
        ("let x = //a in $x - //b", Let("x", A, Chain(Variable("x"), (("except", B),)))),
        ("let x = //a in let x = $x in $x", Let("x", A, Let("x", Variable("x"), Variable("x")))),
        ('"deps" + "in"', Chain(_matches("deps"), (("union", _matches("in")),))),  # quoted, a keyword is a word
    ],
)
def test_expressions(text: str, expression: object) -> None:
    assert parse(text) == expression


@pytest.mark.parametrize(
    ("text", "folder", "pattern"),
    [
        (":x", "a/b", "//a/b:x"),
        ("x", "a/b", "//a/b/x:x"),
        ("...", "a", "//a/..."),
        ("...", "", "//..."),
        ("//c:x", "a", "//c:x"),
        ("x:all", "a", "//a/x:all"),
    ],
)
def test_patterns_are_relative_to_the_folder(text: str, folder: str, pattern: str) -> None:
    assert parse(text, folder) == _matches(pattern)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            "query:1: cannot read the query: expected a target pattern, a function or (, found the end\n  \n  ^",
        ),
        (
            "//a //b",
            'query:5: cannot read the query: expected an operator (+ - ^), found "//b"\n  //a //b\n      ^',
        ),
        (
            "//a +",
            "query:6: cannot read the query: expected a target pattern, a function or (, found the end\n"
            "  //a +\n       ^",
        ),
        (
            "dpes(//a)",
            'query:1: cannot read the query: there is no function "dpes"; did you mean "deps"?\n  dpes(//a)\n  ^',
        ),
        (
            "tests(//a)",
            'query:1: cannot read the query: there is no function "tests"; the functions are allpaths, attr, deps, '
            "filter, kind, labels, rdeps, some, somepath\n  tests(//a)\n  ^",
        ),
        (
            "deps()",
            "query:6: cannot read the query: expected deps(expression[, integer])\n  deps()\n       ^",
        ),
        (
            "deps(//a",
            'query:9: cannot read the query: expected "," or ) as in deps(expression[, integer]), found the end\n'
            "  deps(//a\n          ^",
        ),
        (
            "rdeps(//a)",
            'query:10: cannot read the query: expected "," as in rdeps(expression, expression[, integer]), '
            'found ")"\n  rdeps(//a)\n           ^',
        ),
        (
            "deps(//a, 1, 2)",
            "query:12: cannot read the query: expected deps(expression[, integer])\n  deps(//a, 1, 2)\n             ^",
        ),
        (
            "deps(//a, -1)",
            'query:11: cannot read the query: expected a number, found "-"\n  deps(//a, -1)\n            ^',
        ),
        (
            "deps(//a, many)",
            'query:11: cannot read the query: "many" is not a number\n  deps(//a, many)\n            ^',
        ),
        (
            "kind('[', //a)",
            'query:6: cannot read the query: "[" is not a regular expression: unterminated character set at '
            "position 0\n  kind('[', //a)\n       ^",
        ),
        (
            "(//a",
            'query:5: cannot read the query: expected ")", found the end\n  (//a\n      ^',
        ),
        (
            "'//a",
            "query:1: cannot read the query: the quotation does not end\n  '//a\n  ^",
        ),
        (
            "//a & //b",
            'query:5: cannot read the query: "&" must be quoted\n  //a & //b\n      ^',
        ),
        (
            "$all",
            "query:1: cannot read the query: no let gives $all a value\n  $all\n  ^",
        ),
        (
            "let image = //a in deps($imag)",
            'query:25: cannot read the query: no let gives $imag a value; did you mean "$image"?\n'
            "  let image = //a in deps($imag)\n                          ^",
        ),
        (
            "let x = //a",
            'query:12: cannot read the query: expected "in", found the end\n  let x = //a\n             ^',
        ),
        (
            "let //x = //a in $x",
            'query:5: cannot read the query: "//x" is not a name; letters, digits and _ are\n'
            "  let //x = //a in $x\n      ^",
        ),
        (
            "//a:b:c",
            'query:1: cannot read the query: the name "b:c" has the part "b:c"; expected //package:name, :name, '
            "//package or @archive//deb-name\n  //a:b:c\n  ^",
        ),
        (
            '"-//a"',
            "query:1: cannot read the query: a pattern cannot be negative here; write: everything - what to leave "
            'out\n  "-//a"\n  ^',
        ),
    ],
)
def test_what_is_wrong_is_shown(text: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert str(caught.value) == message
    assert caught.value.status == 2
    assert str(pickle.loads(pickle.dumps(caught.value))) == message


def test_only_the_surroundings_of_the_place_are_shown() -> None:
    with pytest.raises(QueryError) as caught:
        parse("//a +\n" * 1000 + "! " + "+ //b" * 1000)
    _, line, caret = str(caught.value).splitlines()
    assert len(line) == 102
    assert line[len(caret) - 1] == "!"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "deps(" * 100_000,
        "let x = " * 100_000,
        "let x = //a in " * 100_000,
        "x" * (1 << 21),
        "'" + "x" * (1 << 19),
    ],
)
def test_hostile_queries_are_refused_quickly(text: str) -> None:
    begun = time.monotonic()
    with pytest.raises(QueryError):
        parse(text)
    assert time.monotonic() - begun < 5


def test_long_chains_do_not_nest() -> None:
    expression = parse(" + ".join(["//a"] * 20_000))
    assert isinstance(expression, Chain)
    assert len(expression.rest) == 19_999


_WORDS = st.sampled_from([*FUNCTIONS, "let", "in", "set", "union", "x", "$x", "//a", "@t//b+", "...", ":c", "1", "'q'"])
_SIGNS = st.sampled_from([*"(),=+-^", " ", '"', "'"])


@given(st.lists(st.one_of(_WORDS, _SIGNS, st.text(max_size=3)), max_size=30).map("".join))
@example("let in = in in in")
@example("a" * 60 + "(")
def test_any_text_is_an_expression_or_an_error_at_a_place(text: str) -> None:
    try:
        parse(text, "some/folder")
    except QueryError as error:
        found = error
    else:
        return
    assert 1 <= found.column <= len(text) + 1
    assert len(str(found).splitlines()) == 3
