"""An image as its tests look at it: a tree's archive and a config in; paths, files and programs out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from distroless_rules.closure.view import View
from distroless_rules.errors import FormatError
from distroless_rules.oci.config import Start
from distroless_rules.tar import reader
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Picture"]

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)


class Picture:
    """An image's files and how it is started.

    Args:
        archive: the tar archive of its tree.
        start: what its config says.
    """

    def __init__(self, archive: Path, start: Start) -> None:
        self._archive = archive
        self.start = start
        with archive.open("rb") as file:
            self._entries = {entry.path: entry for entry in reader.read(file, "", "the image's tree")}
        self._entries.setdefault("", Entry.directory(""))
        self._view = View(self._entries, {})

    def find(self, path: str, *, follow: bool = True) -> Entry | None:
        """Give what is at a path, links followed; the last one only with ``follow``; hard links are files."""
        place = self._view.real(path) if follow else self._view.place(path)
        found = self._entries.get(place) if place is not None else None
        return self._entries.get(found.target) if found is not None and found.kind is Kind.HARDLINK else found

    def read(self, path: str) -> bytes:
        """Give the bytes of a file.

        Raises:
            FormatError: if there is no file.
        """
        entry = self.find(path)
        if entry is None or entry.kind is not Kind.FILE:
            raise FormatError(f'read "{path}" of the image', "it is no file" if entry else "there is no such file")
        with self._archive.open("rb") as file:
            return os.pread(file.fileno(), entry.size, entry.offset)

    def program(self, word: str, environment: Mapping[str, str]) -> str | None:
        """Give the path of the program that a command's first word names, None if there is none. Source: execvp(3)."""
        folders = [""] if "/" in word else environment.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":")
        for folder in folders:
            path = f"{folder}/{word}" if folder else os.path.join("/", self.start.workdir, word)
            entry = self.find(path)
            if entry is not None and entry.kind is Kind.FILE and entry.mode & 0o111:
                return path
        return None

    def expand(self, text: str) -> str:
        """Put the image's variables in: ``$NAME`` and ``${NAME}``; others are empty."""
        return _VARIABLE.sub(lambda found: self.start.env.get(found[1] or found[2], ""), text)

    def owner(self) -> tuple[int, int]:
        """Give user and group that its program runs as.

        Raises:
            FormatError: if they are names that it does not know.
        """
        user, colon, group = self.start.user.partition(":")
        row = next((row for row in self._rows("/etc/passwd") if user in (row[0], row[2])), None)
        if not user:
            uid, gid = 0, 0
        elif user.isdecimal():
            uid, gid = int(user), int(row[3]) if row else 0
        elif row is not None:
            uid, gid = int(row[2]), int(row[3])
        else:
            raise FormatError("run a command of the image", f'it has no user "{user}"')
        if colon and group.isdecimal():
            gid = int(group)
        elif colon:
            found = next((row for row in self._rows("/etc/group") if row[0] == group), None)
            if found is None:
                raise FormatError("run a command of the image", f'it has no group "{group}"')
            gid = int(found[2])
        return uid, gid

    def home(self) -> str:
        """Give the home folder of who its program runs as, ``/`` if it does not say; runtimes set HOME to it."""
        uid = str(self.owner()[0])
        return next((row[5] for row in self._rows("/etc/passwd") if row[2] == uid and len(row) > 5 and row[5]), "/")

    def _rows(self, path: str) -> Iterator[list[str]]:
        entry = self.find(path)
        if entry is None or entry.kind is not Kind.FILE:
            return
        for line in self.read(path).decode("utf-8", "replace").splitlines():
            fields = line.split(":")
            if len(fields) >= 3 and fields[2].isdecimal():
                yield [*fields, "0", "0"] if len(fields) == 3 else fields

    def writable(self, uid: int, gid: int) -> list[str]:
        """Give the outermost folders that an account may write in: ``[""]``, all, for root."""
        if uid == 0:
            return [""]
        found: list[str] = []
        for path in sorted(self._entries):
            entry = self._entries[path]
            inside = bool(found) and f"{path}/".startswith(f"{found[-1]}/")
            if entry.kind is Kind.DIRECTORY and path and not inside and _may_write(entry, uid, gid):
                found.append(path)
        return found

    def folders(self, path: str) -> list[str]:
        """Give the names of the folders in a folder, links left out."""
        folder = self.find(path)
        if folder is None:
            return []
        prefix = f"{folder.path}/" if folder.path else ""
        return sorted(
            each.path[len(prefix) :]
            for each in self._entries.values()
            if each.kind is Kind.DIRECTORY and each.path.startswith(prefix) and "/" not in each.path[len(prefix) :]
        )


def _may_write(entry: Entry, uid: int, gid: int) -> bool:
    if entry.uid == uid:
        return bool(entry.mode & 0o200)
    return bool(entry.mode & (0o020 if entry.gid == gid else 0o002))
