"""Small images for bills of materials: paths and texts in, ``sbom.files.Files`` out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from distroless_rules.sbom.component import Inventory, Subject
from distroless_rules.sbom.files import Files
from distroless_rules.sbom.inventory import take
from distroless_rules.values.path import parents
from distroless_rules.values.tree import Entry, Kind

__all__ = ["DIGEST", "SUBJECT", "billed", "files"]

DIGEST = "sha256:" + hashlib.sha256(b"manifest").hexdigest()
SUBJECT = Subject("//app:image", DIGEST, (), "linux/amd64", "2024-05-06T07:08:09Z")


def files(texts: Mapping[str, str | bytes], links: Mapping[str, str] | None = None) -> Files:
    """Give an image with some files and symbolic links."""
    held = {path: text.encode() if isinstance(text, str) else text for path, text in texts.items()}
    entries = {parent: Entry.directory(parent) for path in held for parent in parents(path)}
    for path, data in held.items():
        entries[path] = Entry(path, Kind.FILE, 0o644, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    for path, target in (links or {}).items():
        entries[path] = Entry.symlink(path, target)

    def read(entry: Entry, limit: int) -> bytes:
        return held[entry.path][:limit]

    def sha1(entry: Entry) -> str:
        return hashlib.sha1(held[entry.path], usedforsecurity=False).hexdigest()

    return Files(entries.values(), read, sha1)


def billed(texts: Mapping[str, str | bytes], links: Mapping[str, str] | None = None) -> Inventory:
    """Account for such an image."""
    return take(files(texts, links), SUBJECT, {})
