"""What an action left held against what it declared, wherever it ran: the same refusals in the same words."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from distroless_rules.actions.action import Action
from distroless_rules.errors import ActionError
from distroless_rules.execution.layout import Layout
from distroless_rules.values.path import resolve_link

__all__ = ["Found", "What", "check_extra", "check_kind", "check_link", "declared", "refused"]


class What(Enum):
    """What something is that an action left; the value is what messages call it."""

    FOLDER = "a folder"
    FILE = "a file"
    LINK = "a symbolic link"
    OTHER = "a device, pipe or socket"


@dataclass(frozen=True, slots=True)
class Found:
    """Something that an action left in a folder that it could write.

    Attributes:
        path: its execution path.
        what: what it is.
        target: of a link what it says.
    """

    path: str
    what: What
    target: str = ""


def declared(action: Action, log: str) -> dict[str, bool]:
    """Give the outputs that a command makes, by execution path, and whether each is a tree; not ``log``."""
    return {named.name: named.artifact.tree for named in action.outputs if named.name != log}


def check_extra(action: Action, layout: Layout, outputs: Container[str], found: Iterable[Found]) -> None:
    """Refuse whatever is neither an output, nor on the way to one, nor an input's link.

    Args:
        action: the action.
        layout: where its inputs are.
        outputs: the execution paths of its outputs.
        found: all that it left, but what is in an output.

    Raises:
        ActionError: for the first such thing.
    """
    expected = {parent for path in (*layout.links, *layout.folders) for parent in _above(path)} | {*layout.folders}
    for each in found:
        path = each.path
        if path in outputs or (path in expected and each.what is What.FOLDER):
            continue
        if path in layout.links and each.what is What.LINK and each.target == layout.links[path]:
            continue
        cause = "it changed its input" if path in layout.links else "it made, undeclared,"
        raise refused(action, f'{cause} "{path}"')


def check_kind(action: Action, path: str, tree: bool, what: What | None) -> None:
    """See that an output is there, and what it was declared as.

    Raises:
        ActionError: if it is not.
    """
    if what is None:
        raise refused(action, f'it did not make "{path}"')
    if what is not (What.FOLDER if tree else What.FILE):
        words = "directory" if tree else "file"
        raise refused(action, f'it made "{path}" as {what.value}, and declares a {words}')


def check_link(action: Action, path: str, inside: str, target: str) -> None:
    """See that a link stays in its tree.

    Args:
        action: the action.
        path: the execution path of the tree.
        inside: the link's path in it.
        target: what it says.

    Raises:
        ActionError: if it does not.
    """
    if target.startswith("/") or _climbs(inside, target):
        raise refused(action, f'its link "{path}/{inside}" leads out of the tree, to "{target}"')


def refused(action: Action, cause: str) -> ActionError:
    """Say why an action failed."""
    return ActionError(f"perform {action.mnemonic} for {action.owner}", cause)


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _climbs(path: str, target: str) -> bool:
    """Tell whether a relative link leads above the root of its tree."""
    return resolve_link(f"x/{path}", target) != f"x/{resolve_link(path, target)}".rstrip("/")
