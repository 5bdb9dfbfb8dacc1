"""The gate as ``Compose`` calls it: the tool's inputs and a composed tree in, what leaves the tree out.

Inputs: ``deb/<name>/facts`` of every deb; ``facts/<n>`` and ``mentions/<n>`` of what the image's targets declare.
``deb/<name>/mentions`` where the closure is of files. Parameter ``gate``: entrypoint, cmd, env, workdir and volumes of
the config, allow_missing, closure (``packages`` or ``files``) and ``whole``: names of debs of which every file stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from distroless_rules.closure import facts, mentions, verdict
from distroless_rules.closure.gate import Gate, Owner
from distroless_rules.closure.program import Program
from distroless_rules.closure.python_path import PythonPath
from distroless_rules.closure.reach import Reach
from distroless_rules.closure.view import View
from distroless_rules.deb.compose_options import Options
from distroless_rules.deb.compose_tree import Claim, Tree
from distroless_rules.deb.cuts import EXCLUDED
from distroless_rules.tools.tool import InputFile
from distroless_rules.values.path import parents
from distroless_rules.values.tree import Entry, Kind

__all__ = ["settle"]

_ALWAYS = re.compile(r"etc/|usr/share/(?:doc|common-licenses)/|usr/lib/os-release$")
"""What stays of every deb: configuration, which is small and read by name, and licences."""


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
    program = Program(
        options.platform,
        (*told["entrypoint"], *told["cmd"]),
        told["env"],
        told["workdir"],
        tuple(volume.strip("/") for volume in told["volumes"]),
    )
    strict = frozenset(deb for deb, _, reason in options.cut if reason == EXCLUDED)
    known = {sha: each for data in _named(inputs, "facts") for sha, each in facts.loads(data).items()}
    said = {sha: each for data in _named(inputs, "mentions") for sha, each in mentions.loads(data).items()}

    def gate(left: Mapping[str, Entry]) -> Gate:
        view = View(left, known)
        allow = tuple(told["allow_missing"])
        return Gate(view, lambda path: _owner(claims.get(path), named), program, said, allow, strict)

    dropped = gate(entries).unusable(keep)
    if told["closure"] == "files":
        view = View(_without(entries, dropped), known)
        whole = frozenset(told["whole"])
        dropped |= _unreached(view, said, program, lambda path: _owner(claims.get(path), named), whole, keep)
    findings = gate(_without(entries, dropped)).findings()
    if findings:
        raise verdict.error(findings)
    return dropped


def _without(entries: Mapping[str, Entry], dropped: Mapping[str, str]) -> dict[str, Entry]:
    return {path: entry for path, entry in entries.items() if path not in dropped}


def _unreached(
    view: View,
    said: Mapping[str, mentions.Mentions],
    program: Program,
    owner: Callable[[str], Owner],
    whole: frozenset[str],
    keep: Callable[[str], bool],
) -> dict[str, str]:
    """Give what nothing leads to, of debs that are there only because others need them."""
    owners = {path: owner(path) for path in view.entries}
    needed = {path for path, each in owners.items() if each.kind == "deb" and each.name not in whole}
    own = {folder for path, each in owners.items() if each.kind in ("file", "tree") for folder in parents(path)}
    python = PythonPath(view, tuple(sorted(own)), program.env)
    reach = Reach(view, said, program, python, lambda path: owners[path].name if path in owners else "")
    reach.walk(path for path in view.entries if path not in needed or _ALWAYS.match(path) or keep(path))
    lost = needed - reach.reached.keys()
    return {path: "unreached" for path in lost if view.entries[path].kind is not Kind.DIRECTORY}


def _named(inputs: Mapping[str, InputFile], what: str) -> list[bytes]:
    return [
        file.path.read_bytes()
        for name, file in inputs.items()
        if name.startswith(f"{what}/") or (name.startswith("deb/") and name.endswith(f"/{what}"))
    ]


def _owner(claim: Claim | None, named: set[str]) -> Owner:
    if claim is None or claim.rank == "effect":
        return Owner("image", "the image")
    if claim.rank == "deb":
        return Owner("deb", claim.origin[5:-1])
    return Owner("file" if claim.entry.path in named else "tree", claim.origin)
