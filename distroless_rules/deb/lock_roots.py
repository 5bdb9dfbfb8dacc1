"""Names in labels: what deb each means in an architecture, and what to say when there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from distroless_rules.deb.explain import location
from distroless_rules.deb.lock_check import Wanted
from distroless_rules.deb.universe import Universe
from distroless_rules.errors import ResolveError, did_you_mean
from distroless_rules.values.archive import Archive

__all__ = ["BASE", "absent", "check_found", "check_pins", "meaning"]

BASE = ("base-files", "base-passwd", "libc-bin")
"""Debs whose files every image's skeleton is made from. They are locked wherever an archive has them, without their
dependencies, as nothing of them runs."""


def meaning(archive: Archive, universe: Universe, name: str, before: str, places: Sequence[str]) -> str:
    """Give the deb that a name means, ``""`` if the architecture has none.

    Args:
        archive: the archive.
        universe: its debs in one architecture.
        name: the name in the label.
        before: what the name meant in the lock so far, or ``""``.
        places: the places that name it.

    Raises:
        ResolveError: if several debs provide the name.
    """
    if universe.versions(name):
        return name
    providers = list(dict.fromkeys(provider.name for provider, _ in universe.index.providers(name)))
    providers = [provider for provider in providers if universe.versions(provider)]
    if len(providers) == 1:
        return providers[0]
    if before and (before in providers or (not providers and universe.versions(before))):
        return before
    named = [provider for provider in providers if provider in universe.preferences.named]
    if not providers or len(named) == 1:
        return named[0] if named else ""
    raise ResolveError(
        f"resolve @{archive.name}//{name} for {universe.index.architecture}",
        f"{len(providers)} debs provide it: {', '.join(providers[:8])}{', ...' if len(providers) > 8 else ''}",
        at=next((place for text in places if (place := location(text))), None),
        hint="name one of them",
    )


def check_pins(archive: Archive, universe: Universe) -> set[str]:
    """Give the debs that have pins and are there.

    Raises:
        ResolveError: if one is there in other versions only.
    """
    found = set()
    for deb, version in archive.pins:
        if universe.versions(deb):
            found.add(deb)
        elif others := universe.index.versions(deb):
            raise ResolveError(
                f"pin {deb} to {version} in [archive.{archive.name}]",
                f"for {universe.index.architecture} its suites have {_listed([other.version for other in others])}",
            )
    return found


def _listed(versions: Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(versions))


def check_found(
    archive: Archive,
    wanted: Wanted,
    means: Mapping[str, Mapping[str, str]],
    unpinned: Iterable[str],
    names: Sequence[str],
) -> None:
    """Refuse names that no architecture has a deb for, and pins to versions that none has.

    Args:
        archive: the archive.
        wanted: what BUILD files name.
        means: name -> architecture -> deb.
        unpinned: debs with pins that no architecture has.
        names: every deb's name, for the hint.

    Raises:
        ResolveError: naming the first such.
    """
    for deb in sorted(unpinned):
        hint = _similar(deb, names)
        raise ResolveError(f"pin {deb} in [archive.{archive.name}]", "its suites have no such deb", hint=hint)
    for name, found in means.items():
        if not found:
            places = wanted.debs[archive.name][name]
            raise ResolveError(
                f"resolve @{archive.name}//{name}",
                f"its suites ({', '.join(archive.suites)}) have no such deb",
                at=next((place for text in places if (place := location(text))), None),
                hint=_similar(name, names),
            )


def absent(archive: Archive, means: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Give a note for each name that some architectures have no deb for."""
    return [
        f"@{archive.name}//{name} is not in {', '.join(missing)}"
        for name, found in means.items()
        if (missing := [each for each in archive.architectures if each not in found])
    ]


def _similar(name: str, names: Sequence[str]) -> str:
    """Look among names of about the same length and beginning: an archive has tens of thousands."""
    near = {
        other
        for other in names
        if abs(len(other) - len(name)) <= 3 and (other[0] == name[0] or other[-2:] == name[-2:])
    }
    return did_you_mean(name, sorted(near))
