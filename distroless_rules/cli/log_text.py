"""What ``distroless log`` prints: logs in, lines or JSON values out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from distroless_rules.cli.build import worked
from distroless_rules.cli.common import counted
from distroless_rules.errors import DistrolessError
from distroless_rules.explaining.missed import Difference, Kind, Missed
from distroless_rules.logs.kept import Kept
from distroless_rules.logs.log import Entry, Head, Log

__all__ = [
    "diff_document",
    "differing",
    "entry_document",
    "head_document",
    "listed",
    "missed_document",
    "misses",
    "ran",
]

_MARKS = {Kind.NEW: "+", Kind.GONE: "-", Kind.CHANGED: "~", Kind.UNREPRODUCIBLE: "!"}


def listed(rows: Iterable[tuple[Kept, Head | DistrolessError]], folder: str) -> Iterator[str]:
    """Give a line for each log, and where they are."""
    count = 0
    for count, (log, head) in enumerate(rows, 1):  # noqa: B007 - it is needed at the end
        if isinstance(head, DistrolessError):
            yield f"{log.number:>4}  cannot be read: {head.cause}"
            continue
        asked = " ".join((head.verb, *head.patterns))
        yield f"{log.number:>4}  {_when(head)}  {head.id}  {head.ending:<11} {head.seconds:>8.2f} s  {asked}"
    yield f"{counted(count, 'log')} in {folder}" if count else "no build has left a log here"


def ran(log: Kept, head: Head, entries: Sequence[Entry]) -> Iterator[str]:
    """Give what a build was, a line for each action, and how much work it was."""
    yield from _head(log, head)
    names = max((len(entry.action.mnemonic) for entry in entries), default=0)
    for entry in entries:
        seconds = f"{entry.seconds:8.2f} s" if entry.begun >= 0 else " " * 10
        yield f"  {entry.ending.value:<12} {seconds}  {entry.action.mnemonic:<{names}}  {entry.title}"
    if head.counts is not None:
        yield from worked(counted(len(head.made), "target"), head.counts, head.traffic, head.seconds)


def misses(log: Kept, read: Log, reasons: Sequence[Missed], against: Kept | None = None) -> Iterator[str]:
    """Give what a build was, and for each action that it performed two lines: which it is, and why.

    Args:
        log: where its log is.
        read: that log.
        reasons: why each was performed.
        against: the one log that it is compared with, where somebody named it.
    """
    yield from _head(log, read.head)
    since = f" (since {against.name})" if against is not None else ""
    if against is not None:
        yield f"compared with {against.name}"
    for each in reasons:
        entry = each.difference.entry
        yield f"  {entry.action.mnemonic} of {entry.action.owner}: {entry.title}"
        yield f"    {str(each).removesuffix(since)}"
    yield f"{len(reasons)} of {counted(len(read.actions), 'action')} missed"


def differing(logs: Sequence[Kept], old: Log, new: Log, differences: Sequence[Difference]) -> Iterator[str]:
    """Give what two builds differ in: flags, then a line or two for each step."""
    for log, read in zip(logs, (old, new), strict=True):
        yield from _head(log, read.head)
    for name, before, after in _flags(old.head, new.head):
        yield f"  {name}: {before} -> {after}"
    for each in differences:
        if each.kind is Kind.SAME:
            continue
        yield f"{_MARKS[each.kind]} {each.entry.action.mnemonic} of {each.entry.action.owner}: {each.entry.title}"
        if each.kind is Kind.UNREPRODUCIBLE:
            yield f"    NOT REPRODUCIBLE: same inputs, other {each.reason}"
        elif each.reason is not None:
            yield f"    {each.reason}"
    for (before, after), count in sorted(_moved(differences).items()):
        yield f"  {counted(count, 'step')} that did not change: {before}, then {after}"
    kinds = Counter(each.kind for each in differences)
    parts = [f"{kinds[kind]} {kind.value}" for kind in Kind if kinds[kind]]
    yield f"{counted(len(differences), 'step')}: {', '.join(parts) or 'none'}"


def _moved(differences: Iterable[Difference]) -> Counter[tuple[str, str]]:
    """Count the steps that did not change and ended otherwise all the same."""
    return Counter(
        (each.before.ending.value, each.entry.ending.value)
        for each in differences
        if each.kind is Kind.SAME and each.before is not None and each.before.ending is not each.entry.ending
    )


def _flags(old: Head, new: Head) -> Iterator[tuple[str, str, str]]:
    pairs = [("patterns", " ".join(old.patterns), " ".join(new.patterns)), ("--platform", old.platform, new.platform)]
    names = sorted({*old.define, *new.define})
    pairs += [(f"--define {n}", old.define.get(n, "nothing"), new.define.get(n, "nothing")) for n in names]
    pairs += [("version of this program", old.program, new.program), ("machine", old.host, new.host)]
    yield from ((name, before, after) for name, before, after in pairs if before != after)


def _head(log: Kept, head: Head) -> Iterator[str]:
    asked = " ".join(head.patterns)
    yield f"{log.name}: {head.verb} {asked}, {_when(head)}, {head.ending} in {head.seconds:.2f} s"
    if head.cause:
        yield f"  {head.cause}"


def _when(head: Head) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(head.time))


def head_document(log: Kept, head: Head) -> dict[str, Any]:
    """Give what a build was as JSON values."""
    return {"log": log.number or None, "file": str(log.path), **asdict(head)}


def entry_document(entry: Entry) -> dict[str, Any]:
    """Give an action of a build as JSON values."""
    action = entry.action
    return {
        "label": action.owner,
        "mnemonic": action.mnemonic,
        "title": entry.title,
        "key": entry.key,
        "where": entry.ending.value,
        "begun": entry.begun if entry.begun >= 0 else None,
        "seconds": entry.seconds if entry.begun >= 0 else None,
        "milliseconds": entry.milliseconds,
        "inputs": {n.name: {"path": n.artifact.path, "digest": str(entry.inputs[n.name])} for n in action.inputs},
        "outputs": {n.name: str(entry.outputs[n.name]) if entry.outputs else None for n in action.outputs},
        "bytes": sum(digest.size for digest in entry.outputs.values()),
    }


def missed_document(each: Missed) -> dict[str, Any]:
    """Give why an action missed as JSON values."""
    return {**_difference_document(each.difference), "since": each.log or None, "text": str(each)}


def diff_document(logs: Sequence[Kept], old: Log, new: Log, differences: Sequence[Difference]) -> dict[str, Any]:
    """Give what two builds differ in as JSON values; of steps that are the same how many there are."""
    return {
        "old": head_document(logs[0], old.head),
        "new": head_document(logs[1], new.head),
        "flags": [list(row) for row in _flags(old.head, new.head)],
        "same": sum(each.kind is Kind.SAME for each in differences),
        "steps": [_difference_document(each) for each in differences if each.kind is not Kind.SAME],
    }


def _difference_document(each: Difference) -> dict[str, Any]:
    return {
        "label": each.entry.action.owner,
        "mnemonic": each.entry.action.mnemonic,
        "title": each.entry.title,
        "key": each.entry.key,
        "kind": each.kind.value,
        "reason": asdict(each.reason) if each.reason is not None else None,
        "old_outputs": {name: str(digest) for name, digest in each.before.outputs.items()} if each.before else None,
        "new_outputs": {name: str(digest) for name, digest in each.entry.outputs.items()},
    }
