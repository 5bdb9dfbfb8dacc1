"""What the policy's results must know: actions in, those that write such results with where their image is declared.

A code-scanning service shows a result at a line of a file. The line is no part of what an image is held to, so only the
action that writes the results has it in its key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from distroless_rules.actions.action import Action
from distroless_rules.errors import Location

__all__ = ["placed"]

_POLICY = "Policy"


def placed(actions: Iterable[Action], places: Mapping[str, Location]) -> tuple[Action, ...]:
    """Give actions in which each ``Policy`` has the parameter ``place``: [file, line] of its target.

    Args:
        actions: what is to be done.
        places: owner of actions -> where a BUILD file declares it.
    """
    return tuple(
        _placed(action, places[action.owner]) if action.mnemonic == _POLICY and action.owner in places else action
        for action in actions
    )


def _placed(action: Action, at: Location) -> Action:
    parameters = {**json.loads(action.parameters), "place": [at.file, at.line]}
    return replace(action, parameters=json.dumps(parameters, sort_keys=True, separators=(",", ":")))
