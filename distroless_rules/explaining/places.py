"""Where a BUILD file gives an attribute that changed: a target's row and the change in, the smallest place out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distroless_rules.actions.declared import TargetRow
from distroless_rules.errors import LabelError, Location
from distroless_rules.explaining.values import Change
from distroless_rules.loading.place import of_part
from distroless_rules.values.label import Label

__all__ = ["Places"]

_KEY = re.compile(r'\w+\[("(?:[^"\\]|\\.)*")\]')


class Places:
    """Finds places in the BUILD files of a workspace, as far as they are still what a build read.

    Args:
        root: the workspace.
        files: path -> SHA-256 of what the build read.
    """

    def __init__(self, root: Path, files: Mapping[str, str]) -> None:
        self._root = root
        self._files = files
        self._sources: dict[str, str] = {}

    def of(self, row: TargetRow, change: Change) -> Location:
        """Give the place of a change; where the file is another one by now, that of the target."""
        source = self._source(row.at.file)
        if not source:
            return row.at
        attribute = change.path.partition("[")[0]
        whole = of_part(source, row.at, attribute)
        for text in _texts(row, change):
            found = of_part(source, row.at, attribute, text)
            if found != whole:
                return found
        return whole

    def _source(self, path: str) -> str:
        if path not in self._sources:
            try:
                data = (self._root / path).read_bytes()
            except OSError:
                data = b""
            known = hashlib.sha256(data).hexdigest() == self._files.get(path)
            self._sources[path] = data.decode("utf-8", "replace") if known else ""
        return self._sources[path]


def _texts(row: TargetRow, change: Change) -> Iterator[str]:
    """Give what a BUILD file may have written for the part that changed, the surest first."""
    key = _KEY.match(change.path)
    if key:
        yield json.loads(key[1])
    yield from _written(row, change.new)


def _written(row: TargetRow, value: Any) -> Iterator[str]:
    if not isinstance(value, str):
        return
    yield value
    try:
        label, own = Label.parse(value), Label.parse(row.label)
    except LabelError:
        return
    if (label.repo, label.package) == (own.repo, own.package):
        yield f":{label.name}"
        yield label.name
    if label.name == label.package.rpartition("/")[2]:
        yield str(label).partition(":")[0]
