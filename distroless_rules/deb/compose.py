"""From debs and declared files to layers: what reaches an image, decided in one place.

In come the debs' indexes, the files that the image declares and its options; out come the rows of each layer, the
bytes that no deb or user has (``generated``) and a report that says where everything came from.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from distroless_rules.deb import compose_advice, compose_debs, compose_links, compose_status, compose_users, installed
from distroless_rules.deb.compose_options import FileSpec, Options
from distroless_rules.deb.compose_tree import Claim, Tree, leave_out
from distroless_rules.deb.effects import registry
from distroless_rules.deb.effects.accounts import Accounts
from distroless_rules.deb.effects.declared import sysusers
from distroless_rules.deb.effects.effect import Change, Effect, Scene
from distroless_rules.deb.effects.script_effects import enroll
from distroless_rules.deb.effects.scripts import review
from distroless_rules.deb.package import DebIndex
from distroless_rules.deb.prune import Pruner, matcher
from distroless_rules.errors import AnalysisError
from distroless_rules.values.path import fold_usr, parents
from distroless_rules.values.tree import Entry, Kind, order

__all__ = ["APP", "SYSTEM", "Composition", "Settled", "Sources", "compose"]

SYSTEM = "system"
APP = "app"


@dataclass(frozen=True)
class Settled:
    """What looking at a whole tree gives.

    Attributes:
        dropped: the paths that leave it, each with the name of the rule that drops it.
        idle: entries of allow_missing that waive nothing.
    """

    dropped: Mapping[str, str] = field(default_factory=dict)
    idle: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sources:
    """What an image is composed of.

    Attributes:
        debs: the debs of the image, by name.
        base: base-files, base-passwd and libc-bin, as far as the archive has them, for their effects.
        read: gives the bytes of a regular file of a deb or of the user.
        md5: gives the MD5 of such a file, however large, hexadecimal.
        lay: gives the entries of a declared file, folder, link or tree at its path; owner and mode are set later.
        certificates: (file name, PEM text) to add to the CA bundle.
        settle: is shown the whole tree; raises ``ActionError`` if the image could not run.
    """

    debs: Mapping[str, DebIndex]
    base: Mapping[str, DebIndex]
    read: Callable[[Entry], bytes]
    md5: Callable[[Entry], str]
    lay: Callable[[FileSpec], list[Entry]]
    certificates: tuple[tuple[str, bytes], ...] = ()
    settle: Callable[[Tree], Settled] = lambda tree: Settled()


@dataclass(frozen=True)
class Composition:
    """A composed image.

    Attributes:
        recipes: layer name (``0``, ``1``, ..., ``system``, ``app``) -> its entries in order, parents included.
        generated: the bytes of files that were made here; rows name it by its SHA-256.
        report: what was taken, dropped, made and cut, as JSON values.
    """

    recipes: Mapping[str, list[Entry]]
    generated: bytes
    report: Mapping[str, Any]


@dataclass
class _Work:
    """The state of one composition."""

    options: Options
    sources: Sources
    scene: Scene
    tree: Tree
    layer_of: dict[str, str]
    generated: dict[str, bytes]
    made: dict[str, str] = field(default_factory=dict)
    kept: dict[str, compose_debs.Kept] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    dropped: dict[str, Counter[str]] = field(default_factory=dict)
    idle: tuple[str, ...] = ()


def compose(options: Options, sources: Sources) -> Composition:
    """Decide every path of an image.

    Raises:
        AnalysisError: if two sources claim a path with different content, or a user, zone or deb is not there.
        FormatError: if a deb or file is malformed or its links go in circles.
    """
    layer_of = {name: str(number) for number, group in enumerate(options.layers) for name in group}
    layer_of |= dict.fromkeys(options.libraries, str(len(options.layers) - 1) if options.layers else SYSTEM)
    if missing := sorted(layer_of.keys() - sources.debs.keys()):
        raise AnalysisError("compose the image", f'the index of deb "{missing[0]}" is not among the inputs')
    tree = Tree()
    accounts = compose_users.start(options, sources.base, sources.read)
    generated: dict[str, bytes] = {}

    def read(entry: Entry) -> bytes:
        return sources.read(entry) if entry.source else generated[entry.sha256]

    scene = Scene(options, tree, sources.debs, sources.base, accounts, read, sources.certificates)
    work = _Work(options, sources, scene, tree, layer_of, generated)
    for effect in registry.FIRST:
        _apply(work, effect)
    _add_debs(work)
    _read_scripts(work)
    compose_users.join(options, accounts)
    _add_files(work)
    for effect in registry.LAST:
        _apply(work, effect)
    user = _resolved_user(options, accounts)
    _check_parents(tree)
    _settle(work)
    _add_status(work)
    compose_links.link(tree)
    blob, rows = _place_generated(work)
    recipes = _split(tree, rows, len(options.layers))
    return Composition(recipes, blob, _report(work, recipes, user))


def _add_debs(work: _Work) -> None:
    options = work.options
    keep = matcher(options.keep, fold_usr)
    chosen = compose_debs.Selection(Pruner(options.locales, keep), matcher(options.exclude, fold_usr), keep)
    for name in sorted(work.layer_of):
        work.kept[name] = compose_debs.select(work.sources.debs[name], chosen)
    claims = [
        Claim(entry, f'deb "{name}"', "deb", work.layer_of[name])
        for name, kept in work.kept.items()
        for entry in kept.entries
    ]
    # Links come first, outermost first, so that what other debs ship beneath them lands where it will be.
    claims.sort(key=lambda claim: (claim.entry.kind is not Kind.SYMLINK, claim.entry.path.count("/")))
    owners: dict[str, str] = {}
    for claim in claims:
        _add_deb_claim(work, claim, owners)


def _add_deb_claim(work: _Work, claim: Claim, owners: dict[str, str]) -> None:
    name = claim.origin[5:-1]
    path = claim.entry.path
    before = owners.get(path)
    if before is not None and claim.entry.kind is not Kind.DIRECTORY:
        new, old = work.sources.debs[name], work.sources.debs[before]
        if compose_debs.replaced(old, new):
            return
        if compose_debs.replaced(new, old):
            work.tree.replace(claim)
            owners[path] = name
            return
    work.tree.add(claim)
    owners.setdefault(path, name)


def _read_scripts(work: _Work) -> None:
    """Find out what the debs' scripts do; what nobody has modelled is an error unless the image accepts it."""
    scene, accept = work.scene, frozenset(work.options.accept)
    found = review({name: work.sources.debs[name] for name in work.layer_of}, work.tree, scene.platform.deb)
    unknown = [finding for finding in found.findings if finding.deb not in accept]
    if unknown:
        debs = list(dict.fromkeys(finding.deb for finding in unknown))
        more = f" (and {len(unknown) - 1} more commands)" if len(unknown) > 1 else ""
        accepted = ", ".join(f'"{deb}"' for deb in debs)
        raise AnalysisError(
            f"model the maintainer scripts of {', '.join(debs)}",
            f"nobody has modelled {unknown[0]}{more}",
            hint=f"if the image is right without it, write accept = [{accepted}]",
        )
    scene.acts.extend((*sysusers(scene.debs, scene), *found.acts))
    work.accepted = tuple(str(finding) for finding in found.findings)
    enroll(scene.acts, scene.accounts)


def _add_files(work: _Work) -> None:
    for spec in work.options.files:
        doing = f'add "/{spec.path}" of {spec.label}'
        uid, gid = work.scene.accounts.ids(spec.owner, doing)
        for entry in work.sources.lay(spec):
            work.tree.add(Claim(replace(entry, uid=uid, gid=gid), spec.label or "the image", "user", APP))


def _apply(work: _Work, effect: Effect) -> None:
    for change in list(effect.changes(work.scene)):
        _change(work, effect.name, change)


def _change(work: _Work, name: str, change: Change) -> None:
    if change.entry is None:
        work.tree.remove(change.path)
        return
    entry = change.entry
    if change.attributes:
        old = work.tree.claim(change.path)
        if old is not None:
            work.tree.replace(replace(old, entry=entry))
        return
    if entry.kind is Kind.FILE:
        digest = hashlib.sha256(change.data).hexdigest()
        work.generated.setdefault(digest, change.data)
        entry = replace(entry, sha256=digest, size=len(change.data))
    claim = Claim(entry, f'effect "{name}"', "effect", SYSTEM)
    if change.replace:
        work.tree.replace(claim)
    else:
        work.tree.add(claim)
    if entry.kind is not Kind.DIRECTORY:
        work.made[work.tree.place(change.path)] = name


def _settle(work: _Work) -> None:
    settled = work.sources.settle(work.tree)
    work.idle = settled.idle
    for path, rule in settled.dropped.items():
        claim = work.tree.claim(path)
        work.tree.remove(path)
        work.made.pop(path, None)
        if claim is not None and claim.rank == "deb":
            dropped = work.dropped.setdefault(claim.origin[5:-1], Counter())
            dropped[rule] += 1


def _add_status(work: _Work) -> None:
    # In the system layer: a layer of debs stays the same in every image that has it.
    present: dict[str, list[Entry]] = {name: [] for name in work.layer_of}
    for claim in work.tree:
        if claim.rank == "deb" and claim.entry.kind is Kind.FILE:
            present[claim.origin[5:-1]].append(claim.entry)
    for name in sorted(work.layer_of):
        index = work.sources.debs[name]
        for path, data in (
            (f"{installed.STATUS_D}/{name}", compose_status.stanza(index)),
            (
                f"{installed.STATUS_D}/{name}.md5sums",
                compose_status.checksums(index, present[name], work.sources.md5),
            ),
        ):
            digest = hashlib.sha256(data).hexdigest()
            work.generated.setdefault(digest, data)
            entry = Entry(path, Kind.FILE, 0o644, size=len(data), sha256=digest)
            work.tree.add(Claim(entry, f'the record of deb "{name}"', "effect", SYSTEM))


def _resolved_user(options: Options, accounts: Accounts) -> str:
    if not options.user:
        return ""
    uid, gid = accounts.ids(options.user, f'set the user of the image to "{options.user}"')
    return f"{uid}:{gid}"


def _check_parents(tree: Tree) -> None:
    checked: set[str] = set()
    for claim in tree:
        folder = claim.entry.path.rpartition("/")[0]
        if folder in checked:
            continue
        checked.add(folder)
        for parent in parents(claim.entry.path):
            above = tree.claim(parent)
            if above is not None and above.entry.kind is not Kind.DIRECTORY:
                raise AnalysisError(
                    f'compose "/{claim.entry.path}" of {claim.origin}',
                    f'"/{parent}" of {above.origin} is no folder',
                    hint=leave_out(parent, above, claim),
                )


def _place_generated(work: _Work) -> tuple[bytes, dict[str, tuple[str, int]]]:
    """Join the generated bytes; give them and, by SHA-256 of each part, the blob's name and the part's offset."""
    used = {claim.entry.sha256 for claim in work.tree if claim.entry.kind is Kind.FILE and not claim.entry.source}
    offsets: dict[str, int] = {}
    parts: list[bytes] = []
    size = 0
    for digest in sorted(used):
        offsets[digest] = size
        parts.append(work.generated[digest])
        size += len(parts[-1])
    blob = b"".join(parts)
    name = hashlib.sha256(blob).hexdigest()
    return blob, {digest: (name, offset) for digest, offset in offsets.items()}


def _split(tree: Tree, rows: Mapping[str, tuple[str, int]], count: int) -> dict[str, list[Entry]]:
    layers: dict[str, dict[str, Entry]] = {**{str(n): {} for n in range(count)}, SYSTEM: {}, APP: {}}
    folders: dict[str, Entry] = {}
    for claim in tree:
        if claim.entry.kind is Kind.DIRECTORY:
            folders[claim.entry.path] = claim.entry
    for claim in tree:
        entry, layer = claim.entry, layers[claim.layer]
        if entry.kind is Kind.FILE and not entry.source:
            source, offset = rows[entry.sha256]
            entry = replace(entry, source=source, offset=offset)
        if entry.path.rpartition("/")[0] not in layer:
            for parent in parents(entry.path):
                layer.setdefault(parent, folders.get(parent) or Entry.directory(parent))
        layer[entry.path] = entry
    return {name: order(layer.values()) for name, layer in layers.items()}


def _report(work: _Work, recipes: Mapping[str, list[Entry]], user: str) -> dict[str, Any]:
    files: dict[str, list[int]] = {name: [0, 0] for name in work.layer_of}
    for claim in work.tree:
        if claim.rank == "deb" and claim.entry.kind is not Kind.DIRECTORY:
            count = files[claim.origin[5:-1]]
            count[0] += 1
            count[1] += claim.entry.size
    accounts = work.scene.accounts
    return {
        "debs": {
            name: {
                "version": work.sources.debs[name].control.get("Version", ""),
                "architecture": work.sources.debs[name].control.get("Architecture", ""),
                "layer": _number(work.layer_of[name], len(recipes)),
                "files": files[name][0],
                "bytes": files[name][1],
                "dropped": {**work.kept[name].dropped, **work.dropped.get(name, {})},
                "unprivileged": list(work.kept[name].unprivileged),
            }
            for name in sorted(work.layer_of)
        },
        "layers": {
            name: {"entries": len(rows), "bytes": sum(row.size for row in rows)} for name, rows in recipes.items()
        },
        "generated": dict(sorted(work.made.items())),
        "cut": [list(row) for row in work.options.cut],
        "libraries": {name: dict(reason) for name, reason in sorted(work.options.libraries.items())},
        "accepted": list(work.accepted),
        "user": user,
        "users": {name: [account.uid, account.gid] for name, account in accounts.users.items()},
        "groups": {name: group.gid for name, group in accounts.groups.items()},
        "warnings": [
            *work.scene.warnings,
            *compose_advice.warnings(work.options, work.sources.debs, _others(work), work.idle),
        ],
    }


def _number(layer: str, count: int) -> int:
    """Give the place of a layer with debs among the image's."""
    return count - 2 if layer == SYSTEM else int(layer)


def _others(work: _Work) -> list[str]:
    return [claim.entry.path for claim in work.tree if claim.rank != "deb"]
