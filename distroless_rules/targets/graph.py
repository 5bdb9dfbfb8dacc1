"""From the labels asked for to the graph of configured targets: every dependency, selects resolved, no cycle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from distroless_rules.errors import AnalysisError, DistrolessError
from distroless_rules.loading.attributes import LABEL_TYPES, OUTPUT_TYPES, Attribute, is_select
from distroless_rules.loading.attributes import checked as check_value
from distroless_rules.loading.loader import Loader
from distroless_rules.loading.package import Declared
from distroless_rules.targets.configuration import Configuration, resolve
from distroless_rules.targets.debs import DebTargets
from distroless_rules.targets.resolve import Resolver, is_core, located
from distroless_rules.targets.target import Edge, Key, Kind, Refs, Target
from distroless_rules.targets.toolchains import Toolchains
from distroless_rules.values.label import Label
from distroless_rules.values.platform import HOST, Platform

if TYPE_CHECKING:
    import networkx

__all__ = ["TargetGraph", "configure"]


@dataclass
class TargetGraph:
    """Configured targets and what they need.

    Attributes:
        targets: every target, dependencies before what needs them.
        roots: the targets asked for.
        named: each label asked for -> the target that it means, aliases followed.
    """

    targets: dict[Key, Target] = field(default_factory=dict)
    roots: tuple[Key, ...] = ()
    named: dict[Label, Key] = field(default_factory=dict)

    def networkx(self) -> networkx.DiGraph[Key]:
        """Give the graph: an edge from each target to what it needs, with ``stage`` and ``attribute``."""
        import networkx

        graph: networkx.DiGraph[Key] = networkx.DiGraph()
        graph.add_nodes_from((key, {"kind": target.rule}) for key, target in self.targets.items())
        graph.add_edges_from(
            (key, edge.to, {"stage": edge.stage, "attribute": edge.attribute})
            for key, target in self.targets.items()
            for edge in target.edges
        )
        return graph


def configure(
    loader: Loader, resolver: Resolver, debs: DebTargets, labels: Sequence[Label], configuration: Configuration
) -> TargetGraph:
    """Give the graph of everything that ``labels`` need under ``configuration``.

    Raises:
        AnalysisError: for wrong attributes, unknown or invisible labels, and cycles, with the place.
        LoadError: if a package cannot be loaded.
        StaleLockError: if a deb is not locked.
    """
    toolchains = Toolchains(resolver, loader.workspace.toolchains)
    builder = _Builder(loader, resolver, debs, toolchains, configuration)
    named = {label: builder.key(label) for label in labels}
    roots = tuple(dict.fromkeys(named.values()))
    for root in roots:
        builder.visit(root)
    return TargetGraph(builder.done, roots, named)


class _Builder:
    """Makes targets for one platform; what is needed for another one is made by that platform's builder."""

    def __init__(
        self,
        loader: Loader,
        resolver: Resolver,
        debs: DebTargets,
        toolchains: Toolchains,
        configuration: Configuration,
    ) -> None:
        self._loader = loader
        self._resolver = resolver
        self._debs = debs
        self._toolchains = toolchains
        self._configuration = configuration
        self._platform = str(configuration.platform)
        self._found: dict[Label, tuple[Kind, Declared | None]] = {}
        self._builders: dict[str, _Builder] = {self._platform: self, "": self}
        self.done: dict[Key, Target] = {}

    def _for(self, platform: str) -> _Builder:
        """Give the builder of a platform."""
        if platform not in self._builders:
            configuration = replace(self._configuration, platform=Platform.parse(platform))
            made = _Builder(self._loader, self._resolver, self._debs, self._toolchains, configuration)
            made._builders = self._builders
            self._builders[platform] = made
        return self._builders[platform]

    def key(self, label: Label, user: Label | None = None) -> Key:
        """Give the key of what a label means, aliases followed; ``user`` is the target that names it."""
        seen: list[Label] = []
        while True:
            kind, declared = self._find(label, user)
            if kind is Kind.DEB:
                label = Label(label.repo, label.name, label.name)  # @trixie//:curl is @trixie//curl
            if declared is None or kind is not Kind.RULE or not is_core(declared, "alias"):
                return Key(label, "" if kind is Kind.SOURCE else self._platform)
            if label in seen:
                at = self._loader.refined(declared, attribute="actual")
                raise AnalysisError(f'resolve "{label}"', "aliases form a cycle: " + _chain([*seen, label]), at=at)
            seen.append(label)
            label = self._actual(declared)

    def visit(self, root: Key) -> None:
        """Add a target and all that it needs, dependencies first; without recursion, since chains can be long."""
        if root in self.done:
            return
        path: dict[Key, tuple[Target, Iterator[Edge]]] = {}
        self._open(path, root)
        while path:
            key = next(reversed(path))
            target, edges = path[key]
            edge = next(edges, None)
            if edge is None:
                path.popitem()
                self.done[key] = target
            elif edge.to in path:
                keys = list(path)
                self._cycle(target, edge, [*keys[keys.index(edge.to) :], edge.to])
            elif edge.to not in self.done:
                self._open(path, edge.to)

    def _open(self, path: dict[Key, tuple[Target, Iterator[Edge]]], key: Key) -> None:
        target = self._for(key.platform)._target(key)
        path[key] = (target, iter(target.edges))

    def _cycle(self, target: Target, edge: Edge, keys: list[Key]) -> None:
        assert target.declared is not None
        at = self._loader.refined(target.declared, attribute=edge.attribute)
        raise AnalysisError(f'analyse "{edge.to}"', "targets need each other: " + _chain(keys), at=at)

    def _find(self, label: Label, user: Label | None = None) -> tuple[Kind, Declared | None]:
        found = self._found.get(label)
        if found is None:
            found = self._resolver.find(label, user)
            if found[0] is Kind.DEB:
                found = (Kind.DEB, self._debs.find(label, self._platform))
            self._found[label] = found
        return found

    def _target(self, key: Key) -> Target:
        kind, declared = self._find(key.label)
        if kind is Kind.SOURCE or declared is None:
            return Target(key, Kind.SOURCE)
        if kind is Kind.OUTPUT:
            maker = Key(declared.label, self._platform)
            return Target(key, kind, declared, edges=(Edge("generating rule", "runtime", maker),))
        given = declared.values
        values: dict[str, Any] = {
            "name": key.label.name,
            "tags": given.get("tags") or [],
            "testonly": bool(given.get("testonly")),
        }
        refs: dict[str, Refs] = {}
        edges: list[Edge] = []
        for name, attribute in declared.rule.attributes.items():
            value = self._value(declared, name, attribute)
            if attribute.platforms:
                refs[name] = ("label_list", self._split(declared, name, attribute, value, edges))
            elif attribute.type in LABEL_TYPES:
                refs[name] = (attribute.type, self._refs(declared, name, attribute, value, edges))
            elif attribute.type not in OUTPUT_TYPES:
                values[name] = bool(value) if attribute.type == "bool" else value
        return Target(key, kind, declared, values, refs, tuple(edges))

    def _value(self, declared: Declared, name: str, attribute: Attribute) -> Any:
        value = declared.values.get(name)
        if isinstance(value, list) and any(is_select(part) for part in value):
            try:
                value = resolve(attribute, value, self._configuration, lambda text: self._setting(declared, text))
                if value is not None:
                    check_value(name, attribute, value)
                elif attribute.mandatory:
                    raise AnalysisError(f'set "{name}"', f"its select() gives None for {self._platform}")
            except DistrolessError as error:
                raise located(error, self._loader, declared, name, "") from error
        return attribute.default if value is None else value

    def _setting(self, declared: Declared, text: str) -> Declared:
        label = Label.parse(text, repo=declared.label.repo, package=declared.label.package)
        try:
            return self._resolver.declared(self.key(label, declared.label).label)
        except DistrolessError as error:
            raise located(error, self._loader, declared, "", text) from error

    def _actual(self, alias: Declared) -> Label:
        value = self._value(alias, "actual", alias.rule.attributes["actual"])
        try:
            label = Label.parse(value, repo=alias.label.repo, package=alias.label.package)
            kind, declared = self._find(label, alias.label)
            self._resolver.check_visible(alias.label, label, kind, declared)
        except DistrolessError as error:
            raise located(error, self._loader, alias, "actual", value) from error
        return label

    def _refs(self, declared: Declared, name: str, attribute: Attribute, value: Any, edges: list[Edge]) -> Any:
        if value is None:
            return None

        side = self._for(str(HOST)) if attribute.execution else self

        def ref(text: str) -> Key:
            key = side._ref(declared, name, attribute, text)
            edges.append(Edge(name, attribute.stage, key))
            return key

        if attribute.type == "label":
            return ref(value)
        if attribute.type == "label_list":
            keys = [ref(text) for text in value]
            self._check_twice(declared, name, value, keys)
            return keys
        if attribute.type == "label_keyed_string_dict":
            pairs = [(text, ref(label)) for label, text in value.items()]
            self._check_twice(declared, name, list(value), [key for _, key in pairs])
            return pairs
        if isinstance(value, list):
            return [("", ref(text)) for text in value]
        return [(key, ref(text)) for key, text in value.items()]

    def _split(
        self, declared: Declared, name: str, attribute: Attribute, text: str | None, edges: list[Edge]
    ) -> list[Key]:
        """Give the keys of one label for each of the platforms that another attribute names."""
        if text is None:
            return []
        platforms = self._value(declared, attribute.platforms, declared.rule.attributes[attribute.platforms])
        try:
            wanted = dict.fromkeys(str(Platform.parse(platform)) for platform in platforms) or [self._platform]
        except DistrolessError as error:
            raise located(error, self._loader, declared, attribute.platforms, "") from error
        keys = [self._for(platform)._ref(declared, name, attribute, text) for platform in wanted]
        edges.extend(Edge(name, attribute.stage, key) for key in keys)
        return keys

    def _check_twice(self, declared: Declared, name: str, texts: list[str], keys: list[Key]) -> None:
        if len(set(keys)) == len(keys):
            return
        index = next(at for at, key in enumerate(keys) if key in keys[:at])
        cause, before = f'"{texts[index]}" is in it twice', texts[keys.index(keys[index])]
        if before != texts[index]:
            cause = f'"{before}" and "{texts[index]}" are the same target'
        at = self._loader.refined(declared, attribute=name, text=texts[index])
        raise AnalysisError(f'set "{name}"', cause, at=at)

    def _ref(self, declared: Declared, name: str, attribute: Attribute, text: str) -> Key:
        given = declared.values.get(name) is not None
        repo, package = (
            (declared.label.repo, declared.label.package) if given else (declared.rule.repo, declared.rule.package)
        )
        try:
            label = Label.parse(text, repo=repo, package=package)
            kind, found = self._find(label, declared.label)
            if given:
                self._resolver.check_visible(declared.label, label, kind, found)
            key = self._resolved(self.key(label))
            if self._find(key.label)[0] in (Kind.SOURCE, Kind.OUTPUT):
                self._check_file(name, attribute, key.label)
        except DistrolessError as error:
            if not given:
                error.cause += f' (the default of "{name}" in {declared.rule.module})'
            raise located(error, self._loader, declared, name, text) from error
        return key

    def _resolved(self, key: Key) -> Key:
        """Give the toolchain that stands for a type, where the key is one's."""
        kind, declared = self._find(key.label)
        if kind is Kind.RULE and declared is not None and is_core(declared, "toolchain_type"):
            return self.key(self._toolchains.find(key.label, self._platform))
        return key

    def _check_file(self, name: str, attribute: Attribute, label: Label) -> None:
        allowed = attribute.allow_files
        if allowed is False:
            raise AnalysisError(f'use "{label}" in "{name}"', "it is a file; targets only are taken here")
        if allowed is not True and not label.name.endswith(allowed):
            endings = ", ".join(f'"{ending}"' for ending in allowed)
            raise AnalysisError(f'use "{label}" in "{name}"', f"its name must end with {endings}")


def _chain(keys: Sequence[object]) -> str:
    return " -> ".join(str(key) for key in keys)
