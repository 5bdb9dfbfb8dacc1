from __future__ import annotations

import subprocess
from functools import cmp_to_key
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distroless_rules.deb.version import compare, key, satisfies
from distroless_rules.errors import FormatError

# Earliest first; those on one line are equal.
ORDER = [
    ["0~~", "0:0~~"],
    ["0~"],
    ["0", "0-0", "00", "0:0"],
    ["0.5"],
    ["1~~a"],
    ["1~"],
    ["1~rc1"],
    ["1", "1-0", "01", "0:1", "1-00"],
    ["1-0+b1"],
    ["1-1~bpo1"],
    ["1-1", "1-01"],
    ["1A"],
    ["1a", "1a0"],
    ["1aa"],
    ["1+"],
    ["1+dfsg-1"],
    ["1-1-1"],
    ["1.", "1.0", "1.00-0"],
    ["1.9"],
    ["1.10"],
    ["9" * 30],
    ["1" + "0" * 30],
    ["1:0"],
    ["1:1:1"],
]

upstream = st.builds("".join, st.tuples(st.sampled_from("0123456789"), st.text("0019aAzZ.+~", max_size=7)))
versions = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "0:", "1:", "00:"]), upstream, st.sampled_from(["", "-0", "-1", "-00", "-0~a", "-a"])
    ),
)


def test_order_of_the_manual() -> None:
    for place, line in enumerate(ORDER):
        assert {key(version) for version in line} == {key(line[0])}
        for later in ORDER[place + 1 :]:
            assert compare(line[0], later[0]) == -1, (line, later)
            assert compare(later[0], line[0]) == 1


@settings(max_examples=15, deadline=None)  # each asks dpkg 69 times
@given(st.lists(versions, min_size=24, max_size=24))
def test_agrees_with_dpkg(found: list[str]) -> None:
    pairs = [(a, b, op) for a, b in pairwise(found) for op in ("lt", "eq", "gt")]
    script = "".join(f"dpkg --compare-versions '{a}' {op} '{b}' && echo y || echo n\n" for a, b, op in pairs)
    out = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True).stdout.split()
    ours = [compare(a, b) == {"lt": -1, "eq": 0, "gt": 1}[op] for a, b, op in pairs]
    assert [word == "y" for word in out] == ours


@given(versions, versions, versions)
def test_is_an_order(a: str, b: str, c: str) -> None:
    first, second, third = sorted((a, b, c), key=cmp_to_key(compare))
    assert compare(first, second) <= 0
    assert compare(second, third) <= 0
    assert compare(first, third) <= 0
    assert compare(a, b) == -compare(b, a)


@pytest.mark.parametrize(
    ("operator", "held"), [("<<", ["1"]), ("<=", ["1", "2"]), ("=", ["2"]), (">=", ["2", "3"]), (">>", ["3"])]
)
def test_operators(operator: str, held: list[str]) -> None:
    assert [version for version in ("1", "2", "3") if satisfies(version, operator, "2")] == held


@pytest.mark.parametrize(
    "bad",
    [
        "",
        ":",
        "a:1",
        "1:",
        "-1:1",
        ":1",
        "1-",
        "-1",
        "1_0",
        "1 0",
        "1\n",
        "1/2",
        "é",
        "٣",
        "9999999999:1",
        "1" * 600,
        "1-é",
    ],
)
def test_refuses(bad: str) -> None:
    with pytest.raises(FormatError, match="cannot read version"):
        key(bad)


def test_refuses_an_unknown_operator() -> None:
    with pytest.raises(FormatError, match='"==" is not one of << <= = >= >>'):
        satisfies("1", "==", "1")


@given(st.text(max_size=30))
def test_any_text_is_a_version_or_one_named_error(text: str) -> None:
    try:
        key(text)
    except FormatError:
        return
    assert compare(text, text) == 0
