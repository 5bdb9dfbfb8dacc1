"""The solver against brute force, and what its proofs and limits are."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.deb.solver import Clause, GaveUpError, Solver, UnsatisfiableError

VARIABLES = range(1, 8)
Literals = tuple[int, ...]


def variables(least: int, most: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.sampled_from(VARIABLES), min_size=least, max_size=most, unique=True)


WANTED = st.lists(variables(1, 3).map(tuple), min_size=1, max_size=4)
OWN = st.dictionaries(
    st.sampled_from(VARIABLES),
    st.lists(variables(0, 3) | st.sampled_from(VARIABLES).map(lambda other: [-other]), max_size=3),
)


def made(literals: Literals) -> Clause:
    return Clause(literals, rank=len(literals) % 3 if any(literal > 0 for literal in literals) else None)


def satisfiable(clauses: list[Literals]) -> bool:
    return any(
        all(any((abs(literal) in true) == (literal > 0) for literal in clause) for clause in clauses)
        for size in range(len(VARIABLES) + 1)
        for true in map(set, itertools.combinations(VARIABLES, size))
    )


@given(WANTED, OWN)
def test_it_finds_a_choice_or_clauses_that_contradict_each_other(
    wanted: list[Literals], own: dict[int, list[list[int]]]
) -> None:
    clauses = {variable: [made((-variable, *rest)) for rest in own.get(variable, [])] for variable in VARIABLES}
    everything = [*wanted, *(clause.literals for many in clauses.values() for clause in many)]
    holds, core = None, []
    try:
        holds = Solver(lambda variable: clauses[variable]).solve([made(clause) for clause in wanted])
    except UnsatisfiableError as error:
        core = [clause.literals for clause in error.core]
    if holds is None:
        assert not satisfiable(core)
        assert set(core) <= set(everything)
    else:
        for clause in everything:
            assert any(holds(abs(literal)) == (literal > 0) for literal in clause), clause


def test_the_first_literal_is_taken_unless_it_cannot_be() -> None:
    clauses = {1: [Clause((-1, -2))], 2: [], 3: []}
    holds = Solver(clauses.__getitem__).solve([Clause((1, 3), rank=1), Clause((2,), rank=0)])
    assert [holds(variable) for variable in (1, 2, 3)] == [False, True, True]


def test_only_what_is_reached_is_asked_for() -> None:
    asked: list[int] = []

    def expand(variable: int) -> list[Clause]:
        asked.append(variable)
        return [Clause((-variable, variable + 1), rank=1)] if variable < 3 else []

    Solver(expand).solve([Clause((1, 10), rank=1)])
    assert asked == [1, 2, 3]


def test_the_search_is_given_up_at_its_limit() -> None:
    # Eight pigeons, seven holes: resolution needs exponentially many steps.
    def at(pigeon: int, hole: int) -> int:
        return pigeon * 7 + hole + 1

    full = [Clause(tuple(at(pigeon, hole) for hole in range(7)), rank=0) for pigeon in range(8)]
    alone = [
        Clause((-at(one, hole), -at(other, hole)))
        for hole in range(7)
        for one, other in itertools.combinations(range(8), 2)
    ]
    with pytest.raises(GaveUpError) as caught:
        Solver(lambda _: [], limit=50).solve([*full, *alone])
    assert caught.value.dead_ends == 51
