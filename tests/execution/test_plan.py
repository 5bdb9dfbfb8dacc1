"""Plans: what is needed, what waits for what, and what is most urgent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.actions.action import Action
from distroless_rules.errors import InternalError
from distroless_rules.execution.plan import make
from tests.support.workshop import action, out, source


def test_a_diamond() -> None:
    actions = [
        action("top", inputs={"l": out("left"), "r": out("right"), "s": source("file")}, weight=1),
        action("left", inputs={"in": out("base")}, weight=10),
        action("right", inputs={"in": out("base")}, weight=20),
        action("base", weight=5),
        action("other", inputs={"in": out("base")}, weight=500),
    ]
    plan = make(actions, [out("top"), source("file")])
    assert [actions[at].owner for at in plan.needed] == ["base", "left", "right", "top"]
    assert plan.waits == {3: 0, 1: 1, 2: 1, 0: 2}
    assert plan.consumers == {3: [1, 2], 1: [0], 2: [0], 0: []}
    assert plan.priority == {0: 2, 2: 23, 1: 13, 3: 29}
    assert plan.producer["base/out"] == 3


def test_nothing_wanted_needs_nothing() -> None:
    assert make([action("a")], []).needed == []


def test_a_producer_of_several_inputs_is_waited_for_once() -> None:
    actions = [action("two", outputs=("x", "y")), action("use", inputs={"1": out("two", "x"), "2": out("two", "y")})]
    assert make(actions, [out("use")]).waits == {0: 0, 1: 1}


def test_a_long_chain_needs_no_deep_stack() -> None:
    length = 20_000
    actions = [action("0"), *(action(str(n), inputs={"in": out(str(n - 1))}) for n in range(1, length))]
    plan = make(actions, [out(str(length - 1))])
    assert plan.needed == list(range(length))
    assert plan.priority[0] == length


@pytest.mark.parametrize("length", [1, 2, 5])
def test_cycles_are_named(length: int) -> None:
    actions = [action(str(n), inputs={"in": out(str((n + 1) % length))}) for n in range(length)]
    with pytest.raises(InternalError, match="it needs itself"):
        make(actions, [out("0")])


@st.composite
def graphs(draw: st.DrawFn) -> list[Action]:
    """Draw actions in any order, each reading outputs of some before it."""
    count = draw(st.integers(1, 12))
    actions = []
    for number in range(count):
        needs = draw(st.sets(st.integers(0, number - 1), max_size=4)) if number else set()
        inputs = {str(need): out(str(need)) for need in needs}
        actions.append(action(str(number), inputs=inputs, weight=draw(st.integers(0, 5))))
    return draw(st.permutations(actions))


def _longest(actions: list[Action], needed: set[int], at: int) -> int:
    uses = [
        user
        for user in needed
        if any(named.artifact == actions[at].outputs[0].artifact for named in actions[user].inputs)
    ]
    return actions[at].weight + 1 + max((_longest(actions, needed, user) for user in uses), default=0)


@given(actions=graphs(), data=st.data())
def test_any_graph(actions: list[Action], data: st.DataObject) -> None:
    wanted = data.draw(st.sets(st.sampled_from([each.outputs[0].artifact for each in actions])))
    plan = make(actions, wanted)
    place = {at: order for order, at in enumerate(plan.needed)}
    makers = {plan.producer[artifact.path] for artifact in wanted}
    assert makers <= set(plan.needed)
    for at in plan.needed:
        sources = {plan.producer[named.artifact.path] for named in actions[at].inputs}
        assert all(place[source] < place[at] for source in sources)
        assert plan.waits[at] == len(sources)
        assert all(at in plan.consumers[source] for source in sources)
        assert at in makers or plan.consumers[at], "what nobody uses is not needed"
        assert plan.priority[at] == _longest(actions, set(plan.needed), at)
