"""What ``distroless analyze`` prints: an anatomy in, the lines that a person reads out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from distroless_rules.anatomy.groups import Group
from distroless_rules.cli.common import counted
from distroless_rules.values.size import size_text

if TYPE_CHECKING:
    from distroless_rules.anatomy.anatomy import Anatomy

__all__ = ["shown"]

_LARGEST = 5
_SAYS = {
    Group.APPLICATION: "files of no deb, and changed ones",
    Group.RUNTIME: "what the application needs when it runs",
    Group.SHARED: "what more than one group needs",
    Group.BUILD: "compilers and headers, and what only they need",
    Group.MANAGER: "the package manager, and what only it needs",
    Group.UNUSED: "what nothing else needs",
    Group.SYSTEM: "files that scripts and commands made",
}


def shown(anatomy: Anatomy) -> Iterator[str]:
    """Give the lines."""
    image = anatomy.image
    yield f"{_safe(image.name)}  {image.config.platform}"
    if image.digest:
        yield f"  digest       {image.digest}"
    packed = sum(layer.size for layer in image.layers)
    hidden = f", and {size_text(anatomy.hidden)} hidden below" if anatomy.hidden else ""
    layers = counted(len(image.layers), "layer")
    yield f"  size         {size_text(packed)} in {layers}; {size_text(anatomy.size)} unpacked{hidden}"
    words = " ".join(anatomy.begun.words)
    yield f"  starts       {_safe(words) or 'nothing'}"
    yield f"  debs         {_debs(anatomy)}"
    yield ""
    yield from _groups(anatomy)
    yield from _shared(anatomy)
    yield from _application(anatomy)
    yield from _layers(anatomy)
    yield from _verdict(anatomy)


def _debs(anatomy: Anatomy) -> str:
    if not anatomy.database.kind:
        return "none: there is no package database, so every file counts as the application's"
    by_name = len(anatomy.database.by_name)
    marks = f", {by_name} of them installed by name" if anatomy.database.marked else ", without apt's marks"
    return f"{len(anatomy.database.debs)}{marks}"


def _groups(anatomy: Anatomy) -> Iterator[str]:
    yield f"{'group':<12} {'debs':>5} {'files':>7} {'size':>10} {'stays':>10}"
    for group in Group:
        part, debs = anatomy.total(group), _in(anatomy, group)
        row = f"{group.value:<12} {len(debs):>5} {part.files:>7} {size_text(part.size):>10} {size_text(part.kept):>10}"
        yield f"{row}  {_SAYS[group]}"
        for name in debs[:_LARGEST]:
            deb = anatomy.parts[name]
            why = f"  {anatomy.why[name]}" if name in anatomy.why else ""
            yield f"  {size_text(deb.size):>10}  {name}{_safe(why)}"
        if len(debs) > _LARGEST:
            rest = sum(anatomy.parts[name].size for name in debs[_LARGEST:])
            yield f"  {size_text(rest):>10}  {len(debs) - _LARGEST} more"
    if anatomy.hidden:
        files, size = len(anatomy.layers.hidden), size_text(anatomy.hidden)
        row = f"{'hidden':<12} {0:>5} {files:>7} {size:>10} {size_text(0):>10}"
        yield f"{row}  files that later layers hide, and that still take space"


def _in(anatomy: Anatomy, group: Group) -> list[str]:
    """Give the debs of a group, the largest first."""
    names = (name for name in anatomy.database.debs if anatomy.grouped.group(name) is group)
    return sorted(names, key=lambda name: (-anatomy.parts[name].size, name))


def _shared(anatomy: Anatomy) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for name in _in(anatomy, Group.SHARED):
        by = " and ".join(group.value for group in anatomy.grouped.needed_by[name])
        found.setdefault(by, []).append(name)
    if found:
        yield ""
        yield "shared by"
    for by, names in sorted(found.items(), key=lambda row: (-len(row[1]), row[0])):
        stays = "" if by.startswith("runtime") else " (goes)"
        yield f"  {by}{stays}: {', '.join(sorted(names))}"


def _application(anatomy: Anatomy) -> Iterator[str]:
    tops: dict[str, list[str]] = {}
    for path in anatomy.application:
        folder = "/".join(path.split("/")[:-1][:3])
        tops.setdefault(folder, []).append(path)
    if tops:
        yield ""
        yield "application"
    rows = sorted(
        ((anatomy.part(paths), folder) for folder, paths in tops.items()), key=lambda row: (-row[0].size, row[1])
    )
    for part, folder in rows[: 2 * _LARGEST]:
        yield f"  {size_text(part.size):>10} {counted(part.files, 'file'):>11}  /{_safe(folder)}"
    if len(rows) > 2 * _LARGEST:
        yield f"  and {counted(len(rows) - 2 * _LARGEST, 'folder')} more"
    for path in sorted(anatomy.changed)[:_LARGEST]:
        yield f"  /{_safe(path)} is a changed file of {anatomy.database.owner(path)}"


def _layers(anatomy: Anatomy) -> Iterator[str]:
    yield ""
    yield f"layers ({len(anatomy.image.layers)}){'':<6}packed    unpacked      hidden  deletes"
    for number, (layer, tally) in enumerate(zip(anatomy.image.layers, anatomy.layers.tallies, strict=True)):
        sizes = f"{size_text(layer.size):>10}  {size_text(tally.size):>10}  {size_text(tally.hidden):>10}"
        yield f"  {number:>2}     {sizes}  {tally.whiteouts:>7}  {_safe(layer.title)[:60]}".rstrip()
    for each in anatomy.layers.hidden[:_LARGEST]:
        yield f"  {size_text(each.size):>10}  /{_safe(each.path)}, in layer {each.layer}, hidden by layer {each.by}"


def _verdict(anatomy: Anatomy) -> Iterator[str]:
    yield ""
    share = f", {100 * anatomy.estimate / anatomy.size:.0f} % of {size_text(anatomy.size)}" if anatomy.size else ""
    roots = ", ".join(anatomy.grouped.roots.get(Group.RUNTIME, ())) or "no deb"
    yield f"a distroless image of it: about {size_text(anatomy.estimate)} unpacked{share}; contents: {roots}"
    for text in anatomy.begun.notes:
        yield f"  note: {_safe(text)}"
    for name in anatomy.idle:
        yield f"  note: {name} was installed by name, and nothing leads to it"


def _safe(text: str) -> str:
    """Write text of an image for a terminal."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
