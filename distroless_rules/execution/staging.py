"""What a run action sees on this machine: its inputs in, a folder that becomes the one it works in out.

Inputs are copies, so that nothing in a sandbox is a link into the cache or the workspace; those that begin as
programs or scripts do are executable, whatever their mode is elsewhere. Outputs are written to folders of their own,
mounted writable over the places where they belong (see ``execution.layout``).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from distroless_rules.execution.layout import Layout, lay_out
from distroless_rules.values.tree import is_program

__all__ = ["Stage", "stage"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder to work in.

    Attributes:
        inputs: the folder with the inputs, and with empty folders where others are mounted.
        mounts: path below it -> a laid-out tree, mounted read-only.
        writable: path below it -> the folder that takes what is written there.
        layout: where everything belongs.
    """

    inputs: Path
    layout: Layout
    mounts: Mapping[str, Path] = field(default_factory=dict)
    writable: Mapping[str, Path] = field(default_factory=dict)


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
    layout = lay_out((*files, *trees), outputs)
    writable: dict[str, Path] = {}
    for number, top in enumerate(layout.tops):
        writable[top] = folder / f"out{number}"
        os.mkdir(writable[top])
        os.makedirs(inputs / top, exist_ok=True)
    for path in layout.folders:
        os.makedirs(_beneath(writable, layout, f"{path}/"), exist_ok=True)
    mounts: dict[str, Path] = {}
    for path, place in layout.places.items():
        if path in layout.links:
            link = _beneath(writable, layout, path)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(layout.links[path])
        target = inputs / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if path in trees:
            target.mkdir()
            mounts[place] = trees[path]
        else:
            shutil.copyfile(files[path], target)
            os.chmod(target, 0o555 if is_program(target) else 0o444)
            os.utime(target, (0, 0))
    return Stage(inputs, layout, mounts, writable)


def _beneath(writable: Mapping[str, Path], layout: Layout, path: str) -> Path:
    """Give where on this machine a path of a writable folder is."""
    top = layout.top(path)
    assert top is not None
    return writable[top] / path[len(top) + 1 :]
