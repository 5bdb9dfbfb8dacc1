"""What a run action sees: its inputs in, a folder that becomes the one it works in out.

Inputs are copies, so that nothing in a sandbox is a link into the cache or the workspace; those that begin as
programs or scripts do are executable, whatever their mode is elsewhere. Outputs are written to folders of their own,
mounted writable over the places where they belong; inputs that belong in the same folders are there as links to where
they are really mounted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from distroless_rules.values.tree import is_program

__all__ = ["LINKED", "Stage", "stage"]

LINKED = ".inputs"
"""Where inputs are whose own place is in a writable folder; below the folder that the command works in."""

_BUILD = "/build"


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder to work in.

    Attributes:
        inputs: the folder with the inputs, and with empty folders where others are mounted.
        mounts: path below it -> a laid-out tree, mounted read-only.
        writable: path below it -> the folder that takes what is written there.
        links: path below it of each link to an input that stands in a writable folder -> what it says.
    """

    inputs: Path
    mounts: Mapping[str, Path] = field(default_factory=dict)
    writable: Mapping[str, Path] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


def stage(folder: Path, files: Mapping[str, Path], trees: Mapping[str, Path], outputs: Iterable[str]) -> Stage:
    """Lay inputs out.

    Args:
        folder: an empty folder.
        files: execution path of each input file -> the file.
        trees: execution path of each input tree -> its folder.
        outputs: the execution paths of outputs.

    Raises:
        OSError: if a file cannot be read or written.
    """
    inputs = folder / "inputs"
    os.mkdir(inputs)
    tops = _tops({path.rpartition("/")[0] for path in outputs})
    writable: dict[str, Path] = {}
    for number, top in enumerate(tops):
        writable[top] = folder / f"out{number}"
        os.mkdir(writable[top])
        os.makedirs(inputs / top, exist_ok=True)
    for path in outputs:
        os.makedirs(_beneath(writable, tops, path).parent, exist_ok=True)
    mounts: dict[str, Path] = {}
    links: dict[str, str] = {}
    for path, source in sorted({**files, **trees}.items()):
        inside = _top(tops, path) is not None
        place = f"{LINKED}/{path}" if inside else path
        if inside:
            links[path] = f"{_BUILD}/{place}"
            link = _beneath(writable, tops, path)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(links[path])
        target = inputs / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if path in trees:
            target.mkdir()
            mounts[place] = source
        else:
            shutil.copyfile(source, target)
            os.chmod(target, 0o555 if is_program(target) else 0o444)
            os.utime(target, (0, 0))
    return Stage(inputs, mounts, writable, links)


def _tops(folders: set[str]) -> list[str]:
    """Give the outermost of some folders."""
    return sorted(each for each in folders if not any(each.startswith(f"{other}/") for other in folders))


def _top(tops: Iterable[str], path: str) -> str | None:
    return next((top for top in tops if path.startswith(f"{top}/")), None)


def _beneath(writable: Mapping[str, Path], tops: Iterable[str], path: str) -> Path:
    """Give where on this machine a path of a writable folder is."""
    top = _top(tops, path)
    assert top is not None
    return writable[top] / path[len(top) + 1 :]
