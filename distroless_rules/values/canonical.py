"""A canonical form of named values, to be hashed or signed: what is not the same has not the same form."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["form"]


def form(lines: Iterable[tuple[str, str]]) -> bytes:
    """Give, for each (name, value), ``<length of name> <length of value> <name><value>`` and a line feed.

    Lengths are in characters, and the whole is UTF-8; whatever names and values hold, no two lists share a form.
    """
    return "".join(f"{len(name)} {len(value)} {name}{value}\n" for name, value in lines).encode(
        "utf-8", "surrogatepass"
    )
