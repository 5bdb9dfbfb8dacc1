"""Signals that come where Python loses them, or where raising at once would leave a lock taken."""

from __future__ import annotations

import os
import signal
import threading
import time
import weakref
from types import FunctionType
from typing import Any

import pytest

from distroless_rules.cli.interruption import interruptible

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def end_by(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    time.sleep(20)


class Thing:
    """What a weak reference can refer to."""


@pytest.mark.parametrize("number", SIGNALS)
def test_each_ends_what_is_inside_and_is_as_it_was_afterwards(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in (*SIGNALS, signal.SIGALRM)]
    with pytest.raises(KeyboardInterrupt, match=number.name), interruptible():
        end_by(number)
    assert [signal.getsignal(each) for each in (*SIGNALS, signal.SIGALRM)] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_what_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.01)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_one_that_is_lost_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lost.append)
    things = [Thing()]
    _reference = weakref.ref(things[0], lambda _: os.kill(os.getpid(), signal.SIGTERM))

    def run() -> None:
        things.clear()
        assert [type(each.exc_value) for each in lost] == [KeyboardInterrupt]
        threading.Event().wait(20)

    with pytest.raises(KeyboardInterrupt, match="SIGALRM"), interruptible():
        run()


def importing() -> bool:
    os.kill(os.getpid(), signal.SIGINT)
    return True


def test_none_is_raised_inside_the_import_machinery() -> None:
    there = importing.__code__.replace(co_filename="<frozen importlib._bootstrap>")
    ended = []

    def run() -> None:
        ended.append(FunctionType(there, globals())())
        time.sleep(20)

    with pytest.raises(KeyboardInterrupt, match="SIGALRM"), interruptible():
        run()
    assert ended == [True]


def test_waiting_for_a_thread_ends_all_the_same() -> None:
    never = threading.Event()
    thread = threading.Thread(target=never.wait, daemon=True)
    thread.start()
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt), interruptible():
        thread.join(20)
    never.set()
