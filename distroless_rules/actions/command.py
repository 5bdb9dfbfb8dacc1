"""What a run action does: a command as data, between the rule that declares it and the sandbox that runs it.

Inputs and outputs of a run action are named by their *execution paths*: relative to the folder the command works in,
which holds the workspace's files where they are in the workspace, and what actions make below ``distroless-out/``. A
rule sees them as ``File.path``. The tree that becomes ``/`` is the input ``ROOT``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from distroless_rules.actions.artifact import Artifact, Root

__all__ = ["ENVIRONMENT", "OUTPUTS", "ROOT", "Command", "execution_path"]

OUTPUTS = "distroless-out"
ROOT = "/"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SOURCE_DATE_EPOCH": "0", "TMPDIR": "/tmp"}  # noqa: S108
"""What every command sees unless its action says otherwise."""

_FOLDERS = {Root.SOURCE: "", Root.DERIVED: f"{OUTPUTS}/", Root.LOCKED: "external/"}


def execution_path(artifact: Artifact) -> str:
    """Give where a command finds an artifact, or leaves it."""
    return f"{_FOLDERS[artifact.root]}{artifact.path}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command that a run action runs.

    Attributes:
        arguments: the program and its arguments; a program without a slash is found through ``PATH``.
        environment: all variables that it sees.
        seconds: how long it may take.
        log: the execution path of the output that takes what it prints, ``""`` if none does.
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    seconds: int
    log: str = ""

    def dump(self) -> str:
        """Write the command as canonical JSON."""
        values = {
            "arguments": self.arguments,
            "environment": dict(self.environment),
            "log": self.log,
            "seconds": self.seconds,
        }
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    @staticmethod
    def load(text: str) -> Command:
        """Read what ``dump`` wrote."""
        values = json.loads(text)
        return Command(tuple(values["arguments"]), values["environment"], values["seconds"], values["log"])
