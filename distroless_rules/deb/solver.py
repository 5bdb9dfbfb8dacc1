"""A small satisfiability solver: clauses in, a choice that satisfies them or a proof that there is none out.

Variables are positive numbers, literals are a variable or its negation. The clauses of a variable are asked for when
the variable first becomes true (``expand``), so that only what is really reached is looked at. It is conflict-driven:
unit propagation, learning at the first unique implication point, back-jumping. What is chosen is the first possible
literal of the open clause that comes first, so that the order of clauses and of the literals in them is a preference.

Source: Marques-Silva, Lynce, Malik, "Conflict-Driven Clause Learning SAT Solvers", Handbook of Satisfiability (2009).
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

__all__ = ["Clause", "GaveUpError", "Solver", "UnsatisfiableError"]


@dataclass(eq=False, slots=True)
class Clause:
    """A disjunction, with what it says in the user's world.

    Attributes:
        literals: of which one must hold; the positive ones in order of preference.
        why: what it stands for; the solver does not look at it.
        rank: clauses of a lower rank are decided first; None: nothing is to be decided, as what is not decided is
            false and satisfies it.
        eager: how many of the first positive literals are tried even where a later one holds already.
        sources: of a learnt clause, the clauses that it follows from.
    """

    literals: tuple[int, ...]
    why: object = None
    rank: int | None = None
    eager: int = 0
    sources: tuple[Clause, ...] = field(default=(), repr=False)


class UnsatisfiableError(Exception):
    """No choice satisfies all clauses; ``core`` are clauses that already contradict each other, in a fixed order."""

    def __init__(self, core: Sequence[Clause]) -> None:
        super().__init__("unsatisfiable")
        self.core = tuple(core)


class GaveUpError(Exception):
    """The search met too many dead ends; ``dead_ends`` is their number."""

    def __init__(self, dead_ends: int) -> None:
        super().__init__(f"gave up after {dead_ends} dead ends")
        self.dead_ends = dead_ends


class Solver:
    """One search.

    Args:
        expand: gives the clauses that come with a variable; asked once for each that becomes true, at the first time.
            They may name variables that were not named before.
        limit: the number of dead ends after which the search is given up.
    """

    def __init__(self, expand: Callable[[int], Iterable[Clause]], limit: int = 4000) -> None:
        self._expand = expand
        self._limit = limit
        self._value: dict[int, bool] = {}
        self._level: dict[int, int] = {}
        self._reason: dict[int, Clause | None] = {}
        self._trail: list[int] = []
        self._starts: list[int] = []  # where each decision level begins in the trail
        self._seen: defaultdict[int, list[Clause]] = defaultdict(list)  # literal -> clauses to look at when it is false
        self._own: dict[int, list[Clause]] = {}  # variable -> the clauses to be decided that it came with
        self._open: list[tuple[int, int, Clause]] = []  # a heap of clauses that may need a decision
        self._queued: set[Clause] = set()  # those in the heap
        self._closed: list[tuple[int, Clause]] = []  # those found satisfied, with the level at which they were
        self._order: dict[Clause, int] = {}
        self._next = 0  # place in the trail up to which consequences are drawn

    def solve(self, clauses: Iterable[Clause]) -> Callable[[int], bool]:
        """Search for a choice that satisfies ``clauses`` and all that come with the variables that it makes true.

        Returns:
            Whether a variable is true.

        Raises:
            UnsatisfiableError: if there is none.
            GaveUpError: if the limit is reached.
        """
        conflict = self._add(clauses)
        dead_ends = 0
        while True:
            conflict = conflict or self._propagate()
            if conflict is None:
                literal = self._decide()
                if literal is None:
                    return lambda variable: self._value.get(variable, False)
                self._starts.append(len(self._trail))
                self._assign(literal, None)
                continue
            dead_ends += 1
            if dead_ends > self._limit:
                raise GaveUpError(dead_ends)
            conflict = self._learn(conflict)

    def _add(self, clauses: Iterable[Clause]) -> Clause | None:
        """Take clauses up under what is assigned now; gives one that cannot hold any more, if there is one."""
        conflict = None
        for clause in clauses:
            self._order.setdefault(clause, len(self._order))
            for literal in clause.literals:
                self._seen[literal].append(clause)
            if clause.rank is not None:
                self._push(clause)
            conflict = self._draw(clause) or conflict
        return conflict

    def _push(self, clause: Clause) -> None:
        if clause not in self._queued:
            self._queued.add(clause)
            heapq.heappush(self._open, (clause.rank or 0, self._order[clause], clause))

    def _draw(self, clause: Clause) -> Clause | None:
        """Draw the consequence of a clause: assign its last literal, or give it back if none is left."""
        value = self._value
        last = 0
        for literal in clause.literals:
            known = value.get(abs(literal))
            if known is None:
                if last:
                    return None
                last = literal
            elif known is (literal > 0):
                return None
        if not last:
            return clause
        self._assign(last, clause)
        return None

    def _assign(self, literal: int, reason: Clause | None) -> None:
        variable = abs(literal)
        self._value[variable] = literal > 0
        self._level[variable] = len(self._starts)
        self._reason[variable] = reason
        self._trail.append(literal)

    def _propagate(self) -> Clause | None:
        while self._next < len(self._trail):
            literal = self._trail[self._next]
            self._next += 1
            for clause in self._seen[-literal]:
                if self._draw(clause):
                    return clause
            if literal > 0 and (conflict := self._reach(literal)):
                return conflict
        return None

    def _reach(self, variable: int) -> Clause | None:
        """Take up what comes with a variable that became true."""
        own = self._own.get(variable)
        if own is not None:
            for clause in own:
                self._push(clause)
            return None
        clauses = list(self._expand(variable))
        self._own[variable] = [clause for clause in clauses if clause.rank is not None and -variable in clause.literals]
        return self._add(clauses)

    def _decide(self) -> int | None:
        """Give the literal to try next, None if every clause is satisfied."""
        while self._open:
            clause = self._open[0][2]
            choice = self._choice(clause)
            if choice:
                return choice
            heapq.heappop(self._open)
            self._queued.discard(clause)
            if choice is not None:
                self._closed.append((len(self._starts), clause))
        return None

    def _choice(self, clause: Clause) -> int | None:
        """Give the literal of a clause to try; 0 if it is satisfied, None if the variable that it belongs to is out.

        A clause whose variable comes in again is brought along by that.
        """
        choice = 0
        place = 0
        for literal in clause.literals:
            known = self._value.get(abs(literal))
            if known is None and literal < 0:
                return None
            if known is (literal > 0):
                return 0
            place += literal > 0
            if known is None and not choice:
                if place <= clause.eager:
                    return literal
                choice = literal
        assert choice, "a clause whose literals are all false was found in propagation"
        return choice

    def _learn(self, conflict: Clause) -> Clause | None:
        """Learn from a dead end and go back to where the lesson would have mattered; gives the next one, if any."""
        self._back(max((self._level[abs(literal)] for literal in conflict.literals), default=0))
        if not self._starts:
            raise UnsatisfiableError(self._core(conflict))
        clause, level = self._analyse(conflict)
        self._back(level)
        return self._add([clause])

    def _analyse(self, conflict: Clause) -> tuple[Clause, int]:
        """Resolve a conflict back to the first unique implication point; gives the clause and where it is unit."""
        here = len(self._starts)
        sources: list[Clause] = []
        kept: set[int] = set()
        marked: set[int] = set()
        waiting = 0
        place = len(self._trail)
        clause: Clause | None = conflict
        while True:
            assert clause is not None, "a decision is its level's first literal, so the walk ends there"
            sources.append(clause)
            for literal in clause.literals:
                variable = abs(literal)
                if variable in marked:
                    continue
                marked.add(variable)
                if self._level[variable] == here:
                    waiting += 1
                else:  # level 0 too: what led to it is part of the proof
                    kept.add(literal)
            place -= 1
            while abs(self._trail[place]) not in marked:
                place -= 1
            point = self._trail[place]
            waiting -= 1
            if not waiting:
                break
            clause = self._reason[abs(point)]
        back = max((self._level[abs(literal)] for literal in kept), default=0)
        return Clause((-point, *sorted(kept)), sources=tuple(sources)), back

    def _core(self, conflict: Clause) -> list[Clause]:
        """Give the clauses, of those given, that lead to a conflict without any decision."""
        used = {conflict}
        todo = [conflict]
        while todo:
            for literal in todo.pop().literals:
                reason = self._reason[abs(literal)]
                if reason is not None and reason not in used:
                    used.add(reason)
                    todo.append(reason)
        todo = list(used)
        while todo:
            new = [source for source in todo.pop().sources if source not in used]
            used.update(new)
            todo.extend(new)
        return sorted((clause for clause in used if not clause.sources), key=self._order.__getitem__)

    def _back(self, level: int) -> None:
        """Undo everything above a decision level."""
        if len(self._starts) <= level:
            return
        start = self._starts[level]
        for literal in self._trail[start:]:
            del self._value[abs(literal)]
        del self._trail[start:], self._starts[level:]
        self._next = min(self._next, start)
        while self._closed and self._closed[-1][0] > level:
            self._push(self._closed.pop()[1])
