"""The spine of ``sbom``: an image that is to be built, or that is there, in; a document that accounts for it out."""

from __future__ import annotations

import hashlib

from distroless_rules.build import Options, analysed, made
from distroless_rules.errors import RequestError
from distroless_rules.execution import events
from distroless_rules.oci.layers import Layers
from distroless_rules.oci.opened import open_image
from distroless_rules.project import Project
from distroless_rules.sbom.component import Subject
from distroless_rules.sbom.files import Files
from distroless_rules.sbom.formats import WRITERS
from distroless_rules.sbom.inventory import take
from distroless_rules.values.platform import Platform
from distroless_rules.values.request import Request
from distroless_rules.values.tree import Entry

__all__ = ["of_image", "of_target"]

_TITLE = "org.opencontainers.image.title"


def of_target(project: Project, request: Request, options: Options, listener: events.Listener, format_: str) -> bytes:
    """Account for an image of the workspace, which is built first.

    Args:
        project: the workspace.
        request: names the image.
        options: how to build.
        listener: is told what happens.
        format_: a name of ``sbom.formats``.

    Raises:
        RequestError: if what is named is no image of one platform.
        DistrolessError: whatever keeps the image from being built.
    """
    analysis, _ = analysed(project, request, options)
    wanted = analysis.wanted[0]
    label = str(wanted.label)
    documents = [action for action in analysis.actions if action.owner == label and action.mnemonic == "Sbom"]
    for action in documents:
        if f'"format":"{format_}"' in action.parameters:
            return made(project, analysis, action.outputs[0].artifact, options, listener)
    doing = f'account for "{label}"'
    if wanted.layout is not None:
        hint = "name the image itself, with --platform for another one than this machine's"
        raise RequestError(doing, "a document is about one image, and it is an index of several", hint=hint)
    raise RequestError(doing, "it is not an image")


def of_image(name: str, platform: str, format_: str) -> bytes:
    """Account for an image that is there, whoever made it, by what is in its files.

    Args:
        name: an OCI layout or an archive, as ``oci.opened`` takes it.
        platform: which image, where there are several: ``linux/arm64``; ``""``: this machine's, or the only one.
        format_: a name of ``sbom.formats``.

    Raises:
        RequestError: if there is no such image, or several that could be meant.
        ConfigError: if the platform is not well formed.
        FormatError: if the image is damaged, malformed or hostile.
        StorageError: if there is no room for its layers.
    """
    with open_image(name, Platform.parse(platform) if platform else None) as image, Layers.read(image) as layers:

        def sha1(entry: Entry) -> str:
            state = hashlib.sha1(usedforsecurity=False)
            for piece in layers.pieces_of(entry):
                state.update(piece)
            return state.hexdigest()

        config = image.config
        title = config.start.labels.get(_TITLE) or "image"
        subject = Subject(title, image.digest, config.diff_ids, str(config.platform), config.created)
        return WRITERS[format_](take(Files(layers.entries.values(), layers.bytes_of, sha1), subject, {}))
