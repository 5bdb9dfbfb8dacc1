"""The value of an attribute as text, for ``attr()`` to search.

Source: "The Bazel Query Reference", section "attr": booleans are 1 and 0, lists ``[a, b]``, labels in canonical form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distroless_rules.targets.target import Key, Kind, Target

__all__ = ["attribute_text"]


def attribute_text(target: Target, name: str) -> str | None:
    """Give the value of a target's attribute as text, defaults and selects resolved; None if it has none."""
    declared = target.declared
    if declared is None or target.kind is Kind.OUTPUT:
        return None
    if name == "name":
        return target.key.label.name
    if name == "visibility":
        return _text(list(declared.visibility or ()))
    if name in target.refs:
        value = target.refs[name][1]
        pairs = isinstance(value, list) and value and isinstance(value[0], tuple)
        return _text(dict(value) if pairs else value)
    value = target.values.get(name)
    return _text(declared.values.get(name) if value is None else value)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list):
        return f"[{', '.join(_text(part) or '' for part in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(key)}={_text(part)}" for key, part in value.items()) + "}"
    if isinstance(value, Key):
        return str(value.label)
    return str(value)
