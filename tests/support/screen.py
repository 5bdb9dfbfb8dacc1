"""A terminal of a test's own: what a program writes in, what a person sees out.

    with Terminal(40, 10) as terminal:
        program writes to terminal.stream          # or to terminal.descriptor, in another process
        terminal.text()                            # the lines on the screen, without what is empty at their end
        terminal.resize(20)                        # lines are wrapped anew, as most terminals do

The control sequences are those that the live display uses (ECMA-48); any other is an error.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

__all__ = ["Screen", "Terminal"]

_TOKEN = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|([\r\n\x08])|(\x1b)|([^\x1b\r\n\x08]+)")


class Screen:
    """Rows of characters and a cursor; it has room for any number of rows.

    Attributes:
        rows: what is on it.
        escapes: the control sequences that came.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.rows = [""]
        self.escapes: set[str] = set()
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        """Obey what was written."""
        for number, final, control, stray, plain in _TOKEN.findall(text):
            assert not stray, f"an unknown control sequence in {text!r}"
            if final:
                self.escapes.add(final)
                self._obey(final, int(number) if number.isdigit() else 0)
            elif control:
                self._move(control)
            else:
                self._put(plain)

    def resize(self, columns: int) -> None:
        """Wrap the rows that are longer anew."""
        rows: list[str] = []
        for number, row in enumerate(self.rows):
            if number == self._row:
                self._row, at = len(rows) + self._column // columns, self._column
            rows += [row[start : start + columns] for start in range(0, max(1, len(row)), columns)]
        self.rows, self.columns, self._column = rows, columns, at % columns

    def _obey(self, final: str, number: int) -> None:
        row = self.rows[self._row]
        if final == "A":
            self._row = max(0, self._row - max(1, number))
        elif final == "K":
            self.rows[self._row] = "" if number == 2 else row[: self._column]
        elif final == "J":
            self.rows[self._row :] = [row[: self._column]]
        elif final == "M":
            del self.rows[self._row : self._row + max(1, number)]
            self.rows += [""] * (self._row + 1 - len(self.rows))
            self._column = 0
        else:
            assert final in "mhl", f"an unknown control sequence ends with {final}"

    def _move(self, control: str) -> None:
        if control == "\n":
            self._row += 1
            self.rows += [""] * (self._row + 1 - len(self.rows))
        self._column = max(0, self._column - 1) if control == "\x08" else self._column if control == "\n" else 0

    def _put(self, text: str) -> None:
        for each in text:
            if self._column == self.columns:
                self._move("\r")
                self._move("\n")
            row = self.rows[self._row].ljust(self._column)
            self.rows[self._row] = row[: self._column] + each + row[self._column + 1 :]
            self._column += 1


class Terminal:
    """A pseudo terminal with a screen; see the module."""

    def __init__(self, columns: int, lines: int = 24) -> None:
        self.screen = Screen(columns)
        self.lines = lines
        self._master, self.descriptor = pty.openpty()
        self.stream = os.fdopen(os.dup(self.descriptor), "w", encoding="utf-8")
        self._size()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stream.close()
        os.close(self.descriptor)
        os.close(self._master)

    def _size(self) -> None:
        size = struct.pack("HHHH", self.lines, self.screen.columns, 0, 0)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, size)

    def resize(self, columns: int) -> None:
        """Make the terminal narrower or wider."""
        self.take()
        self.screen.resize(columns)
        self._size()

    def take(self, seconds: float = 0.0) -> bool:
        """Show what was written; give whether anything was, within so many seconds."""
        taken = False
        while select.select([self._master], [], [], 0 if taken else seconds)[0]:
            self.screen.feed(os.read(self._master, 1 << 16).decode())
            taken = True
        return taken

    def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a program of which this is the terminal: standard streams, and where Ctrl-C comes from."""
        streams: dict[str, Any] = {"stdin": self.descriptor, "stdout": self.descriptor, "stderr": self.descriptor}
        return subprocess.Popen(
            command,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            **(streams | options),
        )

    def watch(self, process: subprocess.Popen[bytes], until: str = "", seconds: float = 60) -> list[str]:
        """Give all that was on the screen until the program ended, or a text was there."""
        seen = [self.text()]
        deadline = time.monotonic() + seconds
        while process.poll() is None and not (until and until in seen[-1]):
            assert time.monotonic() < deadline, f"it does not end, and shows:\n{seen[-1]}"
            self.take(0.02)
            seen.append(self.text())
        return [*seen, self.text()]

    def type(self, data: bytes) -> None:
        """Press keys."""
        os.write(self._master, data)

    def text(self) -> str:
        """Give what a person sees now."""
        self.take()
        return "\n".join(row.rstrip() for row in self.screen.rows).rstrip()
