"""Which group each deb is in: who needs it in, one word a deb out.

Roots come first: what the application needs (``anatomy.needs``), tools that build, the package manager. What each of
them needs follows as apt follows it; all that nobody needs is a root of its own. A deb that one group alone needs is in
that group, all others are shared. That is what ``apt-get autoremove`` would take away if a group's roots were marked as
installed automatically. What the application needs follows edges that are not cut (``deb.cuts``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from enum import Enum

from distroless_rules.anatomy.packages import Database, Deb
from distroless_rules.deb.cuts import cut

__all__ = ["Group", "Grouped", "group", "is_build", "is_manager", "minimal"]


class Group(Enum):
    """What a part of an image is there for; the sentence after each says it."""

    APPLICATION = "application"
    """Files of no deb, and files of debs that were changed: what the image was made for."""
    RUNTIME = "runtime"
    """Debs that the application needs when it runs, and nobody else."""
    SHARED = "shared"
    """Debs that more than one group needs."""
    BUILD = "build"
    """Compilers, headers and their like, and what only they need."""
    MANAGER = "manager"
    """The package manager, and what only it needs."""
    UNUSED = "unused"
    """Debs that nothing else here needs: utilities of the base system, tools that somebody installed."""
    SYSTEM = "system"
    """Files that scripts, triggers and commands made."""


_BUILD_SECTIONS = frozenset(("devel", "libdevel", "debug", "golang", "rust", "haskell", "ocaml", "vcs"))
_BUILD = re.compile(
    r".*-dev|.*-dbg|.*-dbgsym|.*-headers(?:-.*)?|linux-libc-dev|gcc(?:-[0-9].*)?|g\+\+(?:-.*)?|cpp(?:-.*)?|clang(?:-.*)?"
    r"|llvm(?:-[0-9]+)?(?:-tools|-linker-tools)?|lld(?:-.*)?|binutils(?:-.*)?|make|cmake(?:-data)?|ninja-build|meson"
    r"|autoconf|automake|libtool(?:-bin)?|pkgconf(?:-bin)?|pkg-config|gettext|bison|flex|patch|m4|build-essential"
    r"|dpkg-dev|debhelper|fakeroot|gdb|strace|golang(?:-.*)?|rustc(?:-.*)?|cargo(?:-.*)?|.*-jdk(?:-headless)?|maven|gradle"
    r"|ant|python3-(?:pip|venv|wheel|setuptools|build|distutils|virtualenv)|python3?[0-9.]*-venv|pipx|cython3|npm|yarnpkg"
    r"|node-gyp|ruby-bundler|bundler|composer|cabal-install|ghc|gfortran(?:-.*)?|nasm|yasm|swig"
)
_NOT_BUILD = re.compile(r"gcc-[0-9.]+-base|.*-jre(?:-headless)?|lib(?!.*-dev$).*")
_MANAGER = re.compile(
    r"apt|apt-.*|aptitude(?:-.*)?|dpkg|dselect|synaptic|debconf(?:-.*)?|cdebconf(?:-.*)?|.*-(?:archive-)?keyring"
    r"|python3-apt|python-apt-common|software-properties-common|unattended-upgrades|packagekit|snapd|ucf|debsums"
    r"|deborphan|needrestart|command-not-found|update-notifier(?:-.*)?|ubuntu-minimal|sysv-rc-conf"
)


def is_build(deb: Deb) -> bool:
    """Tell whether a deb is a tool or library that only builds need, by its section or name."""
    name = deb.package.name
    if _NOT_BUILD.fullmatch(name) and deb.section != "libdevel":
        return False
    return deb.section in _BUILD_SECTIONS or _BUILD.fullmatch(name) is not None


def is_manager(deb: Deb) -> bool:
    """Tell whether a deb is the package manager, or a part of it that is installed by itself."""
    return _MANAGER.fullmatch(deb.package.name) is not None


@dataclass(frozen=True)
class Grouped:
    """All debs in their groups.

    Attributes:
        roots: group -> the debs that it begins with.
        needed_by: deb -> the groups that need it, in the order of ``Group``.
        stays: debs that the application needs at run time; the others can go.
        cuts: (deb, dependency, reason) of dependencies that are not followed for the application.
    """

    roots: Mapping[Group, tuple[str, ...]]
    needed_by: Mapping[str, tuple[Group, ...]]
    stays: frozenset[str]
    cuts: tuple[tuple[str, str, str], ...] = ()

    def group(self, deb: str) -> Group:
        """Give the group of a deb."""
        groups = self.needed_by[deb]
        return groups[0] if len(groups) == 1 else Group.SHARED


def group(database: Database, needed: Iterable[str]) -> Grouped:
    """Put every deb in its group.

    Args:
        database: the debs.
        needed: those that the application reaches.
    """
    debs = database.debs
    roots = {
        Group.RUNTIME: minimal(database, needed),
        Group.BUILD: tuple(name for name, deb in debs.items() if is_build(deb) and not is_manager(deb)),
        Group.MANAGER: tuple(name for name, deb in debs.items() if is_manager(deb)),
    }
    result = cut(roots[Group.RUNTIME], database.edges)
    stays = frozenset(result.kept)
    closures: dict[Group, Set[str]] = {Group.RUNTIME: stays}
    for each in (Group.BUILD, Group.MANAGER):
        # What the application needs is no tool of a build, even if it looks like one.
        closures[each] = database.closure(name for name in roots[each] if name not in stays)
    known = set().union(*closures.values())
    roots[Group.UNUSED] = tuple(name for name in debs if name not in known)
    closures[Group.UNUSED] = database.closure(roots[Group.UNUSED])
    order = [each for each in Group if each in closures]
    needed_by = {name: tuple(each for each in order if name in closures[each]) for name in debs}
    return Grouped(roots, needed_by, stays, result.cuts)


def minimal(database: Database, needed: Iterable[str]) -> tuple[str, ...]:
    """Give the fewest debs that bring all that are needed, beside those that somebody installed by name.

    Such a deb also takes the place of its parts if what it brings beside them is next to nothing: ``python3`` that of
    ``python3-minimal`` and ``libpython3.13-stdlib``.
    """
    wanted = set(needed)
    stays = set(cut(sorted(wanted), database.edges).kept)
    for name in sorted(database.by_name):
        if is_build(database.debs[name]) or is_manager(database.debs[name]):
            continue
        brought = set(cut([name], database.edges).kept)
        extra = sum(database.debs[each].package.installed_size for each in brought - stays)
        if name in stays or (extra <= _LITTLE and brought & wanted):
            wanted.add(name)
            stays |= brought
    kept = sorted(wanted, key=lambda name: (-_ahead(database, name), name))
    for name in list(kept):
        others = [each for each in kept if each != name]
        if name not in database.by_name and others and name in cut(others, database.edges).kept:
            kept = others
    return tuple(sorted(kept))


_LITTLE = 400  # KiB


def _ahead(database: Database, name: str) -> int:
    """Count what needs a deb: what much needs can go first."""
    return sum(name in edges for edges in database.edges.values())
