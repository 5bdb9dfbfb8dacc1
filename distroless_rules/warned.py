"""What people should know of images that were built well: reports of images in, a line for each warning out.

A warning is read from what the action left, not when it is performed, so that one whose result was known warns too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from distroless_rules.actions.origins import COMPOSE
from distroless_rules.storage.store import MissingBlobError

if TYPE_CHECKING:
    from distroless_rules.actions.analysed import Analysis
    from distroless_rules.storage.store import LocalStore
    from distroless_rules.values.digest import Digest

__all__ = ["warnings"]

_REPORT = "report"


def warnings(analysis: Analysis, made: Mapping[str, Digest], store: LocalStore) -> tuple[str, ...]:
    """Give what reports of images warn of, each once and with the place of its target: ``app/BUILD:3: warning: ...``.

    Args:
        analysis: the action graph.
        made: path of each artifact that was made or known -> digest.
        store: holds reports; of one that it has not nothing is said.
    """
    reports = [
        (action.owner, made[named.artifact.path])
        for action in analysis.actions
        for named in action.outputs
        if action.mnemonic == COMPOSE and action.stage == "runtime" and named.name == _REPORT
        if named.artifact.path in made
    ]
    store.bring(digest for _, digest in reports)
    found = {
        f"{analysis.places.get(owner, owner)}: warning: {text}": None
        for owner, digest in reports
        for text in _told(store, digest)
    }
    return tuple(found)


def _told(store: LocalStore, digest: Digest) -> list[str]:
    try:
        report = store.path(digest).read_bytes()
    except (MissingBlobError, FileNotFoundError):
        return []  # the image stands without it, as nobody asked for the report itself
    told: list[str] = json.loads(report)["warnings"]
    return told
