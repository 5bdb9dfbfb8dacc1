"""The graph of an image's debs as a picture: items and what they need in, places for them and for edges out.

Each group has a band; in it debs stand in rows, those that need much above those that are needed, so that most edges
lead down. networkx finds the layers; cycles count as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distroless_rules.anatomy.sheet import Band, Item
from distroless_rules.anatomy.treemap import Rectangle
from distroless_rules.values.size import size_text

__all__ = ["LETTER", "LONGEST", "Drawing", "draw"]

_WIDTH = 1200.0
_MARGIN = 12.0
_HEAD = 26.0
_ROW = 34.0
_CHIP = 22.0
LETTER = 6.4
"""The width of a letter in the pictures."""
LONGEST = 34
"""How many letters of a name are shown."""


@dataclass(frozen=True)
class Drawing:
    """Where everything goes.

    Attributes:
        width: of the whole.
        height: of the whole.
        bands: name of a group -> where its heading stands.
        chips: name of a deb -> its rectangle.
        edges: (deb, dependency) pairs that both have a place.
    """

    width: float
    height: float
    bands: Mapping[str, float]
    chips: Mapping[str, Rectangle]
    edges: tuple[tuple[str, str], ...]


def draw(bands: Sequence[Band]) -> Drawing:
    """Give a place to every deb."""
    items = {item.name: item for band in bands for item in band.items if item.kind == "deb"}
    depths = _depths(items)
    y, heads, chips = _MARGIN, {}, {}
    for band in bands:
        debs = [item for item in band.items if item.kind == "deb"]
        if not debs:
            continue
        heads[band.name] = y + _HEAD / 2
        y += _HEAD
        x = _MARGIN
        for item in sorted(debs, key=lambda each: (depths[each.name], each.name)):
            width = 20 + LETTER * (min(len(item.name), LONGEST) + len(size_text(item.size)))
            if x + width > _WIDTH - _MARGIN:
                x, y = _MARGIN, y + _ROW
            chips[item.name] = Rectangle(x, y, width, _CHIP)
            x += width + 8
        y += _ROW + 10
    edges = tuple((name, other) for name in sorted(chips) for other in items[name].needs if other in chips)
    return Drawing(_WIDTH, y, heads, chips, edges)


def _depths(items: Mapping[str, Item]) -> dict[str, int]:
    """Give how many debs stand above each on the longest way down to it."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(items)
    graph.add_edges_from((name, other) for name, item in items.items() for other in item.needs if other in items)
    condensed = nx.condensation(graph)
    found: dict[str, int] = {}
    for depth, layer in enumerate(nx.topological_generations(condensed)):
        for number in layer:
            found.update(dict.fromkeys(condensed.nodes[number]["members"], depth))
    return found
