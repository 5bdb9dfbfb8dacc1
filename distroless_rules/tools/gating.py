"""The gate as ``Compose`` calls it: the tool's inputs and a composed tree in, what leaves the tree out.

Inputs: ``deb/<name>/facts`` of every deb; ``facts/<n>`` and ``mentions/<n>`` of what the image's targets declare.
``deb/<name>/mentions`` where the closure is of files. Parameter ``gate``: entrypoint, cmd, env, workdir and volumes of
the config, allow_missing, closure (``packages`` or ``files``) and ``whole``: names of debs of which every file stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from distroless_rules.closure import facts, mentions, verdict
from distroless_rules.closure.gate import Gate
from distroless_rules.closure.owner import Owner
from distroless_rules.closure.program import Program
from distroless_rules.closure.reach import unreached
from distroless_rules.closure.view import View
from distroless_rules.deb.compose_options import Options
from distroless_rules.deb.compose_tree import Claim, Tree
from distroless_rules.deb.cuts import EXCLUDED
from distroless_rules.tools.tool import InputFile
from distroless_rules.values.tree import Entry

__all__ = ["program", "read", "settle"]


def settle(
    tree: Tree,
    told: Mapping[str, Any],
    options: Options,
    inputs: Mapping[str, InputFile],
    keep: Callable[[str], bool],
) -> Mapping[str, str]:
    """Hold an image to the gate.

    Args:
        tree: its files.
        told: the parameter ``gate``.
        options: what its rule says of it.
        inputs: the tool's.
        keep: true for paths that are not left out.

    Returns:
        The paths that cannot be used and leave it, each with the name of the rule.

    Raises:
        ActionError: if it could not run.
    """
    claims = {claim.entry.path: claim for claim in tree}
    entries = {path: claim.entry for path, claim in claims.items()}
    named = {tree.place(spec.path) for spec in options.files if spec.kind != "tree"}
    start = program(told, options.platform)
    strict: dict[str, tuple[str, ...]] = {}
    for deb, dependency, reason in options.cut:
        if reason == EXCLUDED:
            strict[deb] = (*strict.get(deb, ()), dependency)
    known, said = read(inputs)
    owners = {path: _owner(claim, named) for path, claim in claims.items()}

    def gate(left: Mapping[str, Entry]) -> Gate:
        return Gate(View(left, known), owners, start, said, tuple(told["allow_missing"]), strict)

    dropped = gate(entries).unusable(keep)
    if told["closure"] == "files":
        view = View(_without(entries, dropped), known)
        lost = unreached(view, said, start, owners, frozenset(told["whole"]), keep)
        dropped |= dict.fromkeys(lost, "unreached")
    findings = gate(_without(entries, dropped)).findings()
    if findings:
        raise verdict.error(findings)
    return dropped


def _without(entries: Mapping[str, Entry], dropped: Mapping[str, str]) -> dict[str, Entry]:
    return {path: entry for path, entry in entries.items() if path not in dropped}


def program(told: Mapping[str, Any], platform: str) -> Program:
    """Give what an image starts, as the parameter ``gate`` says."""
    volumes = tuple(volume.strip("/") for volume in told["volumes"])
    return Program(platform, (*told["entrypoint"], *told["cmd"]), told["env"], told["workdir"], volumes)


def read(inputs: Mapping[str, InputFile]) -> tuple[dict[str, facts.Facts], dict[str, mentions.Mentions]]:
    """Give all facts and mentions that are among a tool's inputs, by the SHA-256 of the bytes they are about.

    Raises:
        FormatError: if one is malformed.
    """
    known = {sha: each for data in _named(inputs, "facts") for sha, each in facts.loads(data).items()}
    said = {sha: each for data in _named(inputs, "mentions") for sha, each in mentions.loads(data).items()}
    return known, said


def _named(inputs: Mapping[str, InputFile], what: str) -> list[bytes]:
    return [
        file.path.read_bytes()
        for name, file in inputs.items()
        if name.startswith(f"{what}/") or (name.startswith("deb/") and name.endswith(f"/{what}"))
    ]


def _owner(claim: Claim, named: set[str]) -> Owner:
    if claim.rank == "effect":
        return Owner("image", "the image")
    if claim.rank == "deb":
        return Owner("deb", claim.origin[5:-1])
    return Owner("file" if claim.entry.path in named else "tree", claim.origin)
