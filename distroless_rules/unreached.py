"""The spine of ``inspect --unreached``: an image in, the files of its debs that nothing leads to out."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from distroless_rules.actions.analysed import Wanted
from distroless_rules.build import Options, analysed
from distroless_rules.errors import RequestError
from distroless_rules.execution import events
from distroless_rules.project import Project
from distroless_rules.values.request import Request

__all__ = ["Unreached", "unreached"]


@dataclass(frozen=True, slots=True)
class Unreached:
    """A file that nothing leads to: its absolute path, its bytes, and the deb that brings it."""

    path: str
    size: int
    deb: str


def unreached(project: Project, request: Request, options: Options, listener: events.Listener) -> list[Unreached]:
    """List what ``closure = "files"`` would leave out of an image.

    Raises:
        RequestError: if what is named is no image that debs and files are put together for.
        DistrolessError: whatever keeps the image from being composed.
    """
    from distroless_rules.machine import Machine

    analysis, _ = analysed(project, request, options)
    label = analysis.wanted[0].label
    found = [action for action in analysis.actions if action.owner == str(label) and action.mnemonic == "Unreached"]
    if not found:
        raise RequestError(f'inspect "{label}"', "it is not an image that debs and files are put together for")
    artifact = found[0].outputs[0].artifact
    with Machine(project, options.jobs, listener) as machine:
        outcome = machine.execute(replace(analysis, wanted=(Wanted(label, "", (artifact,)),)), keep_going=False)
        if outcome.failures:
            raise outcome.failures[0].error
        rows = json.loads(machine.store.path(outcome.digests[artifact]).read_bytes())
    return [Unreached(f"/{path}", size, deb) for path, size, deb in rows]
