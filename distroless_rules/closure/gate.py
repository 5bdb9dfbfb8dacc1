"""The gate: an image's files in, what of them could not run out - before anything of it is written.

Checked are each needed library, symbol version, loader, ``#!`` line, link, the program that is started and the modules
that the application's own Python imports. What nobody can see in a file, people waive by name (``allow_missing``).

Who has a file decides how strictly it is taken. A file that a BUILD file names must hold in everything. Debs and trees
(wheels, packages of Node) bring much that is never used: there a plugin's libraries may be loaded by what loads the
plugin. What a deb brings and cannot be used in this image is left out (``unusable``): scripts and links that lead
nowhere, and plugins whose libraries the deb does not depend on, as its packager holds them for optional.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import groupby

from distroless_rules.closure import links, modules
from distroless_rules.closure.mentions import Mentions
from distroless_rules.closure.owner import Owner
from distroless_rules.closure.program import Program, of_script
from distroless_rules.closure.view import View
from distroless_rules.elf.read import Elf
from distroless_rules.elf.search import Loaded, Loader, Need
from distroless_rules.values.tree import Kind

__all__ = ["Finding", "Gate"]

_COMMANDS = frozenset(f"{top}{name}" for top in ("usr/", "usr/local/", "") for name in ("bin", "sbin", "games"))


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold.

    Attributes:
        path: the file.
        owner: who brings it.
        problem: what is wrong with it, to be read after its path.
        wants: what would have to be there: a library's name, an absolute path, or ``python:<module>``.
        advice: what would be right, where it is not that something is added to the image.
        searched: of a library or loader that is not there, the folders in which it would be found.
        instead: what would be right as well as to add what is wanted.
    """

    path: str
    owner: Owner
    problem: str
    wants: str
    advice: str = ""
    searched: tuple[str, ...] = ()
    instead: str = ""


@dataclass
class Gate:
    """The checks of one image.

    Attributes:
        view: its files.
        owners: who brings each path.
        program: what is started in it.
        mentions: what Python sources import, by the SHA-256 of their bytes.
        allow: patterns of ``Finding.wants`` that are waived.
        strict: debs of which nothing is left out for a library that is lost, as the image excludes some that they
            depend on; and which those are.
    """

    view: View
    owners: Mapping[str, Owner]
    program: Program
    mentions: Mapping[str, Mentions] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    strict: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _versions_of: dict[str, Mapping[str, list[str]]] = field(default_factory=dict)
    _defines_of: dict[str, frozenset[str]] = field(default_factory=dict)

    def findings(self) -> list[Finding]:
        """Give what does not hold, in the order of paths, each once."""
        held = dict.fromkeys(
            each for each in self._found if not any(fnmatchcase(each.wants, pattern) for pattern in self.allow)
        )
        return sorted(held, key=lambda each: (each.path, each.wants, each.problem))

    def idle(self) -> list[str]:
        """Give the patterns of ``allow`` that waive nothing."""
        wants = {each.wants for each in self._found}
        return [pattern for pattern in self.allow if not any(fnmatchcase(each, pattern) for each in wants)]

    @cached_property
    def _found(self) -> list[Finding]:
        """What does not hold, waived or not."""
        found = [*self._elf_files(), *self._opened_later(), *self._scripts(), *self._links(), *self._python()]
        said = {each.path for each in found}
        return [*found, *(each for each in self._start() if each.path not in said)]

    def unusable(self, keep: Callable[[str], bool]) -> dict[str, str]:
        """Give what debs bring that cannot be used in this image: path -> the name of the rule that drops it.

        Args:
            keep: true for paths that are wanted all the same.
        """
        start = self.view.trail(self.program.path(self.view) or "")
        started = {*start[0], start[1]} if start else set()
        wanted = {path for path in self.view.entries if self.owners[path].kind in ("file", "tree")} | started
        # Elsewhere an executable file with #! may be read too: modules of Python's standard library are such.
        commands = (path for path, _ in self._lost_scripts() if path.rpartition("/")[0] in _COMMANDS)
        scripts = {path for path in commands if path not in wanted and not keep(path)}
        files = {path for path in self._unloadable(wanted) if not keep(path)}
        gone = {path for path, _ in self._lost_links(scripts | files) if path not in wanted and not keep(path)}
        return dict.fromkeys(files, "plugin") | dict.fromkeys(scripts, "script") | dict.fromkeys(gone, "dangling")

    def _unloadable(self, wanted: set[str]) -> set[str]:
        """Give ELF files of debs that cannot be loaded, as far as nothing that is wanted needs them."""
        users: dict[str, set[str]] = {}
        needs: dict[str, set[str]] = {}
        causes: set[str] = set()
        for need in self._needs:
            if need.found is not None:
                users.setdefault(need.found.real, set()).add(need.of)
                needs.setdefault(need.of, set()).add(need.found.real)
            elif not self._is_loaded_before(need):
                causes.add(need.of)
        if not causes:
            return set()
        involved = causes | users.keys() | needs.keys()
        held = {path for path in involved if path in wanted or not self._may_lose(self.owners[path])}
        return _all_from(causes - _all_from(held, needs), users)

    def _may_lose(self, owner: Owner) -> bool:
        return owner.kind == "deb" and owner.name not in self.strict

    def _elf_files(self) -> Iterator[Finding]:
        for path, elf in self._loadable:
            owner = self.owners[path]
            if elf.abi != self.program.abi:
                if owner.kind == "file":
                    problem = f"is for {_abi(elf)}, and the image for {self.program.platform}"
                    yield Finding(path, owner, problem, f"/{path}", "build it for that, or leave it out")
            elif elf.interpreter and self.view.at(elf.interpreter) is None:
                folder = elf.interpreter.strip("/").rpartition("/")[0]
                problem = f'asks for the loader "{elf.interpreter}"'
                yield Finding(path, owner, problem, elf.interpreter, searched=(folder,))
        for need in self._needs:
            if need.found is not None:
                yield from self._versions(need, need.found)
            elif not self._is_loaded_before(need):
                owner, problem = self.owners[need.of], f'needs the library "{need.name}"{self._elsewhere(need)}'
                yield Finding(need.of, owner, problem, need.name, self._excluded(owner), need.searched)

    def _opened_later(self) -> Iterator[Finding]:
        """Give what files cannot work without and open when they run; what debs' files open their packagers know.

        Notes are believed: of the names in one, any will do. Source: ELF dlopen metadata of the UAPI group: only
        ``required`` is a dependency like a needed library; ``recommended`` and ``suggested`` may be absent.
        """
        for path, elf in self._loadable:
            owner = self.owners[path]
            if owner.kind == "deb" or elf.abi != self.program.abi:
                continue
            wanted = [(later.sonames, later.feature) for later in elf.dlopen if later.priority == "required"]
            wanted += [(names, "") for names in _named(elf)] if owner.kind == "file" else []
            for names, feature in wanted:
                needs = [need for need in self._opening(path, elf, names) if need.of == path]
                if names and not any(need.found for need in needs):
                    problem = f'opens the library "{names[0]}"' + (f" for {feature}" if feature else "")
                    yield Finding(path, owner, problem, names[0], searched=needs[0].searched if needs else ())

    def _opening(self, path: str, elf: Elf, names: tuple[str, ...]) -> Iterator[Need]:
        """Look libraries up as dlopen(3) does for a file: as if it needed them."""

        def find(at: str) -> tuple[str, Elf] | None:
            return (path, replace(elf, needed=names)) if at == path else self.view.find_elf(at)

        return Loader(find, self.program.library_path).load(path)

    @cached_property
    def _needs(self) -> list[Need]:
        """Load every program, and every library that none of them loads; give what each file needs."""
        loader = Loader(self.view.find_elf, self.program.library_path)
        found: dict[tuple[str, str, str], Need] = {}
        seen: set[str] = set()
        for path, elf in self._loadable:
            if path not in seen and elf.abi == self.program.abi:
                for need in loader.load(path):
                    seen.add(need.of)
                    found.setdefault((need.of, need.name, need.found.real if need.found else ""), need)
        return list(found.values())

    @cached_property
    def _loadable(self) -> list[tuple[str, Elf]]:
        """What a loader could be asked to load, programs first."""
        found = []
        for path in self.view.entries:
            facts = self.view.facts(path)
            if facts is not None and facts.elf is not None and facts.elf.kind in ("dyn", "exec"):
                found.append((path, facts.elf))
        return sorted(found, key=lambda each: (not each[1].interpreter, each[0]))

    @cached_property
    def _names(self) -> dict[str, str]:
        """Names of libraries of the image's platform -> the folder of one that is called so."""
        return {
            name: path.rpartition("/")[0]
            for path, elf in self._loadable
            if elf.abi == self.program.abi
            for name in (elf.soname, path.rpartition("/")[2])
        }

    def _is_loaded_before(self, need: Need) -> bool:
        """Tell whether a plugin's library is one that the program has loaded before it, from a folder of its own."""
        facts = self.view.facts(need.of)
        is_program = facts is not None and facts.elf is not None and facts.elf.interpreter
        return not is_program and self.owners[need.of].kind != "file" and need.name in self._names

    def _elsewhere(self, need: Need) -> str:
        """Say where a library is that is for another processor, or that the loader does not find."""
        for folder in need.searched:
            found = self.view.find_elf(f"{folder}/{need.name}")
            if found is not None:
                is_other = found[1].abi != self.program.abi
                return f'; "/{found[0]}" is {f"for {_abi(found[1])}" if is_other else "no library"}'
        elsewhere = self._names.get(need.name)
        return "" if elsewhere is None else f'; the loader does not look for it in "/{elsewhere}"'

    def _excluded(self, owner: Owner) -> str:
        names = self.strict.get(owner.name, ()) if owner.kind == "deb" else ()
        return f"take {' and '.join(names)} out of exclude" if names else ""

    def _versions(self, need: Need, found: Loaded) -> Iterator[Finding]:
        if not found.elf.defines or need.name not in self._wanted_versions(need.of):
            return
        for version in self._wanted_versions(need.of)[need.name]:
            if version not in self._defined(found.real, found.elf):
                problem = f'needs version {version} of "{need.name}", which "/{found.real}" does not have'
                yield Finding(need.of, self.owners[need.of], problem, need.name)

    def _wanted_versions(self, path: str) -> Mapping[str, list[str]]:
        """Give the versions that a file needs, by library."""
        if path not in self._versions_of:
            facts = self.view.facts(path)
            found: dict[str, list[str]] = {}
            for name, version in facts.elf.needs if facts is not None and facts.elf is not None else ():
                found.setdefault(name, []).append(version)
            self._versions_of[path] = found
        return self._versions_of[path]

    def _defined(self, path: str, elf: Elf) -> frozenset[str]:
        if path not in self._defines_of:
            self._defines_of[path] = frozenset(elf.defines)
        return self._defines_of[path]

    def _scripts(self) -> Iterator[Finding]:
        for path, interpreter in self._lost_scripts():
            owner = self.owners[path]
            if owner.kind == "file":
                problem = of_script(interpreter)
                wants = f"/{path}" if problem.advice else interpreter
                yield Finding(path, owner, problem.sentence, wants, problem.advice)

    def _lost_scripts(self) -> Iterator[tuple[str, str]]:
        """Give executable scripts whose interpreter is not there, with its path."""
        for path, entry in self.view.entries.items():
            if entry.kind is not Kind.FILE or not entry.mode & 0o111:
                continue
            facts = self.view.facts(path)
            if facts is None or not facts.script:
                continue
            lost = self.program.lost_interpreter(self.view, facts.script)
            if lost:
                yield path, lost

    def _links(self) -> Iterator[Finding]:
        for path, target in self._lost_links(set()):
            owner = self.owners[path]
            if owner.kind == "file":
                yield Finding(path, owner, f'is a link to "{target}"', target if target[:1] == "/" else f"/{path}")

    def _lost_links(self, gone: set[str]) -> Iterator[tuple[str, str]]:
        return links.lost(self.view, gone, self.program.volumes)

    def _start(self) -> Iterator[Finding]:
        owner = Owner("image", "the image")
        problem = self.program.problem(self.view)
        if problem:
            word = self.program.words[0]
            yield Finding(word.strip("/"), owner, problem.sentence, word, problem.advice, (), problem.instead)

    def _python(self) -> Iterator[Finding]:
        own = {path for path, owner in self.owners.items() if owner.kind in ("file", "tree")}
        named = {path for path in own if self.owners[path].kind == "file"}
        for path, name in modules.lost(self.view, self.mentions, own, named, self.program.env):
            yield Finding(path, self.owners[path], f'imports "{name}"', f"python:{name}")


def _named(elf: Elf) -> Iterator[tuple[str, ...]]:
    """Give what a program names to dlopen(3) and no note tells of; of several versions of a library any will do."""
    said = {*elf.needed, *(name for later in elf.dlopen for name in later.sonames), elf.soname}
    for _, versions in groupby(sorted(set(elf.opens) - said), lambda name: name.partition(".so")[0]):
        yield tuple(versions)


def _all_from(starts: Iterable[str], leads: Mapping[str, set[str]]) -> set[str]:
    """Give the starts and all that they lead to."""
    found = set(starts)
    waiting = list(found)
    while waiting:
        fresh = leads.get(waiting.pop(), set()) - found
        found |= fresh
        waiting += fresh
    return found


def _abi(elf: Elf) -> str:
    return f"{elf.machine.removeprefix('EM_').lower().replace('_', '-')} ({elf.bits} bits)"
