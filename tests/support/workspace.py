"""Workspaces of a test's own: one text with file markers in; targets, actions or the text of an error out.

    -- app/BUILD --
    filegroup(name = "lib", srcs = ["a.txt"])
    -- app/a.txt --
    hello

``distroless.toml`` is written when the text has none: with the archives of the lock that is handed over. Everything is
evaluated by the functions that commands use, most of it in the child process of ``loading.guard``.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from distroless_rules.actions import evaluate
from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.analysed import Analysis
from distroless_rules.deb.cuts import cut
from distroless_rules.errors import DistrolessError
from distroless_rules.loading import workspace as workspaces
from distroless_rules.loading.guard import run
from distroless_rules.loading.loader import Loader
from distroless_rules.targets.graph import TargetGraph
from distroless_rules.targets.wanted import WantedDebs
from distroless_rules.tools.registry import MNEMONICS
from distroless_rules.values.archive import Lock, LockedArchive, LockedDeb
from distroless_rules.values.label import Pattern
from distroless_rules.values.request import Request

__all__ = [
    "ENGINE",
    "analysed",
    "error_of",
    "fails",
    "files_in",
    "graph_of",
    "listing",
    "loaded",
    "messages",
    "small_lock",
    "wanted",
    "workspace",
    "written",
]

ENGINE = evaluate.Engine(MNEMONICS, cut, {"gzip": "gzip by a test", "zstd": "zstd by a test", "none": "none"})
_MARKER = re.compile(r"^-- (\S+) --\n", re.MULTILINE)


def files_in(text: str) -> dict[str, str]:
    """Give the files of a text: path -> contents.

    What stands before the first marker is the root's BUILD file; a line break at the text's very start does not count.
    """
    head, *rest = _MARKER.split(text.removeprefix("\n"))
    found = {"BUILD": head} if head.strip() else {}
    return found | dict(zip(rest[::2], rest[1::2], strict=True))


def written(folder: Path, text: str | Mapping[str, str | bytes], lock: Lock | None = None) -> Path:
    """Write a workspace into ``folder`` and give it."""
    files: dict[str, str | bytes] = dict(files_in(text) if isinstance(text, str) else text)
    files.setdefault("distroless.toml", _settings(lock or Lock()))
    for path, contents in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(contents if isinstance(contents, bytes) else contents.encode("utf-8", "surrogateescape"))
    return folder


@contextmanager
def workspace(text: str | Mapping[str, str | bytes], lock: Lock | None = None) -> Iterator[workspaces.Workspace]:
    """Give the workspace of a text while the ``with`` block runs."""
    with tempfile.TemporaryDirectory() as folder:
        yield workspaces.read(written(Path(folder), text, lock))


def analysed(
    text: str | Mapping[str, str | bytes],
    *patterns: str,
    lock: Lock | None = None,
    platform: str = "linux/amd64",
    define: Mapping[str, str] | None = None,
) -> Analysis:
    """Give the analysis of what ``patterns`` (``//...`` when there are none) mean, as ``distroless build`` makes it.

    Raises:
        DistrolessError: what a user would be told.
    """
    with workspace(text, lock) as space:
        return evaluate.evaluate(space, lock or Lock(), _request(patterns, platform, define), ENGINE).analysis


def error_of(
    text: str | Mapping[str, str | bytes],
    *patterns: str,
    lock: Lock | None = None,
    platform: str = "linux/amd64",
    define: Mapping[str, str] | None = None,
) -> str:
    """Give the text of the error that analysing ends with; the workspace's folder in it becomes ``<root>``."""
    with tempfile.TemporaryDirectory() as folder:
        root = written(Path(folder), text, lock)
        request = _request(patterns, platform, define)
        found = fails(lambda: evaluate.evaluate(workspaces.read(root), lock or Lock(), request, ENGINE))
        return found.replace(folder, "<root>")


def fails(function: Callable[[], Any]) -> str:
    """Give the text of the error that a function ends with."""
    with pytest.raises(DistrolessError) as caught:
        function()
    return str(caught.value)


def messages(text: str | Mapping[str, str | bytes], *patterns: str, **more: Any) -> str:
    """Give what files and implementations printed, a line each."""
    return "\n".join(analysed(text, *patterns, **more).messages)


def graph_of(
    text: str | Mapping[str, str | bytes],
    *patterns: str,
    lock: Lock | None = None,
    platform: str = "linux/amd64",
    define: Mapping[str, str] | None = None,
) -> TargetGraph:
    """Give the configured target graph of what ``patterns`` mean."""
    with workspace(text, lock) as space:
        loader, _ = evaluate.load(space, lambda file: None, ENGINE)
        return evaluate.analyse(loader, space, lock or Lock(), _request(patterns, platform, define))


def loaded(text: str | Mapping[str, str | bytes], use: Callable[[Loader], Any]) -> Any:
    """Give what ``use`` makes of the loader of a workspace, in the child process that commands use."""
    with workspace(text) as space:
        return run(lambda enter: use(evaluate.load(space, enter, ENGINE)[0]))


def wanted(text: str | Mapping[str, str | bytes], lock: Lock | None = None) -> WantedDebs:
    """Give the debs that the BUILD files of a workspace name."""
    with workspace(text, lock) as space:
        return evaluate.debs_wanted(space, ENGINE)


def listing(actions: tuple[Action, ...]) -> str:
    """Give actions as text: a paragraph each, with inputs, outputs and parameters a line each."""
    return "\n".join(_paragraph(action) for action in actions)


def small_lock(*lines: str, archive: str = "trixie", architecture: str = "amd64") -> Lock:
    """Give a lock of debs that do not exist.

    Args:
        lines: ``name version``, then any of ``source=...``, ``size=...``, ``kib=...``, and ``: a b`` for what it needs;
            every deb is a root.
        archive: the archive's name.
        architecture: the one that it is locked for.
    """
    debs = {deb.name: deb for deb in (_deb(line, archive, architecture) for line in lines)}
    roots = tuple((name, {architecture: name}) for name in sorted(debs))
    return Lock({archive: LockedArchive(archive, roots=roots, debs={architecture: debs})})


def _deb(line: str, archive: str, architecture: str) -> LockedDeb:
    head, _, needs = line.partition(":")
    name, version, *options = head.split()
    given = dict(option.split("=", 1) for option in options)
    file = f"{name}_{version}_{architecture}.deb"
    return LockedDeb(
        archive=archive,
        name=name,
        version=version,
        architecture=architecture,
        source=given.get("source", name),
        path=f"pool/main/{name[0]}/{file}",
        size=int(given.get("size", "1000")),
        sha256=hashlib.sha256(file.encode()).hexdigest(),
        suite=archive,
        installed_size=int(given.get("kib", "0")),
        depends=tuple(sorted(needs.split())),
    )


def _settings(lock: Lock) -> str:
    tables = "".join(f'\n[archive.{name}]\nsuites = ["{name}"]\n' for name in lock.archives)
    return f'[workspace]\nname = "small"\n{tables}'


def _request(patterns: tuple[str, ...], platform: str, define: Mapping[str, str] | None) -> Request:
    return Request(tuple(Pattern.parse(text) for text in patterns or ("//...",)), platform, define or {})


def _paragraph(action: Action) -> str:
    parameters = json.loads(action.parameters)
    return "".join(
        [
            f"{action.mnemonic} {action.owner} {action.stage} {action.platform}".rstrip() + f" | {action.progress}\n",
            *(f"  < {_named(each)}\n" for each in action.inputs),
            *(f"  > {_named(each)}\n" for each in action.outputs),
            *(f"  {name} = {json.dumps(value, sort_keys=True)}\n" for name, value in sorted(parameters.items())),
        ]
    )


def _named(named: Named) -> str:
    artifact = named.artifact
    return f"{named.name}: {artifact.root.value} {artifact.path}"
