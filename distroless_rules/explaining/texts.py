"""The build of a target as JSON, by which it goes to another machine, and back; what comes back is checked.

A text is read as data from outside: whatever is wrong with it is an error that names it.
"""

from __future__ import annotations

import json
from typing import Any

from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.actions.declared import Deb, Declarations, TargetRow
from distroless_rules.errors import FormatError
from distroless_rules.explaining.made import Acted, Made
from distroless_rules.values.digest import Digest

__all__ = ["MAX_BYTES", "document", "loads"]

MAX_BYTES = 256 << 20
"""No text may be larger; the largest images have a few MB."""

_FORMAT = 1
_MAX_TIME = 1 << 36  # seconds since 1970: the year 4147


def document(made: Made) -> dict[str, Any]:
    """Give a build as JSON values."""
    declared = made.declared
    return {
        "format": _FORMAT,
        "program": made.program,
        "target": made.target,
        "digest": made.digest,
        "time": made.time,
        "platform": made.platform,
        "define": dict(made.define),
        "wanted": list(made.wanted),
        "sources": {path: str(digest) for path, digest in made.sources.items()},
        "actions": [_action(acted) for acted in made.actions],
        "targets": [row.dump() for row in declared.targets],
        "files": dict(declared.files),
        "debs": {sha: [d.archive, d.name, d.version, d.architecture] for sha, d in declared.debs.items()},
    }


def _action(acted: Acted) -> dict[str, Any]:
    action = acted.action
    return {
        "mnemonic": action.mnemonic,
        "owner": action.owner,
        "stage": action.stage,
        "platform": action.platform,
        "progress": action.progress,
        "run": action.run,
        "parameters": json.loads(action.parameters),
        "version": acted.version,
        "keys": acted.form,
        "inputs": [[n.name, n.artifact.root.value, n.artifact.path, str(acted.inputs[n.name])] for n in action.inputs],
        "outputs": [[n.name, n.artifact.path, n.artifact.tree, str(acted.outputs[n.name])] for n in action.outputs],
    }


def loads(data: bytes, what: str) -> Made:
    """Read a build that ``document`` gave as JSON, or a document that has it as ``record``.

    Args:
        data: the text.
        what: what it is, for the message.

    Raises:
        FormatError: if it is anything else.
    """
    doing = f"read {what}"
    try:
        value = json.loads(data)
        if isinstance(value, dict) and isinstance(value.get("record"), dict):
            value = value["record"]
        if not isinstance(value, dict) or value.get("format") != _FORMAT:
            raise FormatError(doing, "it is no record of a build", hint="distroless explain --json writes one")
        return _made(value)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise FormatError(doing, f"it is malformed: {type(error).__name__}: {str(error)[:200]}") from error


def _made(value: dict[str, Any]) -> Made:
    made = Made(
        target=_text(value["target"]),
        digest=_text(value["digest"]),
        time=_time(value["time"]),
        platform=_text(value["platform"]),
        define={_text(key): _text(text) for key, text in value["define"].items()},
        actions=tuple(_acted(row) for row in value["actions"]),
        wanted=tuple(_text(path) for path in value["wanted"]),
        sources={_text(path): Digest.parse(_text(text)) for path, text in value["sources"].items()},
        declared=Declarations(
            tuple(_row(row, at) for at, row in enumerate(value["targets"])),
            {_text(path): _text(digest) for path, digest in value["files"].items()},
            {_text(digest): Deb(*map(_text, row)) for digest, row in value["debs"].items()},
        ),
        program=_text(value["program"]),
    )
    places = {named.artifact.path for acted in made.actions for named in acted.action.outputs}
    for acted in made.actions:
        for named in acted.action.inputs:
            if named.artifact.root is Root.DERIVED and named.artifact.path not in places:
                raise ValueError(f'no action makes "{named.artifact.path}"')
    return made


def _acted(row: dict[str, Any]) -> Acted:
    inputs = [
        (_text(name), Root(root), _text(path), Digest.parse(_text(text))) for name, root, path, text in row["inputs"]
    ]
    outputs = [
        (_text(name), _text(path), bool(tree), Digest.parse(_text(text))) for name, path, tree, text in row["outputs"]
    ]
    if not outputs:
        raise ValueError("an action makes nothing")
    parameters = row["parameters"]
    if not isinstance(parameters, dict):
        raise TypeError("parameters are no object")
    action = Action(
        mnemonic=_text(row["mnemonic"]),
        owner=_text(row["owner"]),
        parameters=json.dumps(parameters, sort_keys=True, separators=(",", ":")),
        inputs=tuple(Named(n, Artifact(r, p, d if r is Root.LOCKED else None)) for n, r, p, d in inputs),
        outputs=tuple(Named(n, Artifact(Root.DERIVED, p, tree=t)) for n, p, t, _ in outputs),
        stage=_text(row["stage"]),
        platform=_text(row["platform"]),
        progress=_text(row["progress"]),
        run=bool(row["run"]),
    )
    digests = {name: digest for name, _, _, digest in inputs}
    return Acted(action, _text(row["version"]), digests, {n: d for n, _, _, d in outputs}, _text(row["keys"]))


def _row(row: Any, at: int) -> TargetRow:
    found = TargetRow.load(row)
    texts = (found.label, found.platform, found.rule, found.module, found.at.file)
    if not all(isinstance(text, str) for text in texts) or not isinstance(found.values, dict):
        raise TypeError("a target is malformed")
    if not isinstance(found.at.line, int) or not isinstance(found.at.column, int):
        raise TypeError("a target's place is malformed")
    if not all(isinstance(dep, int) and 0 <= dep < at for dep in found.deps):
        raise ValueError("a target needs one that does not come before it")
    return found


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MAX_TIME:
        raise ValueError(f"{str(value)[:40]} is no time")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:40]!r} is no text")
    return value
