"""The spine of ``inspect --unreached``: an image in, the files of its debs that nothing leads to out."""

from __future__ import annotations

import json
from dataclasses import dataclass

from distroless_rules.build import Options, analysed, made
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
    analysis, _ = analysed(project, request, options)
    label = analysis.wanted[0].label
    found = [action for action in analysis.actions if action.owner == str(label) and action.mnemonic == "Unreached"]
    if not found:
        raise RequestError(f'inspect "{label}"', "it is not an image that debs and files are put together for")
    rows = json.loads(made(project, analysis, found[0].outputs[0].artifact, options, listener))
    return [Unreached(f"/{path}", size, deb) for path, size, deb in rows]
