"""Every deb that the workspace's BUILD files name, in any branch of any select: what a lock must hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from distroless_rules.errors import AnalysisError, LabelError, did_you_mean
from distroless_rules.loading.attributes import LABEL_TYPES, branches
from distroless_rules.loading.loader import BUILTIN_REPO, Loader
from distroless_rules.loading.package import Declared
from distroless_rules.targets.debs import check_form
from distroless_rules.targets.resolve import Resolver, is_core, located
from distroless_rules.targets.toolchains import Toolchains
from distroless_rules.values.archive import Archive
from distroless_rules.values.label import Label
from distroless_rules.values.platform import Platform

__all__ = ["WantedDebs", "wanted_debs"]


@dataclass
class WantedDebs:
    """What BUILD files name.

    Attributes:
        debs: archive -> deb -> the places that name it, ``app/BUILD:3 //app:image``.
        local: path of a ``.deb`` file below the workspace -> the places that name it.
    """

    debs: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    local: dict[str, list[str]] = field(default_factory=dict)


def wanted_debs(loader: Loader, archives: Mapping[str, Archive]) -> WantedDebs:
    """Load every package of the workspace and give the debs that its targets name.

    Raises:
        LoadError: if a package cannot be loaded.
        LabelError: if a label is not well formed.
        AnalysisError: if a label names an archive that ``distroless.toml`` does not declare.
    """
    wanted = WantedDebs()
    toolchains = _Toolchains(loader, archives)
    rest = [each for name in loader.packages("") for each in loader.package("", name).targets.values()][::-1]
    seen: set[Label] = set()
    while rest:
        declared = rest.pop()
        for attribute, text, label in _labels(loader, declared):
            where = f"{declared.at} {declared.label}"
            if label.repo == BUILTIN_REPO:
                if label not in seen:
                    seen.add(label)
                    rest.extend(toolchains.standing_for(_target(loader, label)))
            elif label.repo:
                _check(loader, archives, declared, attribute, text, label)
                wanted.debs.setdefault(label.repo, {}).setdefault(label.name, []).append(where)
            elif label.name.endswith(".deb") and loader.files.is_file(label.path):
                wanted.local.setdefault(label.path, []).append(where)
    return wanted


class _Toolchains:
    """Gives what stands for a toolchain's type on any machine, for anything that a lock is for."""

    def __init__(self, loader: Loader, archives: Mapping[str, Archive]) -> None:
        self._loader = loader
        self._found = Toolchains(Resolver(loader, archives), loader.workspace.toolchains)
        names = {name for archive in archives.values() for name in archive.architectures}
        self._platforms = sorted(str(Platform.of_deb(name)) for name in names)

    def standing_for(self, targets: Iterator[Declared]) -> Iterator[Declared]:
        for declared in targets:
            if is_core(declared, "toolchain_type"):
                for label in self._labels(declared.label):
                    # one of the workspace's own is looked at anyway
                    yield from _target(self._loader, label) if label.repo == BUILTIN_REPO else ()
            else:
                yield declared

    def _labels(self, type_: Label) -> dict[Label, None]:
        found: dict[Label, None] = {}
        for platform in self._platforms:
            for machine in self._platforms:
                with suppress(AnalysisError):  # what is missing is said when it is used
                    found[self._found.find(type_, platform, machine)] = None
        return found


def _target(loader: Loader, label: Label) -> Iterator[Declared]:
    """Give the target of one of our own labels, such as a toolchain; what is none is found out when it is used."""
    if loader.files_of(label.repo).is_package(label.package):
        target = loader.package(label.repo, label.package).targets.get(label.name)
        if target is not None:
            yield target


def _check(
    loader: Loader, archives: Mapping[str, Archive], declared: Declared, attribute: str, text: str, label: Label
) -> None:
    if label.repo not in archives:
        at = loader.refined(declared, attribute=attribute, text=text)
        hint = did_you_mean(label.repo, archives) or f"declare [archive.{label.repo}] in distroless.toml"
        raise AnalysisError(f'resolve "{label}"', f'there is no archive "{label.repo}"', at=at, hint=hint)
    try:
        check_form(label)
    except AnalysisError as error:
        raise located(error, loader, declared, attribute, text) from error


def _labels(loader: Loader, declared: Declared) -> Iterator[tuple[str, str, Label]]:
    """Give (attribute, label as written, label) for labels that may name a deb."""
    for name, attribute in declared.rule.attributes.items():
        if attribute.type not in LABEL_TYPES:
            continue
        value = declared.values.get(name)
        home = declared.label if value is not None else declared.rule
        for possible in branches(value if value is not None else attribute.default):
            for text in _texts(attribute.type, possible):
                if text.startswith("@") or text.endswith(".deb") or home.repo == BUILTIN_REPO:
                    try:
                        yield name, text, Label.parse(text, repo=home.repo, package=home.package)
                    except LabelError as error:
                        raise located(error, loader, declared, name, text) from error


def _texts(kind: str, value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return list(value) if kind == "label_keyed_string_dict" else list(value.values())
    return list(value) if isinstance(value, list) else []
