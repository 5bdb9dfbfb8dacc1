"""Lines that stay at the end of a terminal and are drawn anew: rows of text in, control sequences (ECMA-48) out.

The cursor stays visible and rests behind the last line, so that a terminal is left well however the program ends.
Lines are shorter than the terminal is wide. When it was made narrower since, those that were drawn take several of its
rows, which is reckoned with when they are drawn over.
"""

from __future__ import annotations

import os
import threading
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

__all__ = ["Live", "Row", "fitted"]

_SECONDS = 0.125
_SIZE = os.terminal_size((80, 24))  # of a terminal that does not know its own
_CUT = "..."


@dataclass(frozen=True, slots=True)
class Row:
    """A line to be drawn.

    Attributes:
        text: what is cut if there is too little room.
        tail: what follows it and is not cut first.
        style: the parameters of SGR, "1" for bold.
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
                self._write(f"{self._home()}{self._frame()}")
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
        with self._lock:
            self._write(f"{self._erasure()}{text}\n{self._frame()}" if self._widths else f"{text}\n")

    def stop(self) -> None:
        """Take the lines away, for good."""
        self._ended.set()
        with self._lock:
            if self._widths:
                self._write(self._erasure())
                self._widths = []
        if self._ticker is not None:
            self._ticker.join()

    def _tick(self) -> None:
        while not self._ended.wait(_SECONDS):
            self.draw()

    def _height(self) -> int:
        """Give the rows that the lines on the screen take by now."""
        columns = self._size().columns
        return sum(max(1, -(-width // columns)) for width in self._widths)

    def _home(self) -> str:
        """Go to where the first line begins."""
        up = self._height() - 1
        return f"\x1b[{up}A\r" if up > 0 else "\r"

    def _erasure(self) -> str:
        """Delete the lines; to erase all that is below would let some terminals keep it among what scrolled away."""
        return f"{self._home()}\x1b[{self._height()}M"

    def _frame(self) -> str:
        columns, lines = self._size()
        rows = [(row, fitted(row, columns - 1)) for row in self._rows()][: max(1, lines - 1)]
        self._widths = [_width(text) for _, text in rows]
        styled = (f"\x1b[{row.style}m{text}\x1b[m" if row.style and self._colour else text for row, text in rows)
        return "\x1b[K\n".join(styled) + "\x1b[J"

    def _size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except OSError:
            return _SIZE
        return size if size.columns and size.lines else _SIZE

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # the terminal is gone, and nobody looks
            self._ended.set()


def fitted(row: Row, columns: int) -> str:
    """Give a row's text in at most so many columns, without what a terminal would obey."""
    text, tail = _plain(row.text), _plain(row.tail)
    if _width(text) + _width(tail) <= columns:
        return text + tail
    room = columns - len(_CUT) - _width(tail)
    if room <= 0:
        return _cut(text, columns)
    return f"{_cut(text, room)}{_CUT}{tail}"


def _cut(text: str, columns: int) -> str:
    while _width(text) > columns:
        text = text[:-1]
    return text


def _plain(text: str) -> str:
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


def _width(text: str) -> int:
    """Give the columns that a text takes: two for what is wide in Unicode (UAX #11), none for what combines."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )
