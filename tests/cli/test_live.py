"""The live display on a terminal: rows in, what is on the screen out; whatever happens to the terminal."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from distroless_rules.cli.live import Live, Row, fitted
from tests.support.screen import Terminal


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal(40, 6) as made:
        yield made


def _drawn(live: Live) -> None:
    time.sleep(0.13)
    live.draw()


def test_rows_are_drawn_over_and_taken_away(terminal: Terminal) -> None:
    rows = [Row("[1/2]", style="bold"), Row("  one", " 3 s")]
    live = Live(terminal.stream, lambda: rows)
    terminal.stream.write("before\n")
    _drawn(live)
    assert terminal.text() == "before\n[1/2]\n  one 3 s"
    rows[:] = [Row("[2/2]")]
    _drawn(live)
    assert terminal.text() == "before\n[2/2]"
    rows[:] = [Row("[2/2]"), Row("  a"), Row("  b")]
    _drawn(live)
    assert terminal.text() == "before\n[2/2]\n  a\n  b"
    live.print("a message")
    assert terminal.text() == "before\na message\n[2/2]\n  a\n  b"
    live.stop()
    terminal.stream.write("after\n")
    terminal.stream.flush()
    assert terminal.text() == "before\na message\nafter"


def test_a_moment_passes_before_anything_is_drawn(terminal: Terminal) -> None:
    live = Live(terminal.stream, lambda: [Row("row")])
    live.draw()
    live.print("a message")
    live.stop()
    assert terminal.text() == "a message"
    assert terminal.screen.escapes == set()


@pytest.mark.parametrize("columns", [30, 17, 10, 5, 60])
def test_nothing_is_left_when_the_terminal_changes_its_width(terminal: Terminal, columns: int) -> None:
    live = Live(terminal.stream, lambda: [Row("[1/2] " + "x" * 60), Row("  " + "y" * 20, " 3 s"), Row("  z")])
    terminal.stream.write("before\n")
    _drawn(live)
    terminal.resize(columns)
    _drawn(live)
    shown = terminal.text().splitlines()
    assert len(shown) == 4 + (columns == 5)  # "before" takes two rows then
    assert all(len(row) < columns or row.startswith("befor") for row in shown)
    live.stop()
    assert terminal.text().replace("\n", "") == "before"


def test_a_low_terminal_shows_the_first_rows(terminal: Terminal) -> None:
    live = Live(terminal.stream, lambda: [Row(str(number)) for number in range(9)])
    _drawn(live)
    assert terminal.text() == "0\n1\n2\n3\n4"


def test_styles_are_for_those_who_want_them(terminal: Terminal) -> None:
    plain = Live(terminal.stream, lambda: [Row("x", style="bold")], colour=False)
    _drawn(plain)
    terminal.take()
    assert "m" not in terminal.screen.escapes
    _drawn(Live(terminal.stream, lambda: [Row("x", style="bold")]))
    terminal.take()
    assert "m" in terminal.screen.escapes


def test_it_is_drawn_by_itself_until_it_ends(terminal: Terminal) -> None:
    before = threading.active_count()
    count = 0

    def rows() -> list[Row]:
        nonlocal count
        count += 1
        return [Row(f"{'x' * count}")]

    live = Live(terminal.stream, rows)
    live.tick()
    live.tick()
    while count < 3:
        assert terminal.take(5)
    assert threading.active_count() == before + 1
    live.stop()
    assert threading.active_count() == before
    assert terminal.text() == ""
    live.tick()
    _drawn(live)
    assert threading.active_count() == before
    assert terminal.text() == ""


def test_a_terminal_that_is_gone_stops_nobody() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with suppress(BrokenPipeError), open(writing, "w", encoding="utf-8") as stream:
        live = Live(stream, lambda: [Row("row")])
        _drawn(live)
        live.print("a message")
        live.stop()


@pytest.mark.parametrize(
    ("row", "columns", "shown"),
    [
        (Row("short", " 3 s"), 10, "short 3 s"),
        (Row("exactly"), 7, "exactly"),
        (Row("a long text", " 3 s"), 12, "a long … 3 s"),
        (Row("a long text"), 8, "a long …"),
        (Row("a long text", " 3 s"), 5, "a lo…"),
        (Row("a long text"), 0, ""),
        (Row("東京都庁舎", " 1 s"), 9, "東京… 1 s"),
        (Row("東京都"), 6, "東京都"),
        (Row("e\u0301e\u0301"), 2, "e\u0301e\u0301"),
        (Row("red\x1b[31m\r\n\x07\u202e"), 40, "red?[31m????"),
    ],
)
def test_a_row_fits(row: Row, columns: int, shown: str) -> None:
    assert fitted(row, columns).plain == shown
