"""What ``distroless inspect`` prints: an image and the build's report in, lines or JSON values out."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from distroless_rules.values.size import size_text
from distroless_rules.values.tree import Entry, Kind

if TYPE_CHECKING:
    from distroless_rules.oci.layout import Image

__all__ = ["document", "listing", "shown"]

_TYPES = {Kind.DIRECTORY: stat.S_IFDIR, Kind.SYMLINK: stat.S_IFLNK}


def document(label: str, image: Image, report: Mapping[str, Any]) -> dict[str, Any]:
    """Give everything that is known as JSON values."""
    return {
        "target": label,
        "digest": image.descriptor.digest.oci,
        "size": _size(image),
        "platform": str(image.config.platform),
        "config": image.config.start.document(),
        "annotations": dict(image.manifest.annotations),
        "layers": [
            {"digest": layer.digest.oci, "size": layer.digest.size, "media_type": layer.media_type, "content": title}
            for layer, title in _titled(image)
        ],
        "report": dict(report),
    }


def shown(label: str, image: Image, report: Mapping[str, Any]) -> Iterator[str]:
    """Give the lines that a person reads."""
    start, config = image.config.start, image.config
    plain = sum(layer["bytes"] for layer in report.get("layers", {}).values())
    unpacked = f", {size_text(plain)} unpacked" if plain else ""
    yield f"{label}  {config.platform}"
    yield f"  digest       {image.descriptor.digest.oci}"
    yield f"  size         {size_text(_size(image))}{unpacked}"
    yield f"  user         {_user(start.user, report)}"
    for name, words in (("entrypoint", start.entrypoint), ("cmd", start.cmd)):
        if words:
            yield f"  {name:<12} {' '.join(words)}"
    yield from (f"  {'env':<12} {key}={start.env[key]}" for key in sorted(start.env))
    if start.workdir not in ("", "/"):
        yield f"  {'workdir':<12} {start.workdir}"
    for name, values in (("ports", start.ports), ("volumes", start.volumes)):
        if values:
            yield f"  {name:<12} {', '.join(values)}"
    if start.stop_signal:
        yield f"  {'stop signal':<12} {start.stop_signal}"
    texts = [("label", start.labels), ("annotation", image.manifest.annotations)]
    yield from (f"  {name:<12} {key}={found[key]}" for name, found in texts for key in sorted(found))
    if config.created:
        yield f"  {'created':<12} {config.created}"
    if "policy" in report:
        counts = ", ".join(f"{count} {what}" for what, count in report["policy"]["summary"].items())
        yield f"  {'policy':<12} {'passes' if report['policy']['passes'] else 'does not pass'}: {counts}"
    yield from _layers(image, report)
    yield from _debs(report)
    yield from _left_out(report)


def _layers(image: Image, report: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"layers ({len(image.manifest.layers)})"
    names = [*sorted((n for n in report.get("layers", {}) if n.isdecimal()), key=int), "system", "app"]
    facts = report.get("layers", {})
    for number, (layer, title) in enumerate(_titled(image)):
        fact = facts.get(names[number]) if number < len(names) else None
        plain = f"{size_text(fact['bytes']):>10} {fact['entries']:>6} entries" if fact else ""
        yield f"  {number:>2} {layer.digest.hash[:12]} {size_text(layer.digest.size):>10} {plain}  {title}".rstrip()


def _debs(report: Mapping[str, Any]) -> Iterator[str]:
    debs = report.get("debs", {})
    if not debs:
        return
    yield ""
    yield f"debs ({len(debs)})"
    width = max(len(name) for name in debs)
    versions = max(len(deb["version"]) for deb in debs.values())
    for name in sorted(debs):
        deb = debs[name]
        files = f"{deb['files']:>5} files"
        why = _reason(report.get("libraries", {}).get(name))
        yield f"  {name:<{width}}  {deb['version']:<{versions}}  {size_text(deb['bytes']):>9} {files}{why}"


def _reason(library: Mapping[str, Any] | None) -> str:
    """Say why a deb is there that was taken from the build stage."""
    if library is None:
        return ""
    needed = dict.fromkeys(name for _, name in library["needed"])
    return f"  for {library['by'] or ' and '.join(needed)}"


def _left_out(report: Mapping[str, Any]) -> Iterator[str]:
    """Say what debs would have brought and the image does not have."""
    dropped: dict[str, int] = {}
    for deb in report.get("debs", {}).values():
        for rule, count in deb["dropped"].items():
            dropped[rule] = dropped.get(rule, 0) + count
    if report.get("cut") or dropped:
        yield ""
        yield "left out"
    for deb, dependency, reason in report.get("cut", ()):
        yield f"  {deb} -> {dependency}: {reason}"
    if dropped:
        yield f"  files of debs: {', '.join(f'{count} {rule}' for rule, count in sorted(dropped.items()))}"
    unprivileged = [path for deb in report.get("debs", {}).values() for path in deb["unprivileged"]]
    if unprivileged:
        yield f"  setuid or setgid bits: {', '.join(f'/{path}' for path in unprivileged)}"
    for text in report.get("accepted", ()):
        yield f"  accepted without: {text}"
    for text in report.get("warnings", ()):
        yield f"  warning: {text}"


def listing(image: Image) -> Iterator[str]:
    """Give a line for each path of each layer."""
    from distroless_rules.oci import layer_reader, layout

    for number, layer in enumerate(image.manifest.layers):
        blob = layout.blob(image.folder, layer.digest)
        pieces = layer_reader.pieces(blob, layer, image.config.diff_ids[number])
        for entry in layer_reader.entries(pieces, layer):
            yield f"{number:>2} {_line(entry)}"


def _line(entry: Entry) -> str:
    mode = stat.filemode(entry.mode | _TYPES.get(entry.kind, stat.S_IFREG))
    target = {Kind.SYMLINK: f" -> {entry.target}", Kind.HARDLINK: f" link to /{entry.target}"}.get(entry.kind, "")
    return f"{mode} {entry.uid:>5}:{entry.gid:<5} {entry.size:>10} /{entry.path}{target}"


def _titled(image: Image) -> list[tuple[Any, str]]:
    titles = [
        each.created_by.partition(": ")[2] or each.created_by for each in image.config.history if not each.empty_layer
    ]
    return [
        (layer, titles[number] if number < len(titles) else "") for number, layer in enumerate(image.manifest.layers)
    ]


def _size(image: Image) -> int:
    return sum(each.digest.size for each in (image.manifest.config, *image.manifest.layers))


def _user(user: str, report: Mapping[str, Any]) -> str:
    number = user.partition(":")[0]
    names = [name for name, (uid, _) in report.get("users", {}).items() if str(uid) == number]
    return f"{user or '0'}{f' ({names[0]})' if names else ''}"
