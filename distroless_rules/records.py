"""What builds were made of, kept for ``explain``: an action graph and the digests that went through it, each in a file.

A build with nothing to do leaves no record, nor does one that is the same as the last record. Of a workspace the last
``MAX_RECORDS`` stay. A record names its action graph and what that followed from by digest; many records of a
request share them.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distroless_rules import __version__
from distroless_rules.actions.artifact import Root
from distroless_rules.execution.key import FORMAT
from distroless_rules.outputs import Result
from distroless_rules.storage import notes
from distroless_rules.storage.folder import STATES, refused
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import HOST

if TYPE_CHECKING:
    from distroless_rules.actions.analysed import Analysis
    from distroless_rules.machine import Machine
    from distroless_rules.project import Project
    from distroless_rules.values.request import Request

__all__ = ["MAX_RECORDS", "kept", "save", "texts"]

MAX_RECORDS = 40
_FORMAT = 1
_FOLDER = "records"
_SETTLED = 3600  # seconds after which a graph that no record names is nobody's
_DOING = "remember what the build was made of"


def save(
    project: Project,
    request: Request,
    graph: tuple[Path, str],
    analysis: Analysis,
    made: Mapping[str, Digest],
    results: Iterable[Result],
    machine: Machine,
) -> None:
    """Leave the record of a build that is complete.

    Args:
        project: the workspace.
        request: what was asked for.
        graph: where the action graph is, and the SHA-256 of its text.
        analysis: the action graph.
        made: path of each derived artifact that was made or known -> digest.
        results: what was put in place.
        machine: knows the versions of what performs actions, and the digests of source files.

    Raises:
        StorageError: if the cache folder cannot be written.
    """
    folder = _folder(project)
    body = json.dumps(_body(request, graph[1], analysis, made, results, machine), separators=(",", ":"))
    asked = json.dumps(
        [[str(pattern) for pattern in request.patterns], request.platform, sorted(request.define.items())]
    )
    name = hashlib.sha256(asked.encode()).hexdigest()[:12]
    check = hashlib.sha256(body.encode()).hexdigest()[:12]
    last = next((path.name for path in _newest(folder)), "")
    if analysis.declared:
        notes.write_checked(folder / f"{graph[1]}.declared", analysis.declared, _DOING)
    if last.split(".")[1:3] == [name, check]:
        return
    _share(graph[0], folder / f"{graph[1]}.graph")
    notes.write_checked(folder / f"{time.time_ns():020}.{name}.{check}.record", body, _DOING)
    _prune(folder)


def _body(
    request: Request,
    graph: str,
    analysis: Analysis,
    made: Mapping[str, Digest],
    results: Iterable[Result],
    machine: Machine,
) -> dict[str, Any]:
    """Give a record as JSON values; digests of outputs are in the order of the graph's actions."""
    versions: dict[str, int] = {}
    outputs: list[Any] = []
    sources: dict[str, str] = {}
    for action in analysis.actions:
        if action.outputs[0].artifact.path not in made:
            outputs.append(0)  # nobody needs it
            continue
        version = versions.setdefault(machine.executor.version(action), len(versions))
        outputs.append([version, *(str(made[named.artifact.path]) for named in action.outputs)])
        for named in action.inputs:
            artifact = named.artifact
            if artifact.root is Root.SOURCE and artifact.path not in sources:
                sources[artifact.path] = str(machine.supply.digest(artifact))
    for file in (file for wanted in analysis.wanted for file in wanted.files if file.root is Root.SOURCE):
        sources[file.path] = str(machine.supply.digest(file))
    return {
        "format": _FORMAT,
        "program": __version__,
        "keys": FORMAT,
        "patterns": [str(pattern) for pattern in request.patterns],
        "platform": request.platform or str(HOST),
        "define": dict(sorted(request.define.items())),
        "graph": graph,
        "versions": list(versions),
        "outputs": outputs,
        "sources": sources,
        "results": [[result.label, result.digest] for result in results],
    }


def _share(source: Path, path: Path) -> None:
    """Have the action graph at ``path`` too; the next build puts another file in its place, and this one stays."""
    if path.exists():
        return
    try:
        os.link(source, path)
    except FileExistsError:
        return
    except OSError as error:
        text = notes.read(source)
        if text is None:
            raise refused(_DOING, error) from error
        notes.write(path, text, _DOING)


def kept(project: Project) -> Iterator[tuple[float, dict[str, Any]]]:
    """Give the records of a workspace, the newest first: when it was built, seconds since 1970, and its JSON values.

    Damaged ones, and those of other versions of this program's records, are passed over.
    """
    for path in _newest(_folder(project)):
        body = notes.read_checked(path)
        document = json.loads(body) if body is not None else None
        if document is not None and document.get("format") == _FORMAT:
            yield int(path.name.partition(".")[0]) / 1e9, document


def texts(project: Project, graph: str) -> tuple[str, str] | None:
    """Give the text of an action graph and of what it followed from.

    None if the graph is gone or damaged; ``""`` for what it followed from if only that is.
    """
    folder = _folder(project)
    text = notes.read(folder / f"{graph}.graph")
    if text is None or hashlib.sha256(text.encode()).hexdigest() != graph:
        return None
    return text, notes.read_checked(folder / f"{graph}.declared") or ""


def _folder(project: Project) -> Path:
    name = hashlib.sha256(str(project.root).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return project.cache / STATES / _FOLDER / name


def _newest(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.*.*.record"), reverse=True)


def _prune(folder: Path) -> None:
    """Remove records that are too many, and the graphs that no other one names."""
    records = _newest(folder)
    if len(records) <= MAX_RECORDS:
        return
    for path in records[MAX_RECORDS:]:
        path.unlink(missing_ok=True)
    bodies = (notes.read_checked(path) for path in records[:MAX_RECORDS])
    named = {json.loads(body)["graph"] for body in bodies if body is not None}
    for path in (*folder.glob("*.graph"), *folder.glob("*.declared")):
        with suppress(FileNotFoundError):  # another build removed it
            if path.stem not in named and path.stat().st_ctime + _SETTLED < time.time():
                path.unlink()
