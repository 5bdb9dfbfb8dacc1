"""The spine of ``why``: an image and a path or deb of it in, the chain that brought it there out.

A path's origin is what ``Compose`` decided: the deb, or the file that a target put there. A deb's chain leads from the
image through targets to a deb that one of them names for the run time, and on through dependencies that were not cut.
A deb that was taken from the build stage for its libraries has a chain that leads through the file that needs one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from distroless_rules.actions.action import Action
from distroless_rules.actions.analysed import Analysis, Wanted
from distroless_rules.actions.artifact import Artifact
from distroless_rules.actions.evaluate import load, platform_of
from distroless_rules.build import Options, analysed
from distroless_rules.errors import RequestError, did_you_mean
from distroless_rules.execution import events
from distroless_rules.loading import guard
from distroless_rules.project import Project
from distroless_rules.targets.configuration import Configuration
from distroless_rules.targets.graph import TargetGraph, configure
from distroless_rules.targets.patterns import expand
from distroless_rules.targets.query_debs import QueriedDebs
from distroless_rules.targets.resolve import Resolver
from distroless_rules.targets.target import Key, Kind
from distroless_rules.values import tree
from distroless_rules.values.archive import Lock
from distroless_rules.values.path import fold_usr
from distroless_rules.values.request import Request

__all__ = ["Answer", "Link", "why"]


@dataclass(frozen=True, slots=True)
class Link:
    """A step of a chain: a target, deb or path, and how the one before it leads there: ``deps``, ``depends``, ...."""

    name: str
    how: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Why something is in an image.

    Attributes:
        chain: from the image to it.
        origin: where its bytes come from, as a sentence.
        stage: ``build`` if a command of the build stage made it, else ``runtime``.
    """

    chain: tuple[Link, ...]
    origin: str
    stage: str = "runtime"


def why(project: Project, request: Request, options: Options, what: str, listener: events.Listener) -> Answer:
    """Say why a path or a deb is in an image.

    Args:
        project: the workspace.
        request: names the image.
        options: how it is built, as far as its files must be decided first.
        what: an absolute path, or the name of a deb.
        listener: is told what happens.

    Raises:
        RequestError: if it is no image, or does not hold that.
        DistrolessError: whatever keeps the image from being composed.
    """
    analysis, _ = analysed(project, request, options)
    image = analysis.wanted[0]
    label = str(image.label)
    compose = next((a for a in analysis.actions if a.owner == label and a.mnemonic == "Compose"), None)
    if image.layout is None or compose is None:
        raise RequestError(f'ask about "{label}"', "it is not an image that debs and files are put together for")
    names = _debs(compose)
    if what in names:
        chain = _chain(project, request, compose, lambda key: key.label.repo != "" and key.label.name == what)
        return Answer(chain, f"{what} is a deb of the image")
    composed = _composed(project, request, analysis, compose, options, listener)
    if what.startswith("/"):
        return composed.path(what)
    libraries = composed.report["libraries"]
    if what not in libraries:
        hint = did_you_mean(what, [*names, *libraries])
        raise RequestError(f'find "{what}" in {label}', "it has no such deb", hint=hint)
    by, needed = libraries[what]["by"], libraries[what]["needed"]
    reason = f"as {by} depends on it" if by else f"for {' and '.join(dict.fromkeys(name for _, name in needed))}"
    return Answer(composed.library(what), f"{what} is a deb of the image, taken from the build stage {reason}")


def _debs(compose: Action) -> list[str]:
    names = (named.name for named in compose.inputs)
    return [name.split("/")[1] for name in names if name.startswith("deb/") and name.endswith("/index")]


def _composed(
    project: Project,
    request: Request,
    analysis: Analysis,
    compose: Action,
    options: Options,
    listener: events.Listener,
) -> _Composed:
    """Have an image composed, and read what came of it."""
    import json

    from distroless_rules.machine import Machine

    outputs = {n.name: n.artifact for n in compose.outputs}
    inputs = {named.name: named.artifact for named in compose.inputs}
    files = (*outputs.values(), *inputs.values())
    wanted = Wanted(analysis.wanted[0].label, "", tuple(dict.fromkeys(files)))
    with Machine(project, options.jobs, listener) as machine:
        outcome = machine.execute(replace(analysis, wanted=(wanted,)), keep_going=False)
        if outcome.failures:
            raise outcome.failures[0].error

        def read(artifact: Artifact) -> bytes:
            return machine.store.path(outcome.digests[artifact]).read_bytes()

        rows = [row for n, file in outputs.items() if n.startswith("recipe/") for row in tree.load(read(file))]
        report = json.loads(read(outputs["report"]))
        indexes = {name: read(file) for name, file in inputs.items() if _is_index(name, report)}
    sources = {outcome.digests[artifact].hash: name for name, artifact in inputs.items()}
    return _Composed(project, request, analysis, compose, {row.path: row for row in rows}, report, sources, indexes)


def _is_index(name: str, report: Mapping[str, Any]) -> bool:
    parts = name.split("/")
    taken = parts[0] == "offer" and parts[2] in report["libraries"]
    return parts[-1] == "index" and (parts[0] == "deb" or taken)


@dataclass(frozen=True)
class _Composed:
    """An image as composed.

    Attributes:
        project: the workspace.
        request: names the image.
        analysis: all actions.
        compose: the one that composed it.
        rows: what is in it, by path.
        report: what ``Compose`` says of it.
        sources: by the SHA-256 of inputs, their names.
        indexes: of its debs, by the inputs' names.
    """

    project: Project
    request: Request
    analysis: Analysis
    compose: Action
    rows: Mapping[str, tree.Entry]
    report: Mapping[str, Any]
    sources: Mapping[str, str]
    indexes: Mapping[str, bytes]

    def library(self, deb: str) -> tuple[Link, ...]:
        """Give the chain to a deb that was taken for its libraries, or because such a deb depends on it."""
        why = self.report["libraries"][deb]
        label = next(f"@{name.split('/')[1]}//{deb}" for name in self.indexes if name.split("/")[2:] == [deb, "index"])
        if why["by"]:
            return (*self.library(why["by"]), Link(label, "depends"))
        # Of several libraries the one that the deb is called after says most.
        file, needed = min(why["needed"], key=lambda each: not deb.startswith(each[1].partition(".so")[0]))
        return (*self.path(file).chain, Link(needed, "needs"), Link(label, "has it"))

    def path(self, path: str) -> Answer:
        """Say who brought a path."""
        place = path.strip("/")
        entry = self.rows.get(place)
        if entry is None:
            hint = did_you_mean(f"/{place}", [f"/{row}" for row in self.rows])
            raise RequestError(f'find "{path}" in {self.compose.owner}', "it has no such path", hint=hint)
        name = self.sources.get(entry.source, "") or self._shipping(place)
        kind = "link" if entry.kind is tree.Kind.SYMLINK else "folder" if entry.kind is tree.Kind.DIRECTORY else "file"
        if not name.startswith(("deb/", "base/", "offer/")):
            return self._declared(path, name, kind)
        deb = name.split("/")[-2]
        if deb in self.report["libraries"]:
            chain = self._through(deb, place)
        elif name.startswith("base/") and deb not in _debs(self.compose):
            chain = (Link(self.compose.owner), Link(deb, "what every image has"))
        else:
            chain = self._targets(lambda key: key.label.repo != "" and key.label.name == deb)
        return Answer((*chain, Link(path, kind)), f"{path} is a {kind} of the deb {deb}")

    def _through(self, deb: str, place: str) -> tuple[Link, ...]:
        """Give the chain to a taken deb, by the need that led to a path of it where one did."""
        why = self.report["libraries"][deb]
        name = place.rpartition("/")[2]
        for file, needed in why["needed"]:
            if needed == name:
                return (*self.path(file).chain, Link(needed, "needs"), self.library(deb)[-1])
        return self.library(deb)

    def _shipping(self, place: str) -> str:
        """Give the index of a deb that has a path, ``""`` if none does."""
        from distroless_rules.deb import package

        held = ((name, package.loads(data).entries) for name, data in self.indexes.items())
        return next((name for name, entries in held if any(fold_usr(each.path) == place for each in entries)), "")

    def _targets(self, is_end: Callable[[Key], bool]) -> tuple[Link, ...]:
        return _chain(self.project, self.request, self.compose, is_end)

    def _declared(self, path: str, name: str, kind: str) -> Answer:
        """Say who declares a path that is no deb's."""
        import json

        files = json.loads(self.compose.parameters).get("files") or []
        row = next((row for row in files if name and row.get("input") == name), None) or next(
            (row for row in files if row["path"].rstrip("/") == path.rstrip("/")), None
        )
        if row is None:
            return Answer(
                (Link(self.compose.owner), Link(path, kind)),
                f"{path} is a {kind} that every such image has, or its debs' scripts make",
            )
        chain = self._targets(lambda key: str(key.label) == row["label"])
        artifact = next((named.artifact for named in self.compose.inputs if named.name == row.get("input")), None)
        makers = {named.artifact: action for action in self.analysis.actions for named in action.outputs}
        maker = makers.get(artifact) if artifact is not None else None
        if artifact is None:
            return Answer((*chain, Link(path, kind)), f"{path} is a {kind} that {row['label']} declares")
        if maker is None:
            return Answer((*chain, Link(path, kind)), f"{path} is the workspace's own file {artifact.path}")
        more = () if maker.owner == row["label"] else (Link(maker.owner, "makes it"),)
        stage = "build" if maker.run or maker.stage == "build" else "runtime"
        made = f"{path} was made by {maker.mnemonic} of {maker.owner}, in the {stage} stage"
        return Answer((*chain, *more, Link(path, kind)), made, stage)


def _chain(project: Project, request: Request, compose: Action, is_end: Callable[[Key], bool]) -> tuple[Link, ...]:
    """Give the shortest chain from the image to a target or deb, in a child process (see ``loading.guard``)."""
    import json

    cut = {(deb, dependency) for deb, dependency, _ in json.loads(compose.parameters).get("cut") or []}
    lock = project.read_lock() or Lock()
    archives = project.workspace.archives or {}

    def work(enter: Callable[[str], None]) -> tuple[Link, ...]:
        loader, _ = load(project.workspace, enter, project.engine)
        resolver = Resolver(loader, archives)
        configuration = Configuration(platform_of(resolver, request.platform), request.define)
        debs = QueriedDebs(loader, archives, lock)
        graph = configure(loader, resolver, debs, expand(loader, request.patterns), configuration)
        debs.connect(graph, str(configuration.platform))
        return _shortest(graph, graph.roots[0], cut, set(_debs(compose)), is_end)

    return guard.run(work)


def _shortest(
    graph: TargetGraph, image: Key, cut: set[tuple[str, str]], kept: set[str], is_end: Callable[[Key], bool]
) -> tuple[Link, ...]:
    came_from: dict[Key, tuple[Key, str] | None] = {image: None}
    waiting = [image]
    for key in waiting:
        if is_end(key) and key != image:
            return tuple(_links(came_from, key))
        for other, how in _following(graph, key, cut, kept):
            if other not in came_from:
                came_from[other] = (key, how)
                waiting.append(other)
    return (Link(str(image)),)


def _following(graph: TargetGraph, key: Key, cut: set[tuple[str, str]], kept: set[str]) -> Iterator[tuple[Key, str]]:
    """Give what may have come from a target: of debs those named for the run time, and dependencies not cut."""
    target = graph.targets[key]
    for edge in target.edges:
        other = graph.targets.get(edge.to)
        if other is not None and other.kind is Kind.DEB:
            named = target.kind is not Kind.DEB and edge.stage == "runtime"
            needed = target.kind is Kind.DEB and (target.deb, other.deb) not in cut
            if not (named or needed) or other.deb not in kept:
                continue
        yield edge.to, edge.attribute


def _links(came_from: Mapping[Key, tuple[Key, str] | None], end: Key) -> Iterator[Link]:
    found: list[Link] = []
    key: Key | None = end
    while key is not None:
        before = came_from[key]
        found.append(Link(str(key), before[1] if before else ""))
        key = before[0] if before else None
    return reversed(found)
