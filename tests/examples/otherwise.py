"""Starts ``distroless`` on a machine with another clock that lists folders in another order.

Run by the test of reproducibility. Usage: ``python otherwise.py SEED WORDS...``.
"""

from __future__ import annotations

import functools
import os
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

_AHEAD = 500 * 86400  # seconds
_listdir, _scandir, _time, _time_ns = os.listdir, os.scandir, time.time, time.time_ns
_order = random.Random(sys.argv[1])


class Shuffled:
    """What ``os.scandir`` gives, in another order."""

    def __init__(self, *arguments: Any) -> None:
        with _scandir(*arguments) as found:
            self._entries = iter(_shuffled(list(found)))

    def __iter__(self) -> Iterator[os.DirEntry[Any]]:
        return self

    def __next__(self) -> os.DirEntry[Any]:
        return next(self._entries)

    def __enter__(self) -> Shuffled:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter([])


def _shuffled(found: list[Any]) -> list[Any]:
    _order.shuffle(found)
    return found


time.time = lambda: _time() + _AHEAD
time.time_ns = lambda: _time_ns() + _AHEAD * 10**9
# A partial: a class that has it as an attribute, as pathlib of Python 3.10 does, makes no method of it.
os.listdir = functools.partial(lambda *arguments: _shuffled(_listdir(*arguments)))  # type: ignore[assignment]
os.scandir = Shuffled  # type: ignore[assignment, misc]

from distroless_rules.cli.main import main  # noqa: E402 - what it imports is to see the changes above

del sys.argv[1]
main()
