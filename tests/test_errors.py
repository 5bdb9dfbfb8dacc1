"""Errors as data: how they read, what status they end a command with, and that no field is lost on the way."""

from __future__ import annotations

import pickle

import pytest

from distroless_rules import errors
from distroless_rules.errors import DistrolessError, InternalError, Location, RequestError, did_you_mean
from distroless_rules.targets.query_syntax import QueryError

CLASSES = [vars(errors)[name] for name in errors.__all__ if isinstance(vars(errors)[name], type)]
ERRORS = [kind for kind in CLASSES if issubclass(kind, DistrolessError)]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (DistrolessError("do it", "no"), "cannot do it: no"),
        (DistrolessError("do it", "no", hint="try"), "cannot do it: no; try"),
        (DistrolessError("do it", "no", at=Location("a/BUILD")), "a/BUILD: cannot do it: no"),
        (DistrolessError("do it", "no", at=Location("a/BUILD", 3)), "a/BUILD:3: cannot do it: no"),
        (DistrolessError("do it", "no", at=Location("a/BUILD", 3, 5)), "a/BUILD:3:5: cannot do it: no"),
        (InternalError("do it", "no", at=Location("x.py", 1)), "internal error: x.py:1: cannot do it: no"),
        (
            DistrolessError("do it", "\x1b[31mred\x07\x9b\n\tkept \udcff"),
            "cannot do it: \\x1b[31mred\\x07\\x9b\n\tkept \\xdcff",
        ),
    ],
)
def test_text(error: DistrolessError, text: str) -> None:
    assert str(error) == text
    str(error).encode("utf-8")


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_crosses_processes_whole(kind: type[DistrolessError]) -> None:
    error = kind("do it", "no", at=Location("a/BUILD", 3, 5), hint="try")
    other = pickle.loads(pickle.dumps(error))
    assert type(other) is kind
    assert (other.doing, other.cause, other.at, other.hint) == (error.doing, error.cause, error.at, error.hint)


def test_a_query_error_crosses_processes_whole() -> None:
    error = QueryError("deps(", 5, "no", hint="try")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_status() -> None:
    status = {kind.__name__: kind.status for kind in ERRORS}
    assert {name for name, number in status.items() if number == 3} == {"Interrupted", "InternalError"}
    assert {name for name, number in status.items() if number == 2} == {
        kind.__name__ for kind in ERRORS if issubclass(kind, RequestError)
    }
    assert set(status.values()) == {1, 2, 3}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__
    for line in errors.__doc__.splitlines()[2:]:
        drawn, name = line[: len(line) - len(line.lstrip("│├└─ "))], line.lstrip("│├└─ ").split()[0]
        kind = vars(errors)[name]
        depth = len(drawn) // 4
        assert len(kind.__mro__) - len(DistrolessError.__mro__) == depth, name
    drawn_names = {line.lstrip("│├└─ ").split()[0] for line in errors.__doc__.splitlines()[2:]}
    assert drawn_names == {kind.__name__ for kind in ERRORS}


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("mian", ["main", "other"], 'did you mean "main"?'),
        ("srcss", iter(["srcs"]), 'did you mean "srcs"?'),
        ("x", ["main"], ""),
        ("", ["main"], ""),
        ("main", [], ""),
    ],
)
def test_did_you_mean(word: str, known: object, hint: str) -> None:
    assert did_you_mean(word, known) == hint
