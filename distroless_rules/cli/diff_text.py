"""What ``distroless diff`` prints: a difference in, lines or JSON values out."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from distroless_rules.cli.common import counted
from distroless_rules.comparing.compare import DebChange, Difference, FileChange
from distroless_rules.comparing.picture import Picture
from distroless_rules.values.size import size_text
from distroless_rules.values.tree import Entry, Kind

__all__ = ["document", "shown"]

_FEW = 8  # paths of a group that are listed
_LINES = 60  # lines of one file's difference
_SIGNS = {"added": "+", "removed": "-"}
_OTHER = "files of no deb"

Lines = Mapping[str, tuple[list[str], list[str]]]


def shown(difference: Difference, lines: Lines, *, every: bool = False) -> Iterator[str]:
    """Give the lines for a difference.

    Args:
        difference: what differs.
        lines: path -> the lines of both files, for those whose lines are to be shown.
        every: whether every path is listed.
    """
    yield _head("---", difference.old)
    yield _head("+++", difference.new)
    if difference.settings:
        yield from ("", "config")
        width = max(len(setting.name) for setting in difference.settings)
        for setting in difference.settings:
            yield f"  {setting.name:<{width}}  {_value(setting.old)} -> {_value(setting.new)}"
    if difference.debs:
        yield from ("", f"debs: {_counts([deb.what for deb in difference.debs])}")
        yield from map(_deb, difference.debs)
    if difference.files:
        yield from ("", f"files: {_counts([file.what for file in difference.files])}")
        yield from _files(difference, every=every)
    for path, (old, new) in lines.items():
        yield ""
        yield from _lines(path, old, new)
    if difference.left or difference.right:
        yield ""
        yield from _layers(difference)
    yield ""
    yield _summary(difference)


def _head(sign: str, image: Picture) -> str:
    digest = f"  {image.digest}" if image.digest else ""
    return f"{sign} {image.name}  {image.config.platform}{digest}"


def _value(value: str | None) -> str:
    return "nothing" if value is None else value


def _counts(words: list[str]) -> str:
    """Write how many there are of each word, in the order in which words come first."""
    return ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))


def _growth(size: int) -> str:
    return f"{'+' if size >= 0 else '-'}{size_text(abs(size))}"


def _deb(deb: DebChange) -> str:
    sign = _SIGNS.get(deb.what, "~")
    if deb.old is None or deb.new is None:
        package = deb.new or deb.old
        assert package is not None
        return f"  {sign} {deb.name} {package.version}  {_growth(deb.growth)}"
    versions = deb.new.version
    if deb.old.version != deb.new.version:
        versions = f"{deb.old.version} -> {versions}"
    if deb.old.architecture != deb.new.architecture:
        versions += f" ({deb.old.architecture} -> {deb.new.architecture})"
    return f"  {sign} {deb.name} {versions}  {deb.what}, {_growth(deb.growth)}"


def _files(difference: Difference, *, every: bool) -> Iterator[str]:
    """Give paths by the deb that has them; of a deb that came or went only how many, unless all are wanted."""
    whole = {deb.name for deb in difference.debs if deb.what in ("added", "removed")}
    groups: dict[str, list[FileChange]] = {}
    for file in difference.files:
        groups.setdefault(file.deb, []).append(file)
    for name in sorted(groups, key=lambda name: (name != "", name)):
        group = groups[name]
        growth = _growth(sum(file.growth for file in group))
        yield f"  {name or _OTHER}: {_counts([file.what for file in group])}, {growth}"
        limit = len(group) if every else 0 if name in whole else _FEW
        yield from (f"    {_file(file)}" for file in group[:limit])
        if 0 < limit < len(group):
            yield f"    and {len(group) - limit} more; --files lists them"


def _file(file: FileChange) -> str:
    sign = _SIGNS.get(file.what, "~")
    if file.old is None or file.new is None:
        entry = file.new or file.old
        assert entry is not None
        return f"{sign} /{file.path}{_what(entry)}"
    said = []
    for aspect, (old, new) in file.aspects.items():
        if aspect == "content":
            said.append(f"content, {size_text(file.old.size)} -> {size_text(file.new.size)}")
        else:
            said.append(f"{aspect} {old} -> {new}")
    return f"{sign} /{file.path}  {'; '.join(said)}"


def _what(entry: Entry) -> str:
    if entry.kind is Kind.SYMLINK:
        return f" -> {entry.target}"
    if entry.kind is Kind.DIRECTORY:
        return "/"
    bits = f", mode {entry.mode:04o}" if entry.mode & 0o7000 else ""
    return f"  {size_text(entry.size)}{bits}"


def _lines(path: str, old: list[str], new: list[str]) -> Iterator[str]:
    rows = list(difflib.unified_diff(old, new, f"/{path}", f"/{path}"))
    yield from (row.rstrip("\n") for row in rows[:_LINES])
    if len(rows) > _LINES:
        yield f"and {len(rows) - _LINES} more lines"


def _layers(difference: Difference) -> Iterator[str]:
    sizes = [sum(layer.size for layer in each) for each in (difference.shared, difference.left, difference.right)]
    yield (
        f"layers: {len(difference.shared)} shared ({size_text(sizes[0])}), "
        f"{len(difference.left)} replaced ({size_text(sizes[1])}) by {len(difference.right)} ({size_text(sizes[2])})"
    )
    for sign, layers in (("-", difference.left), ("+", difference.right)):
        for layer in layers:
            title = f"  {layer.title[:80]}" if layer.title else ""
            yield f"  {sign} {layer.diff_id.partition(':')[2][:12]} {size_text(layer.size):>9}{title}"


def _summary(difference: Difference) -> str:
    old, new = difference.old, difference.new
    if difference.same:
        if old.digest and old.digest == new.digest:
            return "the images are the same"
        return "nothing differs in debs, files and config" + _cut(difference)
    parts = [counted(len(difference.debs), "deb"), counted(len(difference.files), "path")]
    parts.append(counted(len(difference.settings), "setting"))
    sizes = f"{size_text(old.size)} -> {size_text(new.size)} ({_growth(new.size - old.size)})"
    plain = f"{size_text(old.unpacked)} -> {size_text(new.unpacked)} ({_growth(new.unpacked - old.unpacked)}) unpacked"
    return f"{', '.join(parts)} differ; {sizes}, {plain}"


def _cut(difference: Difference) -> str:
    if difference.left or difference.right:
        return "; only the layers do"
    return "; they are compressed or described otherwise" if difference.old.digest != difference.new.digest else ""


def document(difference: Difference, lines: Lines) -> dict[str, Any]:
    """Give a difference as JSON values."""
    made: dict[str, Any] = {
        "same": difference.same,
        "old": _image(difference.old),
        "new": _image(difference.new),
        "config": [{"name": each.name, "old": each.old, "new": each.new} for each in difference.settings],
        "debs": [_deb_document(deb) for deb in difference.debs],
        "files": [_file_document(file) for file in difference.files],
        "layers": {
            name: [{"diff_id": layer.diff_id, "size": layer.size, "title": layer.title} for layer in layers]
            for name, layers in (("shared", difference.shared), ("old", difference.left), ("new", difference.right))
        },
    }
    if lines:
        made["lines"] = {f"/{path}": "".join(difflib.unified_diff(*both)) for path, both in lines.items()}
    return made


def _image(image: Picture) -> dict[str, Any]:
    return {
        "name": image.name,
        "digest": image.digest or None,
        "platform": str(image.config.platform),
        "size": image.size,
        "unpacked": image.unpacked,
        "debs": len(image.installed.packages),
        "paths": len(image.entries),
    }


def _deb_document(deb: DebChange) -> dict[str, Any]:
    return {
        "name": deb.name,
        "change": deb.what,
        "old": deb.old.version if deb.old else None,
        "new": deb.new.version if deb.new else None,
        "growth": deb.growth,
    }


def _file_document(file: FileChange) -> dict[str, Any]:
    return {
        "path": f"/{file.path}",
        "change": file.what,
        "deb": file.deb or None,
        "aspects": {name: list(values) for name, values in file.aspects.items()},
        "old": _entry(file.old),
        "new": _entry(file.new),
    }


def _entry(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    made: dict[str, Any] = {
        "type": entry.kind.name.lower(),
        "mode": f"{entry.mode:04o}",
        "owner": f"{entry.uid}:{entry.gid}",
        "size": entry.size,
        "sha256": entry.sha256,
        "target": entry.target,
        "attributes": dict(entry.xattrs),
    }
    return {name: value for name, value in made.items() if value not in ("", {})}
