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
from distroless_rules.elf.search import Loader
from distroless_rules.values.path import parents
from distroless_rules.values.tree import Kind

__all__ = ["Reach", "unreached"]

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
    own = {folder for path in view.entries if owners[path].kind in ("file", "tree") for folder in parents(path)}
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
        reached: each path that is reached, links included -> the one that leads to it, ``""`` for those wanted.
    """

    view: View
    mentions: Mapping[str, Mentions]
    program: Program
    python: PythonPath
    deb_of: Callable[[str], str]
    reached: dict[str, str] = field(default_factory=dict)

    def walk(self, wanted: Iterable[str]) -> None:
        """Reach ``wanted`` and all that it leads to."""
        loader = Loader(self.view.find_elf, self.program.library_path)
        extras = dict.fromkeys(EXTRAS)
        queue: list[str] = []
        for path in wanted:
            self._add(path, "", queue)
        start = self.program.path(self.view)
        if start is not None:
            self._add(start, "", queue)
        for path in queue:  # grows while it is walked
            for other in self._leads_to(path, loader):
                self._add(other, path, queue)
            for extra in [each for each in extras if each.matches(path)]:
                del extras[extra]
                wanted_too = extra.wanted()
                for other in self.view.entries:
                    if wanted_too.fullmatch(other):
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
            if facts.elf.interpreter:
                yield facts.elf.interpreter
            for need in loader.load(path):
                if need.found is not None:
                    yield need.found.path
                else:
                    yield from self._libraries.get(need.name, ())
            for later in facts.elf.dlopen:
                for name in later.sonames:
                    yield from self._libraries.get(name, ())
        if facts is not None and facts.script:
            yield from self._of_script(facts.script)
        if INTERPRETER.fullmatch(path):
            yield from self.python.start()
        named = self.mentions.get(self.view.entries[path].sha256)
        if named is not None:
            yield from self._named(path, named)

    def _of_script(self, script: str) -> Iterator[str]:
        words = script.split()
        yield from words[:1]
        for word in words[1:]:
            yield from (f"{folder}/{word}" for folder in self.program.search_path)

    def _named(self, path: str, named: Mentions) -> Iterator[str]:
        for name in named.libraries:
            yield from self._libraries.get(name, ())
        for each in named.paths:
            real = self.view.real(each)
            if real is None:
                continue
            yield each
            if real in self.view.children:
                yield from self._folder(real)
        for one in named.imports:
            yield from self.python.opened(path, one)
        if path.endswith("/__init__.py") and named.imports:
            yield from self._data(path.rpartition("/")[0])

    def _folder(self, folder: str) -> Iterator[str]:
        """Give what is in a folder that a file names, if it is one deb's own."""
        if folder.count("/") < _MIN_DEPTH - 1:
            return
        below = [*self._below(folder)]
        if len({self.deb_of(path) for path in below}) == 1:
            yield from below

    def _below(self, folder: str) -> Iterator[str]:
        for name in sorted(self.view.children.get(folder, ())):
            path = f"{folder}/{name}"
            entry = self.view.entries.get(path)
            if path in self.view.children:
                yield from self._below(path)
            elif entry is not None:
                yield path

    def _data(self, package: str) -> Iterator[str]:
        """Give the data beside the modules of a Python package: it is found by the package's own folder."""
        return (path for path in self._below(package) if not path.endswith((".py", ".so", ".pyc")))

    @cached_property
    def _libraries(self) -> Mapping[str, list[str]]:
        """Paths of libraries by their file names."""
        found: dict[str, list[str]] = {}
        for path in self.view.entries:
            name = path.rpartition("/")[2]
            if ".so" in name:
                found.setdefault(name, []).append(path)
        return found
