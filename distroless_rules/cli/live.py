"""Lines that stay at the end of a terminal and are drawn anew: rows of text in, what rich draws of them out.

The library is imported when something is drawn first, a moment after the beginning. Lines are shorter than the
terminal is wide. When it was made narrower since, those that were drawn take several of its rows, which is reckoned
with before they are drawn over.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live as RichLive
    from rich.text import Text

__all__ = ["Live", "Row", "fitted"]

_SECONDS = 0.125
_SIZE = os.terminal_size((80, 24))  # of a terminal that does not know its own
_UP = "\x1b[2K\x1b[1A"  # erase a line, go up (ECMA-48)


@dataclass(frozen=True, slots=True)
class Row:
    """A line to be drawn.

    Attributes:
        text: what is cut if there is too little room.
        tail: what follows it and is not cut first.
        style: as rich names it: "bold", "cyan".
    """

    text: str
    tail: str = ""
    style: str = ""


class Live:
    """Draws rows below whatever else is printed, until it is stopped.

    Args:
        stream: a terminal.
        rows: gives what is to be drawn; called from any thread.
        colour: whether styles are used.
    """

    def __init__(self, stream: TextIO, rows: Callable[[], Sequence[Row]], *, colour: bool = True) -> None:
        self._stream = stream
        self._rows = rows
        self._colour = colour
        self._lock = threading.Lock()
        self._live: RichLive | None = None
        self._widths: list[int] = []  # the columns that each line on the screen takes
        self._drawn = time.monotonic()
        self._ended = threading.Event()
        self._ticker: threading.Thread | None = None

    def draw(self) -> None:
        """Draw, unless that was done a moment ago or is being done."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            now = time.monotonic()
            if now - self._drawn >= _SECONDS and not self._ended.is_set():
                self._drawn = now
                self._refresh()
        except OSError:  # the terminal is gone, and nobody looks
            self._ended.set()
        finally:
            self._lock.release()

    def tick(self) -> None:
        """Begin to draw several times a second, by a thread of its own."""
        with self._lock:
            if self._ticker is None and not self._ended.is_set():
                self._ticker = threading.Thread(target=self._tick, name="display", daemon=True)
                self._ticker.start()

    def print(self, text: str) -> None:
        """Print lines above."""
        try:
            with self._lock:
                if self._live is None:
                    self._stream.write(f"{text}\n")
                    self._stream.flush()
                else:
                    self._resize(self._live.console)
                    self._live.console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)
        except OSError:
            self._ended.set()

    def stop(self) -> None:
        """Take the lines away, for good."""
        self._ended.set()
        try:
            with self._lock:
                if self._live is not None:
                    self._resize(self._live.console)
                    self._live.stop()
                    self._live = None
        except OSError:
            return
        finally:
            if self._ticker is not None:
                self._ticker.join()

    def _tick(self) -> None:
        while not self._ended.wait(_SECONDS):
            self.draw()

    def _refresh(self) -> None:
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream, force_terminal=True, legacy_windows=False)
            self._resize(console)
            self._live = Live(
                get_renderable=self._frame,
                console=console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        else:
            self._resize(self._live.console)
        self._live.refresh()

    def _resize(self, console: Console) -> None:
        """Tell how large the terminal is now; go up as many rows as lines were wrapped into since they were drawn."""
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except OSError:
            size = _SIZE
        console.size = size if size.columns and size.lines else _SIZE
        more = sum(max(0, -(-width // console.width) - 1) for width in self._widths)
        if more:
            self._stream.write(_UP * more)
            self._widths = []

    def _frame(self) -> Group:
        from rich.console import Group

        columns, lines = self._live.console.size if self._live is not None else _SIZE
        rows = [fitted(row, columns - 1, colour=self._colour) for row in self._rows()][: max(1, lines - 1)]
        self._widths = [row.cell_len for row in rows]
        return Group(*rows)


def fitted(row: Row, columns: int, *, colour: bool = True) -> Text:
    """Give a row's text in at most so many columns, without what a terminal would obey."""
    from rich.text import Text

    style = row.style if colour else ""
    if columns <= 0:
        return Text()
    text, tail = (Text(_plain(part), style, no_wrap=True) for part in (row.text, row.tail))
    room = columns - tail.cell_len
    if text.cell_len > room:
        if room < 2:
            room, tail = columns, Text()
        text.truncate(room, overflow="ellipsis")
    text.append_text(tail)
    return text


def _plain(text: str) -> str:
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)
