"""Which names files know without a load, and which a file defines: source text in, names and statements out."""

from __future__ import annotations

import re
from collections.abc import Collection

from distroless_rules.errors import did_you_mean
from distroless_rules.loading.place import TOKEN
from distroless_rules.loading.report import BUILTIN_PREFIX

__all__ = [
    "ACTIONS",
    "ARGS",
    "ATTR",
    "BUILTIN_REPO",
    "CORE",
    "DISPATCH",
    "FOR_CORE",
    "PRELUDE",
    "VALUES",
    "collector",
    "hint",
    "known",
    "usual",
]

BUILTIN_REPO = "distroless_rules"
DISPATCH = "dispatch_of_this_file_"
ARGS, ACTIONS, ATTR, VALUES, PRELUDE, CORE = (
    f"{BUILTIN_PREFIX}{file}.bzl" for file in ("args", "actions", "attr", "values", "prelude", "core")
)

_IN_BOTH = frozenset({"select", "print", "Label", "package_relative_label"})
_IN_BUILD = _IN_BOTH | {
    "glob",
    "package",
    "exports_files",
    "package_name",
    "repo_name",
    "existing_rule",
    "existing_rules",
}
_IN_BZL = _IN_BOTH | {"rule", "attr", "provider", "depset", "DefaultInfo", "OciLayoutInfo", "TestInfo"}
_CORE_RULES = frozenset(
    {
        "alias",
        "config_setting",
        "filegroup",
        "package_group",
        "platform",
        "test_suite",
        "toolchain",
        "toolchain_type",
    }
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_ASSIGNED = re.compile(r"^([A-Za-z_]\w*)[ \t]*=(?!=)", re.MULTILINE)
_DEFINED = re.compile(r"^def[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
_LOADED = re.compile(r"^load\(([^)]*)\)", re.MULTILINE)


def _load(file: str, names: Collection[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in [file, *sorted(names)])
    return f"load({quoted})\n" if names else ""


FOR_CORE = _load(PRELUDE, _IN_BZL | _IN_BUILD)


def usual(in_build: bool) -> frozenset[str]:
    """Give the names that files know without a load."""
    return _IN_BUILD | _CORE_RULES if in_build else _IN_BZL | {"native"}


def known(source: str, in_build: bool) -> str:
    """Give the statements that make known what a file knows without a load, as far as it names it."""
    words = set(_WORD.findall(source))
    rules = _CORE_RULES if in_build else {"native"}
    return _load(PRELUDE, words & (_IN_BUILD if in_build else _IN_BZL)) + _load(CORE, words & rules)


def collector(source: str) -> str:
    """Give the statements that name the rules and providers of a ``.bzl`` file and make its dispatcher."""
    pairs = ", ".join(f'"{name}": {name}' for name in sorted(set(_ASSIGNED.findall(_top_level(source)))))
    collect = "collect_of_this_file_"
    return f'load("{PRELUDE}", {collect} = "collect_")\n{DISPATCH} = {collect}({{{pairs}}})\n'


def hint(name: str, in_build: bool, source: str, exported: Collection[str]) -> str:
    """Give what would be right for a name that a file does not know, ``""`` if nobody can tell.

    Args:
        name: the name.
        in_build: whether the file is a BUILD file.
        source: the file.
        exported: what ``@distroless_rules//rules:defs.bzl`` gives.
    """
    if name in exported:
        return f'load("@{BUILTIN_REPO}//rules:defs.bzl", "{name}")'
    if not in_build and name == "package":
        return "it is known in BUILD files only"
    if not in_build and name in _IN_BUILD | _CORE_RULES:
        return f'write "native.{name}"'
    if in_build and name in _IN_BZL | {"native"}:
        return "it is known in .bzl files only"
    loaded = [word for load in _LOADED.findall(source) for word in re.findall(r'"(\w+)"', load)]
    own = [*_ASSIGNED.findall(source), *_DEFINED.findall(source), *loaded]
    return did_you_mean(name, [*sorted(usual(in_build)), *exported, *own])


def _top_level(source: str) -> str:
    """Blank the strings, comments and brackets of a file, so that lines begin where statements do."""
    parts, at, depth, opened = [], 0, 0, 0
    for token in TOKEN.finditer(source):
        if token[0] in "([{":
            opened = token.start() if depth == 0 else opened
            depth += 1
        elif token[0] in ")]}":
            depth -= 1
            if depth == 0:
                parts.append(source[at:opened])
                at = token.end()
        elif depth == 0:
            parts.append(source[at : token.start()])
            at = token.end()
    return "".join([*parts, source[at:]])
