"""Opens the shared cache that a workspace, the environment or the command line names."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from distroless_rules import __version__
from distroless_rules.project import Project
from distroless_rules.storage import key_file, wire
from distroless_rules.storage.connect import connect, prepare
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.endpoint import Endpoint, Identity, parse
from distroless_rules.storage.shared import SharedStore
from distroless_rules.storage.signatures import Signer
from distroless_rules.storage.trust import Trust
from distroless_rules.values.remote_cache import RemoteCache

__all__ = ["endpoint_of", "metadata", "open_shared", "prepare"]

_METADATA = "build.bazel.remote.execution.v2.requestmetadata-bin"


def open_shared(
    project: Project, local: DiskStore, trust: Trust, told: Callable[[str, float, float], object] | None = None
) -> SharedStore | None:
    """Give the local store with the shared cache behind it; None if none is named.

    Args:
        project: the workspace, and what is said about a shared cache.
        local: the store of this machine.
        trust: which results of the shared cache count.
        told: is told of each call to the server (see ``Traffic``).

    Raises:
        ConfigError: if its address, a certificate, a token or the key that signs is wrong.
    """
    settings = project.remote
    if not settings.address or not (settings.accept or settings.upload):
        return None
    signer = _signer(project) if settings.upload else None
    remote = connect(endpoint_of(settings), settings.seconds, metadata)
    remote.traffic.told = told
    return SharedStore(
        local,
        remote,
        trust=trust,
        upload=settings.upload,
        signer=signer,
        required=settings.required,
        warn=project.status,
    )


def _signer(project: Project) -> Signer | None:
    """Give what signs results, None if they are not signed; warn where these settings would not take them back."""
    settings = project.remote
    see = 'see "signing_key" and "trusted_keys" in [cache]'
    if not settings.signing_key and settings.signing_key_file is None:
        if settings.trusted is not None:
            project.status(f"warning: results are sent without a signature, and only signed ones are used; {see}")
        return None
    doing = "read DISTROLESS_SIGNING_KEY"
    text = settings.signing_key
    if settings.signing_key_file is not None:
        text = key_file.read(settings.signing_key_file, hint='see "signing_key" in [cache]')
        doing = f'read the key in "{settings.signing_key_file}"'
    signer = key_file.signer(text, doing)
    if settings.trusted is not None and signer.public not in settings.trusted:
        project.status(f'warning: results are signed by "{signer.public.name}", which is not a trusted key; {see}')
    return signer


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


def metadata() -> tuple[tuple[str, str | bytes], ...]:
    """Give the header that says which program asks, where gRPC is spoken."""
    from distroless_rules.storage.operations import RequestMetadata, ToolDetails  # costly to import

    about = RequestMetadata(ToolDetails("distroless-rules", __version__), tool_invocation_id=str(uuid.uuid4()))
    return ((_METADATA, wire.encode(about)),)
