"""Artifacts: the files and folders that actions read and make, named before they exist.

A folder is one artifact, a *tree*: its bytes are a tar archive that is not compressed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from distroless_rules.values.digest import Digest

__all__ = ["Artifact", "Root"]


class Root(Enum):
    """Where an artifact's bytes come from."""

    SOURCE = "source"  # a file of the workspace
    LOCKED = "locked"  # a file of an archive, named by the lock with its digest
    DERIVED = "derived"  # the output of an action


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file or tree, identified by root and path.

    Attributes:
        root: where its bytes come from.
        path: of a source the path below the workspace; of a locked file ``<archive>/<path within the archive>``;
            of a derived file ``<configuration>/<package>/<name>``, unique in a build.
        digest: of a locked file its digest, else None: sources are hashed and outputs made.
        owner: the label of the target it belongs to, for messages; it makes no other file of it.
        tree: whether it is a folder, whose bytes are an uncompressed tar archive.
    """

    root: Root
    path: str
    digest: Digest | None = None
    owner: str = field(default="", compare=False)
    tree: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return self.path
