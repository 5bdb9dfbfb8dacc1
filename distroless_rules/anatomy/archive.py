"""Which archive an image's debs are of: its apt sources and os-release in, suites and components out.

Source: sources.list(5), os-release(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from distroless_rules.anatomy.anatomy import Anatomy
from distroless_rules.deb import control, os_release
from distroless_rules.errors import RequestError
from distroless_rules.values.tree import Kind

__all__ = ["Suites", "suites_of"]

_ONE_LINE = re.compile(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)((?:\s+[^#\s]+)*)")
_ROLLING = ("sid", "unstable", "experimental", "rolling")
_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Suites:
    """An archive for ``distroless.toml``.

    Attributes:
        name: of the archive: the release's code name.
        suites: of that release.
        components: ``main`` and the like.
        others: suites of other archives that the image has too, as its sources write them.
    """

    name: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    others: tuple[str, ...] = ()


def suites_of(anatomy: Anatomy) -> Suites:
    """Say which archive an image's debs are of.

    Raises:
        RequestError: if nothing in the image says so.
        FormatError: if its apt sources are malformed.
    """
    release = os_release.fields(next(filter(None, (_text(anatomy, path) for path in os_release.PATHS)), ""))
    name = release.get("VERSION_CODENAME", "")
    rows = list(_sources(anatomy))
    if not name:
        name = next((suite.partition("-")[0].partition("/")[0] for suite, _, _ in rows), "")
    if not re.fullmatch(r"[a-z][a-z0-9]*", name):
        hint = "write distroless.toml by hand; `distroless init` shows how"
        raise RequestError("write a workspace", "nothing in the image says which release its debs are of", hint=hint)
    own = {suite: parts for suite, parts, _ in rows if re.fullmatch(rf"{name}(?:[-/].*)?", suite)}
    suites = own or dict.fromkeys(
        [name] if name in _ROLLING else [name, f"{name}-updates", f"{name}-security"], ("main",)
    )
    components = dict.fromkeys(part for parts in suites.values() for part in parts)
    others = tuple(dict.fromkeys(line for suite, _, line in rows if suite not in own))
    return Suites(name, tuple(suites), tuple(components) or ("main",), others)


def _text(anatomy: Anatomy, path: str) -> str:
    entry = anatomy.view.at(path)
    if entry is None or entry.kind is not Kind.FILE:
        return ""
    return anatomy.layers.bytes_of(entry, _MAX).decode("utf-8", "replace")


def _sources(anatomy: Anatomy) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Give suite, components and the source as it could be shown, of every source of binary packages."""
    names = sorted(anatomy.view.children.get("etc/apt/sources.list.d", ()))
    for path in ("etc/apt/sources.list", *(f"etc/apt/sources.list.d/{name}" for name in names)):
        text = _text(anatomy, path)
        if path.endswith(".sources"):
            for row in control.stanzas(text, f'"/{path}"', comments=True):
                if "deb" in row.get("Types", "").split() and row.get("Enabled", "yes").lower() not in ("no", "false"):
                    for suite in row.get("Suites", "").split():
                        yield suite, tuple(row.get("Components", "").split()), f"{suite} of /{path}"
        elif path.endswith(".list"):
            for line in text.splitlines():
                if match := _ONE_LINE.match(line.strip()):
                    yield match[2], tuple(match[3].split()), f"{match[2]} of /{path}"
