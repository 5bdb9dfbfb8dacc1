"""Words of an image's options that say nothing: options and what is in the image in, warnings out.

They are warnings, as a macro may list what only some of its images have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from distroless_rules.deb.compose_options import Options
from distroless_rules.deb.package import DebIndex
from distroless_rules.deb.prune import matcher
from distroless_rules.errors import did_you_mean
from distroless_rules.values.path import fold_usr, parents

__all__ = ["warnings"]

_LOCALES = "usr/share/locale/"


def warnings(options: Options, debs: Mapping[str, DebIndex], others: Collection[str]) -> Iterator[str]:
    """Give a sentence for each entry of keep, exclude, accept and locales that nothing answers to, with the nearest.

    Args:
        options: what the image's rule says.
        debs: the image's debs, by name.
        others: paths of the image that are no debs'.
    """
    paths = {fold_usr(entry.path) for index in debs.values() for entry in index.entries}
    known = paths | {*others}
    known |= {above for path in others for above in parents(path)}
    for name, patterns, among, where in (
        ("keep", options.keep, known, "the image"),
        ("exclude", options.exclude, paths, "the image's debs"),
    ):
        for pattern in patterns:
            matches = matcher([pattern], fold_usr)
            if not any(matches(path) for path in among):
                yield _said(name, pattern, f"is no path in {where}", [f"/{path}" for path in among])
    needed = {dependency for _, dependency, _ in options.cut}
    for deb in options.excluded:
        if deb not in needed:
            yield _said("exclude", deb, "is no deb that one of the image needs", {*debs, *needed})
    for deb in options.accept:
        if deb not in debs:
            yield _said("accept", deb, "is no deb of the image", debs)
    if options.locales:
        there = {path[len(_LOCALES) :].partition("/")[0] for path in paths if path.startswith(_LOCALES)} - {""}
        for locale in options.locales:
            if not {name for name in there if name == locale or name.partition("_")[0] == locale.partition("_")[0]}:
                yield _said("locales", locale, "is a language that no deb of the image is translated into", there)


def _said(attribute: str, word: str, what: str, known: Collection[str]) -> str:
    hint = did_you_mean(word, known) if not set(word) & set("*?") else ""
    return f'{attribute}: "{word}" {what}{f"; {hint}" if hint else ""}'
