"""A sandbox's processes watched while they run: a request's limits in, the one that is passed out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from distroless_rules.sandbox.request import Limits

__all__ = ["passed"]

_PAGE = os.sysconf("SC_PAGE_SIZE")


def passed(limits: Limits, first: int, output: Path, seconds: float) -> str:
    """Give the limit that a sandbox has passed, ``""`` if none.

    Args:
        limits: the limits.
        first: the process whose descendants are all that run in the sandbox.
        output: what it has printed.
        seconds: how long it has run.
    """
    if seconds > limits.seconds:
        return "time"
    if output.stat().st_size > limits.output:
        return "output"
    memory = 0
    for count, pid in enumerate(_family(first)):
        if count >= limits.processes:
            return "processes"
        memory += _resident(pid)
    return "memory" if memory > limits.memory else ""


def _family(first: int) -> Iterator[int]:
    """Give a process and all its descendants; those that end meanwhile may be missing."""
    rest = [first]
    while rest:
        pid = rest.pop()
        yield pid
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                children = Path(f"/proc/{pid}/task/{task}/children").read_bytes().split()
                rest.extend(int(child) for child in children)
        except (FileNotFoundError, ProcessLookupError):
            continue


def _resident(pid: int) -> int:
    """Give the bytes of memory that a process has to itself or shares with no file, proc_pid_statm(5)."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_bytes().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return (int(fields[1]) - int(fields[2])) * _PAGE if len(fields) > 2 else 0
