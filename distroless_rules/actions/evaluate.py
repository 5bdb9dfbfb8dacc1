"""From patterns to the action graph, in a child process: load, configure, analyse."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from distroless_rules.actions import declared as declarations
from distroless_rules.actions.analysed import Analysis
from distroless_rules.actions.analysis import Session
from distroless_rules.actions.context import Context
from distroless_rules.actions.debs import Cut
from distroless_rules.errors import AnalysisError, ConfigError
from distroless_rules.loading import guard
from distroless_rules.loading.attributes import a_or_an
from distroless_rules.loading.files import Seen, WorkspaceFiles
from distroless_rules.loading.loader import Loader
from distroless_rules.loading.workspace import Workspace
from distroless_rules.targets.configuration import Configuration
from distroless_rules.targets.debs import DebTargets
from distroless_rules.targets.graph import TargetGraph, configure
from distroless_rules.targets.patterns import expand
from distroless_rules.targets.resolve import Resolver
from distroless_rules.targets.wanted import WantedDebs, wanted_debs
from distroless_rules.values.archive import Lock
from distroless_rules.values.label import Label
from distroless_rules.values.platform import HOST, Platform
from distroless_rules.values.request import Request

__all__ = ["Engine", "Evaluated", "analyse", "debs_wanted", "evaluate", "load", "platform_of"]


@dataclass(frozen=True)
class Engine:
    """What rules can use that is not theirs: the tools' names, the table of cuts, the compressors' recipes."""

    mnemonics: frozenset[str]
    cut: Cut
    compressors: Mapping[str, str]


@dataclass(frozen=True)
class Evaluated:
    """The action graph, and every file and folder that was looked at to make it.

    ``phases`` are what that was done in: name, begin and end in seconds of ``time.monotonic``.
    """

    analysis: Analysis
    seen: Seen
    phases: tuple[tuple[str, float, float], ...] = ()


def evaluate(
    workspace: Workspace,
    lock: Lock,
    request: Request,
    engine: Engine,
    meanwhile: Callable[[], object] = guard.nothing,
) -> Evaluated:
    """Load, configure and analyse what is asked for.

    Args:
        workspace: its settings.
        lock: the debs.
        request: what is asked for.
        engine: what rules can use that is not theirs.
        meanwhile: done in this process while a child evaluates.

    Raises:
        LoadError, AnalysisError, LabelError: naming the place in the workspace's files.
        StaleLockError: if the lock lacks a deb that is needed.
    """
    return guard.run(lambda enter: _evaluate(workspace, lock, request, engine, enter), meanwhile)


def debs_wanted(workspace: Workspace, engine: Engine) -> WantedDebs:
    """Load the whole workspace and give the debs that it names.

    Raises:
        LoadError, AnalysisError, LabelError: naming the place in the workspace's files.
    """

    def work(enter: Callable[[str], None]) -> WantedDebs:
        loader, _ = load(workspace, enter, engine)
        return wanted_debs(loader, workspace.archives or {})

    return guard.run(work)


def load(workspace: Workspace, enter: Callable[[str], None], engine: Engine) -> tuple[Loader, Session]:
    """Make a loader whose rules can be analysed by the session."""
    files = WorkspaceFiles(workspace.root, workspace.build_file, workspace.ignore)
    session = Session(Context(engine.mnemonics, engine.cut, engine.compressors))
    return Loader(workspace, files, session.calls(), enter), session


def _evaluate(
    workspace: Workspace, lock: Lock, request: Request, engine: Engine, enter: Callable[[str], None]
) -> Evaluated:
    begun = time.monotonic()
    loader, session = load(workspace, enter, engine)
    graph = analyse(loader, workspace, lock, request)
    loaded = time.monotonic()
    archives = list(workspace.archives or {})
    session.context.lock(lock, archives[0] if archives else "")
    analysis = session.analyse(loader, graph)
    text = declarations.dump(analysis, graph, loader.files.seen, lock)
    phases = (("load and configure", begun, loaded), ("analyse", loaded, time.monotonic()))
    return Evaluated(replace(analysis, declared=text), loader.files.seen, phases)


def analyse(loader: Loader, workspace: Workspace, lock: Lock, request: Request) -> TargetGraph:
    """Give the configured target graph of what is asked for."""
    archives = workspace.archives or {}
    resolver = Resolver(loader, archives)
    labels = expand(loader, request.patterns)
    configuration = Configuration(platform_of(resolver, request.platform), request.define)
    return configure(loader, resolver, DebTargets(loader, archives, lock), labels, configuration)


def platform_of(resolver: Resolver, text: str) -> Platform:
    """Give the platform that ``--platform`` means: a platform's name, the label of one, ``""`` for this machine's.

    Raises:
        ConfigError: if it is none.
        AnalysisError, LabelError, LoadError: if a label does not lead to one.
    """
    if not text:
        return HOST
    if not text.startswith(("//", "@", ":")):
        return Platform.parse(text)
    declared = resolver.declared(Label.parse(text))
    if declared.rule.name != "platform":
        raise AnalysisError(f'use platform "{text}"', f"it is {a_or_an(declared.rule.name)}, not a platform")
    try:
        return Platform.parse(declared.values["platform"])
    except ConfigError as error:
        error.at = resolver.loader.refined(declared, attribute="platform")
        raise
