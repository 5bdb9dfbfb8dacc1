"""What scripts enable of the configuration of Apache, lighttpd and PHP: acts in, links out.

A module that another one needs is enabled too, as its file says. What is not among the available ones is left out, as
the programs that enable it do. Source: a2enmod(8), lighty-enable-mod(1), phpenmod(8) and their scripts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from distroless_rules.deb.effects.effect import Change, Effect, Scene, link
from distroless_rules.deb.prune import matcher
from distroless_rules.values.path import fold_usr
from distroless_rules.values.tree import Kind

__all__ = ["ENABLED"]

_APACHE_NEEDS = re.compile(r"^#\s*Depends:(.*)$", re.MULTILINE | re.IGNORECASE)
_LIGHTTPD_NEEDS = re.compile(r"^# -\*- depends: ([-\w, ]+) -\*-", re.MULTILINE)
_PHP_PRIORITY = re.compile(r"^;\s*priority\s*=\s*([0-9]+)\s*$", re.MULTILINE)


def _enabled(scene: Scene) -> Iterator[Change]:
    excluded = matcher(scene.options.exclude, fold_usr)
    wanted = dict.fromkeys((act.value, act.path) for _, act in scene.acts if act.verb == "enable")
    made: set[str] = set()
    for folder, name in wanted:
        server, _, kind = folder.partition("/")
        for path, target in _SERVERS[server](scene, kind, name):
            if path not in made and path not in scene.tree and not excluded(path):
                made.add(path)
                yield link(path, target)


def _apache(scene: Scene, kind: str, name: str) -> Iterator[tuple[str, str]]:
    """Link each of ``name.load`` and ``name.conf``, and what they need."""
    main = ".load" if kind == "mods" else ".conf"
    for one in _closure(scene, name, lambda each: f"etc/apache2/{kind}-available/{each}{main}", _APACHE_NEEDS):
        for suffix in dict.fromkeys((main, ".conf")):
            if f"etc/apache2/{kind}-available/{one}{suffix}" in scene.tree:
                yield f"etc/apache2/{kind}-enabled/{one}{suffix}", f"../{kind}-available/{one}{suffix}"


def _lighttpd(scene: Scene, kind: str, name: str) -> Iterator[tuple[str, str]]:
    """Link each ``10-name.conf``, and what it needs."""
    files: dict[str, str] = {}
    for entry in scene.tree.below(f"etc/lighttpd/{kind}-available"):
        if found := re.fullmatch(r"[0-9]+-([\w.-]+)\.conf", entry.path.rpartition("/")[2]):
            files[found[1]] = entry.path
    for one in _closure(scene, name, lambda each: files.get(each, ""), _LIGHTTPD_NEEDS):
        file = files[one].rpartition("/")[2]
        yield f"etc/lighttpd/{kind}-enabled/{file}", f"../{kind}-available/{file}"


def _php(scene: Scene, version: str, name: str) -> Iterator[tuple[str, str]]:
    """Link a module for each way to run PHP that is in the image."""
    module = f"etc/php/{version}/mods-available/{name}.ini"
    text = _text(scene, module)
    if text is None:
        return
    priority = _PHP_PRIORITY.search(text)
    for sapi in sorted({entry.path.split("/")[3] for entry in scene.tree.below(f"etc/php/{version}")}):
        folder = scene.tree.get(f"etc/php/{version}/{sapi}/conf.d")
        if folder is not None and folder.kind is Kind.DIRECTORY:
            yield f"{folder.path}/{priority[1] if priority else 20}-{name}.ini", f"/{module}"


_SERVERS: Mapping[str, Callable[[Scene, str, str], Iterable[tuple[str, str]]]] = {
    "apache2": _apache,
    "lighttpd": _lighttpd,
    "php": _php,
}


def _closure(scene: Scene, name: str, place: Callable[[str], str], needs: re.Pattern[str]) -> list[str]:
    """Give the modules that are there of one and those that it needs, by the lines of their files."""
    found: list[str] = []
    todo, seen = [name], {name}
    while todo:
        one = todo.pop()
        text = _text(scene, place(one))
        if text is None:
            continue
        found.append(one)
        listed = {word for line in needs.findall(text) for word in re.split(r"[\s,]+", line) if word}
        todo += sorted(listed - seen)
        seen |= listed
    return found


def _text(scene: Scene, path: str) -> str | None:
    entry = scene.tree.follow(path) if path else None
    if entry is None or entry.kind is not Kind.FILE:
        return None
    return scene.read(entry).decode("utf-8", "replace")


ENABLED = Effect(
    "enabled",
    "Links to those parts of the configuration of Apache, lighttpd and PHP that a2enmod, a2enconf, a2ensite, "
    "lighty-enable-mod and phpenmod enable, with what they need.",
    _enabled,
)
