"""Toolchains by type: what a rule asks for and the platforms of a build in, the label of the registered one out.

A ``toolchain_type`` target stands for whatever ``toolchain`` target is registered for it and fits. Those that
``distroless.toml`` registers come first, in its order; then those of ``@distroless_rules//toolchains``.
Source: Bazel's "Toolchains", without constraints other than platforms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from distroless_rules.errors import AnalysisError, ConfigError, DistrolessError, LabelError, Location
from distroless_rules.loading.loader import BUILTIN_REPO
from distroless_rules.loading.package import Declared
from distroless_rules.loading.workspace import CONFIG_NAME
from distroless_rules.targets.resolve import Resolver, is_core
from distroless_rules.values.label import Label
from distroless_rules.values.platform import HOST, Platform

__all__ = ["Toolchains"]

_PACKAGE = "toolchains"  # of ours, whose toolchains are registered last


@dataclass(frozen=True, slots=True)
class _Registered:
    """A ``toolchain`` target: the type, what stands for it, and for which platforms on which machines (empty: any)."""

    type: Label
    toolchain: Label
    platforms: tuple[str, ...]
    machines: tuple[str, ...]

    def fits(self, platform: str, machine: str) -> bool:
        return (not self.platforms or platform in self.platforms) and (not self.machines or machine in self.machines)


class Toolchains:
    """Finds the toolchain of a type; BUILD files are loaded when the first is asked for.

    Args:
        resolver: finds what labels mean.
        registered: labels of ``toolchain`` targets, as ``distroless.toml`` gives them.
    """

    def __init__(self, resolver: Resolver, registered: Sequence[str]) -> None:
        self._resolver = resolver
        self._labels = registered
        self._known: list[_Registered] = []

    def find(self, type_: Label, platform: str, machine: str = "") -> Label:
        """Give the label of what stands for a type.

        Args:
            type_: the label of a ``toolchain_type``.
            platform: what is built for: ``linux/arm64``.
            machine: the platform of the machine that builds; this one's without it.

        Raises:
            AnalysisError: if none of the type fits; it names the platforms of those that there are.
            ConfigError: if ``distroless.toml`` registers what is no toolchain.
        """
        machine = machine or str(HOST)
        if not self._known:
            self._known = [_read(declared) for declared in self._declared()]
        of_type = [each for each in self._known if each.type == type_]
        for each in of_type:
            if each.fits(platform, machine):
                return each.toolchain
        doing = f'find a toolchain of the type "{type_}" for {platform} on {machine}'
        if not of_type:
            hint = f"register one: toolchains = [...] in [workspace] of {CONFIG_NAME}"
            raise AnalysisError(doing, "none of the type is registered", hint=hint)
        there = ", ".join(f'"{each.toolchain}" for {_named(each)}' for each in of_type)
        raise AnalysisError(doing, f"there is {there}", hint=f"register one for {platform}, or build for another")

    def _declared(self) -> Iterator[Declared]:
        for text in self._labels:
            at = Location(CONFIG_NAME)
            try:
                declared = self._resolver.declared(Label.parse(text))
            except (AnalysisError, LabelError) as error:
                error.at = error.at or at
                raise
            if not is_core(declared, "toolchain"):
                cause = f"it is a target of the rule {declared.rule.name}, not of the rule toolchain"
                raise ConfigError(f'register the toolchain "{text}"', cause, at=at)
            yield declared
        ours = self._resolver.loader.package(BUILTIN_REPO, _PACKAGE).targets.values()
        yield from (declared for declared in ours if is_core(declared, "toolchain"))


def _named(registered: _Registered) -> str:
    where = f" on {' and '.join(registered.machines)}" if registered.machines else ""
    return (" and ".join(registered.platforms) or "any platform") + where


def _read(declared: Declared) -> _Registered:
    values: dict[str, Any] = {"platforms": (), "exec_platforms": (), **declared.values}
    home = declared.label
    try:
        return _Registered(
            Label.parse(values["toolchain_type"], repo=home.repo, package=home.package),
            Label.parse(values["toolchain"], repo=home.repo, package=home.package),
            tuple(str(Platform.parse(text)) for text in values["platforms"] or ()),
            tuple(str(Platform.parse(text)) for text in values["exec_platforms"] or ()),
        )
    except DistrolessError as error:
        error.at = error.at or declared.at
        raise
