"""Debs as targets: ``@trixie//curl`` becomes what the lock says of it for one architecture."""

from __future__ import annotations

from collections.abc import Mapping

from distroless_rules.errors import AnalysisError, Location, StaleLockError
from distroless_rules.loading.loader import BUILTIN_REPO, Loader
from distroless_rules.loading.package import Declared, Rule
from distroless_rules.values.archive import Archive, Lock, LockedDeb
from distroless_rules.values.label import Label
from distroless_rules.values.platform import Platform

__all__ = ["DebTargets", "check_form"]

_MODULE = Label(BUILTIN_REPO, "rules/private", "deb.bzl")


def check_form(label: Label) -> None:
    """Check that a label of an archive is one that a deb can have.

    Raises:
        AnalysisError: if it has more than one part.
    """
    if label.package not in ("", label.name):
        hint = f'write "@{label.repo}//{label.name}"'
        raise AnalysisError(f'resolve "{label}"', "a deb's label has one part", hint=hint)


class DebTargets:
    """Gives the targets of ``@archive//deb`` labels.

    Args:
        loader: loads the rule that debs are targets of.
        archives: what ``distroless.toml`` declares.
        lock: what is locked.
    """

    def __init__(self, loader: Loader, archives: Mapping[str, Archive], lock: Lock) -> None:
        self._loader = loader
        self._archives = archives
        self.lock = lock
        self._roots = {name: dict(locked.roots) for name, locked in lock.archives.items()}
        self._made: dict[tuple[Label, str], Declared] = {}

    def find(self, label: Label, platform: str) -> Declared:
        """Give the target of a deb.

        Raises:
            StaleLockError: if the lock does not have it.
            AnalysisError: if the archive has no such deb for the platform.
        """
        made = self._made.get((label, platform))
        if made is None:
            made = self._made[label, platform] = self._make(label, self._locked(label, platform))
        return made

    def _locked(self, label: Label, platform: str) -> LockedDeb:
        check_form(label)
        architecture = Platform.parse(platform).deb
        archive = self._archives[label.repo]
        if architecture not in archive.architectures:
            raise AnalysisError(
                f'use "{label}" for {platform}',
                f"[archive.{label.repo}] is for {', '.join(archive.architectures)}",
                hint=f'add "{architecture}" to its architectures in distroless.toml',
            )
        names = self._roots.get(label.repo, {}).get(label.name)
        if names is None:
            raise StaleLockError(f'use "{label}"', "distroless.lock does not have it", hint="run `distroless lock`")
        if architecture not in names:
            cause = f"the archive has it for {', '.join(sorted(names)) or 'no architecture'} only"
            raise AnalysisError(f'use "{label}" for {platform}', cause)
        return self.lock.archives[label.repo].debs[architecture][names[architecture]]

    def _make(self, label: Label, deb: LockedDeb) -> Declared:
        self._loader.module(_MODULE)
        rule = self._rule()
        values = {"archive": label.repo, "deb": deb.name, "version": deb.version}
        return Declared(label, rule, values, Location("distroless.lock"), ("//visibility:public",))

    def _rule(self) -> Rule:
        module = f"@{BUILTIN_REPO}//{_MODULE.path}"
        return next(rule for rule in self._loader.rules if rule.module == module)
