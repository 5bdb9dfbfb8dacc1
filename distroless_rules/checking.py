"""The spine of ``check``: images of the workspace, or such as lie somewhere, in; how each stands to a policy out.

An image of the workspace is composed, and nothing of it is written. One that was made elsewhere is read layer by layer;
what a layer has and a higher one hides is looked at for secrets too, since whoever has the image has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from distroless_rules.actions.action import Action
from distroless_rules.actions.analysed import Analysis, Wanted
from distroless_rules.actions.artifact import Artifact
from distroless_rules.build import Options, analysed
from distroless_rules.closure import scan
from distroless_rules.closure.owner import Owner
from distroless_rules.closure.view import View
from distroless_rules.deb.installed import Files, Record, installed
from distroless_rules.errors import AnalysisError, Location, RequestError, StorageError
from distroless_rules.execution import events
from distroless_rules.oci.layers import Layers
from distroless_rules.oci.opened import Opened, open_image
from distroless_rules.policy import credentials, screen
from distroless_rules.policy.examine import examine
from distroless_rules.policy.rules import Policy
from distroless_rules.policy.sarif import Place
from distroless_rules.policy.subject import Subject
from distroless_rules.policy.verdict import Verdict, hold
from distroless_rules.policy.violation import Findings, Violation
from distroless_rules.project import Project
from distroless_rules.values.label import Label, Pattern
from distroless_rules.values.platform import Platform
from distroless_rules.values.request import Request
from distroless_rules.values.tree import Kind

__all__ = ["Checked", "check_image", "check_targets", "policy_of"]

_POLICY = "Policy"
_STATED = "WriteFile"  # an image_policy's only action


@dataclass(frozen=True, slots=True)
class Checked:
    """An image that was checked: how it stands to its policy, and where it is declared or lies."""

    verdict: Verdict
    place: Place


def check_targets(
    project: Project, request: Request, options: Options, policy: Policy | None, listener: events.Listener
) -> list[Checked]:
    """Check the images among what is asked for.

    Args:
        project: the workspace.
        request: labels and patterns.
        options: how to build.
        policy: what to hold them to; None: each to its own.
        listener: is told what happens.

    Raises:
        RequestError: if there is no image among them.
        DistrolessError: whatever keeps one from being composed.
    """
    from distroless_rules.machine import Machine

    analysis, _ = analysed(project, request, options)
    wanted = {str(each.label) for each in analysis.wanted}
    found = [action for action in analysis.actions if action.mnemonic == _POLICY and action.owner in wanted]
    if not found:
        raise RequestError("check " + " ".join(map(str, request.patterns)), "there is no image among these targets")
    files = [_file(action, is_found=policy is not None) for action in found]
    needed = tuple(Wanted(Label.parse(action.owner), "", (file,)) for action, file in zip(found, files, strict=True))
    with Machine(project, options.jobs, listener) as machine:
        outcome = machine.execute(replace(analysis, wanted=needed), keep_going=False)
        for failure in outcome.failures:
            if failure.action is not None and failure.error.at is None:
                failure.error.at = analysis.places.get(failure.action.owner)
            raise failure.error
        read = [machine.store.path(outcome.digests[file]).read_bytes() for file in files]
    verdicts = [
        Verdict.load(data) if policy is None else hold(action.owner, Findings.load(data), policy)
        for action, data in zip(found, read, strict=True)
    ]
    return [Checked(verdict, _place(analysis, action)) for verdict, action in zip(verdicts, found, strict=True)]


def _file(action: Action, *, is_found: bool) -> Artifact:
    """Give what was found in an image, or its verdict."""
    named = action.inputs[0] if is_found else next(each for each in action.outputs if each.name == "verdict")
    return named.artifact


def _place(analysis: Analysis, action: Action) -> Place:
    at = analysis.places.get(action.owner, Location(""))
    return Place(at.file, at.line)


def policy_of(project: Project, request: Request, options: Options, label: str) -> Policy:
    """Give the policy that a target states.

    Args:
        project: the workspace.
        request: says for which platform and with which definitions.
        options: how to build.
        label: the target's, relative to the folder that the user stands in.

    Raises:
        RequestError: if the target is no ``image_policy``.
        DistrolessError: if it cannot be analysed, or is not well formed.
    """
    pattern = Pattern.parse(label, package=project.folder)
    analysis, _ = analysed(project, replace(request, patterns=(pattern,)), options)
    stated = [action for action in analysis.actions if action.mnemonic == _STATED]
    if [each.rule for each in analysis.wanted] != ["image_policy"] or len(stated) != 1:
        raise RequestError(f'hold images to "{label}"', "it is not an image_policy")
    try:
        return Policy.parse(json.loads(json.loads(stated[0].parameters)["content"]))
    except AnalysisError as error:
        error.at = analysis.places.get(stated[0].owner)
        raise


def check_image(name: str, policy: Policy, platform: str = "") -> Checked:
    """Check an image that lies somewhere.

    Args:
        name: a layout's folder or an archive, as ``oci.opened`` reads it.
        policy: what to hold it to.
        platform: which image to take where there are several, ``""`` for this machine's.

    Raises:
        RequestError: if there is none.
        FormatError: if it is malformed or damaged.
        StorageError: if there is no room for its layers.
    """
    with open_image(name, Platform.parse(platform) if platform else None) as image, Layers.read(image) as layers:
        try:
            findings = examine(_subject(image, layers))
        except OSError as error:
            raise StorageError(f'read the image "{name}"', error.strerror or str(error)) from error
    return Checked(hold(name, findings, policy), Place(name, is_source=False))


def _subject(image: Opened, layers: Layers) -> Subject:
    view = View(layers.entries, scan.scan(layers.entries.values(), layers.bytes_of, layers.bytes_of))
    hidden = [each.entry for each in layers.hidden]
    marks = screen.screen([*layers.entries.values(), *hidden], layers.bytes_of)
    debs = installed(Files(view.at, view.names, layers.bytes_of)).records
    return Subject(
        view=view,
        marks=marks,
        config=image.config,
        owners=dict(_owners(view, debs)),
        debs=tuple(sorted({deb.name for deb in debs})),
        buried=tuple(_buried(layers, marks)),
        is_built=False,
    )


def _owners(view: View, debs: Iterable[Record]) -> Iterator[tuple[str, Owner]]:
    """Give where files and links of debs really lie, each with its deb."""
    for deb in debs:
        owner = Owner("deb", deb.name)
        for path in deb.paths():
            at = view.place(path) or ""
            if at in view.entries and view.entries[at].kind is not Kind.DIRECTORY:
                yield at, owner


def _buried(layers: Layers, marks: Mapping[str, screen.Marks]) -> Iterator[Violation]:
    """Find the secrets of files that a layer has and a higher one hides."""
    for each in layers.hidden:
        seen = marks.get(each.entry.sha256, screen.Marks())
        for check, message, line in credentials.in_file(each.path, each.entry, seen):
            told = f"{message}; it is in layer {each.layer}, and layer {each.by} only hides it"
            yield Violation(check, f"/{each.path}", told, line=line)
