"""An image's anatomy: its layers read, every file and deb in its group, and what of it would stay.

``of`` is the whole route on one screen; each step is a module of this folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from distroless_rules.anatomy import begun, groups, packages, scanned, start, system
from distroless_rules.anatomy.begun import Runs
from distroless_rules.anatomy.groups import Group, Grouped
from distroless_rules.anatomy.needs import Needs
from distroless_rules.anatomy.packages import Database
from distroless_rules.anatomy.start import Begun
from distroless_rules.anatomy.system import Left
from distroless_rules.closure.mentions import Mentions
from distroless_rules.closure.program import Program
from distroless_rules.closure.view import View
from distroless_rules.deb.prune import Pruner
from distroless_rules.oci.layers import Layers
from distroless_rules.oci.opened import Opened
from distroless_rules.values.path import fold_usr
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Anatomy", "Part", "of"]

_TEXT = 1 << 20
_SOURCES = (".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".php", ".sh", ".lua", ".toml", ".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Part:
    """Some of an image: how many files and links, bytes of files, and bytes that a distroless image would keep."""

    files: int = 0
    size: int = 0
    kept: int = 0


@dataclass(frozen=True)
class Anatomy:
    """What an image consists of.

    Attributes:
        image: the image; its layers can be read as long as it is open.
        layers: what each layer brings, and what lies hidden.
        view: what is there in the end.
        database: its debs.
        begun: how it is started, without a shell if that is sound.
        program: the same, for ``closure``.
        runs: what that runs.
        application: paths of the application's files, changed files of debs included.
        changed: those of them that are files of debs.
        left: paths that are neither a deb's nor the application's, and why.
        grouped: every deb in its group.
        why: deb that the application needs -> why.
        parts: deb -> what it has in the image.
        mentions: what files name, by the SHA-256 of their bytes.
        idle: debs that somebody installed by name, and that nothing leads to.
    """

    image: Opened
    layers: Layers
    view: View
    database: Database
    begun: Begun
    program: Program
    runs: Runs
    application: frozenset[str]
    changed: frozenset[str]
    left: Mapping[str, Left]
    grouped: Grouped
    why: Mapping[str, str]
    parts: Mapping[str, Part]
    mentions: Mapping[str, Mentions] = field(default_factory=dict)
    idle: tuple[str, ...] = ()

    def part(self, paths: Iterable[str], *, kept: bool = False) -> Part:
        """Count some paths; a file of several names counts once."""
        found = [self.view.entries[path] for path in paths]
        size = _size(found)
        return Part(sum(each.kind is not Kind.DIRECTORY for each in found), size, size if kept else 0)

    def left_in(self, group: Group) -> list[str]:
        """Give the paths of no deb in the groups ``system``, ``manager`` or ``build``."""
        return [path for path, left in self.left.items() if _group_of(left) is group]

    def total(self, group: Group) -> Part:
        """Count everything in a group."""
        found = [self.parts[name] for name in self.database.debs if self.grouped.group(name) is group]
        if group is Group.APPLICATION:
            found.append(self.part(self.application, kept=True))
        else:
            found.append(self.part(self.left_in(group)))
        return Part(*(sum(values) for values in zip(*((p.files, p.size, p.kept) for p in found), strict=True)))

    @property
    def hidden(self) -> int:
        """Bytes of files that later layers hide."""
        return sum(each.size for each in self.layers.hidden)

    @property
    def size(self) -> int:
        """Bytes of all files that are there in the end."""
        return sum(self.total(group).size for group in Group)

    @property
    def estimate(self) -> int:
        """Bytes that a distroless image of the same application would have, files that the build makes left out."""
        return sum(self.total(group).kept for group in Group)


def _group_of(left: Left) -> Group:
    if left.rule is system.BUILD:
        return Group.BUILD
    return Group.MANAGER if left.rule.manager else Group.SYSTEM


def _size(entries: Iterable[Entry]) -> int:
    return sum({(each.source, each.offset): each.size for each in entries if each.kind is Kind.FILE}.values())


def of(image: Opened, layers: Layers) -> Anatomy:
    """Give the anatomy of an image.

    Raises:
        FormatError: if its database is malformed, or of other packages than debs.
        OSError: if a file cannot be read.
    """
    files = scanned.by_hash(layers.entries)
    view = View(layers.entries, scanned.facts_of(files, layers.bytes_of))
    mentions = scanned.mentions_of(files, layers.bytes_of)

    def text(path: str, size: int) -> bytes:
        entry = view.at(path)
        return layers.bytes_of(entry, size) if entry is not None and entry.kind is Kind.FILE else b""

    database = packages.read(view, layers.bytes_of)
    titles = [layer.title for layer in image.layers]
    if database.kind == "status.d" and any(title.startswith("distroless-rules: ") for title in titles):
        left = system.left_of_build(view, database, layers.layer_of, titles)
    else:
        left = system.left_over(view, database, layers.layer_of, text)
    own = {
        path
        for path, entry in view.entries.items()
        if path not in left and not database.owner(path) and entry.kind in (Kind.FILE, Kind.SYMLINK)
    }
    first = _program(image, Begun(image.config.start))
    how = start.begin(image.config.start, lambda word: _found(first, view, word))
    program = _program(image, how)
    line = image.config.start.entrypoint + image.config.start.cmd
    runs = begun.runs(program, view, layers.bytes_of, line[2] if how.keeps_shell else "")
    needs = Needs(view, mentions, database, own, left, program, runs)
    why = needs.debs()
    why |= _more(needs, database, why, (path for path in sorted(own)), text)
    grouped = groups.group(database, why)
    changed = frozenset(_changed(layers, view, database, grouped.stays))
    idle = tuple(name for name in _by_name(database) if name not in grouped.stays and _is_idle(grouped, name))
    return Anatomy(
        image, layers, view, database, how, program, runs, frozenset(own | changed), changed, left, grouped, why,
        _parts(view, database, grouped, changed), mentions, idle,
    )  # fmt: skip


def _program(image: Opened, how: Begun) -> Program:
    volumes = tuple(volume.strip("/") for volume in how.start.volumes)
    return Program(str(image.config.platform), how.words, how.start.env, how.start.workdir or "/", volumes)


def _found(program: Program, view: View, word: str) -> tuple[str, str]:
    """Look a program up, for ``anatomy.start``."""
    path = Program(program.platform, (word,), program.env, program.workdir).path(view)
    real = view.real(path) if path else None
    facts = view.facts(real) if real else None
    return path or "", facts.script if facts is not None else ""


def _by_name(database: Database) -> list[str]:
    """Give the debs that somebody installed by name for something else than building and installing."""
    found = (name for name in database.by_name)
    return sorted(n for n in found if not (groups.is_build(database.debs[n]) or groups.is_manager(database.debs[n])))


def _is_idle(grouped: Grouped, name: str) -> bool:
    return grouped.needed_by[name] == (Group.UNUSED,)


def _more(
    needs: Needs, database: Database, why: Mapping[str, str], own: Iterator[str], text: system.Text
) -> dict[str, str]:
    """Give the debs that were installed by name for what no path in a file says."""
    stays = groups.group(database, why).stays
    candidates = [name for name in _by_name(database) if name not in stays]
    if not candidates:
        return {}
    found = needs.data(candidates)
    rest = [name for name in candidates if name not in found]
    sources = ((path, text(path, _TEXT)) for path in own if path.endswith(_SOURCES) or path in needs.runs.paths)
    return found | needs.named(rest, sources)


def _changed(layers: Layers, view: View, database: Database, stays: frozenset[str]) -> Iterator[str]:
    """Give files of debs that stay whose bytes are not those that the deb brought."""
    folders: dict[str, str | None] = {}
    for name in sorted(stays):
        for path, md5 in database.debs[name].sums.items():
            above, _, last = path.rpartition("/")
            if above not in folders:
                folders[above] = view.real(above)
            real = folders[above]
            entry = view.entries.get(f"{real}/{last}" if real else last)
            if entry is None or entry.kind is not Kind.FILE or database.owner(entry.path) != name:
                continue
            state = hashlib.md5(usedforsecurity=False)
            for piece in layers.pieces_of(entry):
                state.update(piece)
            if state.hexdigest() != md5:
                yield entry.path


def _parts(view: View, database: Database, grouped: Grouped, changed: frozenset[str]) -> dict[str, Part]:
    """Count what each deb has; a file that several have is the first one's."""
    prune = Pruner()
    paths: dict[str, list[str]] = {name: [] for name in database.debs}
    for path, owners in database.owners.items():
        if view.entries[path].kind is not Kind.DIRECTORY and path not in changed:
            paths[owners[0]].append(path)
    found = {}
    for name, names in paths.items():
        stays = name in grouped.stays
        kept = [view.entries[path] for path in names if stays and prune.rule(fold_usr(path)) is None]
        found[name] = Part(len(names), _size(view.entries[path] for path in names), _size(kept))
    return found
