"""A build as a trace that chrome://tracing, Perfetto and Speedscope draw: a lane for each thread, and counters.

Going in: what a recorder noted. Going out: JSON text. Source: "Trace Event Format": complete events (``X``), counters
(``C``) and metadata (``M``); times are microseconds since the build began.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from distroless_rules import __version__
from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact
from distroless_rules.logs.recorder import Recorder, Span

__all__ = ["trace"]

_PROCESS = 1
_ORDER = ("phases", "build", "wait", "download", "seek", "calls")  # of lanes, by how their names begin


def trace(recorder: Recorder) -> str:
    """Write everything that took time in a build; nothing of who asks a server is in it."""
    spans = sorted(recorder.spans, key=lambda span: (span.begun, -span.ended))
    lanes = {name: number for number, name in enumerate(sorted({span.lane for span in spans}, key=_place), 1)}
    events = [
        *_names(lanes),
        *(_complete(span, recorder, lanes[span.lane]) for span in spans),
        *_running(recorder, "actions", (span for span in spans if isinstance(span.subject, Action))),
        *_running(recorder, "downloads", (span for span in spans if isinstance(span.subject, Artifact))),
        *_running(recorder, "calls to servers", (span for span in spans if span.lane.startswith("calls"))),
        *_received(recorder),
    ]
    about = {"program": f"distroless-rules {__version__}", "began": round(recorder.time * 1000)}
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms", "otherData": about}, separators=(",", ":"))


def _place(lane: str) -> tuple[int, str, int, str]:
    """Give where a lane stands: workers by their number."""
    place = next((at for at, name in enumerate(_ORDER) if lane.startswith(name)), len(_ORDER))
    head, _, number = lane.rpartition("-")
    return (place, head, int(number), lane) if number.isdecimal() else (place, lane, 0, lane)


def _names(lanes: dict[str, int]) -> Iterator[dict[str, Any]]:
    yield {"ph": "M", "pid": _PROCESS, "name": "process_name", "args": {"name": "distroless"}}
    for name, number in lanes.items():
        yield {"ph": "M", "pid": _PROCESS, "tid": number, "name": "thread_name", "args": {"name": name}}
        yield {"ph": "M", "pid": _PROCESS, "tid": number, "name": "thread_sort_index", "args": {"sort_index": number}}


def _complete(span: Span, recorder: Recorder, lane: int) -> dict[str, Any]:
    category, name, arguments = _about(span, recorder)
    return {
        "ph": "X",
        "pid": _PROCESS,
        "tid": lane,
        "cat": category,
        "name": name,
        "ts": _micro(span.begun, recorder),
        "dur": max(0, _micro(span.ended, recorder) - _micro(span.begun, recorder)),
        **({"args": arguments} if arguments else {}),
    }


def _about(span: Span, recorder: Recorder) -> tuple[str, str, dict[str, Any]]:
    """Give the category, the name and what more is told of a span."""
    subject = span.subject
    if isinstance(subject, Action):
        finished = recorder.finished.get(id(subject))
        about = {"label": subject.owner, "mnemonic": subject.mnemonic, "output": subject.outputs[0].artifact.path}
        if finished is not None:
            about |= {"where": finished.ending.value, "run_ms": str(finished.milliseconds)}
        return "action", subject.progress or f"{subject.mnemonic} of {subject.owner}", about
    if isinstance(subject, Artifact):
        return "download", subject.path, {"bytes": str(subject.digest.size)} if subject.digest else {}
    return ("phase" if span.lane == "phases" else "call"), subject, {}


def _running(recorder: Recorder, name: str, spans: Iterable[Span]) -> Iterator[dict[str, Any]]:
    """Count how many spans are under way, each time that one begins or ends."""
    steps = sorted((moment, step) for span in spans for moment, step in ((span.begun, 1), (span.ended, -1)))
    count = 0
    for moment, step in steps:
        count += step
        yield _counter(name, _micro(moment, recorder), {"under way": count})


def _received(recorder: Recorder) -> Iterator[dict[str, Any]]:
    total = 0
    for moment, more in sorted(recorder.received):
        total += more
        yield _counter("bytes downloaded", _micro(moment, recorder), {"bytes": total})


def _counter(name: str, micro: int, values: dict[str, int]) -> dict[str, Any]:
    return {"ph": "C", "pid": _PROCESS, "name": name, "ts": micro, "args": values}


def _micro(moment: float, recorder: Recorder) -> int:
    return max(0, round((moment - recorder.begun) * 1e6))
