"""The debs that an image needs, and the actions that unpack them; every image of a build shares these."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.errors import AnalysisError, StaleLockError
from distroless_rules.values.archive import Lock, LockedDeb
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import Platform

__all__ = ["BASE", "Closure", "Cut", "Debs", "Offer", "Unpacked", "rows"]

BASE = ("base-files", "base-passwd", "libc-bin")


class CutResult(Protocol):
    """What a cut leaves: names in order, and (deb, dependency, reason) of each edge cut."""

    @property
    def kept(self) -> Sequence[str]:
        """The debs that stay."""

    @property
    def cuts(self) -> Sequence[tuple[str, str, str]]:
        """The edges cut."""


Cut = Callable[[Sequence[str], Mapping[str, Sequence[str]], Sequence[str], Sequence[str]], CutResult]
"""``deb.cuts.cut``: roots, edges, exclude, keep -> what stays."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A deb with the files that its unpacking gives, and what was found out about those that are in it."""

    deb: LockedDeb
    index: Artifact
    tree: Artifact
    facts: Artifact
    mentions: Artifact
    checksums: Artifact
    screen: Artifact


@dataclass(frozen=True, slots=True)
class Closure:
    """The debs of an image; ``base`` are those whose effects every image has; ``cuts`` as ``CutResult`` has them."""

    debs: tuple[Unpacked, ...]
    base: tuple[Unpacked, ...]
    cuts: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """A deb of the build stage from which an image takes what a library that it needs is in.

    Attributes:
        unpacked: the deb.
        needs: it and what it needs at run time: names of debs of its archive, sorted.
        depends: those of them on which it depends itself.
        cuts: as ``CutResult`` has them.
    """

    unpacked: Unpacked
    needs: tuple[str, ...]
    depends: tuple[str, ...]
    cuts: tuple[tuple[str, str, str], ...]


class Debs:
    """Computes closures and declares unpacking, each deb once.

    Args:
        lock: what is locked.
        cut: decides which dependencies an image does not need.
        default_archive: the archive whose base debs images get that name no deb, ``""`` for none.
        add: declares an action.
    """

    def __init__(self, lock: Lock, cut: Cut, default_archive: str, add: Callable[[Action], None]) -> None:
        self._lock = lock
        self._cut = cut
        self._default = default_archive
        self._add = add
        self._unpacked: dict[LockedDeb, Unpacked] = {}
        self._by_index: dict[Artifact, LockedDeb] = {}

    def closure(
        self,
        roots: Iterable[tuple[str, str]],
        local: Iterable[Artifact],
        exclude: Sequence[str],
        keep: Sequence[str],
        platform: Platform,
    ) -> Closure:
        """Give what ``roots`` and ``local`` need at run time.

        Args:
            roots: (archive, deb) pairs.
            local: ``.deb`` files of the workspace.
            exclude: debs that must not be in it.
            keep: debs whose dependencies, and dependencies on which, are not cut.
            platform: what it is for.

        Raises:
            AnalysisError: if two archives or files would both give a deb of one name, a root is not locked, a local
                deb is for another architecture, or one that is needed is not among ``local``.
            StaleLockError: if a local deb is not locked.
        """
        wanted: dict[str, list[str]] = {}
        for archive, name in roots:
            wanted.setdefault(archive, []).append(name)
        files = self._files(local, platform)
        if files and self._lock.local_archive:
            wanted.setdefault(self._lock.local_archive, [])
        found: dict[str, Unpacked] = {}
        cuts: list[tuple[str, str, str]] = []
        for archive in wanted or {"": []}:
            known = self._known(archive, platform)
            mine = files if archive == self._lock.local_archive or not archive else {}
            self._check_known(archive, wanted.get(archive, []), {**known, **mine})
            edges = {name: deb.depends for name, deb in {**known, **{n: d for n, (d, _) in mine.items()}}.items()}
            result = self._cut([*wanted.get(archive, []), *mine], edges, exclude, keep)
            for name in result.kept:
                if name not in mine and name not in known:
                    raise self._lacks(name, edges, result.kept)
                unpacked = self._unpack(*mine[name]) if name in mine else self._unpack(known[name])
                self._claim(found, name, unpacked)
            cuts.extend(result.cuts)
        debs = tuple(found[name] for name in sorted(found))
        return Closure(debs, self._base([*wanted, self._default], platform), tuple(cuts))

    def offers(
        self, indexes: Iterable[Artifact], exclude: Sequence[str], keep: Sequence[str], platform: Platform
    ) -> list[Offer]:
        """Give what may be taken, library by library, of debs that commands ran among, and what that needs.

        A deb with headers (``-dev``), and one that needs such a deb, is not among them.

        Args:
            indexes: those of the debs, whatever machine they are for.
            exclude: as for ``closure``.
            keep: likewise.
            platform: what the image is for: debs of the same names for it are given, as far as they are locked.
        """
        found: dict[tuple[str, str], Offer] = {}
        for key, deb, result in self._offered(indexes, exclude, keep, platform):
            depends = tuple(each for each in deb.depends if each in result.kept)
            found[key] = Offer(self._unpack(deb), tuple(result.kept), depends, tuple(result.cuts))
        return [found[key] for key in sorted(found)]

    def barred(
        self, indexes: Iterable[Artifact], exclude: Sequence[str], keep: Sequence[str], platform: Platform
    ) -> list[str]:
        """Give those of ``exclude`` that ``offers`` would give, or cuts off, if they were not in it; sorted."""
        would = {name for (_, name), _, _ in self._offered(indexes, (), keep, platform)} if exclude else set()
        return sorted(would.intersection(exclude))

    def _offered(
        self, indexes: Iterable[Artifact], exclude: Sequence[str], keep: Sequence[str], platform: Platform
    ) -> Iterator[tuple[tuple[str, str], LockedDeb, CutResult]]:
        given = [deb for index in indexes if (deb := self._by_index.get(index)) is not None and deb.archive]
        seen: set[tuple[str, str]] = set()
        waiting = sorted({(deb.archive, deb.name) for deb in given}, reverse=True)
        while waiting:
            archive, name = waiting.pop()
            known = self._known(archive, platform)
            if (archive, name) in seen or name not in known or name in exclude:
                continue
            seen.add((archive, name))
            result = self._cut([name], {each: deb.depends for each, deb in known.items()}, exclude, keep)
            if not any(each.endswith("-dev") or each not in known for each in result.kept):
                yield (archive, name), known[name], result
                waiting += [(archive, each) for each in result.kept]

    def _check_known(self, archive: str, names: Iterable[str], known: Container[str]) -> None:
        for name in names:
            if name not in known:
                hint = "a rule can use only debs that a label in one of its attributes names"
                raise AnalysisError(f'use "@{archive}//{name}"', "distroless.lock does not have it", hint=hint)

    def _lacks(self, name: str, edges: Mapping[str, Sequence[str]], kept: Iterable[str]) -> AnalysisError:
        """Say who needs a deb that the archive does not give and that is not among the image's local ones."""
        users = " and ".join(f'"{user}"' for user in kept if name in edges.get(user, ()))
        paths = [path for path, deb in sorted(self._lock.local.items()) if deb.name == name]
        if not paths:
            return AnalysisError(f'use "{name}"', f"{users} needs it, and distroless.lock does not have it")
        return AnalysisError(
            f'use "{name}"',
            f'{users} needs it, and only "{paths[0]}" gives it, which the image does not name',
            hint=f'add "{_label(paths[0])}" to its contents',
        )

    def _claim(self, found: dict[str, Unpacked], name: str, unpacked: Unpacked) -> None:
        other = found.setdefault(name, unpacked)
        if other.deb != unpacked.deb:
            raise AnalysisError(
                "put the image together",
                f'"{name}" would come from two archives: {_shown(other.deb)} and {_shown(unpacked.deb)}',
                hint="take all debs of an image from one archive",
            )

    def _known(self, archive: str, platform: Platform) -> Mapping[str, LockedDeb]:
        locked = self._lock.archives.get(archive)
        return locked.debs.get(platform.deb, {}) if locked else {}

    def _base(self, archives: Iterable[str], platform: Platform) -> tuple[Unpacked, ...]:
        for archive in archives:
            known = self._known(archive, platform)
            if known:
                return tuple(self._unpack(known[name]) for name in BASE if name in known)
        return ()

    def _files(self, local: Iterable[Artifact], platform: Platform) -> dict[str, tuple[LockedDeb, Artifact]]:
        """Give local debs by name."""
        files: dict[str, tuple[LockedDeb, Artifact]] = {}
        for artifact in local:
            deb = self._local(artifact)
            if deb.architecture not in ("all", platform.deb):
                raise AnalysisError(f'use "{artifact.path}" for {platform}', f"it is for {deb.architecture}")
            other = files.setdefault(deb.name, (deb, artifact))[1]
            if other != artifact:
                cause = f'"{deb.name}" would come from two files: "{other.path}" and "{artifact.path}"'
                raise AnalysisError("put the image together", cause)
        return files

    def _local(self, artifact: Artifact) -> LockedDeb:
        deb = self._lock.local.get(artifact.path)
        if deb is None or artifact.root is not Root.SOURCE:
            raise StaleLockError(
                f'use "{artifact.path}"', "distroless.lock does not have it", hint="run `distroless lock`"
            )
        return deb

    def _unpack(self, deb: LockedDeb, file: Artifact | None = None) -> Unpacked:
        made = self._unpacked.get(deb)
        if made is None:
            made = self._unpacked[deb] = self._declare(deb, file)
            self._by_index[made.index] = deb
        return made

    def _declare(self, deb: LockedDeb, file: Artifact | None) -> Unpacked:
        import json

        owner = f"@{deb.archive}//{deb.name}" if deb.archive else f"//{deb.path}"
        if file is None:
            file = Artifact(Root.LOCKED, f"{deb.archive}/{deb.path}", Digest(deb.sha256, deb.size), owner)
        # Archives may have the very same deb: two suites of a distribution, for example.
        folder = f"debs/{deb.archive or deb.path}/{deb.name}_{deb.version}_{deb.architecture}_{deb.sha256[:12]}"
        index = Artifact(Root.DERIVED, f"{folder}/index", owner=owner)
        tree = Artifact(Root.DERIVED, f"{folder}/tree", owner=owner)
        parameters = {"architecture": deb.architecture, "name": deb.name, "version": deb.version}
        self._add(
            Action(
                mnemonic="DebUnpack",
                owner=owner,
                parameters=json.dumps(parameters, sort_keys=True, separators=(",", ":")),
                inputs=(Named("deb", file),),
                outputs=(Named("index", index), Named("tree", tree)),
                progress=f"Unpacking {deb.name}",
                weight=deb.size,
            )
        )
        found = []
        public = json.dumps({"public": bool(deb.archive)}, separators=(",", ":"))
        for mnemonic, doing, told in (
            ("Facts", "Reading", "{}"),
            ("Mentions", "Searching", "{}"),
            ("Checksums", "Hashing", "{}"),
            ("Screen", "Screening", public),
        ):
            output = Artifact(Root.DERIVED, f"{folder}/{mnemonic.lower()}", owner=owner)
            found.append(output)
            self._add(
                Action(
                    mnemonic=mnemonic,
                    owner=owner,
                    parameters=told,
                    inputs=(Named("index", index), Named("tree", tree)),
                    outputs=(Named(mnemonic.lower(), output),),
                    progress=f"{doing} {deb.name}",
                    weight=deb.size,
                )
            )
        return Unpacked(deb, index, tree, *found)


def _label(path: str) -> str:
    """Give the label of a file as it is when the file's folder is its package."""
    folder, _, name = path.rpartition("/")
    return f"//{folder}:{name}"


def _shown(deb: LockedDeb) -> str:
    return f"{deb.archive or deb.path} {deb.version}"


def rows(unpacked: Sequence[Unpacked], row: Callable[[Artifact], Any]) -> list[dict[str, Any]]:
    """Give debs as the prelude takes them."""
    return [
        {
            "name": each.deb.name,
            "archive": each.deb.archive,
            "version": each.deb.version,
            "architecture": each.deb.architecture,
            "source": each.deb.source,
            "size": each.deb.size,
            "installed_size": each.deb.installed_size,
            "index": row(each.index),
            "tree": row(each.tree),
            "facts": row(each.facts),
            "mentions": row(each.mentions),
            "checksums": row(each.checksums),
            "sha256": each.deb.sha256,
            "screen": row(each.screen),
        }
        for each in unpacked
    ]
