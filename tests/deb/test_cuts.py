"""The table of cut dependencies, and what is cut: edges as text in, the debs that stay out."""

from __future__ import annotations

import os
import time
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from distroless_rules.deb.archive import open_archive
from distroless_rules.deb.cuts import CUTS, Cut, CutResult, cut
from distroless_rules.deb.index import Index
from distroless_rules.errors import AnalysisError
from distroless_rules.values.archive import Archive

SUITES = {"trixie": ("trixie", "trixie-updates", "trixie-security"), "bookworm": ("bookworm", "bookworm-updates")}
IDS = [f"{row.deb} -> {row.dependency}" for row in CUTS]


def told(edges: str, roots: str, **parameters: list[str]) -> CutResult:
    """Cut a graph given as ``a: b c; b: d``."""
    graph = {name.strip(): rest.split() for name, _, rest in (row.partition(":") for row in edges.split(";"))}
    return cut(roots.split(), graph, **parameters)


GRAPH = "a: libc6 dpkg; dpkg: tar libc6; b: tar; git: git-man perl; c: git-man"


@pytest.mark.parametrize(
    ("roots", "parameters", "kept", "gone"),
    [
        ("a", {}, "a libc6", "a>dpkg"),
        ("a b", {}, "a b libc6 tar", "a>dpkg"),
        ("a dpkg", {}, "a dpkg libc6 tar", ""),
        ("git", {}, "git perl", "git>git-man"),
        ("git c", {}, "c git git-man perl", ""),
        ("a", {"keep": ["dpkg"]}, "a dpkg libc6 tar", ""),
        ("git", {"keep": ["git"]}, "git git-man perl", ""),
        ("a git", {"keep": ["git"]}, "a git git-man libc6 perl", "a>dpkg"),
        ("git", {"exclude": ["perl"]}, "git", "git>git-man git>perl"),
        ("b a", {"exclude": ["tar"]}, "a b libc6", "a>dpkg b>tar"),
        ("a", {"exclude": ["dpkg"], "keep": ["dpkg"]}, "a libc6", "a>dpkg"),
    ],
)
def test_what_stays(roots: str, parameters: dict[str, list[str]], kept: str, gone: str) -> None:
    result = told(GRAPH, roots, **parameters)
    assert " ".join(result.kept) == kept
    assert " ".join(f"{deb}>{dependency}" for deb, dependency, _ in result.cuts) == gone
    assert all(reason for _, _, reason in result.cuts)


def test_what_contents_names_cannot_be_excluded() -> None:
    with pytest.raises(AnalysisError, match="contents names it, and exclude too"):
        told(GRAPH, "a", exclude=["a"])


def test_the_reason_is_of_the_row_that_cuts() -> None:
    assert told("nginx-light: iproute2", "nginx-light").cuts == (
        ("nginx-light", "iproute2", "its init script looks for its socket with ss"),
    )
    assert told("a: iproute2", "a").cuts == ()


@pytest.mark.parametrize("row", CUTS, ids=IDS)
def test_every_row_has_a_reason_and_is_of_use(row: Cut) -> None:
    assert len(row.reason.split()) > 2
    assert not row.reason.endswith(".")
    assert CUTS.count(row) == 1
    every = [each for each in CUTS if each.deb == "*" and each.dependency == row.dependency]
    assert row.deb == "*" or not every, "the row for any deb says so already"


def edges(index: Index) -> set[tuple[str, str]]:
    """Give each (deb, deb that a dependency of it names or that provides what it names)."""
    found = set()
    for name in index.names():
        for package in index.versions(name):
            relations = [*package.depends, *package.pre_depends]
            found.update((name, each.name) for alternatives in relations for each in alternatives)
    provided = {needed for _, needed in found if not index.versions(needed)}
    providers = {needed: [provider.name for provider, _ in index.providers(needed)] for needed in provided}
    return found | {(name, other) for name, needed in found for other in providers.get(needed, ())}


@pytest.mark.archive
@pytest.mark.slow
def test_every_row_cuts_something_real(tmp_path: Path) -> None:
    unused = list(CUTS)
    for name, suites in SUITES.items():
        cache = Path(os.environ.get("DISTROLESS_TEST_CACHE") or tmp_path) / "archives"
        index, _ = open_archive(Archive(name, suites), "amd64", tmp_path, cache, None, time.time())
        real = edges(index)
        names: dict[str, set[str]] = {}
        for deb, dependency in real:
            names.setdefault(dependency, set()).add(deb)
        unused = [
            row
            for row in unused
            if not any(
                fnmatchcase(deb, row.deb)
                for dependency, debs in names.items()
                if fnmatchcase(dependency, row.dependency)
                for deb in debs
            )
        ]
    assert unused == []
