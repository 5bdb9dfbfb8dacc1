"""What a page shows of an image, as values: an anatomy, and the report of a build if there is one, in, a sheet out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from distroless_rules.anatomy.anatomy import Anatomy
from distroless_rules.anatomy.groups import Group
from distroless_rules.values.size import size_text

__all__ = ["SAYS", "Band", "Item", "Sheet", "Table", "of"]

SAYS = {
    Group.APPLICATION: "files of no deb, and changed ones",
    Group.RUNTIME: "debs that the application needs when it runs",
    Group.SHARED: "debs that more than one group needs",
    Group.BUILD: "compilers and headers, and what only they need",
    Group.MANAGER: "the package manager, and what only it needs",
    Group.UNUSED: "debs that nothing else needs",
    Group.SYSTEM: "files that scripts and commands made",
}
"""Each group in a few words."""

_FOLDERS = 12


@dataclass(frozen=True)
class Item:
    """A part of the picture: a deb, or some files.

    Attributes:
        name: what it is called.
        group: the value of its group.
        size: bytes.
        kept: bytes that stay.
        files: how many files and links.
        kind: ``deb`` or ``files``.
        version: of a deb.
        needs: names of debs that it depends on.
        why: why it is there, as a sentence.
    """

    name: str
    group: str
    size: int
    kept: int
    files: int
    kind: str = "deb"
    version: str = ""
    needs: tuple[str, ...] = ()
    why: str = ""

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return self.name if self.kind == "deb" else f"{self.group} {self.name}"


@dataclass(frozen=True)
class Band:
    """A group with all that is in it."""

    name: str
    says: str
    items: tuple[Item, ...]

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return sum(item.size for item in self.items)

    @property
    def kept(self) -> int:
        """Bytes that stay."""
        return sum(item.kept for item in self.items)


@dataclass(frozen=True)
class Table:
    """Rows for people; columns that hold numbers are named by ``numbers``."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Sheet:
    """What a page shows."""

    title: str
    facts: tuple[tuple[str, str], ...]
    bands: tuple[Band, ...]
    tables: tuple[Table, ...]
    own: bool = False


def of(anatomy: Anatomy, title: str, report: Mapping[str, Any] | None = None) -> Sheet:
    """Give what a page shows of an image.

    Args:
        anatomy: the image's.
        title: what it is called.
        report: of an image that was built here, what the build says of it.

    Raises:
        KeyError: if the report is of another version.
    """
    own = report is not None
    bands = [Band(group.value, SAYS[group], tuple(_items(anatomy, group, own))) for group in Group]
    tables = [_layers(anatomy), *([_hidden(anatomy)] if anatomy.layers.hidden else [])]
    if report is not None:
        tables += _left_out(report)
    elif anatomy.grouped.cuts:
        rows = tuple((f"{deb} → {dependency}", reason) for deb, dependency, reason in anatomy.grouped.cuts)
        tables.append(Table("Dependencies that are not followed", ("dependency", "why nothing misses it"), rows))
    bands.append(Band("hidden", "files that later layers hide, and that still take space", _below(anatomy)))
    bands = [band for band in bands if band.items]
    return Sheet(title, tuple(_facts(anatomy, own)), tuple(bands), tuple(tables), own)


def _facts(anatomy: Anatomy, own: bool) -> Iterator[tuple[str, str]]:
    image = anatomy.image
    yield "platform", str(image.config.platform)
    if image.digest:
        yield "digest", image.digest
    yield "size", f"{size_text(sum(each.size for each in image.layers))} packed, {size_text(anatomy.size)} unpacked"
    if anatomy.hidden:
        yield "hidden", f"{size_text(anatomy.hidden)} that later layers hide"
    yield "starts", " ".join(anatomy.begun.words) or "nothing"
    yield "user", image.config.start.user or "root"
    if not own:
        share = f", {100 * anatomy.estimate / anatomy.size:.0f} %" if anatomy.size else ""
        yield "would stay", f"about {size_text(anatomy.estimate)}{share}"
        yield from (("note", note) for note in anatomy.begun.notes)
        yield from (("note", f"{name} was installed by name, and nothing leads to it") for name in anatomy.idle)


def _items(anatomy: Anatomy, group: Group, own: bool) -> Iterator[Item]:
    found = [_deb(anatomy, name, own) for name in anatomy.database.debs if anatomy.grouped.group(name) is group]
    if group is Group.APPLICATION:
        found += _folders(anatomy)
    else:
        rules: dict[str, list[str]] = {}
        for path in anatomy.left_in(group):
            rules.setdefault(anatomy.left[path].rule.name, []).append(path)
        for name, paths in rules.items():
            part, reason = anatomy.part(paths), anatomy.left[paths[0]].rule.reason
            kept = part.size if own else 0
            found.append(Item(f"{name} (files)", group.value, part.size, kept, part.files, "files", why=reason))
    yield from sorted(found, key=lambda item: (-item.size, item.name))


def _deb(anatomy: Anatomy, name: str, own: bool) -> Item:
    deb, part = anatomy.database.debs[name], anatomy.parts[name]
    by = " and ".join(group.value for group in anatomy.grouped.needed_by[name])
    why = anatomy.why.get(name) or (f"needed by {by}" if name in anatomy.grouped.stays or " and " in by else deb.about)
    kept = part.size if own else part.kept
    group, version = anatomy.grouped.group(name).value, deb.package.version
    return Item(name, group, part.size, kept, part.files, "deb", version, anatomy.database.edges[name], why)


def _folders(anatomy: Anatomy) -> list[Item]:
    """Give the application's files by folder, the smallest of many together."""
    folders: dict[str, list[str]] = {}
    for path in anatomy.application:
        folders.setdefault("/" + "/".join(path.split("/")[:-1][:4]), []).append(path)
    parts = sorted(
        ((anatomy.part(paths), name) for name, paths in folders.items()), key=lambda row: (-row[0].size, row[1])
    )
    found = [Item(name, "application", p.size, p.size, p.files, "files") for p, name in parts[:_FOLDERS]]
    rest = [part for part, _ in parts[_FOLDERS:]]
    if rest:
        size, files = sum(part.size for part in rest), sum(part.files for part in rest)
        found.append(Item(f"{len(rest)} more folders", "application", size, size, files, "files"))
    return found


def _below(anatomy: Anatomy) -> tuple[Item, ...]:
    """Give the hidden files, the smallest of many together."""
    found = [
        Item(
            f"/{each.path}", "hidden", each.size, 0, 1, "files", why=f"in layer {each.layer}, hidden by layer {each.by}"
        )
        for each in anatomy.layers.hidden[:_FOLDERS]
    ]
    rest = anatomy.layers.hidden[_FOLDERS:]
    if rest:
        size = sum(each.size for each in rest)
        found.append(Item(f"{len(rest)} more hidden files", "hidden", size, 0, len(rest), "files"))
    return tuple(found)


def _layers(anatomy: Anatomy) -> Table:
    rows = []
    for number, (layer, tally) in enumerate(zip(anatomy.image.layers, anatomy.layers.tallies, strict=True)):
        sizes = (size_text(layer.size), size_text(tally.size), size_text(tally.hidden), str(tally.whiteouts))
        rows.append((str(number), *sizes, layer.title[:200]))
    head = ("layer", "packed", "unpacked", "hidden later", "deletes", "made by")
    return Table("Layers", head, tuple(rows), frozenset(range(1, 5)))


def _hidden(anatomy: Anatomy) -> Table:
    rows = [
        (f"/{each.path}", size_text(each.size), str(each.layer), str(each.by)) for each in anatomy.layers.hidden[:50]
    ]
    if len(anatomy.layers.hidden) > len(rows):
        rest = anatomy.layers.hidden[len(rows) :]
        rows.append((f"{len(rest)} more", size_text(sum(each.size for each in rest)), "", ""))
    return Table("Hidden files", ("path", "size", "in layer", "hidden by layer"), tuple(rows), frozenset((1, 2, 3)))


def _left_out(report: Mapping[str, Any]) -> Iterator[Table]:
    """Give what debs would have brought and the image does not have, with the reasons that the build gave."""
    cuts = tuple((f"{deb} → {dependency}", reason) for deb, dependency, reason in report.get("cut", ()))
    if cuts:
        yield Table("Left out: dependencies", ("dependency", "why nothing misses it"), cuts)
    dropped: dict[str, int] = {}
    for deb in report.get("debs", {}).values():
        for rule, count in deb["dropped"].items():
            dropped[rule] = dropped.get(rule, 0) + count
    if dropped:
        rows = tuple((rule, str(dropped[rule])) for rule in sorted(dropped))
        yield Table("Left out: files of debs", ("rule", "files"), rows, frozenset((1,)))
    texts = [*report.get("accepted", ()), *report.get("warnings", ())]
    if texts:
        yield Table("Notes of the build", ("note",), tuple((str(text),) for text in texts))
