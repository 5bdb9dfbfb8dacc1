"""The configured target graph becomes the action graph: every implementation is run once, dependencies first.

All of it happens in one Starlark evaluation, so that the providers that targets hand to each other never leave it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from distroless_rules.actions.analysed import Analysis, Layout, Wanted
from distroless_rules.actions.context import Context
from distroless_rules.actions.gate import gated
from distroless_rules.actions.place import placed
from distroless_rules.errors import AnalysisError, DistrolessError, LoadError, Location, StaleLockError
from distroless_rules.loading.interpreter import BUILTIN_PREFIX, Module
from distroless_rules.loading.loader import DISPATCH, Loader
from distroless_rules.loading.package import Rule
from distroless_rules.targets.graph import TargetGraph
from distroless_rules.targets.target import Key, Kind, Refs, Target
from distroless_rules.values.platform import HOST, Platform

__all__ = ["Session"]


class Session:
    """Analyses the targets of a graph; the loader that evaluated the rules' files must have been given ``calls()``.

    Args:
        context: collects what implementations declare.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self._requests: Iterator[tuple[Target, dict[str, Any]]] = iter(())
        self._now: Target | None = None
        self._enter: Callable[[str], None] = lambda name: None
        self._analysing: Callable[[Rule], None] = lambda rule: None
        self._summaries: dict[Key, dict[str, Any]] = {}

    def calls(self) -> dict[str, Any]:
        """Give the functions that the interpreter must know."""
        return {**self.context.calls(), "_next_": self._next}

    def analyse(self, loader: Loader, graph: TargetGraph) -> Analysis:
        """Run every implementation.

        Raises:
            AnalysisError: if one fails, with the place in its file or, for ``fail()``, of the target.
        """
        modules = self._modules(loader, graph)
        self._requests = self._plan(graph, {label: str(at) for at, label in enumerate(modules)})
        loads = "".join(f'load("{at}", d{at} = "{DISPATCH}")\n' for at in range(len(modules)))
        table = ", ".join(f'"{at}": d{at}' for at in range(len(modules)))
        source = f'load("{BUILTIN_PREFIX}prelude.bzl", "run_")\n{loads}run_({{{table}}})\n'
        found = {str(at): module for at, module in enumerate(modules.values())}
        found[f"{BUILTIN_PREFIX}prelude.bzl"] = loader.builtin("prelude.bzl")
        self.context.targets = graph.targets
        self._enter = loader.interpreter.enter
        self._analysing = loader.analysing
        try:
            loader.interpreter.evaluate(f"{BUILTIN_PREFIX}analysis", source, found.__getitem__, {})
        except DistrolessError as error:
            raise self._blamed(loader, error) from error
        places = self._places(graph)
        return Analysis(
            placed(gated(self.context.actions), places),
            tuple(self._wanted(graph, key) for key in graph.roots),
            tuple(loader.messages),
            places,
        )

    def _places(self, graph: TargetGraph) -> dict[str, Location]:
        owners = {action.owner for action in self.context.actions}
        targets = ((str(key), target) for key, target in graph.targets.items() if target.kind is Kind.RULE)
        return {name: target.declared.at for name, target in targets if target.declared and name in owners}

    def _modules(self, loader: Loader, graph: TargetGraph) -> dict[str, Module]:
        """Give the modules whose rules are used, by the name that ``Rule.module`` has."""
        by_name = {
            (f"@{label.repo}//{label.path}" if label.repo else label.path): m for label, m in loader.modules.items()
        }
        used = {
            t.declared.rule.module for t in graph.targets.values() if t.kind in (Kind.RULE, Kind.DEB) and t.declared
        }
        return {name: by_name[name] for name in sorted(used)}

    def _plan(self, graph: TargetGraph, modules: dict[str, str]) -> Iterator[tuple[Target, dict[str, Any]]]:
        numbers = {key: number for number, key in enumerate(graph.targets)}
        roots = frozenset(graph.roots)
        machine = _platform(str(HOST))
        platforms = {text: _platform(text) for text in {key.platform for key in graph.targets} if text}
        for key, target in graph.targets.items():
            label = key.label
            request: dict[str, Any] = {
                "id": numbers[key],
                "label": [label.repo, label.package, label.name, str(label)],
            }
            self.context.begin(key, key.platform)
            if target.kind is Kind.SOURCE:
                request["file"] = self.context.source(label)
            elif target.kind is Kind.OUTPUT:
                request["file"] = self.context.output_of(target.edges[0].to, label.name, key.platform)
            else:
                assert target.declared is not None
                rule = target.declared.rule
                request |= {
                    "module": modules[rule.module],
                    "rule": rule.identity,
                    "attrs": target.values,
                    "deps": {name: _numbered(refs, numbers) for name, refs in target.refs.items()},
                    "outputs": self._outputs(target),
                    "platform": platforms[key.platform],
                    "exec_platform": machine,
                    "compressors": self.context.compressors,
                    "wanted": key in roots,
                }
            yield target, request

    def _outputs(self, target: Target) -> dict[str, Any]:
        assert target.declared is not None
        rows: dict[str, Any] = {}
        for name, attribute in target.declared.rule.attributes.items():
            if attribute.type == "output":
                value = target.declared.values.get(name)
                rows[name] = self.context.output(value.removeprefix(":")) if value else None
            elif attribute.type == "output_list":
                value = target.declared.values.get(name) or []
                rows[name] = [self.context.output(file.removeprefix(":")) for file in value]
        return rows

    def _next(self, summary: str) -> str:
        """Take what the last target gave, and give the next request, ``""`` after the last; both are JSON.

        Crossing into Starlark costs a conversion for every single value, so they cross as one string.
        """
        if self._now is not None:
            self.context.finish()
            if summary:
                self._summaries[self._now.key] = json.loads(summary)
        self._now, request = next(self._requests, (None, None))
        if self._now is None:
            return ""
        if self._now.declared is not None:
            self._analysing(self._now.declared.rule)
            self._enter(f'{self._now.declared.rule.module} for "{self._now.key}"')
        return json.dumps(request)

    def _blamed(self, loader: Loader, error: DistrolessError) -> DistrolessError:
        """Name the target whose implementation failed, and the place in the implementation if a user wrote it."""
        target = self._now
        if target is None or target.declared is None or isinstance(error, StaleLockError):
            return error
        users = not target.declared.rule.repo and error.at is not None
        inside = f" (in {error.at})" if users else ""
        at = loader.refined(target.declared)
        if isinstance(error, LoadError):
            cause = error.cause if error.doing.startswith("evaluate ") else f"it cannot {error.doing}: {error.cause}"
            return AnalysisError(f'analyse "{target.key}"', cause + inside, at=at, hint=error.hint)
        error.at = at
        error.cause += inside
        return error

    def _wanted(self, graph: TargetGraph, key: Key) -> Wanted:
        target = graph.targets[key]
        if target.kind is Kind.SOURCE:
            return Wanted(key.label, target.rule, (self.context.artifacts[self.context.source(key.label)[0]],))
        if target.kind is Kind.OUTPUT:
            row = self.context.output_of(target.edges[0].to, key.label.name, key.platform)
            return Wanted(key.label, target.rule, (self.context.artifacts[row[0]],))
        summary = self._summaries[key]
        files = tuple(self.context.artifacts[number] for number in summary["files"])
        tests = tuple(self.context.artifacts[number] for number in summary["tests"])
        layout = summary["layout"]
        if layout is None:
            return Wanted(key.label, target.rule, files, None, tests)
        blobs = tuple(self.context.artifacts[number] for number in layout["blobs"])
        report = self.context.artifacts[layout["report"]] if layout["report"] is not None else None
        beside = tuple((suffix, self.context.artifacts[number]) for suffix, number in layout["beside"].items())
        return Wanted(
            key.label, target.rule, files, Layout(self.context.artifacts[layout["descriptor"]], blobs, report, beside)
        )


def _numbered(refs: Refs, numbers: dict[Key, int]) -> list[Any]:
    kind, value = refs
    if value is None:
        return [kind, None]
    if kind == "label":
        return [kind, numbers[value]]
    if kind == "label_list":
        return [kind, [numbers[key] for key in value]]
    return [kind, [[text, numbers[key]] for text, key in value]]


def _platform(text: str) -> dict[str, str]:
    platform = Platform.parse(text)
    return {
        "name": text,
        "os": platform.os,
        "architecture": platform.architecture,
        "variant": platform.variant,
        "deb_architecture": platform.deb,
        "multiarch": platform.multiarch,
    }
