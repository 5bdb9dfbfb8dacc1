"""Findings: an image's files as they are composed, and what is known of them, in; what the policy's checks find out.

Inputs: ``recipe/<n>`` of every layer of debs, ``recipe/system``, ``recipe/app``, ``generated`` and ``report`` of the
tool ``Compose``; ``deb/<name>/index`` and ``offer/<archive>/<name>/index``; facts as ``tools.gating`` has them;
``deb/<name>/screen`` and ``screen/<n>`` of the tool ``Screen``. Parameters: those of the tool ``Image`` that a config
holds; ``allow_missing``; ``asked``, the debs that targets name; ``files``, [path, kind, label] of what targets declare.

Output ``findings`` (``policy.violation``).
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping

from distroless_rules.closure.owner import Owner
from distroless_rules.closure.view import View
from distroless_rules.deb import package
from distroless_rules.oci.config import Config
from distroless_rules.policy import screen
from distroless_rules.policy.examine import examine
from distroless_rules.policy.subject import Subject, without_hard_links
from distroless_rules.tools import gating, image_options
from distroless_rules.tools.tool import InputFile, Tool, Workbench
from distroless_rules.values import tree
from distroless_rules.values.path import clean, fold_usr
from distroless_rules.values.platform import Platform
from distroless_rules.values.tree import Entry

__all__ = ["TOOL"]

_OF_TARGETS = "recipe/app"


def _perform(bench: Workbench) -> None:
    told, inputs = bench.parameters, bench.inputs
    report = json.loads(inputs["report"].path.read_bytes())
    layers = {name: tree.load(file.path.read_bytes()) for name, file in inputs.items() if name.startswith("recipe/")}
    entries = without_hard_links(entry for rows in layers.values() for entry in rows)
    known, _ = gating.read(inputs, report["debs"])
    own = (entry.path for entry in layers[_OF_TARGETS])
    subject = Subject(
        view=View(entries, known),
        marks=_marks(inputs, entries),
        config=Config(Platform.parse(told["platform"]), image_options.start(told, report)),
        owners={**_of_debs(inputs, entries, report["debs"]), **_of_targets(own, told["files"])},
        debs=tuple(report["debs"]),
        asked=frozenset(told["asked"]),
        allow=tuple(told["allow_missing"]),
        accepted=tuple(report["accepted"]),
    )
    with bench.output("findings") as sink:
        sink.write(examine(subject).dump())


def _marks(inputs: Mapping[str, InputFile], entries: Mapping[str, Entry]) -> dict[str, screen.Marks]:
    """Give what was seen in files' bytes; those that were made for the image are looked at here."""
    made = inputs["generated"]
    data = made.path.read_bytes()
    own = (entry for entry in entries.values() if entry.source == made.digest.hash)
    marks = screen.screen(own, lambda entry, size: data[entry.offset : entry.offset + min(size, entry.size)])
    for name, file in inputs.items():
        if name.startswith("screen/") or name.endswith("/screen"):
            marks |= screen.loads(file.path.read_bytes())
    return marks


def _of_debs(inputs: Mapping[str, InputFile], entries: Mapping[str, Entry], debs: Container[str]) -> dict[str, Owner]:
    """Give which deb brings a path; what is there and nobody brings was made for the image."""
    return {
        path: owner
        for name, file in inputs.items()
        if name.endswith("/index") and name.split("/")[-2] in debs
        for owner in (Owner("deb", name.split("/")[-2]),)
        for path in (fold_usr(entry.path) for entry in package.loads(file.path.read_bytes()).entries)
        if path in entries
    }


def _of_targets(paths: Iterator[str], files: list[list[str]]) -> dict[str, Owner]:
    """Give which target declares a path, or the folder above it that is laid out as a tree."""
    declared = {
        fold_usr(clean(path)): Owner("tree" if kind == "tree" else "file", label) for path, kind, label in files
    }
    found = {}
    for path in paths:
        at = path
        while at and at not in declared:
            at = at.rpartition("/")[0]
        owner = declared.get(at)
        if owner is not None and (at == path or owner.kind == "tree"):
            found[path] = owner
    return found


TOOL = Tool("Findings", "5", _perform)
