"""A sheet as one HTML file: no network, nothing of where it was made, nothing of the image but as text.

The policy in the page allows its own script and style by their hashes and nothing else, so that a name in an image
could do nothing even if it were not escaped; ``#libc6`` after the file's name chooses a deb. Source: CSP Level 3, 6.6
(hashes); WCAG 2.2, 1.1.1: every picture has a table.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from distroless_rules.anatomy.graph import LETTER, LONGEST, Drawing, draw
from distroless_rules.anatomy.sheet import Band, Item, Sheet, Table
from distroless_rules.anatomy.treemap import Rectangle, squarified
from distroless_rules.values.size import size_text

__all__ = ["render"]

_HERE = Path(__file__).parent
_WIDE = Rectangle(0, 0, 1200, 620)
_NARROW = Rectangle(0, 0, 380, 620)
_LABEL = 34.0  # the narrowest rectangle with a label
_HEAD = 17.0


def render(sheet: Sheet) -> str:
    """Write the page."""
    style, script = ((_HERE / name).read_text("utf-8") for name in ("page.css", "page.js"))
    numbers = {item.key: number for number, item in enumerate(each for band in sheet.bands for each in band.items)}
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(sheet.title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        f"<h1>{_text(sheet.title)}</h1>",
        *_facts(sheet),
        *_groups(sheet),
        *_pictures(sheet, numbers),
        *_items(sheet, numbers),
        *(line for table in sheet.tables for line in _table(table)),
        f"<script>{script}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(text: str) -> str:
    """Write text of an image: escaped, and with what cannot be shown as U+FFFD."""
    plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return escape("".join(letter if letter.isprintable() else "\ufffd" for letter in plain), quote=True)


def _facts(sheet: Sheet) -> Iterator[str]:
    yield "<dl>"
    for name, value in sheet.facts:
        yield f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>"
    yield "</dl>"


def _groups(sheet: Sheet) -> Iterator[str]:
    yield "<h2>Groups</h2>"
    yield '<div class="scroll"><table>'
    stays = "" if sheet.own else '<th class="number">stays</th>'
    sizes = f'<th class="number">debs</th><th class="number">files</th><th class="number">size</th>{stays}'
    yield f"<tr><th>group</th>{sizes}<th>what is in it</th></tr>"
    for band in sheet.bands:
        debs = sum(item.kind == "deb" for item in band.items)
        kept = "" if sheet.own else f'<td class="number">{size_text(band.kept)}</td>'
        name = f'<span class="swatch {band.name}"></span>{band.name}'
        files = sum(item.files for item in band.items)
        counts = f'<td class="number">{debs}</td><td class="number">{files}</td>'
        numbers = f'{counts}<td class="number">{size_text(band.size)}</td>{kept}'
        yield f'<tr><td class="name">{name}</td>{numbers}<td class="say">{_text(band.says)}</td></tr>'
    yield "</table></div>"


def _pictures(sheet: Sheet, numbers: Mapping[str, int]) -> Iterator[str]:
    yield "<h2>Bytes</h2>"
    yield '<div class="tools"><label>Find <input type="search" id="find" placeholder="a name"></label>'
    yield '<span class="soft">Point at a part, or click it, to see what it is; Escape lets go.</span></div>'
    yield '<p id="said" aria-live="polite">Each rectangle is a deb or some files, as large as its bytes.</p>'
    for name, frame in (("wide", _WIDE), ("narrow", _NARROW)):
        yield from _treemap(sheet.bands, frame, name, numbers)
    drawing = draw(sheet.bands)
    if drawing.chips:
        yield "<h2>Dependencies</h2>"
        yield '<p class="soft">Edges lead from a deb to what it needs: of the chosen one blue, to it orange.</p>'
        yield '<div class="scroll graph">'
        yield from _graph(drawing, sheet.bands, numbers)
        yield "</div>"


def _treemap(bands: Sequence[Band], frame: Rectangle, name: str, numbers: Mapping[str, int]) -> Iterator[str]:
    filled = sorted((band for band in bands if band.size), key=lambda band: -band.size)
    label = "Bytes of each group and of what is in it; the table below has the same numbers."
    yield f'<svg class="{name}" viewBox="0 0 {frame.width:.0f} {frame.height:.0f}" role="img" aria-label="{label}">'
    for band, place in zip(filled, squarified([band.size for band in filled], frame), strict=True):
        inner = place.inside(2, _HEAD if place.height > 3 * _HEAD and place.width > 2 * _LABEL else 0)
        if inner.y - place.y > _HEAD:
            title = _cut(f"{band.name} {size_text(band.size)}", place.width - 6)
            yield f'<text class="head" x="{place.x + 4:.1f}" y="{place.y + 14:.1f}">{_text(title)}</text>'
        items = [item for item in band.items if item.size]
        for item, at in zip(items, squarified([item.size for item in items], inner), strict=True):
            yield from _cell(item, at, numbers[item.key])
    yield "</svg>"


def _cell(item: Item, at: Rectangle, number: int) -> Iterator[str]:
    place = f'x="{at.x:.1f}" y="{at.y:.1f}" width="{at.width:.1f}" height="{at.height:.1f}"'
    title = f"<title>{_text(item.name)}, {size_text(item.size)}</title>"
    yield f'<rect class="{item.group}" data-item="{number}" {place}>{title}</rect>'
    if at.width >= _LABEL and at.height >= _HEAD - 2:
        shown = _cut(item.name, at.width - 6)
        if len(shown) > 3 or shown == item.name:
            yield f'<text x="{at.x + 3:.1f}" y="{at.y + 12:.1f}">{_text(shown)}</text>'
            if at.height >= 2 * _HEAD and LETTER * len(size_text(item.size)) < at.width:
                yield f'<text x="{at.x + 3:.1f}" y="{at.y + 26:.1f}">{size_text(item.size)}</text>'


def _cut(text: str, width: float) -> str:
    """Give as much of a text as fits."""
    fits = max(0, int(width / LETTER))
    return text if len(text) <= fits else f"{text[: fits - 1]}…" if fits > 1 else ""


def _graph(drawing: Drawing, bands: Sequence[Band], numbers: Mapping[str, int]) -> Iterator[str]:
    items = {item.name: item for band in bands for item in band.items}
    label = "Which deb needs which; the table below has the same."
    yield f'<svg viewBox="0 0 {drawing.width:.0f} {drawing.height:.0f}" role="img" aria-label="{label}">'
    for name, y in drawing.bands.items():
        yield f'<text class="head" x="12" y="{y:.1f}">{name}</text>'
    for name, other in drawing.edges:
        a, b = drawing.chips[name], drawing.chips[other]
        x, y, to_x, to_y = a.x + a.width / 2, a.y + a.height, b.x + b.width / 2, b.y
        bend = 30 + abs(to_y - y) / 3
        way = f"M{x:.0f} {y:.0f}C{x:.0f} {y + bend:.0f} {to_x:.0f} {to_y - bend:.0f} {to_x:.0f} {to_y:.0f}"
        yield f'<path class="edge" data-from="{numbers[name]}" data-to="{numbers[other]}" d="{way}"/>'
    for name, at in drawing.chips.items():
        item = items[name]
        place = f'x="{at.x:.1f}" y="{at.y:.1f}" width="{at.width:.1f}" height="{at.height:.1f}" rx="4"'
        title = f"<title>{_text(name)}, {size_text(item.size)}</title>"
        yield f'<rect class="{item.group}" data-item="{numbers[name]}" {place}>{title}</rect>'
        shown = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
        yield f'<text x="{at.x + 6:.1f}" y="{at.y + 15:.1f}">{_text(shown)}</text>'
        end = at.x + at.width - 6
        yield f'<text class="soft" text-anchor="end" x="{end:.1f}" y="{at.y + 15:.1f}">{size_text(item.size)}</text>'
    yield "</svg>"


def _items(sheet: Sheet, numbers: Mapping[str, int]) -> Iterator[str]:
    yield "<h2>Everything</h2>"
    yield '<div class="scroll"><table>'
    stays = "" if sheet.own else '<th class="number">stays</th>'
    heads = f'<th class="number">size</th>{stays}<th class="number">files</th><th>why</th><th>needs</th>'
    yield f"<thead><tr><th>name</th><th>group</th>{heads}</tr></thead><tbody>"
    for band in sheet.bands:
        for item in band.items:
            yield _row(item, sheet, numbers)
    yield "</tbody></table></div>"


def _row(item: Item, sheet: Sheet, numbers: Mapping[str, int]) -> str:
    needs = [name for name in item.needs if name in numbers]
    verdict = f"{size_text(item.kept)} of it stay" if item.kept else "nothing of it stays"
    data = {
        "item": str(numbers[item.key]),
        "name": item.name,
        "kind": item.kind,
        "group": item.group,
        "size": size_text(item.size),
        "stays": f"{item.files} files" if sheet.own else verdict,
        "why": f"{item.why}." if item.why else "",
        "needs": " ".join(str(numbers[name]) for name in needs),
    }
    attributes = " ".join(f'data-{key}="{_text(value)}"' for key, value in data.items())
    kept = "" if sheet.own else f'<td class="number">{size_text(item.kept)}</td>'
    version = f' <span class="soft">{_text(item.version)}</span>' if item.version else ""
    name = f'<span class="swatch {item.group}"></span><button type="button">{_text(item.name)}</button>{version}'
    size = f'<td class="number">{size_text(item.size)}</td>{kept}<td class="number">{item.files}</td>'
    rest = f'<td class="say">{_text(item.why)}</td><td class="say">{_text(", ".join(needs))}</td>'
    return f'<tr {attributes}><td class="name">{name}</td><td>{item.group}</td>{size}{rest}</tr>'


def _table(table: Table) -> Iterator[str]:
    yield f"<details{' open' if len(table.rows) <= 12 else ''}><summary>{_text(table.title)}</summary>"
    yield '<div class="scroll"><table>'
    classes = [' class="number"' if at in table.numbers else "" for at in range(len(table.head))]
    heads = "".join(f"<th{kind}>{_text(text)}</th>" for text, kind in zip(table.head, classes, strict=True))
    yield f"<tr>{heads}</tr>"
    for row in table.rows:
        yield f"<tr>{''.join(f'<td{kind}>{_text(text)}</td>' for text, kind in zip(row, classes, strict=True))}</tr>"
    yield "</table></div></details>"
