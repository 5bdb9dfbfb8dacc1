"""What ``distroless explain`` prints: an explanation in, lines or JSON values out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from distroless_rules.cli.common import counted
from distroless_rules.explaining.causes import Cause
from distroless_rules.explaining.explain import Explanation, Step
from distroless_rules.explaining.made import Made

__all__ = ["document", "shown", "shown_alone"]

_CHAIN = 6  # steps of a way that are shown; of longer ones the first and last
_EFFECTS = 10


def shown_alone(made: Made, *, first: bool) -> Iterator[str]:
    """Give the lines for a target of which one build is known.

    Args:
        made: that build.
        first: whether it was built just now and never before.
    """
    yield f"{made.target} {made.digest}"
    if first:
        yield "this is its first build that is known here: there is none before it to compare with"
    else:
        yield f"nothing has changed since {_when(made)}; no build with anything else is known"


def shown(answer: Explanation, *, everything: bool = False) -> Iterator[str]:
    """Give the lines of an explanation; ``everything``: with each step that differs."""
    old, new = answer.old, answer.new
    same = old.digest == new.digest
    yield f"{new.target} {new.digest}" if same else f"{new.target} {old.digest}"
    if not same:
        yield f"{' ' * len(new.target)} {new.digest}"
    if answer.unreproducible:
        yield ""
        yield "NOT REPRODUCIBLE: the same step gave different bytes for the same inputs"
    if not answer.causes:
        what = "the digest is" if same else "every step is"
        yield f"nothing has changed: {what} what it was at {_when(old)}"
    elif same:
        yield f"the digest is what it was at {_when(old)}, although this changed:"
    for cause in answer.causes:
        yield ""
        yield from _cause(cause, answer)
    if answer.effects and answer.causes:
        yield ""
        yield "debs that came or went with it"
        yield from (f"  {text}" for text in answer.effects[:_EFFECTS])
        if len(answer.effects) > _EFFECTS:
            yield f"  and {len(answer.effects) - _EFFECTS} more"
    if answer.steps:
        yield ""
        yield f"{counted(len(answer.steps), 'step')} of {answer.count} differ{'s' if len(answer.steps) == 1 else ''}"
    if everything:
        for step in answer.steps:
            yield from _step(step)


def _cause(cause: Cause, answer: Explanation) -> Iterator[str]:
    yield f"{cause.place}: {cause.text}"
    for text in cause.details:
        yield f"  {text}"
    chain = answer.chain(cause)
    steps = [acted.title for acted in chain]
    if len(steps) > _CHAIN:
        middle = len(steps) - _CHAIN + 1
        steps = [*steps[: _CHAIN - 2], f"... {counted(middle, 'step')} ...", *steps[-1:]]
    for title in steps:
        yield f"  -> {title}"
    if not answer.reaches(chain):
        yield "  -> what it makes is the same as before"


def _step(step: Step) -> Iterator[str]:
    yield ""
    action = step.pair.new.action
    yield f"{action.mnemonic} of {action.owner}: {step.pair.new.title}"
    if step.pair.old is None:
        yield "  this step is new"
        return
    for name, old, new in step.pair.details():
        yield f"  {name}: {old} -> {new}"
    for name, digest in step.pair.new.outputs.items():
        before = step.pair.old.outputs.get(name)
        if before != digest:
            yield f"  makes {name}: {before.oci if before else 'nothing'} -> {digest.oci}"
    if step.same:
        yield "  what it makes is the same as before"


def _when(made: Made) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(made.time))


def document(made: Made, answer: Explanation | None) -> dict[str, Any]:
    """Give everything as JSON values.

    Args:
        made: the last build.
        answer: how it differs from the one before, None if there is none.
    """
    before = None
    if answer is not None:
        before = {"digest": answer.old.digest, "time": answer.old.time, "platform": answer.old.platform}
    return {
        "target": made.target,
        "digest": made.digest,
        "before": before,
        "same": answer is not None and answer.old.digest == made.digest,
        "reproducible": answer is None or not answer.unreproducible,
        "causes": [_cause_document(cause, answer) for cause in answer.causes] if answer is not None else [],
        "effects": list(answer.effects) if answer is not None else [],
        "steps": [_step_document(step) for step in answer.steps] if answer is not None else [],
    }


def _cause_document(cause: Cause, answer: Explanation) -> dict[str, Any]:
    return {
        "kind": cause.kind.value,
        "place": cause.place,
        "text": cause.text,
        "subject": cause.subject,
        "details": list(cause.details),
        "chain": [acted.title for acted in answer.chain(cause)],
    }


def _step_document(step: Step) -> dict[str, Any]:
    pair = step.pair
    action = pair.new.action
    return {
        "mnemonic": action.mnemonic,
        "owner": action.owner,
        "new": pair.old is None,
        "same": step.same,
        "differs": [list(row) for row in pair.details()] if pair.old is not None else [],
        "outputs": {
            name: [str(pair.old.outputs[name]) if pair.old and name in pair.old.outputs else None, str(digest)]
            for name, digest in pair.new.outputs.items()
        },
    }
