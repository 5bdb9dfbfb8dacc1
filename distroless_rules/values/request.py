"""What a command asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from distroless_rules.values.label import Pattern

__all__ = ["Request"]


@dataclass(frozen=True)
class Request:
    """Targets, and what they are built for.

    Attributes:
        patterns: the targets.
        platform: a platform's name or the label of a ``platform`` target; ``""``: this machine's.
        define: values for ``config_setting``.
    """

    patterns: tuple[Pattern, ...]
    platform: str = ""
    define: Mapping[str, str] = field(default_factory=dict)
