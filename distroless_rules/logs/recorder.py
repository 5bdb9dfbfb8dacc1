"""Notes what happens in a build, and passes it on: events in, spans of time and how each action ended out."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact
from distroless_rules.execution import events

__all__ = ["Recorder", "Span"]


@dataclass(frozen=True, slots=True)
class Span:
    """Something that a thread did; times are seconds of ``time.monotonic``.

    Attributes:
        subject: the action, the locked artifact, or the name of the phase or of the call to a server.
        lane: the thread.
        begun: when it began.
        ended: when it ended.
    """

    subject: Action | Artifact | str
    lane: str
    begun: float
    ended: float


class Recorder:
    """Listens to a build and passes every event on.

    Args:
        listener: is told everything too.
        closely: whether calls to servers and the progress of downloads are noted, which may be many.
        begun: when the build began, seconds of ``time.monotonic``; 0: now.

    Attributes:
        time: when the build began, seconds since 1970.
        begun: the same in seconds of ``time.monotonic``.
        spans: what took time; actions and downloads that have ended, phases, and calls.
        finished: ``id`` of each action -> how it ended; in the order in which they did.
        received: (when, bytes more) of downloads.
        counts: how many actions ended how, None while that is not known.
    """

    def __init__(self, listener: events.Listener = events.ignore, *, closely: bool = False, begun: float = 0) -> None:
        self.begun = begun or time.monotonic()
        self.time = time.time() - (time.monotonic() - self.begun)
        self.spans: list[Span] = []
        self.finished: dict[int, events.ActionFinished] = {}
        self.received: list[tuple[float, int]] = []
        self.counts: events.Counts | None = None
        self._listener = listener
        self._closely = closely
        self._started: dict[object, tuple[str, float]] = {}
        self._progress: dict[Artifact, int] = {}

    def listen(self, event: events.Event) -> None:
        """Take note of an event; called from any thread."""
        if isinstance(event, events.ActionStarted):
            self._start(id(event.action))
        elif isinstance(event, events.ActionEnded):
            self._end(id(event.action), event.action)
        elif isinstance(event, events.ActionFinished):
            self.finished[id(event.action)] = event
        elif isinstance(event, events.FetchStarted):
            self._start(event.artifact)
        elif isinstance(event, events.FetchFinished):
            self._end(event.artifact, event.artifact)
        elif isinstance(event, events.Phase):
            self.spans.append(Span(event.name, "phases", event.begun, event.ended))
        elif isinstance(event, events.Counts):
            self.counts = event
        elif self._closely:
            self._look_closely(event)
        self._listener(event)

    def _look_closely(self, event: events.Event) -> None:
        if isinstance(event, events.RemoteCall):
            self.spans.append(Span(event.name, f"calls of {_lane()}", event.begun, event.ended))
        elif isinstance(event, events.FetchProgress):
            more = event.received - self._progress.get(event.artifact, 0)
            self._progress[event.artifact] = event.received
            self.received.append((time.monotonic(), more))

    def _start(self, subject: object) -> None:
        self._started[subject] = _lane(), time.monotonic()

    def _end(self, subject: object, what: Action | Artifact) -> None:
        started = self._started.pop(subject, None)
        if started is not None:  # it was given up before it began
            self.spans.append(Span(what, *started, time.monotonic()))


def _lane() -> str:
    return threading.current_thread().name
