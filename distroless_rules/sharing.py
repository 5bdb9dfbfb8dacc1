"""Opens the shared cache that a workspace, the environment or the command line names."""

from __future__ import annotations

import uuid

from distroless_rules import __version__
from distroless_rules.project import Project
from distroless_rules.storage import wire
from distroless_rules.storage.connect import connect
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.endpoint import Endpoint, Identity, parse
from distroless_rules.storage.operations import RequestMetadata, ToolDetails
from distroless_rules.storage.shared import SharedStore
from distroless_rules.values.remote_cache import RemoteCache

__all__ = ["endpoint_of", "metadata", "open_shared"]

_METADATA = "build.bazel.remote.execution.v2.requestmetadata-bin"


def open_shared(project: Project, local: DiskStore) -> SharedStore | None:
    """Give the local store with the shared cache behind it; None if none is named.

    Raises:
        ConfigError: if its address, a certificate or a token is wrong.
    """
    settings = project.remote
    if not settings.address or not (settings.accept or settings.upload):
        return None
    remote = connect(endpoint_of(settings), settings.seconds, metadata())
    return SharedStore(
        local,
        remote,
        accept=settings.accept,
        upload=settings.upload,
        required=settings.required,
        warn=project.status,
    )


def endpoint_of(settings: RemoteCache, table: str = "cache") -> Endpoint:
    """Give the server that settings of a table of ``distroless.toml`` name, and who asks.

    Raises:
        ConfigError: if its address or a header is wrong.
    """
    identity = Identity(
        headers=settings.headers,
        token=settings.token,
        token_file=settings.token_file,
        helper=settings.helper,
        ca=settings.ca,
        certificate=settings.certificate,
        key=settings.key,
    )
    return parse(settings.address, identity, f"read {settings.source}", table)


def metadata() -> tuple[tuple[str, bytes], ...]:
    """Give the header that says which program asks."""
    about = RequestMetadata(ToolDetails("distroless-rules", __version__), tool_invocation_id=str(uuid.uuid4()))
    return ((_METADATA, wire.encode(about)),)
