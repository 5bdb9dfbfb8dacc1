"""Actions as data: what is done, to which inputs, giving which outputs.

A *tool action* is performed by this program's own code: a pure function from declared inputs to declared outputs
(see ``tools``). A *run action* runs a command in a sandbox whose ``/`` is a tree among its inputs (see
``execution.run``). Everything that can change the outputs is in the value; nothing else is.
"""

from __future__ import annotations

from dataclasses import dataclass

from distroless_rules.actions.artifact import Artifact

__all__ = ["Action", "Named"]


@dataclass(frozen=True, slots=True)
class Named:
    """An artifact under the name by which the action's tool knows it, ``deb`` or ``layer/3`` for example."""

    name: str
    artifact: Artifact


@dataclass(frozen=True, slots=True)
class Action:
    """One step of a build.

    Attributes:
        mnemonic: the tool that performs it, ``DebUnpack`` for example; of a run action a word for what it does.
        owner: the label of the target that declared it.
        parameters: canonical JSON text (sorted keys, no spaces) of what the tool is told; of a run action its
            ``actions.command.Command``.
        inputs: what it reads, sorted by name; names are unique.
        outputs: what it makes, sorted by name; names are unique.
        stage: ``build`` or ``runtime``: the side of the cut it works for.
        platform: what the outputs are for, ``linux/amd64``.
        progress: a short line for a person: ``Unpacking libc6``.
        weight: expected cost in bytes read, for scheduling the longest path first; never part of the key.
        run: whether it is a run action.
        local: of a run action whether it must be run on this machine; never part of the key.
    """

    mnemonic: str
    owner: str
    parameters: str
    inputs: tuple[Named, ...]
    outputs: tuple[Named, ...]
    stage: str = "runtime"
    platform: str = ""
    progress: str = ""
    weight: int = 0
    run: bool = False
    local: bool = False
