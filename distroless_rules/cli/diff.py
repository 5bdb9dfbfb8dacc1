"""``distroless diff``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from distroless_rules.cli.common import Flags, build_here, build_options, images, note
from distroless_rules.errors import RequestError, escaped

if TYPE_CHECKING:
    from distroless_rules.comparing.compare import Difference
    from distroless_rules.values.platform import Platform

__all__ = ["command"]


@dataclass(frozen=True)
class _Side:
    """One of the two: as the user names it, where it is, and what it has images for; nothing if it does not say."""

    name: str
    where: str
    platforms: tuple[Platform, ...]

    def choice(self, platform: Platform | None) -> Platform | None:
        """Give what to choose by: nothing where there is no choice."""
        return platform if len(self.platforms) > 1 else None


@click.command()
@click.argument("old", metavar="IMAGE1")
@click.argument("new", metavar="IMAGE2")
@click.option("--json", "as_json", is_flag=True, help="Print everything that differs as JSON.")
@click.option("--files", is_flag=True, help="List every path that differs, however many.")
@click.option("--text", is_flag=True, help="Show which lines of small text files differ.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if the images differ.")
@build_options
def command(flags: Flags, old: str, new: str, as_json: bool, files: bool, text: bool, exit_code: bool) -> int | None:
    """Show what two images differ in: debs, files, modes, settings and layers.

    Each IMAGE is a label, which is built first; the folder of an OCI layout (FOLDER, FOLDER:TAG, FOLDER@sha256:...); or
    a file that docker save or --output wrote, packed or not. Images for several platforms are compared each by each.
    """
    from distroless_rules.cli.diff_text import document, shown
    from distroless_rules.comparing.compare import compare
    from distroless_rules.comparing.picture import picture, texts
    from distroless_rules.deb.installed import holds

    sides = [_side(flags, word) for word in (old, new)]
    found: list[Difference] = []
    lines: list[dict[str, tuple[list[str], list[str]]]] = []
    for platform in _platforms(flags, *sides):
        difference = compare(*(picture(side.where, side.name, side.choice(platform)) for side in sides))
        found.append(difference)
        others = (file for file in difference.files if "content" in file.aspects)
        changed = frozenset(file.path for file in others if not holds(file.path))
        read = [texts(side.where, side.choice(platform), changed) if text and changed else {} for side in sides]
        lines.append({path: (read[0][path], read[1][path]) for path in sorted(changed) if path in read[1]})
    alone = _alone(flags, *sides)
    if as_json:
        click.echo(json.dumps([document(*each) for each in zip(found, lines, strict=True)], indent=2))
    else:
        for number, (difference, changes) in enumerate(zip(found, lines, strict=True)):
            if number:
                click.echo()
            for line in shown(difference, changes, every=files):
                click.echo(escaped(line))
    for line in alone:
        click.echo(escaped(line), err=as_json)
    differ = bool(alone) or any(not difference.same for difference in found)
    return 1 if exit_code and differ else None


def _side(flags: Flags, word: str) -> _Side:
    """Find an image, and build it if it is a label.

    Raises:
        DistrolessError: whatever keeps it from being found or built.
    """
    from distroless_rules.oci.opened import is_there, platforms

    label = word.startswith(("//", "@", ":")) or not (word.startswith(("/", "./", "../")) or is_there(word))
    if not label:
        return _Side(word, word, platforms(word))
    project, built = build_here(flags, [word])
    for line in built.warnings:
        note(line)
    ((name, folder),) = _one(images(project, built, f'compare "{word}"'), word)
    return _Side(name, str(folder), platforms(str(folder)))


def _one(found: list[tuple[str, Path]], word: str) -> list[tuple[str, Path]]:
    if len(found) != 1:
        raise RequestError(f'compare "{word}"', f"it names {len(found)} images, and one is compared with one")
    return found


def _platforms(flags: Flags, old: _Side, new: _Side) -> list[Platform | None]:
    """Give the platforms to compare images for; None: the only image of each side.

    Raises:
        RequestError: if there is none that both have.
    """
    from distroless_rules.values.platform import HOST, Platform

    if flags.platform and not flags.platform.startswith(("/", "@", ":")):
        return [Platform.parse(flags.platform)]
    several = [side for side in (old, new) if len(side.platforms) > 1]
    if not several:
        return [None]
    if len(several) == 1:
        other = new if several[0] is old else old
        return [other.platforms[0] if other.platforms else HOST]
    both = [platform for platform in old.platforms if platform in new.platforms]
    if not both:
        raise RequestError(f'compare "{old.name}" with "{new.name}"', "they have images for no platform in common")
    return [*both]


def _alone(flags: Flags, old: _Side, new: _Side) -> list[str]:
    """Say which platforms only one side has images for, where both have several."""
    if flags.platform or min(len(old.platforms), len(new.platforms)) < 2:
        return []
    return [
        f"only {side.name} has an image for {platform}"
        for side, other in ((old, new), (new, old))
        for platform in side.platforms
        if platform not in other.platforms
    ]
