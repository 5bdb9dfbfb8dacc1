"""Where a run action finds its inputs and leaves its outputs: names in, places out; the same here and elsewhere.

The folders in which outputs are declared can be written. Inputs that belong in the same folders are there as links to
where they really are, below ``LINKED``, so that what stands in such a folder at the end is an output, an input's link,
or something that nobody declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["BUILD", "LINKED", "Layout", "lay_out"]

BUILD = "/build"
"""The folder that a command works in."""
LINKED = ".inputs"
"""Where inputs are whose own place is in a folder that can be written; below the folder that the command works in."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Places below ``BUILD``.

    Attributes:
        tops: the folders that can be written, none below another.
        folders: those that are there from the start because an output belongs in them.
        places: the execution path of each input -> where it is.
        links: the execution path of each input that is elsewhere -> what the link says that stands there.
    """

    tops: tuple[str, ...]
    folders: tuple[str, ...]
    places: Mapping[str, str]
    links: Mapping[str, str]

    def top(self, path: str) -> str | None:
        """Give the folder of ``tops`` that a path is in."""
        return next((top for top in self.tops if path.startswith(f"{top}/")), None)


def lay_out(inputs: Iterable[str], outputs: Iterable[str]) -> Layout:
    """Find the places for inputs and outputs, which are named by their execution paths."""
    folders = sorted({path.rpartition("/")[0] for path in outputs})
    tops = tuple(each for each in folders if not any(each.startswith(f"{other}/") for other in folders))
    layout = Layout(tops, tuple(folders), {}, {})
    places = {path: f"{LINKED}/{path}" if layout.top(path) is not None else path for path in sorted(inputs)}
    links = {path: f"{BUILD}/{place}" for path, place in places.items() if place != path}
    return Layout(tops, tuple(folders), places, links)
