"""Numbers of bytes, written for people."""

from __future__ import annotations

__all__ = ["size_text"]


def size_text(size: int) -> str:
    """Write a number of bytes for people: ``12.3 MB``."""
    if size < 1000:
        return f"{size} B"
    value, units = size / 1000, ["kB", "MB", "GB", "TB"]
    while value >= 999.95 and len(units) > 1:  # so that 999.95 kB are 1.0 MB
        value /= 1000
        units.pop(0)
    return f"{value:.1f} {units[0]}"
