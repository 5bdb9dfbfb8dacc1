"""The spine: what is asked for is loaded, resolved, analysed and executed, and its outputs are put in place.

Nothing is done twice: when nothing that the last build of the same request looked at has changed, its outputs stand
(``state``); when only source files have changed, its action graph stands.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from distroless_rules import outputs, state
from distroless_rules.actions.analysed import Analysis, Wanted
from distroless_rules.actions.artifact import Artifact
from distroless_rules.errors import (
    ActionError,
    AnalysisError,
    DistrolessError,
    FetchError,
    FormatError,
    StaleLockError,
    StorageError,
    TrustError,
)
from distroless_rules.execution import events
from distroless_rules.project import Project
from distroless_rules.values.request import Request

if TYPE_CHECKING:
    from distroless_rules.execution.outcome import Outcome
    from distroless_rules.loading.files import Seen
    from distroless_rules.logs.journal import Journal
    from distroless_rules.machine import Machine

__all__ = ["Built", "Options", "analysed", "build", "made"]


@dataclass(frozen=True)
class Options:
    """How to build.

    Attributes:
        jobs: threads; 0: one for each core.
        keep_going: whether to go on after a failure with what does not need it.
        locked: whether a lock that is missing or stale is an error.
        sandbox_debug: whether the sandbox of an action that fails stays.
        minimal: whether digests are all that is wanted: nothing is put into the output folder, nor brought for it.
    """

    jobs: int = 0
    keep_going: bool = False
    locked: bool = False
    sandbox_debug: bool = False
    minimal: bool = False


@dataclass(frozen=True)
class Built:
    """What a build gives.

    Attributes:
        results: each target asked for, with what is in its place in the output folder.
        counts: how many actions ended how; None when nothing had changed.
        failures: what could not be made, under ``keep_going``.
        traffic: how many bytes went to the shared cache and the engine, and came from them.
        messages: what BUILD files printed.
        warnings: what images were built with and say nothing, as ``warned`` has it.
    """

    results: tuple[outputs.Result, ...]
    counts: events.Counts | None
    failures: tuple[DistrolessError, ...] = ()
    traffic: tuple[int, int] = (0, 0)
    messages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def build(project: Project, request: Request, options: Options, listener: events.Listener) -> Built:
    """Build what is asked for, and put it below the output folder, unless only digests are wanted.

    Raises:
        DistrolessError: whatever keeps it from being built; the last outputs stay as they were.
    """
    begun = time.monotonic()
    stamp = state.Stamp(project, request, "learn" if options.minimal else "build")
    results = stamp.unchanged()
    looked = events.Phase("look for changes", begun, time.monotonic())
    if results is not None:
        listener(looked)
        listener(events.Configured(tuple((result.label, result.rule) for result in results)))
        return Built(results, None, warnings=stamp.warnings)
    from distroless_rules.logs.journal import Journal

    with Journal(project, request, "build", listener, begun) as journal:
        journal.listen(looked)
        analysis = stamp.analysis()
        if analysis is None:
            analysis, seen = analysed(project, request, options, journal.listen)
            stamp.looked_at(seen, analysis)
        return _built(project, analysis, stamp, options, journal)


def _built(project: Project, analysis: Analysis, stamp: state.Stamp, options: Options, journal: Journal) -> Built:
    """Build what an analysis says."""
    opened = time.monotonic()
    from distroless_rules import warned
    from distroless_rules.machine import Machine

    journal.listen(events.Configured(tuple((str(wanted.label), wanted.rule) for wanted in analysis.wanted)))
    complete: list[Wanted] = []
    results: tuple[outputs.Result, ...] = ()
    with Machine(project, options.jobs, journal.listen, sandbox_debug=options.sandbox_debug) as machine:
        journal.listen(events.Phase("open the caches", opened, time.monotonic()))
        try:
            outcome, placed, complete, results = _made(project, machine, analysis, options, journal.listen)
        finally:
            journal.gather(machine.executor, machine.supply, stamp.declared, complete, results)
        failures = tuple(failure.error for failure in outcome.failures)
        warnings = warned.warnings(analysis, outcome.made, machine.store)
        if not failures:
            try:
                stamp.save(results, placed.marks(), warnings)
            except StorageError as error:
                journal.warn(error)
    journal.traffic = machine.traffic
    journal.failed = failures[0] if failures else None
    return Built(results, outcome.counts, failures, machine.traffic, analysis.messages, warnings)


def _made(
    project: Project, machine: Machine, analysis: Analysis, options: Options, listener: events.Listener
) -> tuple[Outcome, outputs.Outputs, list[Wanted], tuple[outputs.Result, ...]]:
    """Execute, and put outputs in place; what vanishes from a cache in between is made again."""
    from distroless_rules.execution.outcome import Diverged
    from distroless_rules.storage.store import MissingBlobError

    tries = 3
    while True:
        try:
            outcome = machine.execute(analysis, options.keep_going)
        except Diverged:
            tries -= 1
            if not tries:
                raise
            continue
        for failure in outcome.failures:
            blamed = isinstance(failure.error, (ActionError, AnalysisError, FetchError, FormatError, TrustError))
            if failure.action and blamed and failure.error.at is None:
                failure.error.at = analysis.places.get(failure.action.owner)
        if outcome.failures and not options.keep_going:
            raise outcome.failures[0].error
        placed = outputs.Outputs(project.outputs, outcome.digests, machine.store)
        complete = [w for w in analysis.wanted if all(a in outcome.digests for a in outputs.artifacts(w))]
        needed, put = (outputs.descriptors, placed.learn) if options.minimal else (outputs.artifacts, placed.place)
        machine.store.bring(outcome.digests[a] for w in complete for a in needed(w))
        begun = time.monotonic()
        try:
            results = tuple(map(put, complete))
        except MissingBlobError:
            tries -= 1
            if not tries:
                raise
        else:
            listener(events.Phase("put in place", begun, time.monotonic()))
            return outcome, placed, complete, results


def analysed(
    project: Project, request: Request, options: Options, listener: events.Listener = events.ignore
) -> tuple[Analysis, Seen]:
    """Load and analyse, locking first where that is needed; give the analysis and what was looked at."""
    from distroless_rules.actions.evaluate import evaluate

    begun = time.monotonic()
    lock = project.lock_for_build(options.locked)
    listener(events.Phase("lock", begun, time.monotonic()))
    try:
        evaluated = evaluate(project.workspace, lock, request, project.engine, partial(_warm_up, project))
    except StaleLockError as error:
        if options.locked:
            raise
        lock = project.make_lock(f"{error.doing.partition(' ')[2]} is new")
        evaluated = evaluate(project.workspace, lock, request, project.engine)
    for phase in evaluated.phases:
        listener(events.Phase(*phase))
    return evaluated.analysis, evaluated.seen


def made(
    project: Project, analysis: Analysis, artifact: Artifact, options: Options, listener: events.Listener
) -> bytes:
    """Make one file of an analysis, whatever was asked for, and give its bytes; the output folder stays as it is.

    Raises:
        DistrolessError: whatever keeps it from being made.
    """
    from distroless_rules.machine import Machine

    wanted = Wanted(analysis.wanted[0].label, "", (artifact,))
    with Machine(project, options.jobs, listener, sandbox_debug=options.sandbox_debug) as machine:
        outcome = machine.execute(replace(analysis, wanted=(wanted,)), keep_going=False)
        if outcome.failures:
            raise outcome.failures[0].error
        return machine.store.path(outcome.digests[artifact]).read_bytes()


def _warm_up(project: Project) -> None:
    """Import, while a child process evaluates, what the build needs next."""
    import distroless_rules.tools.deb_unpack  # noqa: F401 - by which most cold builds begin
    from distroless_rules import machine

    machine.prepare(project)
