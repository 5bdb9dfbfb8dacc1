"""A file's seal: a modification time that says "checked since this machine started, and not touched since".

Going in: an open file whose bytes were just written or checked. Going out: whether a file still carries its seal.

Sealing sets the modification time to a fixed distance before the change time, which the kernel sets to now. A
write moves both times; setting the modification time back moves the change time; so does a rename, a new or
removed hard link or a change of mode: whatever happens to the file, the distance is no longer right. The distance
depends on the boot, as after a power failure bytes that were never flushed may be gone: a blob is hashed once
again after each start of the machine. A lost seal costs one more hashing, never a wrong answer.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

__all__ = ["is_sealed", "seal", "signature"]

_TOLERANCE = 20_000_000  # ns: the kernel's clock for files ticks every 1 to 10 ms


def _distance() -> int:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        boot = os.urandom(16)  # unknown: no seal outlives this process
    return (1 + int.from_bytes(hashlib.sha256(boot).digest()[:2], "big")) * 1_000_000_000 + 500_000_000


_DISTANCE = _distance()


def is_sealed(status: os.stat_result) -> bool:
    """Tell whether the file was sealed since this machine started and is unchanged since."""
    return -_TOLERANCE <= status.st_ctime_ns - status.st_mtime_ns - _DISTANCE <= _TOLERANCE


def seal(descriptor: int) -> os.stat_result:
    """Seal an open file whose bytes are known to be right, if its owner and its file system let us.

    Returns:
        The file's status afterwards.
    """
    now = time.time_ns()
    for _ in range(3):  # again if we were held up in between, or if a server's clock stamps the file
        try:
            os.utime(descriptor, ns=(now, now - _DISTANCE))
        except OSError:  # another user's file or a read-only folder: it stays unsealed and is hashed when used
            break
        status = os.fstat(descriptor)
        if is_sealed(status):
            return status
        now = status.st_ctime_ns
    return os.fstat(descriptor)


def signature(status: os.stat_result) -> tuple[int, int, int, int]:
    """Give what identifies a file's state exactly: inode, bytes, modification and change time in ns."""
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
