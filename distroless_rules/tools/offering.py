"""Debs that an image takes a needed library from: what the build stage offers and what is lost in, what is taken out.

A program was linked among debs of the build stage. Of those the image takes exactly the ones that have a library which
a file of the image needs, where the loader looks for it, for its processor and with the versions that are asked for -
and what such a deb needs in turn, as the lock says it and ``deb.cuts`` leaves it.

Inputs: ``offer/<archive>/<deb>/index``, ``tree`` and ``facts``, and ``mentions`` where the closure is of files.
Parameter ``offers``: rows of archive, deb, ``needs`` (it and what it needs, by name), ``depends`` (on which it depends
itself) and ``cuts``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distroless_rules.closure import facts
from distroless_rules.closure.gate import Finding
from distroless_rules.closure.view import View
from distroless_rules.deb import package
from distroless_rules.deb.package import DebIndex
from distroless_rules.elf.read import Elf
from distroless_rules.errors import ActionError
from distroless_rules.tools.tool import InputFile
from distroless_rules.values.path import fold_usr
from distroless_rules.values.tree import Entry

__all__ = ["Offers", "Taken"]


@dataclass(frozen=True, slots=True)
class Taken:
    """A deb that is taken.

    Attributes:
        name: the deb.
        index: what is in it.
        cuts: (deb, dependency, reason) of what it needs and an image does not.
        by: the deb that depends on it, ``""`` if it was taken for its libraries.
        needed: (file, library) of each library of it that a file needed.
    """

    name: str
    index: DebIndex
    cuts: tuple[tuple[str, str, str], ...]
    by: str = ""
    needed: tuple[tuple[str, str], ...] = ()

    @property
    def reason(self) -> dict[str, Any]:
        """Why it is there, for the report."""
        return {"by": self.by, "needed": [list(each) for each in self.needed]}


class Offers:
    """What the build stage offers an image.

    Args:
        rows: the parameter ``offers``.
        inputs: the tool's.

    Attributes:
        taken: what was taken so far, by name.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], inputs: Mapping[str, InputFile]) -> None:
        self._rows = {f"{row['archive']}/{row['deb']}": row for row in rows}
        self._inputs = inputs
        self._indexes: dict[str, DebIndex] = {}
        self._views: dict[str, View] = {}
        self._named: dict[str, list[str]] = {}
        self.taken: dict[str, Taken] = {}

    def take(self, findings: Iterable[tuple[Finding, Elf | None]]) -> bool:
        """Take what gives libraries that are lost; tell whether anything was.

        Args:
            findings: what the gate found, each with what the file says that lacks something.

        Raises:
            ActionError: if several debs would do.
        """
        before = len(self.taken)
        for finding, elf in findings:
            if finding.searched and self._rows:
                self._take(finding, elf)
        return len(self.taken) > before

    def _take(self, finding: Finding, elf: Elf | None) -> None:
        name = finding.wants.rpartition("/")[2]
        having = self._having(name)
        found = [key for key in having if self._gives(key, name, finding.searched, elf)]
        if not found:
            # Of several implementations each is in a folder of its own, and the image makes the link to one.
            folders = {key: self._folders(key, name, finding.searched) for key in having}
            found = [key for key in having if self._gives(key, name, folders[key], elf)]
        if len(found) > 1:
            debs = " and ".join(f'"@{key.replace("/", "//")}"' for key in found)
            problem = f'"/{finding.path}" of {finding.owner} needs the library "{name}"'
            cause = f"{problem}, and the build stage has it from {debs}"
            raise ActionError("put the image together", cause, hint="add one of them to contents")
        if found:
            deb = self._rows[found[0]]["deb"]
            self._add(found[0])
            if deb in self.taken:
                taken = self.taken[deb]
                self.taken[deb] = replace(taken, needed=(*taken.needed, (f"/{finding.path}", name)))

    def _add(self, key: str) -> None:
        archive = self._rows[key]["archive"]
        waiting = [(key, "")]
        for at, by in waiting:
            name = self._rows[at]["deb"]
            if name in self.taken or f"deb/{name}/index" in self._inputs:
                continue
            cuts = tuple((deb, dependency, text) for deb, dependency, text in self._rows[at]["cuts"])
            self.taken[name] = Taken(name, self._index(at), cuts, by)
            waiting += [(f"{archive}/{each}", name) for each in self._rows[at]["depends"]]

    def _having(self, name: str) -> list[str]:
        """Give the debs that have a file or link of a name and could be in this image, in order."""
        if not self._named:
            for key in self._rows:
                for file in {fold_usr(entry.path).rpartition("/")[2] for entry in self._index(key).entries}:
                    self._named.setdefault(file, []).append(key)
        return [key for key in self._named.get(name, ()) if self._fits(key)]

    def _fits(self, key: str) -> bool:
        """Tell whether what a deb needs is the same that the image has already, where it has it."""
        archive = self._rows[key]["archive"]
        for name in self._rows[key]["needs"]:
            own, other = self._inputs.get(f"deb/{name}/index"), self._inputs.get(f"offer/{archive}/{name}/index")
            taken = self.taken.get(name)
            if own is not None and other is not None and own.digest != other.digest:
                return False
            if taken is not None and taken.index is not self._indexes.get(f"{archive}/{name}"):
                return False
        return True

    def _folders(self, key: str, name: str, tops: Iterable[str]) -> list[str]:
        """Give the folders below others in which a deb has a file of a name."""
        within = tuple(f"{fold_usr(folder)}/" for folder in tops if folder)
        paths = (fold_usr(entry.path).rpartition("/") for entry in self._index(key).entries)
        return sorted({folder for folder, _, file in paths if file == name and f"{folder}/".startswith(within)})

    def _gives(self, key: str, name: str, folders: Iterable[str], elf: Elf | None) -> bool:
        """Tell whether a loader that looks in folders finds a library of a deb that serves a file."""
        view = self._view(key)
        own = {fold_usr(entry.path) for entry in self._index(key).entries}
        for folder in dict.fromkeys(fold_usr(folder) for folder in folders):
            path = f"{folder}/{name}" if folder else name
            found = view.find_elf(path)
            if path not in own or found is None or found[1].kind != "dyn":
                continue
            if elf is None:
                return True
            versions = [version for file, version in elf.needs if file == name]
            if found[1].abi == elf.abi and (not found[1].defines or {*versions} <= {*found[1].defines}):
                return True
        return False

    def _view(self, key: str) -> View:
        """Give the files of a deb and of what it needs, which its links may lead to."""
        view = self._views.get(key)
        if view is None:
            entries: dict[str, Entry] = {}
            known: dict[str, facts.Facts] = {}
            archive = self._rows[key]["archive"]
            for name in self._rows[key]["needs"]:
                at = f"{archive}/{name}"
                if at in self._rows:
                    entries |= {fold_usr(entry.path): entry for entry in self._index(at).entries}
                    known |= facts.loads(self._inputs[f"offer/{at}/facts"].path.read_bytes())
            view = self._views[key] = View(entries, known)
        return view

    def _index(self, key: str) -> DebIndex:
        index = self._indexes.get(key)
        if index is None:
            data = self._inputs[f"offer/{key}/index"].path.read_bytes()
            index = self._indexes[key] = package.loads(data)
        return index
