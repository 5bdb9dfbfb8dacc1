"""Debs as a query sees them: with what the lock says they need, and, where it says nothing, as names only.

A query must be answered without a lock, with a stale one, and for a platform that an archive does not have.
"""

from __future__ import annotations

from collections.abc import Mapping

from distroless_rules.errors import AnalysisError, did_you_mean
from distroless_rules.loading.loader import Loader
from distroless_rules.targets.debs import DebTargets, check_form
from distroless_rules.targets.graph import TargetGraph
from distroless_rules.targets.target import Edge, Key, Kind, Target
from distroless_rules.values.archive import Archive, Lock, LockedDeb
from distroless_rules.values.label import Label
from distroless_rules.values.platform import Platform

__all__ = ["QueriedDebs"]


class QueriedDebs(DebTargets):
    """Gives the targets of debs whether they are locked or not.

    Args:
        loader: loads the rule that debs are targets of.
        archives: what ``distroless.toml`` declares.
        lock: what is locked.

    Attributes:
        unlocked: the debs that the lock did not have.
    """

    def __init__(self, loader: Loader, archives: Mapping[str, Archive], lock: Lock) -> None:
        super().__init__(loader, archives, lock)
        self.unlocked: set[Label] = set()

    def connect(self, graph: TargetGraph, platform: str) -> None:
        """Add to ``graph`` what its debs need, by their locked dependencies: runtime edges, attribute ``depends``."""
        waiting = [target for target in graph.targets.values() if target.kind in (Kind.DEB, Kind.SOURCE)]
        while waiting:
            target = waiting.pop()
            here = target.key.platform or platform
            keys = [Key(label, here) for label in self._needs(target.key.label, here)]
            target.edges = tuple(Edge("depends", "runtime", key) for key in keys)
            for key in keys:
                if key not in graph.targets:
                    found = Target(key, Kind.DEB, self.find(key.label, here))
                    graph.targets[key] = found
                    waiting.append(found)

    def check_named(self, graph: TargetGraph) -> None:
        """See that debs which the query itself names exist, as far as that can be known.

        Raises:
            AnalysisError: if neither the lock of the deb's archive nor a target in ``graph`` has it.
        """
        named = {key.label for key in graph.roots} & self.unlocked
        named -= {edge.to.label for target in graph.targets.values() for edge in target.edges}
        for label in sorted(named):
            archive = self.lock.archives.get(label.repo)
            if archive is not None:
                known = {name for debs in archive.debs.values() for name in debs} | dict(archive.roots).keys()
                hint = did_you_mean(label.name, known)
                raise AnalysisError(f'resolve "{label}"', "distroless.lock does not have it", hint=hint)

    def _locked(self, label: Label, platform: str) -> LockedDeb:
        check_form(label)
        deb = self._known(label, platform)
        if deb is None:
            self.unlocked.add(label)
            return LockedDeb(label.repo, label.name, "", "", "", "", 0, "")
        return deb

    def _known(self, label: Label, platform: str) -> LockedDeb | None:
        """Give what the lock has under a name that BUILD files use, or under a deb's own."""
        archive = self.lock.archives.get(label.repo)
        if archive is None:
            return None
        architecture = Platform.parse(platform).deb
        debs = archive.debs.get(architecture, {})
        return debs.get(self._roots[label.repo].get(label.name, {}).get(architecture, label.name))

    def _needs(self, label: Label, platform: str) -> list[Label]:
        """Give the debs that a deb needs; a name that stands for another deb needs that one."""
        local = self.lock.local.get(label.path) if not label.repo else None
        deb, archive = (local, self.lock.local_archive) if local else (self._known(label, platform), label.repo)
        if deb is None:
            return []
        names = deb.depends if local or deb.name == label.name else (deb.name,)
        return [Label(archive, name, name) for name in names]
