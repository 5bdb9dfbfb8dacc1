"""What an image says of its distribution: the text of os-release in, its fields out. Source: os-release(5)."""

from __future__ import annotations

__all__ = ["PATHS", "fields"]

PATHS = ("etc/os-release", "usr/lib/os-release")
"""Where it may be; the first that is there counts."""


def fields(text: str) -> dict[str, str]:
    """Give name -> value without quotes."""
    rows = (line.partition("=") for line in text.splitlines())
    return {name.strip(): value.strip().strip("\"'") for name, sign, value in rows if sign}
