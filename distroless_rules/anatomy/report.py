"""An anatomy as JSON values, for programs."""

from __future__ import annotations

from typing import Any

from distroless_rules.anatomy.anatomy import Anatomy
from distroless_rules.anatomy.groups import Group

__all__ = ["document"]


def document(anatomy: Anatomy) -> dict[str, Any]:
    """Give everything that is known of an image; sizes are bytes."""
    image, start = anatomy.image, anatomy.begun.start
    return {
        "image": _text(image.name),
        "digest": image.digest,
        "platform": str(image.config.platform),
        "size": anatomy.size,
        "packed": sum(layer.size for layer in image.layers),
        "hidden": anatomy.hidden,
        "estimate": anatomy.estimate,
        "database": anatomy.database.kind,
        "start": start.document(),
        "groups": {group.value: _group(anatomy, group) for group in Group},
        "debs": {name: _deb(anatomy, name) for name in anatomy.database.debs},
        "roots": {group.value: list(names) for group, names in anatomy.grouped.roots.items()},
        "contents": list(anatomy.grouped.roots.get(Group.RUNTIME, ())),
        "cut": [list(row) for row in anatomy.grouped.cuts],
        "application": [f"/{_text(path)}" for path in sorted(anatomy.application)],
        "changed": [f"/{_text(path)}" for path in sorted(anatomy.changed)],
        "left": _left(anatomy),
        "layers": [
            {
                "blob": layer.blob,
                "packed": layer.size,
                "size": tally.size,
                "entries": tally.entries,
                "whiteouts": tally.whiteouts,
                "hidden": tally.hidden,
                "title": layer.title,
            }
            for layer, tally in zip(image.layers, anatomy.layers.tallies, strict=True)
        ],
        "hidden_files": [
            {"path": f"/{_text(each.path)}", "size": each.size, "layer": each.layer, "by": each.by}
            for each in anatomy.layers.hidden
        ],
        "idle": list(anatomy.idle),
        "notes": [_text(note) for note in anatomy.begun.notes],
    }


def _group(anatomy: Anatomy, group: Group) -> dict[str, Any]:
    part = anatomy.total(group)
    debs = [name for name in anatomy.database.debs if anatomy.grouped.group(name) is group]
    return {"debs": debs, "files": part.files, "size": part.size, "kept": part.kept}


def _deb(anatomy: Anatomy, name: str) -> dict[str, Any]:
    deb, part = anatomy.database.debs[name], anatomy.parts[name]
    return {
        "version": deb.package.version,
        "architecture": deb.package.architecture,
        "section": deb.section,
        "group": anatomy.grouped.group(name).value,
        "needed_by": [group.value for group in anatomy.grouped.needed_by[name]],
        "stays": name in anatomy.grouped.stays,
        "automatic": deb.automatic,
        "by_name": name in anatomy.database.by_name,
        "depends": list(anatomy.database.edges[name]),
        "files": part.files,
        "size": part.size,
        "kept": part.kept,
        "why": _text(anatomy.why.get(name, "")),
    }


def _left(anatomy: Anatomy) -> dict[str, Any]:
    """Count the files that are neither a deb's nor the application's, by the rule that says so."""
    paths: dict[str, list[str]] = {}
    reasons: dict[str, str] = {}
    for path, left in anatomy.left.items():
        paths.setdefault(left.rule.name, []).append(path)
        reasons.setdefault(left.rule.name, left.rule.reason)
    found = {}
    for rule in sorted(paths):
        part = anatomy.part(paths[rule])
        found[rule] = {"files": part.files, "size": part.size, "reason": reasons[rule]}
    return found


def _text(text: str) -> str:
    """Give text that every reader of JSON takes; bytes that are not UTF-8 are escaped."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
