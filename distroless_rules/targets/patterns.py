"""Target patterns become labels: ``//...``, ``//a:all``, ``-//a:b``.

Source: Bazel's "Target patterns".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from distroless_rules.errors import LoadError
from distroless_rules.loading.loader import BUILTIN_REPO, Loader
from distroless_rules.values.label import Label, Pattern

__all__ = ["expand"]


def expand(loader: Loader, patterns: Iterable[Pattern], *, manual: bool = False) -> list[Label]:
    """Give the labels that patterns mean, in their order, each once; a negative one takes away what came before.

    A pattern for many leaves out targets tagged ``manual``, unless ``manual`` asks for them too.

    Raises:
        LoadError: if a package cannot be loaded, or a pattern means nothing.
    """
    found: dict[Label, None] = {}
    for pattern in patterns:
        labels = list(_labels(loader, pattern, manual))
        if not labels and not pattern.negative and pattern.name:
            raise LoadError(f'find targets of "{pattern}"', "there are none")
        for label in labels:
            if pattern.negative:
                found.pop(label, None)
            else:
                found[label] = None
    return list(found)


def _labels(loader: Loader, pattern: Pattern, manual: bool) -> Iterator[Label]:
    if pattern.name:
        yield Label(pattern.repo, pattern.package, pattern.name)
        return
    if pattern.repo not in ("", BUILTIN_REPO):
        hint = f'name one target: "@{pattern.repo}//name"'
        raise LoadError(f'find targets of "{pattern}"', f'"@{pattern.repo}" holds no packages', hint=hint)
    packages: Iterable[str] = [pattern.package]
    if pattern.recursive:
        packages = list(loader.packages(pattern.package, pattern.repo))
        if not packages and not pattern.negative:
            raise LoadError(f'find targets of "{pattern}"', "no folder there has a BUILD file")
    for package in packages:
        for declared in loader.package(pattern.repo, package).targets.values():
            if pattern.negative or manual or "manual" not in (declared.values.get("tags") or ()):
                yield declared.label
