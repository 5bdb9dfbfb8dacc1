"""``.deb`` files of the workspace: paths in, what their control files say out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from distroless_rules.deb.explain import location
from distroless_rules.deb.index import BinaryPackage
from distroless_rules.deb.package import read_control
from distroless_rules.errors import Location, ResolveError
from distroless_rules.values.archive import Archive

__all__ = ["check_homes", "read"]


def read(root: Path, wanted: Mapping[str, Sequence[str]]) -> dict[str, BinaryPackage]:
    """Read local debs.

    Args:
        root: the workspace.
        wanted: path below it -> the places that name it.

    Returns:
        Path -> deb; ``filename`` is the path.

    Raises:
        ResolveError: if a file cannot be read.
        FormatError: if one is not a deb.
    """
    return {path: _read(root / path, path, wanted[path]) for path in sorted(wanted)}


def _read(file: Path, path: str, places: Sequence[str]) -> BinaryPackage:
    try:
        digest = hashlib.sha256()
        size = 0
        with file.open("rb") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
                size += len(piece)
        fields = read_control(file)
    except OSError as error:
        raise ResolveError(f"read //{path}", error.strerror or str(error), at=_at(places)) from error
    return BinaryPackage.of_control(fields, f'read deb "{path}"', filename=path, size=size, sha256=digest.hexdigest())


def check_homes(local: Mapping[str, BinaryPackage], wanted: Mapping[str, Sequence[str]], home: Archive | None) -> None:
    """See that an archive can give what local debs depend on.

    Args:
        local: path -> deb.
        wanted: path -> the places that name it.
        home: the archive that their dependencies are resolved in.

    Raises:
        ResolveError: if there is none for one that has dependencies, or it is for other architectures.
    """
    for path, deb in local.items():
        if home is None and (deb.depends or deb.pre_depends):
            raise ResolveError(
                f"resolve //{path}",
                "it depends on debs, and distroless.toml declares no archive",
                at=_at(wanted[path]),
                hint="declare [archive.<name>]",
            )
        if home is not None and deb.architecture not in ("all", *home.architectures):
            raise ResolveError(
                f"resolve //{path}",
                f"it is for {deb.architecture}, and [archive.{home.name}] for {', '.join(home.architectures)}",
                at=_at(wanted[path]),
                hint=f'add "{deb.architecture}" to its architectures in distroless.toml',
            )


def _at(places: Sequence[str]) -> Location | None:
    return next((place for text in places if (place := location(text))), None)
