"""The one place where a shared cache's address decides which protocol is spoken."""

from __future__ import annotations

from distroless_rules.storage.endpoint import Endpoint
from distroless_rules.storage.remote import Remote

__all__ = ["connect"]


def connect(endpoint: Endpoint, seconds: float, headers: tuple[tuple[str, str | bytes], ...] = ()) -> Remote:
    """Give the cache at ``endpoint``; nothing is asked of it yet.

    Args:
        endpoint: where it is.
        seconds: how long a small call may take.
        headers: what goes with each call beside the endpoint's own, where the protocol has a place for it.

    Raises:
        ConfigError: if a certificate, key or token cannot be read.
    """
    if endpoint.scheme == "file":
        from distroless_rules.storage.remote_folder import FolderCache

        return FolderCache(endpoint)
    if endpoint.scheme in ("http", "https"):
        from distroless_rules.storage.remote_http import HttpCache

        return HttpCache(endpoint, seconds)
    if endpoint.scheme.startswith("oci"):
        from distroless_rules.storage.remote_registry import RegistryCache

        return RegistryCache(endpoint, seconds)
    from distroless_rules.storage.remote_grpc import GrpcCache

    return GrpcCache(endpoint, seconds, headers)
