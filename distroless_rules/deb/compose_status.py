"""What scanners read: a stanza and a list of checksums for each deb of the image.

The stanza is at ``var/lib/dpkg/status.d/<deb>``, as other distroless images have it, and the MD5 sums of the files that
are really there at ``<deb>.md5sums`` beside it. Source: deb822(5), deb-md5sums(5), dpkg's status file.
"""

from __future__ import annotations

from collections.abc import Iterable

from distroless_rules.deb.package import DebIndex
from distroless_rules.values.path import fold_usr

__all__ = ["FOLDER", "checksums", "stanza"]

FOLDER = "var/lib/dpkg/status.d"


def stanza(index: DebIndex) -> bytes:
    """Give the control fields of a deb as dpkg's status file holds them."""
    fields = {"Package": index.control["Package"], "Status": "install ok installed"}
    fields.update((name, value) for name, value in index.control.items() if name not in fields)
    return "".join(
        f"{name}: {value}\n" if not value.startswith("\n") else f"{name}:{value}\n" for name, value in fields.items()
    ).encode()


def checksums(index: DebIndex, present: Iterable[str]) -> bytes:
    """Give the lines of ``<md5>  <path>`` for those of the deb's files that are at ``present`` image paths."""
    paths = set(present)
    lines = sorted((fold_usr(path), md5) for path, md5 in index.md5sums.items())
    return "".join(f"{md5}  {path}\n" for path, md5 in lines if path in paths).encode("utf-8", "surrogateescape")
