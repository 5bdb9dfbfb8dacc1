"""What a build shows while it runs: a live display on a terminal, plain lines elsewhere; on standard error."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from distroless_rules.cli.common import note, on_terminal
from distroless_rules.execution import events

if TYPE_CHECKING:
    from rich.live import Live

__all__ = ["Progress"]

_SECONDS_BETWEEN_LINES = 5.0
_SHOWN = 6


class Progress:
    """Listens to a build and shows it.

    Nothing is drawn in the first moments, so that a build with nothing to do prints its last line only, and the
    library that draws is not even imported.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._beginning = threading.Lock()
        self._live: Live | None = None
        self._terminal = on_terminal()
        self._running: dict[str, float] = {}
        self._fetching: dict[str, tuple[int, int]] = {}
        self._total = self._done = self._cached = self._fetched = 0
        self._status = ""
        self._printed = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.update("", refresh=True)
            self._live.stop()
            self._live = None

    def status(self, message: str) -> None:
        """Show what goes on outside of actions."""
        if self._live is not None:
            self._live.console.print(message, markup=False, highlight=False)
        else:
            note(message)

    def listen(self, event: events.Event) -> None:
        """Take note of an event; called from any thread."""
        with self._lock:
            self._take(event)
        if self._terminal and self._live is None and isinstance(event, events.ActionStarted | events.FetchStarted):
            self._begin()
        elif not self._terminal:
            self._line(event)

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.BuildStarted):
            self._total = event.actions
        elif isinstance(event, events.ActionStarted):
            self._running[event.action.progress] = time.monotonic()
        elif isinstance(event, events.ActionFinished):
            self._running.pop(event.action.progress, None)
            self._done += 1
            self._cached += event.ending is events.Ending.CACHED
        elif isinstance(event, events.FetchStarted):
            self._fetching[_name(event.artifact.path)] = (0, event.artifact.digest.size if event.artifact.digest else 0)
        elif isinstance(event, events.FetchProgress):
            name = _name(event.artifact.path)
            before, size = self._fetching.get(name, (0, 0))
            self._fetched += event.received - before
            self._fetching[name] = (event.received, size)
        elif isinstance(event, events.FetchFinished):
            self._fetching.pop(_name(event.artifact.path), None)

    def _begin(self) -> None:
        from rich.console import Console
        from rich.live import Live

        with self._beginning:  # not the lock of the counts, which drawing takes: Live draws when it is made
            if self._live is not None:
                return
            live = Live(get_renderable=self._draw, console=Console(stderr=True), refresh_per_second=8, transient=True)
            live.start()
            self._live = live

    def _draw(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        with self._lock:
            running = sorted(self._running.items(), key=lambda item: item[1])
            fetching = list(self._fetching.items())
            head = self._head()
        now = time.monotonic()
        lines = [Text(head, style="bold", no_wrap=True, overflow="ellipsis")]
        for name, (received, size) in fetching[:_SHOWN]:
            share = f" {100 * received // size} %" if size else ""
            lines.append(Text(f"  Fetching {name}{share}", style="cyan", no_wrap=True, overflow="ellipsis"))
        for what, begun in running[:_SHOWN]:
            seconds = f" {now - begun:.0f}s" if now - begun >= 1 else ""
            lines.append(Text(f"  {what}{seconds}", no_wrap=True, overflow="ellipsis"))
        more = max(0, len(running) - _SHOWN) + max(0, len(fetching) - _SHOWN)
        if more:
            lines.append(Text(f"  and {more} more", style="dim"))
        return Group(*lines)

    def _head(self) -> str:
        text = f"[{self._done}/{self._total}] actions, {self._cached} cached"
        return text + (f", {self._fetched / 1e6:.1f} MB fetched" if self._fetched else "")

    def _line(self, event: events.Event) -> None:
        """Print a plain line now and then."""
        now = time.monotonic()
        if isinstance(event, events.Counts) or now - self._printed < _SECONDS_BETWEEN_LINES:
            return
        with self._lock:
            self._printed = now
            what = next(iter(self._running), "") or (f"Fetching {next(iter(self._fetching))}" if self._fetching else "")
            text = f"{self._head()}{f'; {what}' if what else ''}"
        note(text)


def _name(path: str) -> str:
    return path.rpartition("/")[2]
