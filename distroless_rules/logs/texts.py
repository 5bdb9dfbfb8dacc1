"""A log as text, by which it is kept and goes to other machines, and back; what comes back is checked.

A line of JSON for what the build was, one for source files, one for what targets declare, one for each action, and one
that says how many there are. Nothing of who asks a server is in it, no header, token or key: no event holds any.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any

from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.actions.declared import Deb, Declarations, TargetRow
from distroless_rules.errors import FormatError
from distroless_rules.execution.events import Counts, Ending
from distroless_rules.logs.log import Entry, Head, Log, Target
from distroless_rules.values.digest import Digest

__all__ = ["dump", "dump_head", "load", "load_head"]

_FORMAT = "distroless-log-1"
_MOST = 1 << 53  # the largest number that every program reads as it is
_LATEST = 1 << 36  # seconds since 1970: the year 4147
_ENDINGS = {ending.value: ending for ending in Ending}


def dump_head(head: Head) -> str:
    """Write what a build was."""
    return _json({"format": _FORMAT, **asdict(head)})


def dump(entries: Iterable[Entry], sources: Mapping[str, Digest], declared: str) -> Iterator[str]:
    """Write the other lines of a log.

    Args:
        entries: what the build looked at, producers before consumers.
        sources: path of each source file -> digest.
        declared: what targets declare, as ``actions.declared`` writes it; ``""``: it is not known.
    """
    yield _json({"sources": {path: str(digest) for path, digest in sources.items()}})
    yield f'{{"declared":{declared or "null"}}}'
    count = 0
    for count, entry in enumerate(entries, 1):  # noqa: B007 - it is needed at the end
        yield _line(entry)
    yield _json({"actions": count})


def _line(entry: Entry) -> str:
    action = entry.action
    about = {
        "key": entry.key,
        "mnemonic": action.mnemonic,
        "owner": action.owner,
        "ending": entry.ending.value,
        "begun": round(entry.begun, 6),
        "seconds": round(entry.seconds, 6),
        "milliseconds": entry.milliseconds,
        "lane": entry.lane,
        "stage": action.stage,
        "platform": action.platform,
        "progress": action.progress,
        "run": action.run,
        "version": entry.version,
        "form": entry.form,
        "inputs": [[n.name, n.artifact.root.value, n.artifact.path, str(entry.inputs[n.name])] for n in action.inputs],
        "outputs": [
            [n.name, n.artifact.path, n.artifact.tree, str(entry.outputs[n.name]) if entry.outputs else None]
            for n in action.outputs
        ],
    }
    return f'{_json(about)[:-1]},"parameters":{action.parameters}}}'


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def load_head(line: bytes, what: str) -> Head:
    """Read what a build was.

    Args:
        line: the first line of a log.
        what: what it is, for the message.

    Raises:
        FormatError: if it is anything else.
    """
    doing = f"read {what}"
    try:
        value = json.loads(line)
        if not isinstance(value, dict) or value.get("format") != _FORMAT:
            raise FormatError(doing, "it is no log of a build", hint="`distroless log` lists those that are kept here")
        return _head(value)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise _malformed(doing, error) from error


def load(data: bytes, what: str) -> Log:
    """Read a log.

    Args:
        data: its text.
        what: what it is, for the message.

    Raises:
        FormatError: if it is anything else, or not whole.
    """
    lines = data.split(b"\n")
    head = load_head(lines[0], what)
    doing = f"read {what}"
    try:
        sources, declared, *rows, end, nothing = lines[1:]
        if nothing or json.loads(end) != {"actions": len(rows)}:
            raise FormatError(doing, "its end is missing")  # noqa: TRY301 - one way to say what is wrong
        texts = json.loads(sources)["sources"]
        log = Log(
            head,
            tuple(_entry(json.loads(row)) for row in rows),
            {_text(path): Digest.parse(_text(text)) for path, text in texts.items()},
            _declared(json.loads(declared)["declared"]),
        )
        _check(log)
    except (FormatError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise _malformed(doing, error) from error
    return log


def _malformed(doing: str, error: Exception) -> FormatError:
    return FormatError(doing, f"it is malformed: {type(error).__name__}: {str(error)[:200]}")


def _check(log: Log) -> None:
    """See that what actions read is made before, and that what targets consist of is made."""
    made: set[str] = set()
    for entry in log.actions:
        paths = {n.artifact.path for n in entry.action.inputs if n.artifact.root is Root.DERIVED}
        if lacking := sorted(paths - made):
            raise ValueError(f'no action before makes "{lacking[0]}"')
        if entry.outputs:
            made.update(named.artifact.path for named in entry.action.outputs)
    for target in log.head.made:
        if lacking := sorted({*target.wanted, *target.files} - made - log.sources.keys()):
            locked = {n.artifact.path for e in log.actions for n in e.action.inputs if n.artifact.root is Root.LOCKED}
            if set(lacking) - locked:
                raise ValueError(f'no action makes "{lacking[0]}"')


def _head(value: dict[str, Any]) -> Head:
    counts = value["counts"]
    up, down = value["traffic"]
    return Head(
        id=_text(value["id"]),
        verb=_text(value["verb"]),
        patterns=tuple(map(_text, value["patterns"])),
        platform=_text(value["platform"]),
        define={_text(key): _text(text) for key, text in value["define"].items()},
        time=_number(value["time"], most=_LATEST),
        seconds=_number(value["seconds"]),
        ending=_text(value["ending"]),
        cause=_text(value["cause"]),
        program=_text(value["program"]),
        host=_text(value["host"]),
        counts=None if counts is None else Counts(**{f.name: _whole(counts[f.name]) for f in fields(Counts)}),
        traffic=(_whole(up), _whole(down)),
        made=tuple(
            Target(
                _text(row["label"]),
                _text(row["digest"]),
                tuple(map(_text, row["wanted"])),
                tuple(map(_text, row["files"])),
            )
            for row in value["made"]
        ),
        content=_text(value["content"]),
    )


def _entry(row: dict[str, Any]) -> Entry:
    inputs = [
        (_text(name), Root(root), _text(path), Digest.parse(_text(text))) for name, root, path, text in row["inputs"]
    ]
    outputs = [(_text(name), _text(path), bool(tree), text) for name, path, tree, text in row["outputs"]]
    ending = _ENDINGS[row["ending"]]
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
    return Entry(
        action,
        _text(row["version"]),
        {name: digest for name, _, _, digest in inputs},
        {} if ending is Ending.FAILED else {name: Digest.parse(_text(text)) for name, _, _, text in outputs},
        _text(row["form"]),
        _text(row["key"]),
        ending,
        _number(row["begun"], -1),
        _number(row["seconds"]),
        _whole(row["milliseconds"]),
        _text(row["lane"]),
    )


def _declared(value: Any) -> Declarations:
    if value is None:
        return Declarations()
    targets, files, debs = value
    return Declarations(
        tuple(_row(row, at) for at, row in enumerate(targets)),
        {_text(path): _text(digest) for path, digest in files.items()},
        {_text(digest): Deb(*map(_text, row)) for digest, row in debs.items()},
    )


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


def _number(value: Any, least: float = 0, most: float = _MOST) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < most:
        raise ValueError(f"{str(value)[:40]} is no such number")
    return float(value)


def _whole(value: Any) -> int:
    number = _number(value)
    if not isinstance(value, int):
        raise TypeError(f"{number} is no whole number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:40]!r} is no text")
    return value
