"""Opens the shared cache that a workspace, the environment or the command line names."""

from __future__ import annotations

import uuid

from distroless_rules import __version__
from distroless_rules.project import Project
from distroless_rules.storage import wire
from distroless_rules.storage.connect import connect
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.endpoint import Identity, parse
from distroless_rules.storage.operations import RequestMetadata, ToolDetails
from distroless_rules.storage.shared import SharedStore

__all__ = ["open_shared"]

_METADATA = "build.bazel.remote.execution.v2.requestmetadata-bin"


def open_shared(project: Project, local: DiskStore) -> SharedStore | None:
    """Give the local store with the shared cache behind it; None if none is named.

    Raises:
        ConfigError: if its address, a certificate or a token is wrong.
    """
    settings = project.remote
    if not settings.address or not (settings.accept or settings.upload):
        return None
    identity = Identity(
        headers=settings.headers,
        token=settings.token,
        token_file=settings.token_file,
        helper=settings.helper,
        ca=settings.ca,
        certificate=settings.certificate,
        key=settings.key,
    )
    endpoint = parse(settings.address, identity, f"read {settings.source}")
    about = RequestMetadata(ToolDetails("distroless-rules", __version__), tool_invocation_id=str(uuid.uuid4()))
    remote = connect(endpoint, settings.seconds, ((_METADATA, wire.encode(about)),))
    return SharedStore(
        local,
        remote,
        accept=settings.accept,
        upload=settings.upload,
        required=settings.required,
        warn=project.status,
    )
