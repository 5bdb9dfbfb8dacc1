"""Rectangles whose areas are as sizes are: sizes and a frame in, a rectangle for each out.

Rows are filled as long as their rectangles come nearer to squares. Source: Bruls, Huizing and van Wijk, "Squarified
Treemaps", 2000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Rectangle", "squarified"]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A place: its upper left corner, width and height."""

    x: float
    y: float
    width: float
    height: float

    def inside(self, margin: float, top: float = 0.0) -> Rectangle:
        """Give what is left within a margin, and below a heading of ``top``."""
        width, height = max(0.0, self.width - 2 * margin), max(0.0, self.height - 2 * margin - top)
        return Rectangle(self.x + margin, self.y + margin + top, width, height)


def squarified(sizes: Sequence[float], frame: Rectangle) -> list[Rectangle]:
    """Give a rectangle for each size, in the order given; what has no size has no area.

    Args:
        sizes: not negative, the largest first for the best picture.
        frame: where they go.
    """
    total = sum(sizes)
    scale = frame.width * frame.height / total if total else 0.0
    areas = [size * scale for size in sizes]
    found: list[Rectangle] = []
    at = 0
    while at < len(areas):
        side = min(frame.width, frame.height)
        end = at + 1
        while end < len(areas) and _worst(areas[at : end + 1], side) <= _worst(areas[at:end], side):
            end += 1
        row, frame = _laid(areas[at:end], frame)
        found += row
        at = end
    return found


def _worst(row: Sequence[float], side: float) -> float:
    """Give the ratio of the longer to the shorter side of the longest rectangle of a row along a side."""
    total, least, most = sum(row), min(row), max(row)
    if not total or not side or not least:
        return float("inf")
    return max(side * side * most / (total * total), total * total / (side * side * least))


def _laid(row: Sequence[float], frame: Rectangle) -> tuple[list[Rectangle], Rectangle]:
    """Lay a row along the shorter side of the frame; give it, and what is left of the frame."""
    side = min(frame.width, frame.height)
    depth = sum(row) / side if side else 0.0
    at, found = 0.0, []
    upright = frame.width >= frame.height
    for area in row:
        length = area / depth if depth else 0.0
        place = (frame.x, frame.y + at, depth, length) if upright else (frame.x + at, frame.y, length, depth)
        found.append(Rectangle(*place))
        at += length
    if upright:
        return found, Rectangle(frame.x + depth, frame.y, max(0.0, frame.width - depth), frame.height)
    return found, Rectangle(frame.x, frame.y + depth, frame.width, max(0.0, frame.height - depth))
