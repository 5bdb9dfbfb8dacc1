"""Tests: the tests that patterns name are built and run; how each ended comes out.

A test is an action whose output is the log of what it printed: it is cached as any action is, and one that failed is
not. One that is run several times is as many actions, each with its number in its key.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from distroless_rules import outputs, state
from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.analysed import Analysis, Wanted
from distroless_rules.actions.artifact import Artifact
from distroless_rules.actions.command import Command, execution_path
from distroless_rules.build import Options, analysed
from distroless_rules.errors import DistrolessError, RequestError, TestError
from distroless_rules.execution import events
from distroless_rules.project import Project
from distroless_rules.values.label import Label
from distroless_rules.values.platform import HOST
from distroless_rules.values.request import Request

if TYPE_CHECKING:
    from distroless_rules.execution.outcome import Outcome
    from distroless_rules.logs.journal import Journal
    from distroless_rules.machine import Machine

__all__ = ["How", "Tested", "Tests", "Verdict", "test"]


class Verdict(Enum):
    """How a test ended."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    NOT_BUILT = "NOT BUILT"


@dataclass(frozen=True)
class How:
    """How to test.

    Attributes:
        runs: how often each test runs.
        again: whether a test runs whose result is known.
        seconds: that each test may take; 0: what it says itself.
        arguments: further ones of every test.
        environment: further variables of every test.
    """

    runs: int = 1
    again: bool = False
    seconds: int = 0
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Tested:
    """One run of a test.

    Attributes:
        label: the test.
        run: its number, from 1.
        verdict: how it ended.
        cached: whether that was known before.
        milliseconds: how long it took when it ran.
        cause: why it failed, ``""`` if it passed or was not built.
        log: the file in the output folder with what it printed; None if it did not run.
    """

    label: str
    run: int
    verdict: Verdict
    cached: bool
    milliseconds: int
    cause: str
    log: Path | None


@dataclass(frozen=True)
class Tests:
    """How tests ended.

    Attributes:
        tested: all runs, in the order of their labels.
        failures: what else failed: what kept tests from being built.
        messages: what BUILD files printed.
        counts: how many actions ended how.
        traffic: how many bytes went to the shared cache and the engine, and came from them.
        warnings: what images were built with and say nothing, as ``warned`` has it.
    """

    tested: tuple[Tested, ...]
    failures: tuple[DistrolessError, ...]
    messages: tuple[str, ...]
    counts: events.Counts
    traffic: tuple[int, int]
    warnings: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every run of every test passed."""
        return all(each.verdict is Verdict.PASSED for each in self.tested)


@dataclass(frozen=True)
class _Run:
    """A run of a test: the action that performs it, and its log."""

    label: str
    number: int
    action: Action
    log: Artifact


def test(project: Project, request: Request, options: Options, how: How, listener: events.Listener) -> Tests:
    """Run the tests among what is asked for.

    Raises:
        RequestError: if there is none.
        DistrolessError: whatever keeps BUILD files from being evaluated, or all from being built.
    """
    from distroless_rules.logs.journal import Journal

    with Journal(project, request, "test", listener, time.monotonic(), tuple(how.environment)) as journal:
        stamp = state.Stamp(project, request, "test")
        analysis = stamp.analysis()
        if analysis is None:
            analysis, seen = analysed(project, request, options, journal.listen)
            stamp.looked_at(seen, analysis)
        stamp.save((), {})
        runs = list(_runs(analysis, how))
        if not runs:
            raise RequestError("test " + " ".join(map(str, request.patterns)), "there is no test among these targets")
        return _tested(
            project, replace(_analysis(analysis, runs), declared=stamp.declared), runs, options, how, journal
        )


def _tested(
    project: Project, analysis: Analysis, runs: list[_Run], options: Options, how: How, journal: Journal
) -> Tests:
    """Run tests, and what they need; ``analysis`` is of them alone."""
    from distroless_rules import warned
    from distroless_rules.machine import Machine

    endings: dict[Action, tuple[events.Ending, int]] = {}

    def listen(event: events.Event) -> None:
        if isinstance(event, events.ActionFinished):
            endings[event.action] = event.ending, event.milliseconds
        journal.listen(event)

    journal.listen(events.Configured(tuple(dict.fromkeys((run.label, "test") for run in runs))))
    again = frozenset(run.action for run in runs) if how.again else frozenset()
    debug = options.sandbox_debug
    with Machine(project, options.jobs, listen, sandbox_debug=debug, again=again) as machine:
        try:
            outcome = machine.execute(analysis, keep_going=True)
        finally:
            journal.gather(machine.executor, machine.supply, analysis.declared)
        tested = tuple(_judged(run, outcome, endings, project, machine) for run in runs)
        warnings = warned.warnings(analysis, outcome.made, machine.store)
    journal.traffic = machine.traffic
    ours = {run.action for run in runs}
    failures = []
    for failure in outcome.failures:
        if failure.action not in ours or not isinstance(failure.error, TestError):
            if failure.action is not None and failure.error.at is None:
                failure.error.at = analysis.places.get(failure.action.owner)
            failures.append(failure.error)
    journal.failed = outcome.failures[0].error if outcome.failures else None
    return Tests(tested, tuple(failures), analysis.messages, outcome.counts, machine.traffic, warnings)


def _runs(analysis: Analysis, how: How) -> Iterator[_Run]:
    makers = {named.artifact: action for action in analysis.actions for named in action.outputs}
    logs = dict.fromkeys(log for wanted in analysis.wanted for log in wanted.tests)
    for log in sorted(logs, key=lambda log: (log.owner, log.path)):
        for number in range(1, how.runs + 1):
            yield _configured(makers[log], log, number, how)


def _configured(action: Action, log: Artifact, number: int, how: How) -> _Run:
    """Give one run of a test; of several runs each has a log of its own."""
    if how.runs > 1:
        path = f"{log.path.removesuffix('.log')}_run_{number}_of_{how.runs}.log"
        moved = replace(log, path=path)
        outputs_ = [named for named in action.outputs if named.artifact != log]
        name = execution_path(moved) if action.run else next(n.name for n in action.outputs if n.artifact == log)
        named = sorted([*outputs_, Named(name, moved)], key=lambda named: named.name)
        action = replace(action, outputs=tuple(named))
        log = moved
    if not action.run:
        told = {"run": number} if how.runs > 1 else {}
        told |= {"seconds": how.seconds} if how.seconds else {}
        parameters = {**json.loads(action.parameters), **told}
        text = json.dumps(parameters, sort_keys=True, separators=(",", ":"))
        return _Run(log.owner, number, replace(action, parameters=text), log)
    command = Command.load(action.parameters)
    numbered = {"TEST_RUN_NUMBER": str(number)} if how.runs > 1 else {}
    changed = replace(
        command,
        arguments=(*command.arguments, *how.arguments),
        environment={**command.environment, **numbered, **how.environment},
        seconds=how.seconds or command.seconds,
        log=execution_path(log),
    )
    return _Run(log.owner, number, replace(action, parameters=changed.dump()), log)


def _analysis(analysis: Analysis, runs: list[_Run]) -> Analysis:
    """Give what performs the runs, and nothing that only other targets need."""
    tests = {log for wanted in analysis.wanted for log in wanted.tests}
    others = [a for a in analysis.actions if not any(named.artifact in tests for named in a.outputs)]
    wanted = [Wanted(Label.parse(run.label), "test", (run.log,)) for run in runs]
    return replace(analysis, actions=(*others, *(run.action for run in runs)), wanted=tuple(wanted))


def _judged(
    run: _Run,
    outcome: Outcome,
    endings: Mapping[Action, tuple[events.Ending, int]],
    project: Project,
    machine: Machine,
) -> Tested:
    """Say how a run ended, and put its log in its place."""
    path = project.outputs / run.log.path.partition("/")[2]
    error = next((failure.error for failure in outcome.failures if failure.action == run.action), None)
    if isinstance(error, TestError):
        _write(path, error.printed)
        verdict = Verdict.TIMEOUT if error.timeout else Verdict.FAILED
        platform = run.action.platform
        foreign = f"; it is for {platform}, and this machine is {HOST}" if platform not in ("", str(HOST)) else ""
        return Tested(run.label, run.number, verdict, False, error.milliseconds, error.cause + foreign, path)
    if error is not None or run.log not in outcome.digests:
        return Tested(run.label, run.number, Verdict.NOT_BUILT, False, 0, "", None)
    ending, spent = endings[run.action]
    placed = outputs.Outputs(project.outputs, outcome.digests, machine.store)
    placed.place(Wanted(Label.parse(run.label), "test", (run.log,)))
    return Tested(run.label, run.number, Verdict.PASSED, not ending.performed, spent, "", path)


def _write(path: Path, text: str) -> None:
    """Put the log of a test that failed in its place, in one step."""
    from distroless_rules.storage.folder import refused

    aside = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(f"{text}\n" if text else "", "utf-8")
        os.replace(aside, path)
    except OSError as error:
        raise refused("write a log to the output folder", error) from error
