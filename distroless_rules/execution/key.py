"""One walk over an action: what it yields is hashed into the action's key, and printed when two builds differ.

Going in: an action, the digests of its inputs and the version of the code that performs it. Going out: lines of
path and value in a fixed order. What is not in a line cannot change the key, and what can change an output is in one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from distroless_rules.actions.action import Action
from distroless_rules.values.canonical import form
from distroless_rules.values.digest import Digest

__all__ = ["FORMAT", "key", "walk"]

FORMAT = "1"  # changed when the meaning of the lines or of a result changes, which makes every kept result unfindable


def walk(action: Action, inputs: Mapping[str, Digest], version: str) -> Iterator[tuple[str, str]]:
    """Give everything that decides what ``action`` makes.

    The owner, the progress text, the weight, the stage and the paths of artifacts are left out: two targets that ask
    for the same thing share one result.

    Args:
        action: the action.
        inputs: the name of each of its inputs -> digest.
        version: of the code that performs it.

    Yields:
        (path, value), ``("input/deb", "<sha-256>/<size>")`` for example; a path occurs once.
    """
    yield "format", FORMAT
    yield "mnemonic", action.mnemonic
    yield "code", version
    yield "platform", action.platform
    yield "parameters", action.parameters
    for named in action.inputs:
        digest = inputs[named.name]
        yield f"input/{named.name}", f"{digest.hash}/{digest.size}"
    for named in action.outputs:
        yield f"output/{named.name}", "tree" if named.artifact.tree else "file"


def key(action: Action, inputs: Mapping[str, Digest], version: str) -> Digest:
    """Give the digest of the walk's canonical form; its 64 hexadecimal digits are the action's key."""
    return Digest.of(form(walk(action, inputs, version)))
