"""Resolving small universes: stanzas in, the debs chosen or the exact message out; and against brute force."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.deb.index import Index, PackagesFile
from distroless_rules.deb.resolve import Root, Solution, resolve
from distroless_rules.deb.universe import Preferences
from distroless_rules.errors import ResolveError
from distroless_rules.values.archive import LockedDeb


def stanza(line: str) -> str:
    """Write ``foo 1.2; Depends: bar`` as a stanza of an index."""
    head, *fields = line.split("; ")
    name, version = head.split()
    told = dict(field.split(": ", 1) for field in fields)
    sha256 = hashlib.sha256(head.encode()).hexdigest()
    rest = {"Architecture": "amd64", "Filename": f"pool/{name}_{version}.deb", "Size": "1", "SHA256": sha256} | told
    return "".join(f"{key}: {value}\n" for key, value in ({"Package": name, "Version": version} | rest).items())


def index(*suites: Iterable[str]) -> Index:
    files = [
        PackagesFile(f"suite{number}", "\n".join(map(stanza, lines)).encode()) for number, lines in enumerate(suites)
    ]
    return Index(files, "amd64")


def root(name: str, means: str = "") -> Root:
    return Root(f"@trixie//{name}", name, means or name, (f"app/BUILD:3 //app:{name}-image",))


def chosen(debs: Index, *names: str, preferences: Preferences | None = None) -> Solution:
    preferences = preferences or Preferences(named=frozenset(names))
    return resolve("trixie", debs, [root(name) for name in names], preferences)


def told(solution: Solution) -> list[str]:
    """Write a solution as lines: ``foo 1 -> bar baz``."""
    return [
        f"{name} {deb.package.version}" + (f" -> {' '.join(deb.depends)}" if deb.depends else "")
        for name, deb in sorted(solution.debs.items())
    ]


def kept(line: str, *depends: str) -> LockedDeb:
    name, version = line.split()
    sha256 = hashlib.sha256(line.encode()).hexdigest()
    return LockedDeb(
        "trixie", name, version, "amd64", name, f"pool/{name}.deb", 1, sha256, "suite0", depends=tuple(depends)
    )


CHOICES = {
    "dependencies and theirs": (
        ["a 1; Depends: b (>= 1), c", "b 2; Pre-Depends: c", "c 3", "d 4"],
        "a",
        "a 1 -> b c, b 2 -> c, c 3",
    ),
    "the latest version": (["a 1", "a 1:0.5", "a 1.5"], "a", "a 1:0.5"),
    "an older version if the latest will not do": (["a 1; Depends: b (<< 2)", "b 1", "b 2"], "a", "a 1 -> b, b 1"),
    "an older root if the latest will not do": (["a 2; Depends: nix", "a 1"], "a", "a 1"),
    "the first alternative": (["a 1; Depends: b | c", "b 1", "c 1"], "a", "a 1 -> b, b 1"),
    "the next alternative": (["a 1; Depends: b (>= 2) | c", "b 1", "c 1"], "a", "a 1 -> c, c 1"),
    "the alternative that can be": (["a 1; Depends: b | c", "b 1; Depends: nix", "c 1"], "a", "a 1 -> c, c 1"),
    "what is needed anyway": (
        ["a 1; Depends: b | c, d", "b 1", "c 1", "d 1; Depends: c"],
        "a",
        "a 1 -> c d, c 1, d 1 -> c",
    ),
    "what is named anyway": (["a 1; Depends: b | c", "b 1", "c 1"], "a c", "a 1 -> c, c 1"),
    "a deb rather than a provider": (["a 1; Depends: b", "0b 1; Provides: b", "b 1"], "a", "a 1 -> b, b 1"),
    "a provider": (["a 1; Depends: v", "c 1; Provides: v", "b 1; Provides: v"], "a", "a 1 -> b, b 1"),
    "a provider of the base system": (
        ["a 1; Depends: v", "b 1; Provides: v; Priority: optional", "c 1; Provides: v; Priority: required"],
        "a",
        "a 1 -> c, c 1",
    ),
    "a provider of a version": (
        ["a 1; Depends: v (>= 2)", "b 9; Provides: v", "c 1; Provides: v (= 1)", "d 1; Provides: v (= 2)"],
        "a",
        "a 1 -> d, d 1",
    ),
    "itself": (["a 1; Depends: v, a; Provides: v"], "a", "a 1"),
    "a circle": (["a 1; Depends: b", "b 1; Depends: a"], "a", "a 1 -> b, b 1 -> a"),
    "any architecture where that is allowed": (
        ["a 1; Depends: b:any", "b 1; Multi-Arch: allowed"],
        "a",
        "a 1 -> b, b 1",
    ),
    "the native architecture": (
        ["a 1; Depends: b:native, c:amd64", "b 1; Architecture: all", "c 1"],
        "a",
        "a 1 -> b c, b 1, c 1",
    ),
    "a deb that conflicts with its own older name": (["a 1; Conflicts: v; Provides: v"], "a", "a 1"),
    "no alternative that a deb breaks": (["a 1; Depends: b | c; Breaks: b", "b 1", "c 1"], "a", "a 1 -> c, c 1"),
    "a version that is not broken": (["a 1; Depends: b; Breaks: b (>> 1)", "b 1", "b 2"], "a", "a 1 -> b, b 1"),
    "conflicts with a version that nobody provides": (
        ["a 1; Depends: b; Conflicts: v (<< 2)", "b 1; Provides: v"],
        "a",
        "a 1 -> b, b 1",
    ),
    "conflicts on another architecture": (["a 1; Depends: b; Conflicts: b:i386", "b 1"], "a", "a 1 -> b, b 1"),
    "glibc's helper": (
        ["a 1; Depends: libc6", "libc6 2", "libgcc-s1 1"],
        "a",
        "a 1 -> libc6, libc6 2 -> libgcc-s1, libgcc-s1 1",
    ),
}


@pytest.mark.parametrize("name", CHOICES)
def test_it_chooses(name: str) -> None:
    lines, roots, expected = CHOICES[name]
    assert told(chosen(index(lines), *roots.split())) == expected.split(", ")


def test_the_latest_of_several_suites_and_of_equals_the_first() -> None:
    debs = index(["a 1", "b 2"], ["a 2", "b 2"])
    solution = chosen(debs, "a", "b")
    assert [(d.package.version, d.package.suite) for _, d in sorted(solution.debs.items())] == [
        ("2", "suite1"),
        ("2", "suite0"),
    ]


FAULTS = {
    "a version that is not there": (
        ["foo 1.2; Depends: bar (>= 3)", "bar 2.1"],
        "foo",
        "app/BUILD:3: cannot resolve @trixie//foo for amd64: "
        "//app:foo-image wants @trixie//foo 1.2 -> bar (>= 3): trixie has bar 2.1",
    ),
    "debs that are not there": (
        ["foo 1.2; Depends: mid", "mid 5; Depends: bar (>= 3) | nix", "bar 2.1"],
        "foo",
        "app/BUILD:3: cannot resolve @trixie//foo for amd64: "
        "//app:foo-image wants @trixie//foo 1.2 -> mid 5 -> bar (>= 3) | nix: trixie has bar 2.1, trixie has no nix",
    ),
    "neither alternative": (
        ["foo 1; Depends: a | b", "a 5; Depends: nix", "b 2; Depends: nux"],
        "foo",
        "app/BUILD:3: cannot resolve @trixie//foo for amd64: "
        "//app:foo-image wants @trixie//foo 1 -> a 5 -> nix: trixie has no nix; "
        "//app:foo-image wants @trixie//foo 1 -> b 2 -> nux: trixie has no nux",
    ),
    "a conflict": (
        ["foo 1; Depends: a, b", "a 5; Conflicts: mta", "b 2; Provides: mta"],
        "foo",
        "app/BUILD:3: cannot resolve @trixie//foo for amd64: a 5 conflicts with mta, which b provides: "
        "//app:foo-image wants @trixie//foo 1 -> a 5, and //app:foo-image wants @trixie//foo 1 -> b 2",
    ),
    "a deb that breaks another": (
        ["foo 1; Depends: a, b", "a 5; Breaks: b (<< 3)", "b 2"],
        "foo",
        "app/BUILD:3: cannot resolve @trixie//foo for amd64: a 5 breaks b (<< 3), which 2 is: "
        "//app:foo-image wants @trixie//foo 1 -> a 5, and //app:foo-image wants @trixie//foo 1 -> b 2",
    ),
    "names provided at other versions": (
        ["foo 1; Depends: virt (>= 2)", "l 1; Provides: virt", "m 1; Provides: virt (= 1)"],
        "foo",
        "app/BUILD:3: cannot resolve @trixie//foo for amd64: "
        "//app:foo-image wants @trixie//foo 1 -> virt (>= 2): trixie has virt from l 1 and m 1",
    ),
    "any architecture where that is not allowed": (
        ["foo 1; Depends: b:any", "b 1"],
        "foo",
        "app/BUILD:3: cannot resolve @trixie//foo for amd64: "
        "//app:foo-image wants @trixie//foo 1 -> b:any: trixie has b 1",
    ),
    "two versions": (
        ["foo 1; Depends: l (= 1)", "qux 1; Depends: l (= 2)", "l 1", "l 2"],
        "foo qux",
        "app/BUILD:3: cannot resolve @trixie//foo and @trixie//qux for amd64: l cannot be 2 and 1 at once: "
        "//app:qux-image wants @trixie//qux 1 -> l 2, and //app:foo-image wants @trixie//foo 1 -> l 1; "
        "a lock has one version of a deb, and one choice of its dependencies: "
        "declare the suites a second time, as [archive.trixie-2], and name one of the two from there",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_it_says_why_there_is_no_choice(name: str) -> None:
    lines, roots, message = FAULTS[name]
    with pytest.raises(ResolveError) as caught:
        chosen(index(lines), *roots.split())
    assert str(caught.value) == message


def test_pins() -> None:
    debs = index(["a 1; Depends: l", "l 1", "l 2"])
    pinned = Preferences(pins={"l": "1"})
    assert told(chosen(debs, "a", preferences=pinned)) == ["a 1 -> l", "l 1"]
    with pytest.raises(ResolveError, match=r"trixie has l 1 pinned; see \[archive.trixie.pins\] .*: l$"):
        chosen(index(["a 1; Depends: l (>= 2)", "l 1", "l 2"]), "a", preferences=pinned)


def test_roots_that_exclude_each_other_are_solved_apart() -> None:
    debs = index(
        [
            "exim 1; Conflicts: mta; Provides: mta; Depends: libc",
            "postfix 1; Conflicts: mta; Provides: mta; Depends: libc",
        ],
        ["libc 1", "mail 1; Depends: postfix | mta"],
    )
    solution = chosen(debs, "exim", "postfix", "mail")
    assert told(solution) == ["exim 1 -> libc", "libc 1", "mail 1 -> exim", "postfix 1 -> libc"]
    assert solution.notes == (
        "@trixie//exim and @trixie//postfix cannot be in one image: exim 1 conflicts with mta, which postfix provides",
    )


class TestKeeping:
    """What is locked stays."""

    def locked(self, debs: Index, names: str, *locked: LockedDeb, newest: str = "") -> list[str]:
        preferences = Preferences(
            locked={deb.name: deb for deb in locked},
            renewed=frozenset(newest.split()),
            newest=frozenset(newest.split()),
            named=frozenset(names.split()),
        )
        return told(chosen(debs, *names.split(), preferences=preferences))

    def test_a_version(self) -> None:
        debs = index(["a 1; Depends: l", "a 2; Depends: l", "l 1", "l 2"])
        assert self.locked(debs, "a", kept("a 1", "l"), kept("l 1")) == ["a 1 -> l", "l 1"]

    def test_a_version_that_left_the_index(self) -> None:
        debs = index(["a 2; Depends: new", "l 2", "new 1"])
        assert self.locked(debs, "a", kept("a 1", "l"), kept("l 1")) == ["a 1 -> l", "l 1"]

    def test_a_provider_that_left_the_index(self) -> None:
        debs = index(["a 1; Depends: v, x", "x 1"])
        assert self.locked(debs, "a", kept("a 1", "gone", "x"), kept("gone 1"), kept("x 1")) == [
            "a 1 -> gone x",
            "gone 1",
            "x 1",
        ]

    def test_not_what_would_come_with_other_bytes(self) -> None:
        debs = index([f"a 1; SHA256: {'1' * 64}", "a 0"])
        solution = chosen(debs, "a", preferences=Preferences(locked={"a": kept("a 1")}))
        assert solution.debs["a"].package.sha256 == "1" * 64

    def test_a_choice_of_dependencies(self) -> None:
        debs = index(["a 1; Depends: b | c", "b 1", "c 1"])
        assert self.locked(debs, "a b", kept("a 1", "c"), kept("c 1")) == ["a 1 -> c", "b 1", "c 1"]

    def test_not_what_something_new_cannot_live_with(self) -> None:
        debs = index(["a 1; Depends: l", "l 1", "l 2", "n 1; Depends: l (>= 2)"])
        assert self.locked(debs, "a n", kept("a 1", "l"), kept("l 1")) == ["a 1 -> l", "l 2", "n 1 -> l"]

    def test_only_what_is_renewed_moves_and_what_it_forces(self) -> None:
        debs = index(["a 1; Depends: l, m", "a 2; Depends: l (>= 2), m", "l 1", "l 2", "m 1", "m 2"])
        locked = kept("a 1", "l", "m"), kept("l 1"), kept("m 1")
        assert self.locked(debs, "a", *locked, newest="a") == ["a 2 -> l m", "l 2", "m 1"]
        assert self.locked(debs, "a", *locked, newest="m") == ["a 1 -> l m", "l 1", "m 2"]

    def test_a_deb_that_left_the_index_holds_what_it_was_locked_with(self) -> None:
        debs = index(["a 2; Depends: l (>= 2)", "l 2"])
        assert self.locked(debs, "a", kept("a 1", "l"), kept("l 1"), newest="l") == ["a 2 -> l", "l 2"]


NAMES = ("a", "b", "c", "d", "e")
RELATIONS = st.builds(
    lambda name, bound: f"{name} ({bound})" if bound else name,
    st.sampled_from((*NAMES, "v")),
    st.sampled_from(("", "", "", "= 1", "= 2", ">= 2", "<< 2")),
)
DEPENDS = st.lists(st.lists(RELATIONS, min_size=1, max_size=2).map(" | ".join), max_size=2).map(", ".join)
CONFLICTS = st.lists(RELATIONS, max_size=1).map(", ".join)
PROVIDES = st.sampled_from(("", "", "", "v", "v (= 1)", "v (= 2)"))
Row = tuple[str, str, str]
UNIVERSES = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.sampled_from("12")),
    st.tuples(DEPENDS, CONFLICTS, PROVIDES),
    min_size=1,
    max_size=8,
)
Debs = Mapping[tuple[str, str], Row]


def meets(deb: tuple[str, str], row: Row, relation: str) -> bool:
    """Say whether a deb meets a relation, as policy 7 puts it."""
    name, _, bound = relation.partition(" (")
    operator, _, number = bound.rstrip(")").partition(" ")
    given, _, at = row[2].partition(" (= ")
    versions = [deb[1]] * (deb[0] == name) + [at.rstrip(")")] * (given == name)
    compare = {"": True, "=": number in versions, ">=": any(v >= number for v in versions if v)}
    return bool(versions) and (compare | {"<<": any(v < number for v in versions if v)})[operator]


def split(field: str) -> list[list[str]]:
    return [group.split(" | ") for group in field.split(", ")] if field else []


def lives(debs: Debs, chosen: Iterable[tuple[str, str]]) -> bool:
    """Say whether debs satisfy each other's relations."""
    chosen = set(chosen)
    needs = all(
        any(meets(other, debs[other], relation) for other in chosen for relation in group)
        for deb in chosen
        for group in split(debs[deb][0])
    )
    return needs and not any(
        meets(other, debs[other], relation)
        for deb in chosen
        for [relation] in split(debs[deb][1])
        for other in chosen
        if other[0] != deb[0]
    )


def solvable(debs: Debs, roots: Iterable[str]) -> bool:
    options = [[(name, version) for version in "12" if (name, version) in debs] for name in NAMES]
    return any(
        lives(debs, [deb for deb in some if deb])
        for some in itertools.product(
            *(many if name in roots else [None, *many] for name, many in zip(NAMES, options, strict=True))
        )
    )


def lines(debs: Debs) -> list[str]:
    fields = ("Depends", "Conflicts", "Provides")
    return [
        "; ".join([" ".join(deb), *(f"{field}: {value}" for field, value in zip(fields, row, strict=True) if value)])
        for deb, row in debs.items()
    ]


@given(UNIVERSES, st.integers(1, 3))
def test_what_is_chosen_satisfies_every_relation_and_is_found_if_it_is_there(debs: Debs, count: int) -> None:
    roots = sorted({name for name, _ in debs})[:count]
    try:
        solution = chosen(index(lines(debs)), *roots)
    except ResolveError:
        assert not solvable(debs, roots)
        return
    assert solvable(debs, roots) == (not solution.notes)
    for name in roots:
        closure: set[tuple[str, str]] = set()
        todo = [name]
        while todo:
            deb = solution.debs[todo.pop()]
            if (deb.package.name, deb.package.version) not in closure:
                closure.add((deb.package.name, deb.package.version))
                todo.extend(deb.depends)
        assert lives(debs, closure)
