"""Many images in one workspace, each with debs of its own: targets and debs in; what one build says of each out.

    many = Many(folder)
    many.add(0, {"libfoo1": deb_bytes}, lambda archive: {"contents": [f"@{archive}//libfoo1"]})
    many.build()
    many.said[0]                 # the error without its place, of an image that was not built

Debs are put into as few signed archives as can be: one has no two debs of a name.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.archive import SmallArchive
from tests.support.command import Commands
from tests.support.debs import make_deb

__all__ = ["Many", "needing"]

_LOAD = 'load("@distroless_rules//rules:defs.bzl", "distroless_image", "files")\n'
_ERROR = re.compile(r"^distroless: BUILD:(\d+)[^ ]* (.*?)(?=^distroless: |\Z)", re.MULTILINE | re.DOTALL)


class Many:
    """A workspace to be.

    Attributes:
        commands: where commands are run, once it is built.
        err: what the build printed on standard error.
        said: of each image that was not built, the error.
    """

    commands: Commands

    def __init__(self, folder: Path, contents: str = "") -> None:
        """Start with nothing, in an empty folder; ``contents`` is the Contents index of every archive."""
        self._folder = folder
        self._contents = contents
        self._archives: list[dict[str, bytes]] = []
        self._build = _LOAD
        self._lines: dict[int, int] = {}
        self._sources: dict[str, bytes] = {}
        self.err = ""
        self.said: dict[int, str] = {}

    def files(self, name: str, attributes: Mapping[str, object], sources: Mapping[str, bytes]) -> None:
        """Add a target with files; ``sources`` are path below the workspace -> bytes."""
        self._add("files", {"name": name, **attributes})
        self._sources.update(sources)

    def add(self, number: int, debs: Mapping[str, bytes], image: Callable[[str], Mapping[str, object]]) -> None:
        """Add the image ``//:c<number>``.

        Args:
            number: its own.
            debs: name -> bytes of those that its archive must have.
            image: the archive's name -> attributes.
        """
        archive = f"a{self._place(debs)}"
        self._lines[self._build.count("\n") + 2] = number
        self._add("distroless_image", {"name": f"c{number}", **image(archive)})

    def build(self) -> None:
        """Write the workspace and build all of it."""
        tables = "".join(self._publish(number) for number in range(len(self._archives)))
        settings = f'[workspace]\nname = "w"\n\n{tables}'
        self.commands = Commands(self._folder, {"distroless.toml": settings, "BUILD": self._build})
        for path, data in self._sources.items():
            (self.commands.root / path).parent.mkdir(exist_ok=True)
            (self.commands.root / path).write_bytes(data)
        self.err = self.commands.run("build", "--platform=linux/amd64", "-k", "//...").err
        self.said = {self._lines[int(match[1])]: match[2].rstrip() for match in _ERROR.finditer(self.err)}

    def beside(self, number: int, suffix: str) -> Path:
        """Give the path of a file that stands beside an image that was built."""
        return self.commands.root / f"distroless-out/c{number}{suffix}"

    def _add(self, rule: str, attributes: Mapping[str, object]) -> None:
        given = "".join(f"    {key} = {json.dumps(value)},\n" for key, value in attributes.items() if value)
        self._build += f"\n{rule}(\n{given})\n"

    def _place(self, debs: Mapping[str, bytes]) -> int:
        for number, known in enumerate(self._archives):
            if all(known.get(name, data) == data for name, data in debs.items()):
                known.update(debs)
                return number
        self._archives.append(dict(debs))
        return len(self._archives) - 1

    def _publish(self, number: int) -> str:
        archive = SmallArchive(self._folder / f"archive{number}")
        for data in self._archives[number].values():
            archive.add(data)
        index = {"main/Contents-amd64.gz": gzip.compress(self._contents.encode())} if self._contents else None
        archive.publish("trixie", suffixes=[".xz"], further=index)
        return archive.table(f"a{number}")


def needing(name: str, *others: str) -> bytes:
    """Give a deb that has nothing but its licence and dependencies."""
    fields = {"Package": name} | ({"Depends": ", ".join(others)} if others else {})
    return make_deb(f"usr/share/doc/{name}/copyright = free", fields)
