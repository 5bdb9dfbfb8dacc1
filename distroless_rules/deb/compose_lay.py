"""Declared files as entries: what a target names in, the paths that it makes out.

A tree is a tar archive that is not compressed: its files' bytes are where they are in the archive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from distroless_rules.deb.compose_options import FileSpec
from distroless_rules.errors import AnalysisError
from distroless_rules.tar import reader as tar
from distroless_rules.values.digest import Digest
from distroless_rules.values.tree import Entry, Kind, is_program

__all__ = ["Given", "lay"]


@dataclass(frozen=True, slots=True)
class Given:
    """A declared file's bytes: where they are on this machine, and what they are."""

    path: Path
    digest: Digest


def lay(spec: FileSpec, given: Given | None) -> list[Entry]:
    """Give the entries of a declared path; owners are set by the caller.

    Hard links are files (see ``compose_links``). A file without a mode is 0755 when it begins as a program or script
    does, else 0644.

    Args:
        spec: what is declared.
        given: its bytes; None for a folder or link.

    Raises:
        AnalysisError: if a file or tree has no input.
    """
    if spec.kind == "dir":
        return [Entry.directory(spec.path, 0o755 if spec.mode is None else spec.mode)]
    if spec.kind == "symlink":
        return [Entry.symlink(spec.path, spec.target)]
    if given is None:
        raise AnalysisError(f'add "/{spec.path}" of {spec.label}', f'it has no input "{spec.input}"')
    if spec.kind == "tree":
        prefix = f"{spec.path}/" if spec.path else ""
        found = [entry.moved(f"{prefix}{entry.path}") for entry in _entries(given) if entry.path]
        top = [Entry.directory(spec.path)] if spec.path else []
        return top + [entry if spec.mode is None else _with_mode(entry, spec.mode) for entry in found]
    mode = (0o755 if is_program(given.path) else 0o644) if spec.mode is None else spec.mode
    size, sha256 = given.digest.size, given.digest.hash
    return [Entry(spec.path, Kind.FILE, mode, size=size, sha256=sha256, source=sha256)]


def _entries(given: Given) -> list[Entry]:
    entries: dict[str, Entry] = {}
    with given.path.open("rb") as file:
        for entry in tar.read(file, given.digest.hash):
            linked = entry.kind is Kind.HARDLINK
            entries[entry.path] = entries[entry.target].moved(entry.path) if linked else entry
    return list(entries.values())


def _with_mode(entry: Entry, mode: int) -> Entry:
    return replace(entry, mode=mode) if entry.kind is Kind.FILE else entry
