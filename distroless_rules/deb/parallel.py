"""A function applied to a few things at a time, on threads that wait for mirrors and that nobody needs to wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

__all__ = ["each"]

T = TypeVar("T")
R = TypeVar("R")


def each(function: Callable[[T], R], items: Sequence[T], threads: int) -> list[R]:
    """Give the function's result for each item, in their order.

    On Ctrl-C the threads are left alone: one may be waiting for a mirror, and it ends with the process.

    Raises:
        BaseException: what the function raised for the first item, in their order, that it raised anything for.
    """
    waiting: SimpleQueue[tuple[int, T]] = SimpleQueue()
    for number, item in enumerate(items):
        waiting.put((number, item))
    ended: SimpleQueue[tuple[int, R | None, BaseException | None]] = SimpleQueue()

    def work() -> None:
        while True:
            try:
                number, item = waiting.get_nowait()
            except Empty:
                return
            try:
                ended.put((number, function(item), None))
            except BaseException as error:  # noqa: BLE001 - carried to the thread that asks for the results
                ended.put((number, None, error))

    for _ in range(min(threads, len(items))):
        threading.Thread(target=work, name="mirror", daemon=True).start()
    results = sorted((ended.get() for _ in items), key=lambda row: row[0])
    for _, _, error in results:
        if error is not None:
            raise error
    return [result for _, result, _ in results]  # type: ignore[misc]
