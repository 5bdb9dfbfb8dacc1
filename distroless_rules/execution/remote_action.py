"""A run action as an engine takes it: ``Action``, ``Command`` and input root out, of an action and its inputs in.

The input root is the whole file system that a command sees: the root's tree, with the inputs below ``build`` where our
own sandbox has them, so that a worker needs nothing installed. What is asked for are the folders that can be written,
not the outputs in them: what else a command left there is seen as it is seen here, and refused in the same words.

The action's own key is its salt: whatever makes another key makes another ``Action``. Source: remote_execution.proto,
"Action", "Command".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distroless_rules.actions.action import Action
from distroless_rules.actions.command import ROOT, Command
from distroless_rules.execution.declared import declared
from distroless_rules.execution.layout import BUILD, Layout, lay_out
from distroless_rules.execution.merkle import Builder, Merkle
from distroless_rules.execution.roots import Roots
from distroless_rules.storage import messages, wire
from distroless_rules.values.digest import Digest
from distroless_rules.values.tree import is_program

__all__ = ["RemoteAction", "compose"]

_FOLDERS = ("dev", "proc", "tmp")  # what every sandbox mounts something on


@dataclass(frozen=True, slots=True)
class RemoteAction:
    """An action for an engine, and what the engine must hold to run it.

    Attributes:
        digest: of the ``Action`` message.
        messages: digest -> bytes of ``Action``, ``Command`` and the folders that are this action's own.
        files: digest -> the file of each input that is one.
        trees: the archives whose trees are in the input root.
        layout: where inputs and outputs are.
    """

    digest: Digest
    messages: Mapping[Digest, bytes]
    files: Mapping[Digest, Path]
    trees: tuple[Digest, ...]
    layout: Layout


def compose(
    action: Action,
    key: Digest,
    inputs: Mapping[str, Digest],
    files: Mapping[str, Path],
    roots: Roots,
    properties: Sequence[tuple[str, str]] = (),
) -> RemoteAction:
    """Put an action together.

    Args:
        action: a run action.
        key: its key.
        inputs: the name of each of its inputs -> digest.
        files: the name of each input that is a file -> where it is.
        roots: gives the trees of those that are folders.
        properties: name and value of what a worker must be.

    Raises:
        FormatError: if it cannot be said in the API: a name that is not Unicode, inputs within inputs.
        MissingBlobError: if the archive of a tree is wanted and gone.
        OSError: if a file cannot be read.
    """
    command = Command.load(action.parameters)
    layout = lay_out([name for name in inputs if name != ROOT], declared(action, command.log))
    sealed = _input_root(layout, inputs, files, roots)
    platform = _platform(properties)
    told = wire.encode(
        messages.Command(
            arguments=command.arguments,
            environment_variables=tuple(messages.Property(*each) for each in sorted(command.environment.items())),
            platform=platform,
            working_directory=BUILD[1:],
            output_paths=layout.tops,
        )
    )
    asked = wire.encode(
        messages.Action(
            command_digest=Digest.of(told),
            input_root_digest=sealed.root,
            timeout=messages.Duration(seconds=command.seconds),
            salt=bytes.fromhex(key.hash),
            platform=platform,
        )
    )
    own = {Digest.of(data): data for data in (told, asked)}
    return RemoteAction(
        Digest.of(asked),
        {**sealed.directories, **own},
        {inputs[name]: path for name, path in files.items()},
        tuple(dict.fromkeys(digest for name, digest in inputs.items() if name not in files)),
        layout,
    )


def _input_root(layout: Layout, inputs: Mapping[str, Digest], files: Mapping[str, Path], roots: Roots) -> Merkle:
    """Give what becomes ``/``."""
    root = Builder(roots.of(inputs[ROOT]).top())
    for name in _FOLDERS:
        root.folder(name)
    for path in layout.folders:
        root.folder(f"{BUILD[1:]}/{path}")
    for path, place in layout.places.items():
        at = f"{BUILD[1:]}/{place}"
        if path in files:
            root.file(at, inputs[path], is_program(files[path]))
        else:
            root.graft(at, roots.of(inputs[path]).root)
        if path in layout.links:
            root.link(f"{BUILD[1:]}/{path}", layout.links[path])
    return root.seal()


def _platform(properties: Sequence[tuple[str, str]]) -> messages.Platform | None:
    if not properties:
        return None
    return messages.Platform(tuple(messages.Property(name, value) for name, value in sorted(properties)))
