"""What an application needs of the debs in its image: its files and what is started in, the debs and why out.

The application's own files are followed - libraries, interpreters, imports, paths and libraries that they name - up to
the first file of a deb; what that deb needs, its dependencies say (``deb.cuts``). A path that merely names a shell or
``env`` is no need: almost every program does, and few start one. Beside that: data that no file names, if somebody
installed it, and programs that an application names in a string.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property

from distroless_rules.anatomy.begun import Runs
from distroless_rules.anatomy.packages import Database
from distroless_rules.anatomy.system import Left
from distroless_rules.closure.facts import Facts
from distroless_rules.closure.mentions import Mentions
from distroless_rules.closure.program import Program
from distroless_rules.closure.python_path import PythonPath
from distroless_rules.closure.reach import Reach
from distroless_rules.closure.view import View
from distroless_rules.deb.prune import Pruner
from distroless_rules.values.path import fold_usr
from distroless_rules.values.tree import Kind

__all__ = ["PROGRAMS", "Needs"]

PROGRAMS = re.compile(r"(?:usr/(?:local/)?)?(?:s?bin|games)/[^/]+")
_SHELL = re.compile(r"(?:usr/)?bin/(?:sh|bash|dash|env|busybox)")
_PACKAGES = re.compile(r".*/lib/(?:python3[^/]*|pypy3[^/]*)/(?:site|dist)-packages")
_LIBRARY = re.compile(r"(?:usr/)?lib(?:32|64)?/(?:.*/)?[^/]+\.so(?:\.[^/]*)?")
_MADE = {"certificates": "ca-certificates"}
"""Rules of ``anatomy.system`` -> the deb whose data the files are made of."""


@dataclass(frozen=True)
class Needs:
    """An application among its image's debs.

    Attributes:
        view: the image's files.
        mentions: what they name, by the SHA-256 of their bytes.
        database: the debs.
        application: paths of the application's files.
        left: paths that are neither, and why.
        program: what is started.
        runs: what that runs.
    """

    view: View
    mentions: Mapping[str, Mentions]
    database: Database
    application: Set[str]
    left: Mapping[str, Left]
    program: Program
    runs: Runs

    def debs(self) -> dict[str, str]:
        """Give the debs that the application reaches by its files, each with why."""
        walk = self._walk
        found: dict[str, str] = {}
        for path, by in walk.reached.items():
            entry = self.view.entries[path]
            if path in self.application or entry.kind is Kind.DIRECTORY:
                continue
            deb = self.database.owner(path)
            if not deb and path in self.left:
                deb = _MADE.get(self.left[path].rule.name, "")
            if deb in self.database.debs and deb not in found:
                found[deb] = self._why(path, by)
        return found

    def _why(self, path: str, by: str) -> str:
        for named, why in self.runs.paths.items():
            if path in self._on_the_way(named):
                return f"/{path}: {why}"
        return f"/{by} leads to /{path}" if by else f"a link of the application leads to /{path}"

    def _on_the_way(self, path: str) -> tuple[str, ...]:
        trail = self.view.trail(path)
        return (*trail[0], trail[1]) if trail else ()

    @cached_property
    def _walk(self) -> Reach:
        started = {sha for path in self.runs.paths if (sha := self._sha(path))}
        facts = _Quiet(self.view, started)
        view = View(self.view.entries, facts)
        python = PythonPath(view, self._folders(), self.program.env)
        named = _Plain(self.mentions)
        walk = Reach(view, named, self.program, python, self.database.owner, self._stops)
        modules = (path for each in self.runs.imports for path in python.opened("", each))
        walk.walk([*self.runs.paths, *modules, *sorted(self.application)])
        return walk

    def _stops(self, path: str) -> bool:
        return path not in self.application

    def _sha(self, path: str) -> str:
        entry = self.view.at(path)
        return entry.sha256 if entry is not None else ""

    def _folders(self) -> tuple[str, ...]:
        """Give the folders that modules of Python are looked for in, beside those of Debian's interpreter."""
        named = [self.program.workdir.strip("/"), *(path.strip("/").rpartition("/")[0] for path in self.runs.paths)]
        above = {path.rpartition("/")[0] for path in self.application if path.endswith(".py")}
        packages = {match[0] for folder in above if (match := _PACKAGES.match(folder))}
        return tuple(dict.fromkeys(folder for folder in (*named, *sorted(packages)) if folder))

    def data(self, candidates: Iterable[str]) -> dict[str, str]:
        """Give those of the debs that hold nothing but data, which files seldom name.

        Args:
            candidates: debs that somebody installed by name and that nothing else needs.
        """
        prune = Pruner()
        found = {}
        for name in candidates:
            paths = [path for path in self._files.get(name, ()) if prune.rule(fold_usr(path)) is None]
            data = [path for path in paths if not path.startswith(("usr/share/doc/", "etc/"))]
            if data and not any(PROGRAMS.fullmatch(path) or _LIBRARY.fullmatch(path) for path in paths):
                found[name] = "it was installed by name and holds data, which is found without a path in any file"
        return found

    def named(self, candidates: Iterable[str], texts: Iterable[tuple[str, bytes]]) -> dict[str, str]:
        """Give those of the debs a program of which the application names in a string.

        Args:
            candidates: debs that somebody installed by name and that nothing else needs.
            texts: path and bytes of the application's sources.
        """
        programs = {
            path.rpartition("/")[2].encode("utf-8", "surrogateescape"): name
            for name in candidates
            for path in self._files.get(name, ())
            if PROGRAMS.fullmatch(path)
        }
        if not programs:
            return {}
        pattern = re.compile(rb"[\"'`](" + b"|".join(map(re.escape, sorted(programs))) + rb")[\"'` ]")
        found: dict[str, str] = {}
        for path, data in texts:
            for word in pattern.findall(data):
                found.setdefault(programs[word], f'/{path} names its program "{word.decode("utf-8", "replace")}"')
        return found

    @cached_property
    def _files(self) -> Mapping[str, list[str]]:
        """Deb -> its files and links."""
        found: dict[str, list[str]] = {}
        for path, owners in self.database.owners.items():
            if self.view.entries[path].kind is not Kind.DIRECTORY:
                for name in owners:
                    found.setdefault(name, []).append(path)
        return found


class _Quiet(Mapping[str, Facts]):
    """What files are, without the ``#!`` lines of scripts for a shell that nothing starts."""

    def __init__(self, view: View, started: Set[str]) -> None:
        self._facts = view.known
        self._started = started

    def __getitem__(self, sha256: str) -> Facts:
        facts = self._facts[sha256]
        words = facts.script.split()
        quiet = words and sha256 not in self._started and _SHELL.fullmatch(words[0].strip("/"))
        return Facts() if quiet else facts

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)


class _Plain(Mapping[str, Mentions]):
    """What files name, shells left out."""

    def __init__(self, mentions: Mapping[str, Mentions]) -> None:
        self._mentions = mentions

    def __getitem__(self, sha256: str) -> Mentions:
        found = self._mentions[sha256]
        paths = tuple(path for path in found.paths if not _SHELL.fullmatch(path))
        return found if len(paths) == len(found.paths) else replace(found, paths=paths)

    def __iter__(self) -> Iterator[str]:
        return iter(self._mentions)

    def __len__(self) -> int:
        return len(self._mentions)
