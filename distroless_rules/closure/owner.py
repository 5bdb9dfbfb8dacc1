"""Who brings a path of an image."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Owner"]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who brings a path.

    Attributes:
        kind: ``deb``, ``tree``, ``file`` (one that a BUILD file names) or ``image``.
        name: the deb, or the target.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f'deb "{self.name}"' if self.kind == "deb" else self.name
