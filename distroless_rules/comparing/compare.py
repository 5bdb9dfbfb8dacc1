"""What two images differ in: two pictures in; debs, paths, settings and layers that came, went or changed out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from distroless_rules.comparing.installed import Package
from distroless_rules.comparing.picture import Picture
from distroless_rules.deb import version
from distroless_rules.errors import FormatError
from distroless_rules.oci.opened import Layer
from distroless_rules.values.path import sort_key
from distroless_rules.values.tree import Entry, Kind

__all__ = ["DebChange", "Difference", "FileChange", "Setting", "compare"]

_KINDS = {
    Kind.FILE: "file",
    Kind.SYMLINK: "link",
    Kind.DIRECTORY: "folder",
    Kind.CHARACTER_DEVICE: "device",
    Kind.BLOCK_DEVICE: "device",
    Kind.FIFO: "pipe",
    Kind.HARDLINK: "file",
}


@dataclass(frozen=True, slots=True)
class DebChange:
    """A deb that differs; ``old`` or ``new`` is None if it came or went."""

    name: str
    old: Package | None
    new: Package | None

    @property
    def what(self) -> str:
        """``added``, ``removed``, ``upgraded``, ``downgraded`` or ``changed`` (architecture, or no real version)."""
        if self.old is None or self.new is None:
            return "added" if self.old is None else "removed"
        try:
            order = version.compare(self.old.version, self.new.version)
        except FormatError:
            order = 0
        return "upgraded" if order < 0 else "downgraded" if order > 0 else "changed"

    @property
    def growth(self) -> int:
        """By how many bytes its files are more."""
        return (self.new.size if self.new else 0) - (self.old.size if self.old else 0)


@dataclass(frozen=True, slots=True)
class FileChange:
    """A path that differs.

    Attributes:
        path: where.
        old: what was there.
        new: what is there.
        deb: the deb that has it, ``""`` for none.
        aspects: of a path that is in both what differs: ``content``, ``mode``, ``owner``, ``type``, ``target``,
            ``attributes``; with both values but for content and attributes.
    """

    path: str
    old: Entry | None
    new: Entry | None
    deb: str
    aspects: Mapping[str, tuple[str, str]]

    @property
    def what(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        return "added" if self.old is None else "removed" if self.new is None else "changed"

    @property
    def growth(self) -> int:
        """By how many bytes it is more."""
        return (self.new.size if self.new else 0) - (self.old.size if self.old else 0)


@dataclass(frozen=True, slots=True)
class Setting:
    """A part of the config that differs; None: it is not given."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Difference:
    """All that two images differ in.

    Attributes:
        old: the first image.
        new: the second.
        debs: by name.
        files: by path.
        settings: in the order of the config's fields.
        shared: layers that both have.
        left: layers that only the first has.
        right: layers that only the second has.
    """

    old: Picture
    new: Picture
    debs: tuple[DebChange, ...]
    files: tuple[FileChange, ...]
    settings: tuple[Setting, ...]
    shared: tuple[Layer, ...]
    left: tuple[Layer, ...]
    right: tuple[Layer, ...]

    @property
    def same(self) -> bool:
        """Whether nothing that is compared differs; layers may be cut and compressed otherwise."""
        return not (self.debs or self.files or self.settings)


def compare(old: Picture, new: Picture) -> Difference:
    """Compare two images; dates of files do not count."""
    before, now = ({layer.diff_id for layer in each.layers} for each in (old, new))
    return Difference(
        old,
        new,
        tuple(_debs(old, new)),
        tuple(_files(old, new)),
        tuple(_settings(old, new)),
        tuple(layer for layer in new.layers if layer.diff_id in before),
        tuple(layer for layer in old.layers if layer.diff_id not in now),
        tuple(layer for layer in new.layers if layer.diff_id not in before),
    )


def _debs(old: Picture, new: Picture) -> Iterator[DebChange]:
    before, now = old.installed.packages, new.installed.packages
    for name in sorted({*before, *now}):
        was, is_ = before.get(name), now.get(name)
        if was is None or is_ is None or (was.version, was.architecture) != (is_.version, is_.architecture):
            yield DebChange(name, was, is_)


def _files(old: Picture, new: Picture) -> Iterator[FileChange]:
    for path in sorted({*old.entries, *new.entries}, key=sort_key):
        was, is_ = old.entries.get(path), new.entries.get(path)
        aspects = _aspects(was, is_) if was is not None and is_ is not None else {}
        if was is None or is_ is None or aspects:
            deb = new.installed.owners.get(path) or old.installed.owners.get(path) or ""
            yield FileChange(path, was, is_, deb, aspects)


def _aspects(old: Entry, new: Entry) -> dict[str, tuple[str, str]]:
    """Give what differs of a path that is in both."""
    found: dict[str, tuple[str, str]] = {}
    kinds = _KINDS[old.kind], _KINDS[new.kind]
    if old.kind is not new.kind:
        found["type"] = kinds
    elif old.kind is Kind.FILE and old.sha256 != new.sha256:
        found["content"] = (f"sha256:{old.sha256}", f"sha256:{new.sha256}")
    elif old.target != new.target:
        found["target"] = (old.target, new.target)
    if old.mode != new.mode and Kind.SYMLINK not in (old.kind, new.kind):
        found["mode"] = (f"{old.mode:04o}", f"{new.mode:04o}")
    if (old.uid, old.gid) != (new.uid, new.gid):
        found["owner"] = (f"{old.uid}:{old.gid}", f"{new.uid}:{new.gid}")
    if old.xattrs != new.xattrs:
        found["attributes"] = (_attributes(old), _attributes(new))
    return found


def _attributes(entry: Entry) -> str:
    return ", ".join(f"{name}=0x{value}" for name, value in entry.xattrs) or "none"


def _settings(old: Picture, new: Picture) -> Iterator[Setting]:
    before, now = dict(_given(old)), dict(_given(new))
    for name in dict.fromkeys((*before, *now)):
        if before.get(name) != now.get(name):
            yield Setting(name, before.get(name), now.get(name))


def _given(image: Picture) -> Iterator[tuple[str, str]]:
    """Give the settings of an image, one name each."""
    config, start = image.config, image.config.start
    yield "platform", str(config.platform)
    for name, words in (("entrypoint", start.entrypoint), ("cmd", start.cmd)):
        if words:
            yield name, _words(words)
    yield from ((f"env {key}", value) for key, value in sorted(start.env.items()))
    plain = (("user", start.user or "0"), ("workdir", start.workdir or "/"), ("stop signal", start.stop_signal))
    yield from ((name, text) for name, text in plain if text)
    yield from ((f"label {key}", value) for key, value in sorted(start.labels.items()))
    yield from ((f"port {port}", "exposed") for port in sorted(start.ports))
    yield from ((f"volume {volume}", "declared") for volume in sorted(start.volumes))
    yield from ((name, text) for name, text in (("created", config.created), ("author", config.author)) if text)


def _words(words: tuple[Any, ...]) -> str:
    import json

    return json.dumps(list(words), ensure_ascii=False)
