"""The spine of good advice: an image that lacks something in, the deb of the archive that has it out.

Asked are, in this order, the archive's Contents indexes, the debs of the lock, and the names of the archive's debs;
Debian's rules for names say what is left. Nothing here makes a build fail, or makes it wait for long: where the network
or the index is not there, the next one is asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from distroless_rules.actions.action import Action
from distroless_rules.closure import verdict
from distroless_rules.closure.program import Program
from distroless_rules.errors import DistrolessError, MissingError
from distroless_rules.project import Project
from distroless_rules.values.archive import Archive, Lock
from distroless_rules.values.platform import Platform

__all__ = ["advise"]

_SECONDS = 20.0  # that the archive's answer is waited for


def advise(project: Project, action: Action, error: MissingError) -> None:
    """Say in an error's hint which debs have what is missing.

    Args:
        project: the workspace.
        action: the one that composed the image.
        error: what came of it; its hint is changed.
    """
    wanted = verdict.wanted(error.findings)
    archive = _archive(project, action)
    if not wanted or archive is None:
        return
    platform = Platform.parse(action.platform)
    lock = project.read_lock() or Lock()
    asked = _Asked(project, archive, lock, platform.deb, tuple(wanted))
    project.status(f"Asking @{archive.name} which deb has what is missing")
    thread = threading.Thread(target=asked.work, name="advice", daemon=True)
    thread.start()
    thread.join(_SECONDS)
    found = {}
    for each in wanted:
        # Modules of the standard library are in several debs, and the interpreter's needs them all.
        is_standard = each.startswith("python:") and verdict.deb_names(each) == ["python3"]
        hits = [] if is_standard else _ranked(each, asked.hits.get(each, ()), platform, asked.locked)
        names = hits or [name for name in verdict.deb_names(each) if name in asked.locked] or asked.known.get(each, [])
        if names or asked.known:
            found[each] = [f"@{archive.name}//{name}" for name in names]
    error.hint = verdict.hint(error.findings, found, error.excluded)


@dataclass
class _Asked:
    """A question to an archive.

    Attributes:
        project: the workspace.
        archive: the archive.
        lock: what is locked.
        architecture: a Debian architecture.
        wanted: what is missing.
    """

    project: Project
    archive: Archive
    lock: Lock
    architecture: str
    wanted: tuple[str, ...]

    def __post_init__(self) -> None:
        locked = self.lock.archives.get(self.archive.name)
        self.locked = frozenset(locked.debs.get(self.architecture, {})) if locked else frozenset()
        self.hits: dict[str, list[tuple[str, str]]] = {}
        self.known: dict[str, list[str]] = {}

    def work(self) -> None:
        """Find what has each that is missing: by names first, as that needs no network."""
        try:
            self.known = self._known()
            self.hits = self._hits()
        except (DistrolessError, OSError):
            return  # advice is the naming rules', then

    def _known(self) -> dict[str, list[str]]:
        """Give those of the usual names that the archive's indexes have; nothing at all if none of them is cached."""
        from distroless_rules.deb.index_cache import IndexCache
        from distroless_rules.storage.folder import INDEXES
        from distroless_rules.values.digest import Digest

        locked = self.lock.archives.get(self.archive.name)
        names = {name for each in self.wanted for name in verdict.deb_names(each)}
        there: set[str] = set()
        is_known = False
        cache = IndexCache(self.project.cache / INDEXES)
        for index in [index for suite in locked.suites for index in suite.indexes] if locked else ():
            if f"binary-{self.architecture}/" in index.path or "binary-all/" in index.path:
                text = b"\n" + (cache.index(Digest(index.sha256, index.size)) or b"")
                is_known = is_known or len(text) > 1
                there |= {name for name in names if b"\nPackage: %s\n" % name.encode("ascii", "replace") in text}
        found = {each: [name for name in verdict.deb_names(each) if name in there] for each in self.wanted}
        return found if is_known else {}

    def _hits(self) -> dict[str, list[tuple[str, str]]]:
        """Give what the archive's Contents say: (path, deb) pairs."""
        from distroless_rules.deb import contents
        from distroless_rules.deb.archive import contents as indexes
        from distroless_rules.storage.folder import INDEXES

        # Libraries are never in what every architecture shares, which is the larger index by far.
        is_library = all(".so" in each.rpartition("/")[2] for each in self.wanted)
        kinds = [self.architecture] if is_library else [self.architecture, "all"]
        seen = self.lock.archives.get(self.archive.name)
        root, cache = self.project.root, self.project.cache / INDEXES
        texts = indexes(self.archive, self.architecture, root, cache, kinds, seen, time.time())
        return {
            each: [(hit.path, hit.deb) for text in texts for hit in contents.lookup(text, each)] for each in self.wanted
        }


def _archive(project: Project, action: Action) -> Archive | None:
    """Give the archive that an image's debs are of, the workspace's first if it has none."""
    archives = project.workspace.archives or {}
    for named in action.inputs:
        label = named.artifact.owner
        if named.name.startswith(("deb/", "offer/")) and label.startswith("@"):
            return archives.get(label[1:].partition("//")[0])
    return next(iter(archives.values()), None)


def _ranked(wants: str, hits: Iterable[tuple[str, str]], platform: Platform, locked: Iterable[str]) -> list[str]:
    """Give debs that have something, the likeliest first.

    A library must be where a loader looks for it; then the name that the deb should have counts, then whether it is
    locked already, then what is for compilers or another machine comes last.
    """
    usual, known = verdict.deb_names(wants), frozenset(locked)
    folders = _folders(wants, platform)

    def rank(hit: tuple[str, str]) -> tuple[bool, bool, bool, bool, int, str]:
        path, deb = hit
        return (
            bool(folders) and path.rpartition("/")[0] not in folders,
            deb not in usual,
            deb not in known,
            deb.endswith(("-dev", "-cross", "-dbg", "-dbgsym")),
            len(deb),
            deb,
        )

    return list(dict.fromkeys(deb for _, deb in sorted(hits, key=rank)))


def _folders(wants: str, platform: Platform) -> Sequence[str]:
    """Give the folders in which a loader looks for a library, none for anything else."""
    from distroless_rules.elf.read import Elf
    from distroless_rules.elf.search import triplet

    if "/" in wants or ".so" not in wants or wants.startswith("python:"):
        return ()
    machine, bits, big = Program(str(platform)).abi
    return (f"usr/lib/{triplet(Elf(machine, bits, big))}", "usr/lib", "usr/lib64")
