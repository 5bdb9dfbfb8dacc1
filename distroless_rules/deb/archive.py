"""Archives opened as apt does: where they are in, what debs they hold and what proves it out.

For each suite the release file is fetched anew, its signature, name and dates are checked, and the Packages files that
it vouches for are taken from the cache or fetched. Source: Debian repository format; apt-secure(8).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from distroless_rules.deb import mirror, openpgp, packed, release, sources
from distroless_rules.deb.contents import compact, unzipped
from distroless_rules.deb.index import Index, PackagesFile
from distroless_rules.deb.index_cache import IndexCache
from distroless_rules.deb.mirror import NotFoundError
from distroless_rules.deb.parallel import each
from distroless_rules.deb.release import Release
from distroless_rules.deb.sources import SuiteSource
from distroless_rules.errors import ConfigError, FormatError, TrustError
from distroless_rules.values.archive import Archive, LockedArchive, LockedDeb, LockedIndex, LockedSuite
from distroless_rules.values.digest import Digest

__all__ = ["contents", "fetch_deb", "open_archive"]

Progress = Callable[[int], None]

_MAX_INDEX = 512 << 20
_MAX_CONTENTS = 4 << 30
_CHUNK = 1 << 18


def _nothing(_: int) -> None:
    pass


def open_archive(
    archive: Archive,
    architecture: str,
    root: Path,
    cache: Path,
    seen: LockedArchive | None,
    now: float,
    progress: Progress = _nothing,
) -> tuple[Index, tuple[LockedSuite, ...]]:
    """Read the indexes of an archive's suites, in parallel.

    Args:
        archive: the archive.
        architecture: a Debian architecture; packages for ``all`` are included.
        root: the workspace, for relative keyrings.
        cache: a folder of this module's own; indexes that it holds are not fetched again.
        seen: what the lock holds of the archive: an older or another release file is an error.
        now: seconds since 1970.
        progress: called with the number of bytes that came in, from several threads.

    Returns:
        The index, and a proof for each suite in the archive's order.

    Raises:
        ConfigError: if a suite, component or architecture is not served, or no source or keyring is known.
        FetchError: if a file cannot be fetched.
        TrustError: if a signature, name, date, size or digest is not what it must be.
        FormatError: if a signed file is malformed.
        StorageError: if the cache cannot be written.
    """
    places = sources.find(archive, root, architecture)
    known = {suite.suite: suite for suite in seen.suites} if seen else {}
    store = IndexCache(cache)
    opened = each(
        lambda place: _open_suite(archive, place, architecture, store, known.get(place.suite), now, progress),
        places,
        threads=8,
    )
    store.prune()
    files = [file for suite_files, _ in opened for file in suite_files]
    return Index(files, architecture, archive.suites), tuple(locked for _, locked in opened)


def fetch_deb(
    archive: Archive,
    locked: LockedDeb,
    root: Path,
    write_to: Path | BinaryIO,
    progress: Progress = _nothing,
) -> str:
    """Fetch a deb that the lock fixes, and check its size and SHA-256.

    Args:
        archive: the archive it was locked from.
        locked: the deb.
        root: the workspace, for relative keyrings.
        write_to: where its bytes go; see ``mirror.fetch``.
        progress: called with the number of bytes that came in.

    Returns:
        The URI of the archive that served it.

    Raises:
        ConfigError: if no source of its suite is known.
        FetchError: if no mirror gave it; ``NotFoundError`` when it has left them.
        TrustError: if mirrors have other bytes under its path.
    """
    suite = locked.suite or archive.suites[0]
    [place] = sources.find(
        replace(archive, suites=(suite,)), root, "" if locked.architecture == "all" else locked.architecture
    )
    try:
        return mirror.fetch(place.uris, locked.path, write_to, Digest(locked.sha256, locked.size), progress)
    except NotFoundError as error:
        raise NotFoundError(
            f"fetch {locked.name} {locked.version}",
            f"it has left the mirrors ({error.cause})",
            hint=f"to take its successor, run distroless lock --update {locked.name}",
        ) from error


def contents(
    archive: Archive,
    architecture: str,
    root: Path,
    cache: Path,
    kinds: Sequence[str],
    seen: LockedArchive | None,
    now: float,
) -> list[bytes]:
    """Give what an archive's Contents indexes say, as ``deb.contents`` keeps it; what is not offered is left out.

    Args:
        archive: the archive.
        architecture: a Debian architecture.
        root: the workspace, for relative keyrings.
        cache: as of ``open_archive``; what it holds is not fetched again.
        kinds: which are read of each component: the architecture's own, ``all``.
        seen: what the lock holds of the archive.
        now: seconds since 1970.

    Raises:
        ConfigError, FetchError, TrustError, FormatError, StorageError: as ``open_archive``.
    """
    store = IndexCache(cache)
    known = {suite.suite: suite for suite in seen.suites} if seen else {}
    found = []
    for place in sources.find(archive, root, architecture):
        suite = _trusted(archive, place, store, known.get(place.suite), now, _nothing)[0]
        for component in archive.components:
            for kind in kinds:
                found += suite.contents(f"{component}/Contents-{kind}.gz")
    return found


def _open_suite(
    archive: Archive,
    place: SuiteSource,
    architecture: str,
    cache: IndexCache,
    seen: LockedSuite | None,
    now: float,
    progress: Progress,
) -> tuple[list[PackagesFile], LockedSuite]:
    suite, data, signers = _trusted(archive, place, cache, seen, now, progress)
    told = suite.told
    paths = [path for part in archive.components for path in _index_paths(place.suite, told, part, architecture)]
    files, indexes = [], []
    for path in paths:
        content, locked = suite.packages(path)
        files.append(PackagesFile(place.suite, content))
        indexes.append(locked)
    sha256 = hashlib.sha256(data).hexdigest()
    return files, LockedSuite(place.suite, told.codename, told.origin, told.date, sha256, signers, tuple(indexes))


def _trusted(
    archive: Archive, place: SuiteSource, cache: IndexCache, seen: LockedSuite | None, now: float, progress: Progress
) -> tuple[_Suite, bytes, tuple[str, ...]]:
    """Fetch a suite's release file and check it; give the suite, the file's bytes and who signed it."""
    what = f"release file of suite {place.suite}"
    uri, data = _fetch_release(archive, place, cache, progress)
    body, signers = openpgp.verify(data, place.keyring(), what, now)
    told = release.parse(body, what)
    release.check_suite(told, place.suite, what)
    release.check_fresh(told, now, seen.date if seen else 0, what)
    _check_same(told, seen, what)
    uris = (uri, *(other for other in place.uris if other != uri))
    return _Suite(place.suite, uris, told, cache, progress), data, signers


def _fetch_release(archive: Archive, place: SuiteSource, cache: IndexCache, progress: Progress) -> tuple[str, bytes]:
    """Fetch InRelease, or take the cached one if the mirror says that it has not changed."""
    path = f"dists/{place.suite}/InRelease"
    name = hashlib.sha256("\n".join((path, *place.uris)).encode()).hexdigest()
    old, validators = cache.release(name)
    try:
        uri, text = mirror.fetch_text(place.uris, path, openpgp.MAX_SIZE, validators)
    except NotFoundError as error:
        hint = f'write uris = ["https://mirror.example/debian"] under [archive.{archive.name}] in distroless.toml'
        raise ConfigError(f"find suite {place.suite} of archive {archive.name}", error.cause, hint=hint) from error
    if text.unchanged:
        return uri, old
    progress(len(text.data))
    cache.keep_release(name, text)
    return uri, text.data


def _check_same(told: Release, seen: LockedSuite | None, what: str) -> None:
    """Refuse a suite that has turned into another since it was locked, as apt does."""
    if seen is None:
        return
    for name, was, now in (("origin", seen.origin, told.origin), ("codename", seen.codename, told.codename)):
        if was and was != now:
            cause = f'its {name} was "{was}" when distroless.lock was made, and now is "{now}"'
            raise TrustError(f"trust {what}", cause, hint="name the codename as the suite, or remove distroless.lock")


def _index_paths(suite: str, told: Release, component: str, architecture: str) -> list[str]:
    """Give the paths of a component's Packages files, without a compression's suffix."""
    wanted = [architecture]
    if "all" in told.architectures and not told.all_is_merged:
        wanted.append("all")
    paths = [f"{component}/binary-{name}/Packages" for name in wanted]
    found = [path for path in paths if any(path + suffix in told.files for suffix in packed.SUFFIXES)]
    if paths[0] in found:
        return found
    doing = f"read suite {suite} for {architecture}"
    # The components of Debian's security suites are told as "updates/main".
    if component not in {name.rpartition("/")[2] for name in told.components} | set(told.components):
        raise ConfigError(doing, f'it has no component "{component}", only {", ".join(told.components)}')
    raise ConfigError(doing, f'component "{component}" is not there for it, only for {", ".join(told.architectures)}')


@dataclass(frozen=True, slots=True)
class _Suite:
    """A suite whose release file is trusted."""

    name: str
    uris: tuple[str, ...]
    told: Release
    cache: IndexCache
    progress: Progress

    def packages(self, path: str) -> tuple[bytes, LockedIndex]:
        """Give the decompressed Packages file at ``path``, and the proof of what was read."""
        plain = self.told.files.get(path)
        if plain and (content := self.cache.index(plain)) is not None:
            return content, LockedIndex(path, plain.hash, plain.size)
        suffix = next(suffix for suffix in packed.SUFFIXES if path + suffix in self.told.files)
        digest = self.told.files[path + suffix]
        limit = plain.size if plain else _MAX_INDEX
        what = f'"{path}{suffix}" of suite {self.name}'
        if max(limit, digest.size) > _MAX_INDEX:
            raise FormatError(f"read {what}", f"it is larger than {_MAX_INDEX >> 20} MiB")
        content = packed.unpack(self._fetch(path + suffix, digest), suffix, limit, what)
        if not plain:
            return content, LockedIndex(path + suffix, digest.hash, digest.size)
        if Digest.of(content) != plain:
            raise TrustError(
                f"trust {what}", f"it unpacks to {Digest.of(content)}, not {plain} as the release file says"
            )
        self.cache.keep_index(plain, content)
        return content, LockedIndex(path, plain.hash, plain.size)

    def contents(self, path: str) -> list[bytes]:
        """Give what is kept of the Contents index at ``path``; nothing if the suite or its mirrors have none."""
        digest = self.told.files.get(path)
        if digest is None or digest.size > _MAX_INDEX:
            return []
        name = f"contents-{digest.hash}"
        kept = self.cache.extract(name)
        if kept is None:
            what = f'"{path}" of suite {self.name}'
            with tempfile.TemporaryFile() as file:
                try:
                    self._fetch_into(path, digest, file, mirror.Retry(1))
                except (NotFoundError, TrustError):
                    return []  # the mirror has that of another day: what it says is not signed for
                file.seek(0)
                kept = compact(unzipped(iter(lambda: file.read(_CHUNK), b""), _MAX_CONTENTS, what))
            self.cache.keep_extract(name, kept)
        return [kept]

    def _fetch(self, path: str, digest: Digest) -> bytes:
        buffer = BytesIO()
        self._fetch_into(path, digest, buffer, mirror.Retry())
        return buffer.getvalue()

    def _fetch_into(self, path: str, digest: Digest, sink: BinaryIO, retry: mirror.Retry) -> None:
        """Fetch by digest where the suite offers it, as the file at ``path`` may already belong to the next release."""
        base = f"dists/{self.name}"
        if self.told.acquire_by_hash:
            folder = path.rpartition("/")[0]
            try:
                at = f"{base}/{folder}/by-hash/SHA256/{digest.hash}"
                mirror.fetch(self.uris, at, sink, digest, self.progress, retry)
            except (NotFoundError, TrustError):
                pass  # the mirror does not carry by-hash after all
            else:
                return
        try:
            mirror.fetch(self.uris, f"{base}/{path}", sink, digest, self.progress, retry)
        except TrustError as error:
            hint = "the mirror may be in the middle of an update; try again in some minutes, or another mirror"
            raise TrustError(error.doing, error.cause, hint=hint) from error
