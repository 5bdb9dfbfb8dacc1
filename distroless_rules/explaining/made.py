"""One build of one target as ``explain`` compares it: every action that it needed, with the digests that went through.

Going in: what ``records`` kept, or the text that another machine wrote. Going out: values, actions in an order in which
producers come before consumers; and such a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from distroless_rules import records
from distroless_rules.actions import codec
from distroless_rules.actions import declared as declarations
from distroless_rules.actions.action import Action
from distroless_rules.actions.analysed import Wanted
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.actions.declared import Declarations
from distroless_rules.execution.key import walk
from distroless_rules.execution.plan import make
from distroless_rules.outputs import artifacts
from distroless_rules.project import Project
from distroless_rules.values.digest import Digest

__all__ = ["Acted", "Made", "history"]


@dataclass(frozen=True)
class Acted:
    """An action of a build.

    Attributes:
        action: the action.
        version: of the code that performed it.
        inputs: the name of each of its inputs -> digest.
        outputs: the name of each of its outputs -> digest.
        form: what keys were made by, ``execution.key.FORMAT``.
    """

    action: Action
    version: str
    inputs: Mapping[str, Digest]
    outputs: Mapping[str, Digest]
    form: str

    @cached_property
    def lines(self) -> Mapping[str, str]:
        """Everything that decides what it makes, as the action's key holds it."""
        return {**dict(walk(self.action, self.inputs, self.version)), "format": self.form}

    @property
    def title(self) -> str:
        """What it does, for a person."""
        return self.action.progress or f"{self.action.mnemonic} of {self.action.owner}"


@dataclass(frozen=True)
class Made:
    """A build of a target.

    Attributes:
        target: its label.
        digest: ``sha256:<hex>`` of the image, of the file, or of the list of its files.
        time: when, seconds since 1970.
        platform: what was asked for; a label of a platform as it was written.
        define: values for ``config_setting``.
        actions: what it needed, producers before consumers.
        wanted: paths of the artifacts that its digest is of.
        sources: path of each source file -> digest.
        declared: what the actions follow from, reduced to what the target needs.
        program: the version of this program.
    """

    target: str
    digest: str
    time: float
    platform: str
    define: Mapping[str, str]
    actions: tuple[Acted, ...]
    wanted: tuple[str, ...]
    sources: Mapping[str, Digest]
    declared: Declarations = field(default_factory=Declarations)
    program: str = ""

    def same(self, other: Made) -> bool:
        """Tell whether two builds are one but for their time."""
        return replace(self, time=0.0) == replace(other, time=0.0)


def history(project: Project, target: str, most: int = 2) -> list[Made]:
    """Give the last builds of a target that differ from each other in something, the newest first.

    Args:
        project: the workspace.
        target: a label; the first build that made a target with this label is the newest.
        most: how many.
    """
    found: list[Made] = []
    for time, document in records.kept(project):
        if len(found) == most:
            break
        if not any(row[0] == target for row in document["results"]):
            continue
        texts = records.texts(project, document["graph"])
        if texts is None:
            continue
        made = _made(target, time, document, *texts)
        if not found or not made.same(found[-1]):
            found.append(made)
        else:
            found[-1] = replace(found[-1], time=time)  # the first of builds that are the same
    return found


def _made(target: str, time: float, document: Mapping[str, Any], graph: str, declared: str) -> Made:
    analysis = codec.load(graph)
    wanted = next(each for each in analysis.wanted if str(each.label) == target)
    plan = make(analysis.actions, artifacts(wanted))
    known: dict[str, Digest] = {}
    for action, row in zip(analysis.actions, document["outputs"], strict=True):
        if row:
            known.update((n.artifact.path, Digest.parse(text)) for n, text in zip(action.outputs, row[1:], strict=True))
    sources = {path: Digest.parse(text) for path, text in document["sources"].items()}

    def digest(artifact: Artifact) -> Digest:
        if artifact.root is Root.DERIVED:
            return known[artifact.path]
        return artifact.digest or sources[artifact.path]

    acted = []
    for position in plan.needed:
        action = analysis.actions[position]
        inputs = {named.name: digest(named.artifact) for named in action.inputs}
        outputs = {named.name: known[named.artifact.path] for named in action.outputs}
        version = document["versions"][document["outputs"][position][0]]
        acted.append(Acted(action, version, inputs, outputs, document["keys"]))
    used = {n.artifact.path for each in acted for n in each.action.inputs if n.artifact.root is Root.SOURCE}
    used |= {file.path for file in wanted.files if file.root is Root.SOURCE}
    return Made(
        target=target,
        digest=_digest(target, document, wanted, digest),
        time=time,
        platform=document["platform"],
        define=document["define"],
        actions=tuple(acted),
        wanted=tuple(file.path for file in ([wanted.layout.descriptor] if wanted.layout else wanted.files)),
        sources={path: sources[path] for path in sorted(used) if path in sources},
        declared=reduced(declarations.load(declared), target) if declared else Declarations(),
        program=document["program"],
    )


def _digest(target: str, document: Mapping[str, Any], wanted: Wanted, digest: Any) -> str:
    image = next(row[1] for row in document["results"] if row[0] == target)
    if image:
        return str(image)
    digests = [digest(file) for file in wanted.files]
    if len(digests) == 1:
        return str(digests[0].oci)
    rows = sorted(f"{each.hash}  {file.path}\n" for each, file in zip(digests, wanted.files, strict=True))
    return Digest.of("".join(rows).encode("utf-8", "surrogateescape")).oci


def reduced(declared: Declarations, target: str) -> Declarations:
    """Give what one target follows from: those that it needs, itself included."""
    rows = declared.targets
    needed: set[int] = set()
    waiting: list[int] = [number for number, row in enumerate(rows) if row.label == target]
    while waiting:
        number = waiting.pop()
        if number not in needed:
            needed.add(number)
            waiting += rows[number].deps
    order: Sequence[int] = sorted(needed)
    numbers = {number: at for at, number in enumerate(order)}
    targets = tuple(replace(rows[n], deps=tuple(numbers[dep] for dep in rows[n].deps)) for n in order)
    return replace(declared, targets=targets)
