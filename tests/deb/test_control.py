from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.deb.control import Relation, parse, relations, stanzas
from distroless_rules.errors import FormatError


def test_one_stanza() -> None:
    text = "\nPackage: a\nDescription: short\n long\n .\n\tmore\nempty:\n\n\n"
    assert parse(text, "x") == {"Package": "a", "Description": "short\n long\n .\n\tmore", "empty": ""}


def test_field_names_are_case_insensitive_and_order_is_kept() -> None:
    assert list(parse(b"pAckage: a\nsha256: b\nX-Odd: c\nPRE-DEPENDS: d", "x")) == [
        "Package",
        "SHA256",
        "X-Odd",
        "Pre-Depends",
    ]


def test_several_stanzas() -> None:
    assert list(stanzas("A: 1\n\n\n\nB: 2\nC: 3\n")) == [{"A": "1"}, {"B": "2", "C": "3"}]
    assert list(stanzas("")) == []


def test_comments_where_people_write() -> None:
    text = "# first\nA: 1\n# between\n \n two\n\n# end\n"
    assert list(stanzas(text, comments=True)) == [{"A": "1\n\n two"}]
    with pytest.raises(FormatError, match='is not "Field: value"'):
        list(stanzas(text))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "it is empty"),
        ("\n\n", "it is empty"),
        ("A: 1\n\nB: 2", "more than one stanza"),
        ("A: 1\nA: 2", "field A is given twice"),
        ("Package: 1\npackage: 2", "field Package is given twice"),
        (" A: 1", "begins with the continuation line"),
        ("A: 1\nno colon", 'the line "no colon" is not "Field: value"'),
        (": 1", "is not"),
        ("-A: 1", "is not"),
        ("A B: 1", "is not"),
        ("A: 1\n  \nB: 2", "a line of blanks only"),
        ("A: \0", "NUL"),
        ("Ä: 1", "is not"),
    ],
)
def test_refuses(text: str, cause: str) -> None:
    with pytest.raises(FormatError, match="cannot read control file") as caught:
        parse(text, "control file")
    assert cause in caught.value.cause


def test_relations() -> None:
    assert relations("libc6 (>= 2.36), a:any|b (<<1~),  ,c") == (
        (Relation("libc6", "", ">=", "2.36"),),
        (Relation("a", "any"), Relation("b", "", "<<", "1~")),
        (Relation("c"),),
    )
    assert relations("") == relations(" \n ") == ()
    assert relations("a (< 1),\n b (> 2)") == ((Relation("a", "", "<=", "1"),), (Relation("b", "", ">=", "2"),))
    assert relations("a (= 1:2-3) [amd64 !arm64] <!nocheck> <cross>, b:i386") == (
        (Relation("a", "", "=", "1:2-3"),),
        (Relation("b", "i386"),),
    )


@pytest.mark.parametrize("text", ["a (>= 1), b:any (= 2) | c", "libstdc++6", "a | b | c (<< 1:1-1~)"])
def test_relations_are_shown_as_they_are_written(text: str) -> None:
    assert ", ".join(" | ".join(map(str, group)) for group in relations(text)) == text


@pytest.mark.parametrize(
    "bad",
    ["a b", "a (1)", "a (>= )", "a (>= 1", "|", "a | ", "${misc:Depends}", "a (== 1)", "-a", "a/b", "a (>= 1) (<< 2)"],
)
def test_refuses_malformed_relations(bad: str) -> None:
    with pytest.raises(FormatError, match="cannot read relation"):
        relations(bad)


@given(st.text("aB1: \n\t#-\0é", max_size=60))
def test_any_text_is_fields_or_one_named_error(text: str) -> None:
    try:
        fields = parse(text, "x")
    except FormatError:
        return
    assert fields
    again = "".join(f"{name}: {value}\n" for name, value in fields.items())
    assert parse(again, "x") == fields


@given(st.text("ab1 ,|():<>=[]!.~\n", max_size=60))
def test_any_text_is_relations_or_one_named_error(text: str) -> None:
    try:
        groups = relations(text)
    except FormatError:
        return
    assert relations(", ".join(" | ".join(map(str, group)) for group in groups)) == groups


def test_a_long_field_takes_linear_time() -> None:
    assert len(relations(", ".join(f"package-{n} (>= 1.{n})" for n in range(20_000)))) == 20_000
    with pytest.raises(FormatError):
        relations("a" + " " * 200_000 + "b")
