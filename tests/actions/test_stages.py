"""Where the cut between build stage and runtime stage runs, and what crosses it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.actions.action import Action
from distroless_rules.actions.analysed import Analysis
from distroless_rules.actions.stages import Stages, staged, stages
from tests.actions.test_graph import action, derived


def _divided(actions: tuple[Action, ...], *wanted: str) -> str:
    return _text(stages(Analysis(actions), [derived(path) for path in wanted]))


def _text(divided: Stages) -> str:
    def names(actions: tuple[Action, ...]) -> str:
        return " ".join(action.outputs[0].artifact.path for action in actions)

    crosses = " ".join(f"{c.artifact.path}>{names(c.users)}" for c in divided.crossings)
    return f"{names(divided.build)} | {crosses} | {names(divided.runtime)}"


def test_what_a_build_action_needs_is_in_its_stage() -> None:
    actions = (
        action("deb"),
        action("compiler", "deb"),
        action("program", "compiler", "src:main.c", stage="build"),
        action("image", "program"),
    )
    assert _divided(actions, "image") == "deb compiler program | program>image | image"


def test_what_both_stages_need_is_in_the_runtime_stage() -> None:
    actions = (action("deb"), action("program", "deb", stage="build"), action("image", "program", "deb"))
    assert _divided(actions, "image") == "program | program>image | deb image"


def test_what_is_not_needed_is_left_out() -> None:
    assert _divided((action("a"), action("b", "a"), action("c", "a", stage="build")), "b") == " |  | a b"
    assert _divided((action("a"),), "b") == " |  | "


def test_a_wanted_file_of_the_build_stage_comes_out() -> None:
    assert _divided((action("a"), action("b", "a", stage="build")), "b") == "a b | b> | "


def test_targets_that_are_needed_to_build_only_have_build_actions() -> None:
    unpack = replace(action("deb", owner="@trixie//gcc"), mnemonic="DebUnpack")
    actions = (unpack, action("gen", owner="//g:g"), action("image", "gen", "deb", owner="//a:image"))
    analysis = staged(Analysis(actions), {"//a:image"})
    assert _text(stages(analysis, [derived("image")])) == "gen | gen>image | deb image"


@given(st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 9), max_size=4)), min_size=1, max_size=10))
def test_every_needed_action_is_on_one_side(rows: list[tuple[bool, set[int]]]) -> None:
    actions = tuple(
        action(f"f{at}", *(f"f{need}" for need in sorted(needs) if need < at), stage="build" if build else "runtime")
        for at, (build, needs) in enumerate(rows)
    )
    wanted = derived(f"f{len(actions) - 1}")
    divided = stages(Analysis(actions), [wanted])
    build, runtime = set(divided.build), set(divided.runtime)
    makers = {each.outputs[0].artifact: each for each in actions}
    assert not build & runtime
    assert makers[wanted] in build | runtime
    read = {(makers[named.artifact], user) for user in build | runtime for named in user.inputs}
    assert {maker for maker, _ in read} <= build | runtime
    crossing = {(crossing.maker, user) for crossing in divided.crossings for user in crossing.users}
    assert crossing == {(maker, user) for maker, user in read if maker in build and user in runtime}
    assert all(each.stage == "runtime" for each in runtime)
    for each in build:  # whatever could be in the runtime stage is there
        assert each.stage == "build" or not any(maker is each and user in runtime for maker, user in read)
