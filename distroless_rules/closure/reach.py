"""What an image's program may open: files that are wanted in, all that they lead to out.

A file leads to its loader and libraries, to what it says it opens later, to the interpreter of its ``#!`` line, to the
modules that it imports, to paths and libraries that it names in its bytes, and by ``extras`` to what no file can name.
All of this makes the closure larger than it must be, and never smaller than the files say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from distroless_rules.closure.extras import EXTRAS
from distroless_rules.closure.mentions import Mentions
from distroless_rules.closure.owner import Owner
from distroless_rules.closure.program import Program
from distroless_rules.closure.python_path import INTERPRETER, PythonPath
from distroless_rules.closure.view import View
from distroless_rules.elf.read import Elf
from distroless_rules.elf.search import Loader
from distroless_rules.values.path import above
from distroless_rules.values.tree import Kind

__all__ = ["Reach", "unreached"]

_MAX_WORDS = 8  # of a #! line that are looked for; what is to be found in PATH comes first
_MIN_DEPTH = 3  # a program that names /usr/lib does not open all of it


_ALWAYS = re.compile(r"etc/|usr/share/(?:doc|common-licenses)/|usr/lib/os-release$")
"""What stays of every deb: configuration, which is small and read by name, and licences."""


def unreached(
    view: View,
    mentions: Mapping[str, Mentions],
    program: Program,
    owners: Mapping[str, Owner],
    whole: frozenset[str],
    keep: Callable[[str], bool],
) -> list[str]:
    """Give the files and links that nothing leads to, of debs that are there only because others need them.

    Args:
        view: an image's files.
        mentions: what files name, by the SHA-256 of their bytes.
        program: what is started.
        owners: who brings each path.
        whole: names of the debs that an image names.
        keep: true for paths that are wanted all the same.
    """
    needed = {path for path in view.entries if owners[path].kind == "deb" and owners[path].name not in whole}
    own = above(path for path in view.entries if owners[path].kind in ("file", "tree"))
    python = PythonPath(view, tuple(sorted(own)), program.env)
    walk = Reach(view, mentions, program, python, lambda path: owners[path].name)
    walk.walk(path for path in view.entries if path not in needed or _ALWAYS.match(path) or keep(path))
    return sorted(path for path in needed - walk.reached.keys() if view.entries[path].kind is not Kind.DIRECTORY)


@dataclass
class Reach:
    """A walk over an image's files.

    Attributes:
        view: the files.
        mentions: what files name, by the SHA-256 of their bytes.
        program: what is started.
        python: where its modules are.
        deb_of: gives the deb that brings a path, ``""`` for none.
        stops: true for paths that may be reached, and of which it is known otherwise what they lead to.
        reached: each path that is reached, links included -> the one that leads to it, ``""`` for those wanted.
    """

    view: View
    mentions: Mapping[str, Mentions]
    program: Program
    python: PythonPath
    deb_of: Callable[[str], str]
    stops: Callable[[str], bool] = lambda path: False
    reached: dict[str, str] = field(default_factory=dict)
    _named: set[str] = field(default_factory=set)
    _loaded: set[str] = field(default_factory=set)
    _whole: dict[str, str] = field(default_factory=dict)
    _with_data: set[str] = field(default_factory=set)

    def walk(self, wanted: Iterable[str]) -> None:
        """Reach ``wanted`` and all that it leads to.

        Raises:
            FormatError: if its libraries lead to more places than any image has.
        """
        loader = Loader(self.view.find_elf, self.program.library_path)
        extras = list(EXTRAS)
        queue: list[str] = []
        for path in wanted:
            self._add(path, "", queue)
        start = self.program.path(self.view)
        if start is not None:
            self._add(start, "", queue)
        for path in queue:  # grows while it is walked
            if self.stops(path):
                continue
            for other in self._leads_to(path, loader):
                self._add(other, path, queue)
            for extra in [each for each in extras if each.looks.match(path)]:
                extras.remove(extra)
                for other in filter(extra.wanted.match, self.view.entries):
                    self._add(other, path, queue)

    def _add(self, path: str, by: str, queue: list[str]) -> None:
        found = self.view.trail(path)
        if found is None:
            return
        for each in (*found[0], found[1]):
            if each not in self.reached and each in self.view.entries:
                self.reached[each] = by
                if self.view.entries[each].kind is Kind.FILE:
                    queue.append(each)

    def _leads_to(self, path: str, loader: Loader) -> Iterator[str]:
        facts = self.view.facts(path)
        if facts is not None and facts.elf is not None:
            yield from self._of_elf(path, facts.elf, loader)
        if facts is not None and facts.script:
            yield from self._of_script(facts.script)
        if INTERPRETER.fullmatch(path):
            yield from self.python.start()
        said = self.mentions.get(self.view.entries[path].sha256)
        if said is not None:
            yield from self._of_mentions(path, said)

    def _of_elf(self, path: str, elf: Elf, loader: Loader) -> Iterator[str]:
        if elf.interpreter:
            yield elf.interpreter
        # What something else has loaded brings nothing further.
        for need in loader.load(path) if path not in self._loaded else ():
            self._loaded.add(need.of)
            if need.found is not None:
                yield need.found.path
            else:
                yield from self._library(need.name)
        for later in elf.dlopen:
            for name in later.sonames:
                yield from self._library(name)

    def _of_script(self, script: str) -> Iterator[str]:
        words = script.split()
        yield from words[:1]
        for word in words[1:_MAX_WORDS]:
            yield from (f"{folder}/{word}" for folder in self.program.search_path)

    def _of_mentions(self, path: str, said: Mentions) -> Iterator[str]:
        for name in said.libraries:
            yield from self._library(name)
        for each in said.paths:
            if each not in self._named:
                self._named.add(each)
                yield from self._of_path(each)
        for one in said.imports:
            yield from self.python.opened(path, one)
        if path.endswith("/__init__.py") and said.imports:
            yield from self._data(path.rpartition("/")[0])

    def _library(self, name: str) -> Iterator[str]:
        """Give the libraries of a name, the first time that it is asked for."""
        return iter(self._libraries.pop(name, ()))

    def _of_path(self, path: str) -> Iterator[str]:
        real = self.view.real(path)
        if real is None:
            return
        yield path
        if real in self.view.children and real.count("/") >= _MIN_DEPTH - 1:
            yield from self._folder(real)

    def _folder(self, folder: str) -> list[str]:
        """Give what is in a folder, if all of that is one deb's own; what such a folder was asked for is left out."""
        found, folders = [], []
        debs: set[str] = set()
        waiting = [folder]
        while waiting and len(debs) < 2:
            at = waiting.pop()
            if at in self._whole:
                debs.add(self._whole[at])
                continue
            folders.append(at)
            for name in self.view.children.get(at, ()):
                path = f"{at}/{name}"
                if path in self.view.children:
                    waiting.append(path)
                elif path in self.view.entries:
                    found.append(path)
                    debs.add(self.deb_of(path))
        if len(debs) != 1:
            return []
        self._whole.update(dict.fromkeys(folders, debs.pop()))
        return found

    def _data(self, package: str) -> Iterator[str]:
        """Give the data beside the modules of a Python package: it is found by the package's own folder."""
        waiting = [package]
        while waiting:
            at = waiting.pop()
            if at in self._with_data:
                continue
            self._with_data.add(at)
            for name in self.view.children.get(at, ()):
                path = f"{at}/{name}"
                if path in self.view.children:
                    waiting.append(path)
                elif path in self.view.entries and not path.endswith((".py", ".so", ".pyc")):
                    yield path

    @cached_property
    def _libraries(self) -> dict[str, list[str]]:
        """Paths of libraries by their file names, of those that nobody has asked for."""
        found: dict[str, list[str]] = {}
        for path in self.view.entries:
            name = path.rpartition("/")[2]
            if ".so" in name:
                found.setdefault(name, []).append(path)
        return found
