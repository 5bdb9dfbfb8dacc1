"""The time zone of the system.

Source: tzdata's postinst; localtime(5).
"""

from __future__ import annotations

from collections.abc import Iterator

from distroless_rules.deb.effects.effect import Change, Effect, Scene, file, link
from distroless_rules.errors import AnalysisError, did_you_mean
from distroless_rules.values.tree import Kind

__all__ = ["TIMEZONE"]

_ZONES = "usr/share/zoneinfo"


def _timezone(scene: Scene) -> Iterator[Change]:
    asked = scene.options.timezone
    zone = asked or "Etc/UTC"
    entry = scene.tree.follow(f"{_ZONES}/{zone}")
    if entry is None or entry.kind not in (Kind.FILE, Kind.HARDLINK):
        if asked is None:
            return
        names = [e.path[len(_ZONES) + 1 :] for e in scene.tree.below(_ZONES)]
        hint = did_you_mean(asked, names) if names else "add the deb tzdata to contents"
        raise AnalysisError(f'set the time zone "{asked}"', f'there is no "/{_ZONES}/{asked}" in the image', hint=hint)
    if "etc/localtime" not in scene.tree:
        yield link("etc/localtime", f"/{_ZONES}/{zone}")
    if "etc/timezone" not in scene.tree:
        yield file("etc/timezone", f"{zone}\n".encode())


TIMEZONE = Effect(
    "timezone",
    "/etc/localtime and /etc/timezone name the zone that the image asks for, or Etc/UTC when it has zones.",
    _timezone,
)
