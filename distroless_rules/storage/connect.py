"""The one place where a shared cache's address decides which protocol is spoken."""

from __future__ import annotations

from collections.abc import Callable

from distroless_rules.storage.endpoint import Endpoint
from distroless_rules.storage.remote import Remote

__all__ = ["Headers", "connect", "prepare"]

Headers = Callable[[], tuple[tuple[str, str | bytes], ...]]
"""Gives names and values."""


def connect(endpoint: Endpoint, seconds: float, headers: Headers = tuple) -> Remote:
    """Give the cache at ``endpoint``; nothing is asked of it yet.

    Args:
        endpoint: where it is.
        seconds: how long a small call may take.
        headers: gives what goes with each call beside the endpoint's own, where the protocol has a place for it.

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

    return GrpcCache(endpoint, seconds, headers())


def prepare(address: str) -> None:
    """Import what it costs most to speak to the cache at an address, while there is time; it may be no address."""
    import distroless_rules.storage.shared

    scheme, _, rest = address.partition("://")
    if scheme.startswith(("http", "oci")):
        import urllib3  # noqa: F401
    elif rest and scheme != "file":
        import grpc  # noqa: F401

        import distroless_rules.storage.remote_grpc  # noqa: F401
