"""Words of an image's rule that say nothing: options and what is in the image in, warnings out.

They are warnings, as a macro may list what only some of its images have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from distroless_rules.deb.compose_options import Options
from distroless_rules.deb.package import DebIndex
from distroless_rules.deb.prune import matcher
from distroless_rules.errors import did_you_mean
from distroless_rules.values.path import fold_usr, parents

__all__ = ["warnings"]

_LOCALES = "usr/share/locale/"


def warnings(
    options: Options, debs: Mapping[str, DebIndex], others: Collection[str], idle: Iterable[str]
) -> Iterator[str]:
    """Give a sentence for each word that nothing answers to, with the nearest one that something would answer to.

    Words are the entries of keep, exclude, accept, locales and allow_missing.

    Args:
        options: what the image's rule says.
        debs: the image's debs, by name.
        others: paths of the image that are no debs'.
        idle: entries of allow_missing that waive nothing.
    """
    paths = {fold_usr(entry.path) for index in debs.values() for entry in index.entries}
    yield from _paths(options, paths, others)
    yield from _debs(options, debs)
    if options.locales:
        there = {path[len(_LOCALES) :].partition("/")[0] for path in paths if path.startswith(_LOCALES)} - {""}
        for locale in options.locales:
            if not {name for name in there if name == locale or name.partition("_")[0] == locale.partition("_")[0]}:
                yield _said("locales", locale, "is a language that no deb of the image is translated into", there)
    for word in idle:
        yield _said("allow_missing", word, "is nothing that a file of the image needs and does not find", ())


def _paths(options: Options, paths: set[str], others: Collection[str]) -> Iterator[str]:
    known = paths | {*others} | {above for path in others for above in parents(path)}
    for name, patterns, among, where in (
        ("keep", options.keep, known, "the image"),
        ("exclude", options.exclude, paths, "the image's debs"),
    ):
        for pattern in patterns:
            matches = matcher([pattern], fold_usr)
            if not any(matches(path) for path in among):
                yield _said(name, pattern, f"is no path in {where}", [f"/{path}" for path in among])


def _debs(options: Options, debs: Collection[str]) -> Iterator[str]:
    needed = {dependency for _, dependency, _ in options.cut} | {*options.barred}
    for name, words, known, what in (
        ("keep", options.kept, {*debs, *options.offered}, "is no deb of the image"),
        ("exclude", options.excluded, needed, "is no deb that one of the image needs"),
        ("accept", options.accept, {*debs}, "is no deb of the image"),
    ):
        for deb in words:
            if deb not in known:
                yield _said(name, deb, what, {*debs, *known, *options.offered})


def _said(attribute: str, word: str, what: str, known: Collection[str]) -> str:
    hint = did_you_mean(word, known) if not set(word) & set("*?") else ""
    return f'{attribute}: "{word}" {what}{f"; {hint}" if hint else ""}'
