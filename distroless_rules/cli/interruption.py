"""Going in: Ctrl-C and termination signals. Going out: ``KeyboardInterrupt`` in the main thread, as often as it takes.

Python raises it between any two instructions. Once is not enough: one that comes up in the callback of a weak
reference is printed and dropped, and one that comes just before the main thread begins to wait is not seen until
something else wakes it. And between taking a lock and noting that it is to be released, it would leave the lock
taken for ever: there it is put off a little.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["interruptible"]

_AGAIN = 1.0  # seconds until it is raised again, if what it is to end has not ended
_SOON = 0.01  # seconds by which it is put off
_PATIENCE = 10  # times that it is put off: a thread may wait where it should not be hit
_FRAGILE = {"<frozen importlib._bootstrap>", threading.__file__}  # hold locks that other threads need to end
_UNSET = (signal.SIG_DFL, signal.default_int_handler)


@contextmanager
def interruptible() -> Iterator[None]:
    """End what is inside on SIGINT, SIGTERM and SIGHUP; one that is ignored, as nohup(1) does, stays so.

    Use it in the main thread. It needs the timer and the signal of setitimer(2) while an interruption is under way.

    Raises:
        KeyboardInterrupt: anywhere inside, once every second until the context is left.
    """
    put_off = 0

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal put_off
        if put_off < _PATIENCE and frame is not None and frame.f_code.co_filename in _FRAGILE:
            put_off += 1
            signal.setitimer(signal.ITIMER_REAL, _SOON)
            return
        put_off = 0
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        raise KeyboardInterrupt(signal.Signals(number).name)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: handler for number, handler in before.items() if handler in _UNSET}
    before[signal.SIGALRM] = signal.getsignal(signal.SIGALRM)
    try:
        for number in before:
            signal.signal(number, end)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
