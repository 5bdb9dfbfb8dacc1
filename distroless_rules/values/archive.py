"""Archives as ``distroless.toml`` declares them, and as ``distroless.lock`` fixes them.

Reading and writing the lock's text is ``deb.lock``'s work; these are only its values, so that the loading of BUILD
files can turn ``@trixie//curl`` into a target without knowing how debs were found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Archive", "Lock", "LockedArchive", "LockedDeb", "LockedIndex", "LockedSuite"]


@dataclass(frozen=True, slots=True)
class Archive:
    """An ``[archive.<name>]`` table of ``distroless.toml``.

    Attributes:
        name: the repository name in labels, ``trixie``.
        suites: suites in order of preference for equal versions, ``trixie-security`` for example.
        components: ``main`` and the like.
        architectures: Debian architectures to lock, ``amd64``.
        uris: mirrors in order; empty: taken from this machine's apt sources.
        keyring: path of an OpenPGP keyring, absolute or below the workspace; ``""``: the one that apt's sources
            name for the suite, or apt's own trusted keys.
        pins: (deb, version) pairs that must be taken exactly.
    """

    name: str
    suites: tuple[str, ...]
    components: tuple[str, ...] = ("main",)
    architectures: tuple[str, ...] = ("amd64",)
    uris: tuple[str, ...] = ()
    keyring: str = ""
    pins: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LockedDeb:
    """One binary package that the lock fixes.

    Attributes:
        archive: the archive's name in labels; ``""`` for a local file.
        name: the binary package's name.
        version: its version.
        architecture: its own architecture, ``all`` or a Debian architecture.
        source: the source package's name; debs of one source share a layer.
        path: the path below the archive's URI (the index's Filename); of a local file below the workspace.
        size: bytes of the deb.
        sha256: hexadecimal SHA-256 of the deb.
        suite: the suite it was found in.
        installed_size: KiB once unpacked (the index's Installed-Size), 0 when not given.
        depends: names of the locked debs that satisfy its Depends and Pre-Depends, sorted.
    """

    archive: str
    name: str
    version: str
    architecture: str
    source: str
    path: str
    size: int
    sha256: str
    suite: str = ""
    installed_size: int = 0
    depends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LockedIndex:
    """A ``Packages`` file that the lock was made from: path below ``dists/<suite>``, SHA-256, bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class LockedSuite:
    """The signed release file of a suite that the lock was made from.

    Attributes:
        suite: as ``distroless.toml`` names it.
        codename: the release file's Codename.
        origin: the release file's Origin.
        date: the release file's Date, seconds since 1970; an older one later is a rollback.
        sha256: hexadecimal SHA-256 of the InRelease file.
        signers: fingerprints of the keys that signed it, sorted.
        indexes: the ``Packages`` files read.
    """

    suite: str
    codename: str
    origin: str
    date: int
    sha256: str
    signers: tuple[str, ...]
    indexes: tuple[LockedIndex, ...]


@dataclass(frozen=True, slots=True)
class LockedArchive:
    """What the lock holds of one archive.

    Attributes:
        name: the archive's name.
        suites: the release files it was made from.
        pins: the pins it was made with.
        roots: what BUILD files named, sorted: (name in the label, per architecture the deb that it means) where the
            mapping lacks the architectures that have no such deb.
        debs: architecture -> deb name -> deb: the closure of the roots in that architecture.
    """

    name: str
    suites: tuple[LockedSuite, ...] = ()
    pins: tuple[tuple[str, str], ...] = ()
    roots: tuple[tuple[str, Mapping[str, str]], ...] = ()
    debs: Mapping[str, Mapping[str, LockedDeb]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lock:
    """``distroless.lock`` as a value.

    Attributes:
        archives: archive name -> what is locked of it.
        local: path of a ``.deb`` file below the workspace -> what was read from it; ``depends`` names debs of the
            archive that its dependencies were solved in, kept in ``local_archive``.
        local_archive: the archive that local debs' dependencies were solved in, or ``""``.
        compressors: name (``gzip``, ``zstd``) -> recipe with library and version, as ``oci.compressor`` describes it.
    """

    archives: Mapping[str, LockedArchive] = field(default_factory=dict)
    local: Mapping[str, LockedDeb] = field(default_factory=dict)
    local_archive: str = ""
    compressors: Mapping[str, str] = field(default_factory=dict)
