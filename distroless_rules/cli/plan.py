"""``distroless plan``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from distroless_rules.cli.common import Flags, open_here, options, print_messages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distroless_rules.actions.action import Action
    from distroless_rules.build import Options
    from distroless_rules.cli.plan_text import Planned
    from distroless_rules.project import Project
    from distroless_rules.values.request import Request

__all__ = ["command"]


@click.command()
@click.argument("target")
@click.option("--json", "output", flag_value="json", help="Print the plan as JSON.")
@click.option("--dot", "output", flag_value="dot", help="Print the actions as a graph for Graphviz.")
@options("platform", "define", "locked")
def command(flags: Flags, target: str, output: str | None) -> None:
    """Show the stages of TARGET, what crosses between them, and what is cached; nothing is built or fetched.

    A lock that is missing or stale is made first, as for a build.
    """
    from distroless_rules.cli.plan_text import drawn
    from distroless_rules.cli.progress import Progress

    with Progress() as progress:
        project = open_here(flags, progress)
        wanted = flags.request_one(project, target, f'plan "{target}"')
        planned, messages = _planned(project, wanted, flags.build)
    print_messages(messages)
    if output == "json":
        click.echo(json.dumps(_document(planned), indent=2))
    else:
        click.echo("\n".join(_dot(planned) if output == "dot" else drawn(planned)))


def _planned(project: Project, wanted: Request, how: Options) -> tuple[Planned, tuple[str, ...]]:
    """Analyse, and foresee what a build would do; give what BUILD files printed, too."""
    from distroless_rules import build as spine
    from distroless_rules import outputs
    from distroless_rules.actions.stages import staged, stages
    from distroless_rules.cli.plan_text import Planned
    from distroless_rules.execution import events
    from distroless_rules.execution.forecast import forecast
    from distroless_rules.execution.plan import make
    from distroless_rules.machine import Machine

    analysis, _ = spine.analysed(project, wanted, how)
    analysis = staged(analysis, _runtime(project, wanted))
    target = analysis.wanted[0]
    artifacts = list(outputs.artifacts(target))
    divided = stages(analysis, artifacts)
    plan = make(analysis.actions, artifacts)
    with Machine(project, 1, events.ignore) as machine:
        foreseen = forecast(plan, artifacts, machine.executor, machine.supply)
    states = {plan.actions[position]: foreseen.states[position] for position in plan.needed}
    platforms = dict.fromkeys(action.platform for action in states if action.platform)
    return Planned(target, ", ".join(platforms), divided, states, foreseen), analysis.messages


def _runtime(project: Project, wanted: Request) -> frozenset[str]:
    """Give the labels of what the target reaches by runtime edges alone."""
    from distroless_rules.asking import ask
    from distroless_rules.targets.query import Question
    from distroless_rules.targets.query_syntax import Call, Matches

    everything = Call("deps", (Matches(wanted.patterns),))
    answer = ask(project, Question(everything, frozenset({"runtime"}), wanted.platform, wanted.define))
    return frozenset(node.label for node in answer.nodes)


def _document(planned: Planned) -> dict[str, object]:
    crossings = [
        {
            "path": crossing.artifact.path,
            "from": crossing.maker.owner,
            "to": list(dict.fromkeys(user.owner for user in crossing.users)),
        }
        for crossing in planned.stages.crossings
    ]
    downloads = [
        {"path": artifact.path, "size": artifact.digest.size, "sha256": artifact.digest.hash}
        for artifact in planned.forecast.downloads
        if artifact.digest
    ]
    return {
        "label": str(planned.wanted.label),
        "rule": planned.wanted.rule,
        "platform": planned.platform,
        "build": [_row(planned, action) for action in planned.stages.build],
        "crosses": crossings,
        "offered": list(planned.stages.offered),
        "runtime": [_row(planned, action) for action in planned.stages.runtime],
        "downloads": downloads,
    }


def _row(planned: Planned, action: Action) -> dict[str, object]:
    """Describe an action; digests and sizes of outputs are there where they are known beforehand."""
    outputs = []
    for named in action.outputs:
        digest = planned.forecast.digests.get(named.artifact.path)
        known = {"size": digest.size, "sha256": digest.hash} if digest else {"size": None, "sha256": None}
        outputs.append({"name": named.name, "path": named.artifact.path, **known})
    return {
        "mnemonic": action.mnemonic,
        "owner": action.owner,
        "platform": action.platform or None,
        "state": planned.states[action].value,
        "progress": action.progress,
        "inputs": [{"name": named.name, "path": named.artifact.path} for named in action.inputs],
        "outputs": outputs,
    }


def _dot(planned: Planned) -> Iterator[str]:
    """Draw the actions, a box for each stage, with an arrow for each file that goes from one to another."""
    from distroless_rules.cli.query import quoted
    from distroless_rules.execution.forecast import State

    to_run = ", fillcolor=lightyellow"
    looks = {State.CACHED: "", State.RUN: to_run, State.OPEN: f'{to_run}, style="filled,dashed"'}
    yield "digraph plan {"
    yield "  rankdir=LR;"
    yield "  node [shape=box, style=filled, fillcolor=white];"
    numbers: dict[Action, int] = {}
    for stage, actions in (("build", planned.stages.build), ("runtime", planned.stages.runtime)):
        if actions:
            yield f"  subgraph cluster_{stage} {{"
            yield f'    label="{stage} stage";'
            for action in actions:
                numbers[action] = len(numbers)
                look = looks[planned.states[action]]
                yield f"    a{numbers[action]} [label={quoted(action.progress)}{look}];"
            yield "  }"
    makers = {named.artifact: action for action in numbers for named in action.outputs}
    build = frozenset(planned.stages.build)
    for action in numbers:
        for maker in dict.fromkeys(makers[n.artifact] for n in action.inputs if n.artifact in makers):
            style = " [style=bold]" if maker in build and action not in build else ""
            yield f"  a{numbers[maker]} -> a{numbers[action]}{style};"
    yield "}"
