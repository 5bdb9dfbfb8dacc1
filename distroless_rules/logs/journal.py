"""Keeps the log of a build, however the build ends; that it cannot be kept is a warning and never an error."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from distroless_rules import __version__
from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.analysed import Wanted
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.errors import ActionError, DistrolessError, Interrupted, StorageError
from distroless_rules.execution import events
from distroless_rules.execution.cached import Cached
from distroless_rules.execution.key import FORMAT
from distroless_rules.execution.supply import Supply
from distroless_rules.logs.kept import keep
from distroless_rules.logs.log import Entry, Head, Target
from distroless_rules.logs.recorder import Recorder, Span
from distroless_rules.logs.texts import dump, dump_head
from distroless_rules.outputs import Result, artifacts
from distroless_rules.project import Project
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import HOST
from distroless_rules.values.request import Request

__all__ = ["Journal"]

_CAUSE = 500  # characters


class Journal:
    """Follows a build, as a context manager around it.

    Args:
        project: the workspace.
        request: what was asked for.
        verb: ``build`` or ``test``.
        listener: is told every event too.
        begun: when it began, seconds of ``time.monotonic``.
        secret: names of environment variables whose values only their digests are kept of.

    Attributes:
        traffic: bytes that went to the shared cache and the engine, and came from them; told by whoever builds.
        failed: why the build is not done though it has ended; told by whoever builds.
    """

    def __init__(
        self,
        project: Project,
        request: Request,
        verb: str,
        listener: events.Listener,
        begun: float,
        secret: Collection[str] = (),
    ) -> None:
        self.traffic = (0, 0)
        self.failed: DistrolessError | None = None
        self._project = project
        self._request = request
        self._verb = verb
        self._secret = frozenset(secret)
        self._recorder = Recorder(listener, begun=begun)
        self._warned = False
        self._entries: list[Entry] = []
        self._sources: dict[str, Digest] = {}
        self._declared = ""
        self._made: tuple[Target, ...] = ()

    def listen(self, event: events.Event) -> None:
        """Take note of an event; called from any thread."""
        self._recorder.listen(event)

    def gather(
        self,
        executor: Cached,
        supply: Supply,
        declared: str,
        wanted: Collection[Wanted] = (),
        results: Collection[Result] = (),
    ) -> None:
        """Take what there is to tell about actions, while the parts that performed them can still be asked.

        Args:
            executor: performed them.
            supply: gave their inputs.
            declared: what targets declare, as ``actions.declared`` writes it.
            wanted: the targets that are complete.
            results: what was put in place of them, in the same order.
        """
        self._declared = declared
        spans = {id(span.subject): span for span in self._recorder.spans if isinstance(span.subject, Action)}
        known: dict[str, Digest] = {}
        for name, finished in tuple(self._recorder.finished.items()):
            entry = self._entry(finished, spans.get(name), executor, supply, known)
            self._entries.append(entry)
            if entry.outputs:
                known.update((named.artifact.path, entry.outputs[named.name]) for named in entry.action.outputs)
        self._made = tuple(self._target(*each, supply, known) for each in zip(wanted, results, strict=True))

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        try:
            head = self._head(error or self.failed)
            lines = tuple(dump(self._entries, self._sources, self._declared))
            plain = replace(head, id="", time=0, seconds=0, traffic=(0, 0), counts=None)
            content = hashlib.sha256(dump_head(plain).encode())
            for entry in sorted(self._entries, key=lambda entry: entry.action.outputs[0].artifact.path):
                content.update(f"{entry.key} {list(map(str, entry.outputs.values()))}\n".encode())
            content.update(lines[1].encode())
            keep(self._project, dump_head(replace(head, content=content.hexdigest())), lines)
        except StorageError as refused:
            if not isinstance(error, StorageError):  # of which people hear anyhow
                self.warn(refused)

    def warn(self, error: StorageError) -> None:
        """Say once that something could not be kept for later builds; this one is good without."""
        if not self._warned:
            self._project.status(f"warning: {error}")
        self._warned = True

    def _head(self, error: BaseException | None) -> Head:
        interrupted = isinstance(error, KeyboardInterrupt | Interrupted)
        return Head(
            id=os.urandom(8).hex(),
            verb=self._verb,
            patterns=tuple(str(pattern) for pattern in self._request.patterns),
            platform=self._request.platform or str(HOST),
            define=dict(sorted(self._request.define.items())),
            time=self._recorder.time,
            seconds=time.monotonic() - self._recorder.begun,
            ending="interrupted" if interrupted else "failed" if error else "done",
            cause=str(error).partition("\n")[0][:_CAUSE] if isinstance(error, DistrolessError) else "",
            program=__version__,
            host=str(HOST),
            counts=self._recorder.counts,
            traffic=self.traffic,
            made=self._made,
            content="",
        )

    def _target(self, wanted: Wanted, result: Result, supply: Supply, known: Mapping[str, Digest]) -> Target:
        files = tuple(dict.fromkeys(file.path for file in artifacts(wanted)))
        core = (wanted.layout.descriptor.path,) if wanted.layout else files
        digest = result.digest
        if not digest:
            found = [(file.path, self._digest(file, supply, known)) for file in wanted.files]
            digest = _digest({path: each for path, each in found if each is not None})
        return Target(result.label, digest, core, files)

    def _entry(
        self,
        finished: events.ActionFinished,
        span: Span | None,
        executor: Cached,
        supply: Supply,
        known: Mapping[str, Digest],
    ) -> Entry:
        action = finished.action
        inputs = {named.name: digest for named, digest in self._inputs(action.inputs, supply, known)}
        if len(inputs) < len(action.inputs):
            action = replace(action, inputs=tuple(named for named in action.inputs if named.name in inputs))
        if self._secret and action.run:
            action = replace(action, parameters=_without(action.parameters, self._secret))
        return Entry(
            action=action,
            version=executor.version(action),
            inputs=inputs,
            outputs=finished.result.outputs if finished.result else {},
            form=FORMAT,
            key=executor.keys.get(id(finished.action), ""),
            ending=finished.ending,
            begun=span.begun - self._recorder.begun if span else -1,
            seconds=span.ended - span.begun if span else 0,
            milliseconds=finished.milliseconds,
            lane=span.lane if span else "",
        )

    def _inputs(
        self, inputs: tuple[Named, ...], supply: Supply, known: Mapping[str, Digest]
    ) -> Iterator[tuple[Named, Digest]]:
        for named in inputs:
            digest = self._digest(named.artifact, supply, known)
            if digest is not None:
                yield named, digest

    def _digest(self, artifact: Artifact, supply: Supply, known: Mapping[str, Digest]) -> Digest | None:
        if artifact.root is Root.DERIVED:
            return known.get(artifact.path)
        if artifact.root is Root.LOCKED:
            return artifact.digest
        if artifact.path not in self._sources:
            try:
                self._sources[artifact.path] = supply.digest(artifact)
            except (ActionError, StorageError):  # it is not there, which is why the action failed
                return None
        return self._sources[artifact.path]


def _digest(digests: Mapping[str, Digest]) -> str:
    """Give the digest of a file, or of the list of some."""
    if len(digests) == 1:
        return next(iter(digests.values())).oci
    rows = sorted(f"{digest.hash}  {path}\n" for path, digest in digests.items())
    return Digest.of("".join(rows).encode("utf-8", "surrogateescape")).oci


def _without(parameters: str, secret: Collection[str]) -> str:
    """Give the parameters of a run action with digests in place of the values of variables."""
    value: dict[str, Any] = json.loads(parameters)
    environment = value.get("environment", {})
    for name in secret & environment.keys():
        environment[name] = f"sha256:{hashlib.sha256(environment[name].encode()).hexdigest()[:16]}"
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
