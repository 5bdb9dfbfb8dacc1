"""Who may depend on what.

Source: Bazel's "Visibility": ``//visibility:public``, ``//visibility:private``, ``//pkg:__pkg__``,
``//pkg:__subpackages__`` and ``package_group`` targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from distroless_rules.errors import AnalysisError, did_you_mean
from distroless_rules.loading.attributes import a_or_an
from distroless_rules.loading.package import Declared
from distroless_rules.values.label import Label

__all__ = ["allowed"]

PUBLIC = "//visibility:public"
PRIVATE = "//visibility:private"


def allowed(user: str, owner: Label, visibility: Iterable[str], group: Callable[[Label], Declared]) -> bool:
    """Say whether a package may use what another package owns.

    Args:
        user: the package that wants to.
        owner: the label of what it wants, for labels relative to its package.
        visibility: the labels that say who may.
        group: gives the ``package_group`` of a label.

    Raises:
        AnalysisError: for a visibility that is not one.
        LabelError: for a label that is not well formed.
    """
    if user == owner.package:
        return True
    for text in visibility:
        if text == PUBLIC:
            return True
        if text == PRIVATE:
            continue
        label = Label.parse(text, repo=owner.repo, package=owner.package)
        if label.name == "__pkg__":
            if user == label.package:
                return True
        elif label.name == "__subpackages__":
            if _below(user, label.package):
                return True
        elif label.package == "visibility" or text in ("public", "private"):
            hint = did_you_mean(label.name, ("public", "private")).replace('"', '"//visibility:', 1)
            raise AnalysisError(f'read the visibility "{text}"', "it is none", hint=hint)
        elif _in_group(user, label, group, set()):
            return True
    return False


def _below(package: str, top: str) -> bool:
    return not top or package == top or package.startswith(f"{top}/")


def _matches(user: str, pattern: str) -> bool:
    """Say whether a line of a ``package_group`` means a package."""
    if pattern in ("public", "private"):
        return pattern == "public"
    name = pattern.removeprefix("//")
    if name == "..." or name.endswith("/..."):
        return _below(user, name.removesuffix("...").rstrip("/"))
    return user == name


def _in_group(user: str, label: Label, group: Callable[[Label], Declared], seen: set[Label]) -> bool:
    if label in seen:
        return False
    seen.add(label)
    declared = group(label)
    if declared.rule.name != "package_group":
        raise AnalysisError(
            f'read the visibility "{label}"',
            f"it is {a_or_an(declared.rule.name)}, not a package_group",
            hint=f'write "//{label.package}:__pkg__" for one package',
        )
    patterns: list[str] = declared.values.get("packages") or []
    barred = any(_matches(user, pattern[1:]) for pattern in patterns if pattern.startswith("-"))
    if not barred and any(_matches(user, pattern) for pattern in patterns):
        return True
    included = (Label.parse(text, package=label.package) for text in declared.values.get("includes") or ())
    return any(_in_group(user, other, group, seen) for other in included)
