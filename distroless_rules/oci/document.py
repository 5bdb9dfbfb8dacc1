"""JSON documents of images: values in, the same bytes everywhere out; bytes from outside in, checked values out.

Source: OCI image-spec 1.1; RFC 8259 for what JSON leaves open: two readers may see different values where a name is
there twice, so such a document is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from distroless_rules.errors import FormatError

__all__ = ["MAX_BYTES", "canonical", "field", "loads", "strings", "text_map"]

MAX_BYTES = 4 << 20
"""No document may be larger; registries keep manifests to the same size (distribution-spec 1.1, "Pushing
Manifests")."""


def canonical(value: Any) -> bytes:
    """Write a document: names sorted, no spaces, UTF-8.

    Raises:
        FormatError: if a text in it is not valid Unicode.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise FormatError("write an image's documents", f"{error.object!r} is not valid Unicode") from error


def loads(data: bytes, what: str) -> dict[str, Any]:
    """Read a document.

    Args:
        data: its bytes.
        what: what it is, for the message.

    Raises:
        FormatError: if it is not one JSON object in UTF-8, is too large, or holds a name twice.
    """
    doing = f"read {what}"
    if len(data) > MAX_BYTES:
        raise FormatError(doing, f"it has {len(data)} bytes, more than {MAX_BYTES}")

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(found)
        if len(names) != len(found):
            raise FormatError(doing, "an object has a name twice")
        return names

    def constant(name: str) -> Any:
        raise FormatError(doing, f"{name} is no JSON")

    try:
        value = json.loads(data.decode(), object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise FormatError(doing, f"it is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise FormatError(doing, "it is not a JSON object")
    return value


def field(value: Mapping[str, Any], name: str, kind: type, what: str) -> Any:
    """Give a field that must be there and of a type.

    Raises:
        FormatError: if it is not.
    """
    found = value.get(name)
    # A bool is an int to Python and not to JSON.
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise FormatError(f"read {what}", f'"{name}" is missing or of the wrong type')
    return found


def strings(value: Mapping[str, Any], name: str, what: str) -> tuple[str, ...]:
    """Give a field that is a list of strings; none when it is missing or null.

    Raises:
        FormatError: if it is anything else.
    """
    found = value.get(name)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        raise FormatError(f"read {what}", f'"{name}" is not a list of strings')
    return tuple(found)


def text_map(value: Mapping[str, Any], name: str, what: str) -> dict[str, str]:
    """Give a field that maps strings to strings; empty when it is missing or null.

    Raises:
        FormatError: if it is anything else.
    """
    found = value.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(part, str) for part in found.values()):
        raise FormatError(f"read {what}", f'"{name}" does not map strings to strings')
    return found
