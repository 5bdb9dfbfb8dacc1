"""Who brings what, as dpkg's records in an image say: its files in, the owner of each path and the debs' names out.

Fat images have ``var/lib/dpkg/info/<deb>.list``, distroless ones ``var/lib/dpkg/status.d/<deb>`` and ``.md5sums``.
Source: dpkg(1), deb-md5sums(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from distroless_rules.closure.owner import Owner
from distroless_rules.closure.view import View
from distroless_rules.policy.screen import Read
from distroless_rules.values.tree import Kind

__all__ = ["recorded"]

_NAME = r"([a-z0-9][a-z0-9+.\-]+?)"
_STATED = re.compile(rf"var/lib/dpkg/status\.d/{_NAME}(\.md5sums)?")
_LISTED = re.compile(rf"var/lib/dpkg/info/{_NAME}(?::[a-z0-9]+)?\.list")
_MAX = 16 << 20


def recorded(view: View, read: Read) -> tuple[dict[str, Owner], tuple[str, ...]]:
    """Give who brings each path, and the names of the debs.

    Args:
        view: the image's files.
        read: gives their bytes.
    """
    owners: dict[str, Owner] = {}
    names: dict[str, None] = {}
    for path, entry in view.entries.items():
        listed, stated = _LISTED.fullmatch(path), _STATED.fullmatch(path)
        record = listed or stated
        if record is None or entry.kind is not Kind.FILE:
            continue
        names[record[1]] = None
        if listed or (stated and stated[2]):
            lines = read(entry, _MAX).decode("utf-8", "surrogateescape").splitlines()
            named = (line if listed else line.partition("  ")[2] for line in lines)
            owners |= dict.fromkeys(_there(view, named), Owner("deb", record[1]))
    return owners, tuple(sorted(names))


def _there(view: View, paths: Iterator[str]) -> Iterator[str]:
    """Give where those paths really lie at which there are files or links."""
    for path in paths:
        folder, _, name = path.strip("/").rpartition("/")
        real = view.real(folder)
        at = f"{real}/{name}" if real else name
        entry = view.entries.get(at)
        if entry is not None and entry.kind is not Kind.DIRECTORY:
            yield at
