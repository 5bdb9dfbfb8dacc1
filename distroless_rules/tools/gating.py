"""The gate as ``Compose`` calls it: the tool's inputs and a composed tree in, what leaves the tree and what lacks out.

Inputs: ``deb/<name>/facts`` of every deb; ``facts/<n>`` and ``mentions/<n>`` of what the image's targets declare.
``deb/<name>/mentions`` where the closure is of files. Parameter ``gate``: entrypoint, cmd, env, workdir and volumes of
the config, allow_missing, closure (``packages`` or ``files``) and ``whole``: names of debs of which every file stays;
``excluded``: names of debs that it excludes; ``holds``, false where the gate is asked for libraries that are lost and
for nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distroless_rules.closure import facts, mentions
from distroless_rules.closure.gate import Finding, Gate
from distroless_rules.closure.owner import Owner
from distroless_rules.closure.program import Program
from distroless_rules.closure.reach import unreached
from distroless_rules.closure.view import View
from distroless_rules.deb.compose_options import Options
from distroless_rules.deb.compose_tree import Claim, Tree
from distroless_rules.deb.cuts import EXCLUDED
from distroless_rules.elf.read import Elf
from distroless_rules.tools.tool import InputFile
from distroless_rules.values.tree import Entry

__all__ = ["Held", "hold", "program", "read"]


@dataclass(frozen=True)
class Held:
    """An image that was held to the gate.

    Attributes:
        dropped: the paths that cannot be used and leave it, each with the name of the rule.
        findings: what does not hold, each with what the file says that it is about, if that is an ELF file.
        idle: entries of allow_missing that waive nothing.
    """

    dropped: Mapping[str, str]
    findings: tuple[tuple[Finding, Elf | None], ...]
    idle: tuple[str, ...] = ()


def hold(
    tree: Tree,
    told: Mapping[str, Any],
    options: Options,
    known: tuple[Mapping[str, facts.Facts], Mapping[str, mentions.Mentions]],
    keep: Callable[[str], bool],
) -> Held:
    """Hold an image to the gate.

    Args:
        tree: its files.
        told: the parameter ``gate``.
        options: what its rule says of it.
        known: as ``read`` gives them.
        keep: true for paths that are not left out.
    """
    claims = {claim.entry.path: claim for claim in tree}
    entries = {path: claim.entry for path, claim in claims.items()}
    named = {tree.place(spec.path) for spec in options.files if spec.kind != "tree"}
    start = program(told, options.platform)
    strict: dict[str, tuple[str, ...]] = {}
    for deb, dependency, reason in options.cut:
        if reason == EXCLUDED:
            strict[deb] = (*strict.get(deb, ()), dependency)
    of_files, said = known
    owners = {path: _owner(claim, named) for path, claim in claims.items()}

    def gate(left: Mapping[str, Entry]) -> Gate:
        return Gate(View(left, of_files), owners, start, said, tuple(told["allow_missing"]), strict)

    if not told.get("holds", True):
        return Held({}, _described(gate(entries)))
    dropped = gate(entries).unusable(keep)
    if told["closure"] == "files":
        view = View(_without(entries, dropped), of_files)
        lost = unreached(view, said, start, owners, frozenset(told["whole"]), keep)
        dropped |= dict.fromkeys(lost, "unreached")
    settled = gate(_without(entries, dropped))
    return Held(dropped, _described(settled), tuple(settled.idle()))


def _described(gate: Gate) -> tuple[tuple[Finding, Elf | None], ...]:
    facts_of = gate.view.facts
    return tuple((each, found.elf if (found := facts_of(each.path)) else None) for each in gate.findings())


def _without(entries: Mapping[str, Entry], dropped: Mapping[str, str]) -> dict[str, Entry]:
    return {path: entry for path, entry in entries.items() if path not in dropped}


def program(told: Mapping[str, Any], platform: str) -> Program:
    """Give what an image starts, as the parameter ``gate`` says."""
    volumes = tuple(volume.strip("/") for volume in told["volumes"])
    return Program(platform, (*told["entrypoint"], *told["cmd"]), told["env"], told["workdir"], volumes)


def read(
    inputs: Mapping[str, InputFile], offers: Container[str] = ()
) -> tuple[dict[str, facts.Facts], dict[str, mentions.Mentions]]:
    """Give all facts and mentions that are among a tool's inputs, by the SHA-256 of the bytes they are about.

    Args:
        inputs: the tool's.
        offers: names of the debs that were taken of those that the build stage offers.

    Raises:
        FormatError: if one is malformed.
    """
    known = {sha: each for data in _named(inputs, offers, "facts") for sha, each in facts.loads(data).items()}
    said = {sha: each for data in _named(inputs, offers, "mentions") for sha, each in mentions.loads(data).items()}
    return known, said


def _named(inputs: Mapping[str, InputFile], offers: Container[str], what: str) -> list[bytes]:
    return [file.path.read_bytes() for name, file in inputs.items() if _is_of_image(name.split("/"), offers, what)]


def _is_of_image(parts: Sequence[str], offers: Container[str], what: str) -> bool:
    if parts[0] == "offer":
        return parts[-1] == what and parts[2] in offers
    return parts[0] == what or (parts[0] == "deb" and parts[-1] == what)


def _owner(claim: Claim, named: set[str]) -> Owner:
    if claim.rank == "effect":
        return Owner("image", "the image")
    if claim.rank == "deb":
        return Owner("deb", claim.origin[5:-1])
    return Owner("file" if claim.entry.path in named else "tree", claim.origin)
