"""What a server of the Remote Execution API says that it can do, and whether that is enough.

Source: ``ServerCapabilities`` in ``remote_execution.proto``.
"""

from __future__ import annotations

from dataclasses import dataclass

from distroless_rules.storage import services
from distroless_rules.storage.channel import Channel
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.services import ServerCapabilities

__all__ = ["Capabilities", "read_capabilities"]

_BATCH = 4_000_000  # bytes: some servers say that there is no limit, and refuse what is more than gRPC's 4 MiB


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What matters of what a server can do.

    Attributes:
        batch: how many bytes a batch of blobs may have, all told.
        largest: how many bytes a blob may have; 0: any number.
        zstd_streams: whether blobs may be streamed compressed.
        takes_results: whether action results may be written.
        executes: whether it executes actions.
    """

    batch: int = _BATCH
    largest: int = 0
    zstd_streams: bool = False
    takes_results: bool = True
    executes: bool = False


def read_capabilities(channel: Channel, instance: str) -> Capabilities:
    """Ask a server once; one that does not know the question is taken for a plain cache.

    Raises:
        RemoteError: if it does not answer, or does not use SHA-256, or speaks another version of the API.
    """
    try:
        said = channel.call(services.GET_CAPABILITIES, services.GetCapabilitiesRequest(instance))
    except RemoteError as error:
        if error.code is Code.UNIMPLEMENTED:
            return Capabilities()
        if error.code in (Code.INVALID_ARGUMENT, Code.NOT_FOUND):
            hint = f'see the instance name "{instance}" in its address'
            raise RemoteError(error.doing, error.cause, error.code, hint=hint) from error
        raise
    doing = f"use {channel.endpoint.shown}"
    low, high = said.low_api_version, said.high_api_version
    if (low and low.major > 2) or (high and high.major < 2):
        versions = f"{low.major if low else '?'} to {high.major if high else '?'}"
        raise RemoteError(doing, f"it speaks version {versions} of the Remote Execution API", Code.FAILED_PRECONDITION)
    return _read(said, doing)


def _read(said: ServerCapabilities, doing: str) -> Capabilities:
    cache = said.cache_capabilities or services.CacheCapabilities()
    if cache.digest_functions and services.SHA256 not in cache.digest_functions:
        raise RemoteError(doing, "it does not use SHA-256", Code.FAILED_PRECONDITION)
    update = cache.action_cache_update_capabilities
    execution = said.execution_capabilities
    limit = cache.max_batch_total_size_bytes
    return Capabilities(
        batch=min(limit, _BATCH) if limit > 0 else _BATCH,
        largest=max(0, cache.max_cas_blob_size_bytes),
        zstd_streams=services.ZSTD in cache.supported_compressors,
        takes_results=update is None or update.update_enabled,
        executes=execution is not None and execution.exec_enabled,
    )
