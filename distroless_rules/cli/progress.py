"""What a build shows while it runs: a live display on a terminal, plain lines elsewhere; on standard error."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import dataclass

from distroless_rules.cli.common import note
from distroless_rules.cli.live import Live, Row
from distroless_rules.execution import events
from distroless_rules.values.size import size_text

__all__ = ["Progress", "on_terminal"]

_SECONDS_BETWEEN_LINES = 5.0
_SHOWN = 6


@dataclass
class _Download:
    name: str
    size: int
    received: int = 0


class Progress:
    """Listens to a command at work and shows it; nothing is left when it ends but the messages.

    Nothing is drawn in the first moment, so that a build with nothing to do prints its last lines only.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live = Live(sys.stderr, self._rows, colour=not os.environ.get("NO_COLOR")) if on_terminal() else None
        self._running: dict[int, tuple[str, float]] = {}
        self._fetching: dict[str, _Download] = {}
        self._ended: set[int] = set()
        self._total = self._cached = self._fetched = 0
        self._locking = False
        self._printed = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def status(self, message: str) -> None:
        """Print what goes on outside of actions."""
        if self._live is not None:
            self._live.print(message)
        else:
            note(message)

    def received(self, count: int) -> None:
        """Take note of bytes that came in for a lock; called from any thread.

        Draws here, not by the thread that draws for a build: a process is forked after locking, which may not have any.
        """
        with self._lock:
            self._locking = True
            self._fetched += count
        self._show()

    def listen(self, event: events.Event) -> None:
        """Take note of an event of a build; called from any thread."""
        if isinstance(event, events.ActionPrinted):
            self.status(f"{event.action.progress} printed:\n{event.text}")
            return
        with self._lock:
            self._take(event)
        if self._live is None:
            self._show()
        elif isinstance(event, events.ActionStarted | events.FetchStarted):
            self._live.tick()

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.BuildStarted):
            self._total, self._fetched, self._locking = event.actions, 0, False
        elif isinstance(event, events.ActionStarted):
            self._running[id(event.action)] = event.action.progress, time.monotonic()
        elif isinstance(event, events.ActionFinished):
            self._running.pop(id(event.action), None)
            known = event.ending in (events.Ending.SAME, events.Ending.CACHED, events.Ending.SHARED)
            self._cached += known and id(event.action) not in self._ended
            self._ended.add(id(event.action))  # once more if it was made again
        elif isinstance(event, events.FetchStarted):
            artifact = event.artifact
            name = artifact.path.rpartition("/")[2].partition("_")[0]
            self._fetching[artifact.path] = _Download(name, artifact.digest.size if artifact.digest else 0)
        elif isinstance(event, events.FetchProgress):
            download = self._fetching[event.artifact.path]
            self._fetched += event.received - download.received
            download.received = event.received
        elif isinstance(event, events.FetchFinished):
            self._fetching.pop(event.artifact.path, None)

    def _show(self) -> None:
        """Draw, or print a plain line now and then."""
        if self._live is not None:
            self._live.draw()
            return
        now = time.monotonic()
        with self._lock:
            if now - self._printed < _SECONDS_BETWEEN_LINES:
                return
            self._printed = now
            rows = [f"Fetching {each.name}" for each in self._fetching.values()]
            rows += [text for text, _ in self._running.values()]
            text = "; ".join([self._head(), *rows[:1]])
        note(text)

    def _rows(self) -> list[Row]:
        now = time.monotonic()
        with self._lock:
            head = Row(self._head(), style="bold")
            fetching = [
                Row(f"  Fetching {each.name}", f" {100 * each.received // each.size} %" if each.size else "", "cyan")
                for each in self._fetching.values()
            ]
            running = [
                Row(f"  {text}", f" {now - begun:.0f} s" if now - begun >= 1 else "")
                for text, begun in self._running.values()
            ]
        rows = [head, *fetching[:_SHOWN], *running[:_SHOWN]]
        hidden = 1 + len(fetching) + len(running) - len(rows)
        return [*rows, Row(f"  and {hidden} more", style="dim")] if hidden else rows

    def _head(self) -> str:
        fetched = f"{size_text(self._fetched)} fetched" if self._fetched else ""
        if self._locking:
            return f"Locking debs: {fetched or 'fetching'}"
        text = f"[{len(self._ended)}/{self._total}] actions, {self._cached} cached"
        return f"{text}, {fetched}" if fetched else text


def on_terminal() -> bool:
    """Say whether standard error is a terminal on which lines can be drawn anew, with a person before it."""
    unattended = os.environ.get("CI", "") not in ("", "0", "false")
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb") and not unattended
