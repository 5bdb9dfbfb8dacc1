"""What the last build of a request looked at and made, so that a build with nothing to do does nothing.

Texts in the cache folder: the *stamp* (everything looked at, with the signatures it had, and the outputs), the action
graph, and what targets declare that it follows from, which logs of builds tell. When every signature is the same, the
outputs stand. When only source files differ, the action graph stands. Source: the racy-git problem,
``Documentation/technical/racy-git`` of git: a file changed so shortly before it was looked at that another change would
leave no trace is compared by its content.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distroless_rules import outputs
from distroless_rules.actions.analysed import Analysis
from distroless_rules.actions.artifact import Root
from distroless_rules.loading.files import Seen, Signature, listing_digest, signature
from distroless_rules.loading.workspace import CONFIG_NAME, LOCK_NAME
from distroless_rules.project import Project
from distroless_rules.storage import notes
from distroless_rules.storage.folder import STATES
from distroless_rules.values.request import Request

__all__ = ["Stamp"]

_RACY_NS = 100_000_000
_DOING = "remember the build"


class Stamp:
    """The state of one request in one workspace.

    Args:
        project: the workspace and cache.
        request: what is asked for; another one has another state.
        purpose: the verb.
    """

    def __init__(self, project: Project, request: Request, purpose: str = "build") -> None:
        self._project = project
        patterns = [str(pattern) for pattern in request.patterns]
        accept = project.remote.accept  # what was made of others' results does not stand where none count
        asked = [patterns, request.platform, sorted(request.define.items())]
        about = [purpose, str(project.root), asked, accept, _program()]
        name = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]
        self._stamp = project.cache / STATES / f"{name}.stamp"
        self._graph = project.cache / STATES / f"{name}.graph"
        self._declared = project.cache / STATES / f"{name}.declared"
        self._old: dict[str, Any] = _load(self._stamp) or {}
        self._seen_stands = bool(self._old) and self._same_files() and self._same_folders()
        self._seen: dict[str, Any] = self._old.get("seen", {}) if self._seen_stands else {}
        self._sources: dict[str, Signature | None] = {}
        self._analysis: Analysis | None = None

    def unchanged(self) -> tuple[outputs.Result, ...] | None:
        """Give the results of the last build if nothing has changed since, else None."""
        if not self._seen_stands or not self._old.get("results"):
            return None
        root = str(self._project.root)
        for path, was in self._old["sources"].items():
            if was is None or _list(signature(f"{root}/{path}")) != was:
                return None
        if not outputs.stands(self._old["marks"], self._project.outputs):
            return None
        return tuple(outputs.Result.load(row) for row in self._old["results"])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people were warned of by the last build."""
        return tuple(self._old.get("warnings", ()))

    def analysis(self) -> Analysis | None:
        """Give the action graph of the last build if no BUILD file or setting has changed since, else None."""
        if not self._seen_stands:
            return None
        from distroless_rules.actions import codec

        text = notes.read(self._graph)
        if text is None or hashlib.sha256(text.encode()).hexdigest() != self._old.get("graph"):
            return None
        self._analysis = codec.load(text)
        self._note_sources()
        return self._analysis

    def looked_at(self, seen: Seen, analysis: Analysis) -> None:
        """Take what evaluating looked at, and what came of it."""
        files = dict(seen.files)
        for name in (CONFIG_NAME, LOCK_NAME):
            path = self._project.root / name
            files[name] = (signature(path), _content(path))
        self._seen = {"files": _settled(files), "folders": _settled(seen.folders)}
        self._analysis = analysis
        self._note_sources()

    def save(
        self, results: tuple[outputs.Result, ...], marks: Mapping[str, outputs.Mark], warnings: tuple[str, ...] = ()
    ) -> None:
        """Remember this build.

        Args:
            results: what was asked for.
            marks: the files that are in place.
            warnings: what people were warned of.

        Raises:
            StorageError: if the cache folder cannot be written.
        """
        from distroless_rules.actions import codec

        assert self._analysis is not None
        digest = self._old.get("graph") if self._seen_stands else ""
        if not digest:
            text = codec.dump(self._analysis)
            digest = hashlib.sha256(text.encode()).hexdigest()
            notes.write(self._graph, text, _DOING)
            notes.write_checked(self._declared, f"{digest}\n{self._analysis.declared}", _DOING)
        document = {
            "seen": self._seen,
            "sources": self._sources,
            "results": [result.dump() for result in results],
            "marks": marks,
            "warnings": warnings,
            "graph": digest,
        }
        body = json.dumps(document, separators=(",", ":"))
        notes.write_checked(self._stamp, body, _DOING)

    @property
    def declared(self) -> str:
        """What the targets of the action graph declare, as ``actions.declared`` writes it; ``""`` if that is lost."""
        if self._analysis is None or self._analysis.declared or not self._seen_stands:
            return self._analysis.declared if self._analysis else ""
        graph, _, text = (notes.read_checked(self._declared) or "").partition("\n")
        return text if graph == self._old.get("graph") else ""

    def _note_sources(self) -> None:
        """Take the signatures of source files, before they are read."""
        assert self._analysis is not None
        now = time.time_ns()
        paths = {n.artifact.path for a in self._analysis.actions for n in a.inputs if n.artifact.root is Root.SOURCE}
        paths |= {f.path for wanted in self._analysis.wanted for f in wanted.files if f.root is Root.SOURCE}
        for path in sorted(paths):
            found = signature(self._project.root / path)
            self._sources[path] = None if found is None or _racy(found, now) else found

    def _same_files(self) -> bool:
        root = str(self._project.root)
        for path, (was, digest) in self._old["seen"]["files"].items():
            full = f"{root}/{path}"
            if (was is None or _list(signature(full)) != was) and _content(full) != digest:
                return False
        return True

    def _same_folders(self) -> bool:
        root = str(self._project.root)
        for path, (was, digest) in self._old["seen"]["folders"].items():
            full = f"{root}/{path}"
            if (was is None or _list(signature(full)) != was) and listing_digest(full) != digest:
                return False
        return True


def _settled(seen: dict[str, tuple[Signature | None, str]]) -> dict[str, tuple[Signature | None, str]]:
    """Drop the signatures of what changed too shortly ago for a signature to tell."""
    now = time.time_ns()
    return {p: (None if found is None or _racy(found, now) else found, digest) for p, (found, digest) in seen.items()}


def _racy(found: Signature, now: int) -> bool:
    return max(found[1], found[2]) + _RACY_NS > now


def _list(found: Signature | None) -> list[int] | None:
    return None if found is None else list(found)


def _content(path: str | Path) -> str:
    """Give the SHA-256 of a file, ``""`` when it is not there."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


def _program() -> str:
    """Give what changes when this program does: the signatures of its files."""
    here = Path(__file__).parent
    found = []
    for folder, folders, names in os.walk(here):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            status = os.stat(f"{folder}/{name}")
            found.append((name, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr(found).encode()).hexdigest()


def _load(path: Path) -> dict[str, Any] | None:
    """Read a stamp; one that is missing or damaged is none."""
    body = notes.read_checked(path)
    if body is None:
        return None
    document: dict[str, Any] = json.loads(body)
    return document
