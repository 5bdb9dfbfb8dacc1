"""What the services of the Remote Execution API version 2 that hold things are asked, and what they answer.

Sources: ``build/bazel/remote/execution/v2/remote_execution.proto`` and ``build/bazel/semver/semver.proto``
(remote-apis, main, 2026-03-31), ``google/bytestream/bytestream.proto``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from distroless_rules.storage import wire
from distroless_rules.storage.messages import ActionResult, Directory, GetActionResultRequest, Status
from distroless_rules.values.digest import Digest

__all__ = [
    "BATCH_READ",
    "BATCH_UPDATE",
    "FIND_MISSING",
    "GET_ACTION_RESULT",
    "GET_CAPABILITIES",
    "GET_TREE",
    "IDENTITY",
    "READ",
    "SHA256",
    "UPDATE_ACTION_RESULT",
    "WRITE",
    "ZSTD",
    "BatchReadBlobsRequest",
    "BatchReadBlobsResponse",
    "BatchUpdateBlobsRequest",
    "BatchUpdateBlobsResponse",
    "BlobContent",
    "BlobStatus",
    "BlobUpload",
    "CacheCapabilities",
    "ExecutionCapabilities",
    "FindMissingBlobsRequest",
    "FindMissingBlobsResponse",
    "GetCapabilitiesRequest",
    "GetTreeRequest",
    "GetTreeResponse",
    "Method",
    "Priority",
    "ReadRequest",
    "ReadResponse",
    "SemVer",
    "ServerCapabilities",
    "UpdateActionResultRequest",
    "UpdateCapabilities",
    "WriteRequest",
    "WriteResponse",
]

IDENTITY, ZSTD = 0, 1
"""Values of ``Compressor.Value``."""
SHA256 = 1
"""The value of ``DigestFunction.Value`` that this program uses."""


@dataclass(frozen=True, slots=True)
class Priority(wire.Message):
    """``ExecutionPolicy`` or ``ResultsCachePolicy``: lower is sooner, or kept longer."""

    priority: int = wire.integer(1)


@dataclass(frozen=True, slots=True)
class UpdateActionResultRequest(wire.Message):
    """Keeps a result by its action's digest."""

    instance_name: str = wire.string(1)
    action_digest: Digest | None = wire.digest(2)
    action_result: ActionResult | None = wire.message(3, ActionResult)
    results_cache_policy: Priority | None = wire.message(4, Priority)
    digest_function: int = wire.integer(5)


@dataclass(frozen=True, slots=True)
class FindMissingBlobsRequest(wire.Message):
    """Asks which blobs are not there."""

    instance_name: str = wire.string(1)
    blob_digests: tuple[Digest, ...] = wire.digests(2)
    digest_function: int = wire.integer(3)


@dataclass(frozen=True, slots=True)
class FindMissingBlobsResponse(wire.Message):
    """Names the blobs that are not there."""

    missing_blob_digests: tuple[Digest, ...] = wire.digests(2)


@dataclass(frozen=True, slots=True)
class BlobUpload(wire.Message):
    """One blob of a ``BatchUpdateBlobsRequest``."""

    digest: Digest | None = wire.digest(1)
    data: bytes = wire.data(2)
    compressor: int = wire.integer(3)


@dataclass(frozen=True, slots=True)
class BatchUpdateBlobsRequest(wire.Message):
    """Brings small blobs."""

    instance_name: str = wire.string(1)
    requests: tuple[BlobUpload, ...] = wire.messages(2, BlobUpload)
    digest_function: int = wire.integer(5)


@dataclass(frozen=True, slots=True)
class BlobStatus(wire.Message):
    """What became of one blob of a batch."""

    digest: Digest | None = wire.digest(1)
    status: Status | None = wire.message(2, Status)


@dataclass(frozen=True, slots=True)
class BatchUpdateBlobsResponse(wire.Message):
    """What became of each blob."""

    responses: tuple[BlobStatus, ...] = wire.messages(1, BlobStatus)


@dataclass(frozen=True, slots=True)
class BatchReadBlobsRequest(wire.Message):
    """Asks for small blobs."""

    instance_name: str = wire.string(1)
    digests: tuple[Digest, ...] = wire.digests(2)
    acceptable_compressors: tuple[int, ...] = wire.integers(3)
    digest_function: int = wire.integer(4)


@dataclass(frozen=True, slots=True)
class BlobContent(wire.Message):
    """One blob of a ``BatchReadBlobsResponse``."""

    digest: Digest | None = wire.digest(1)
    data: bytes = wire.data(2)
    status: Status | None = wire.message(3, Status)
    compressor: int = wire.integer(4)


@dataclass(frozen=True, slots=True)
class BatchReadBlobsResponse(wire.Message):
    """Small blobs."""

    responses: tuple[BlobContent, ...] = wire.messages(1, BlobContent)


@dataclass(frozen=True, slots=True)
class GetTreeRequest(wire.Message):
    """Asks for a directory and everything below it."""

    instance_name: str = wire.string(1)
    root_digest: Digest | None = wire.digest(2)
    page_size: int = wire.integer(3)
    page_token: str = wire.string(4)
    digest_function: int = wire.integer(5)


@dataclass(frozen=True, slots=True)
class GetTreeResponse(wire.Message):
    """A page of directories, in no particular order."""

    directories: tuple[Directory, ...] = wire.messages(1, Directory)
    next_page_token: str = wire.string(2)


@dataclass(frozen=True, slots=True)
class ReadRequest(wire.Message):
    """Asks for a blob by resource name."""

    resource_name: str = wire.string(1)
    read_offset: int = wire.integer(2)
    read_limit: int = wire.integer(3)


@dataclass(frozen=True, slots=True)
class ReadResponse(wire.Message):
    """A piece of a blob."""

    data: bytes = wire.data(10)


@dataclass(frozen=True, slots=True)
class WriteRequest(wire.Message):
    """A piece of a blob that is sent; only the first names the resource."""

    resource_name: str = wire.string(1)
    write_offset: int = wire.integer(2)
    finish_write: bool = wire.boolean(3)
    data: bytes = wire.data(10)


@dataclass(frozen=True, slots=True)
class WriteResponse(wire.Message):
    """How much arrived; -1 where another has finished a compressed upload before."""

    committed_size: int = wire.integer(1)


@dataclass(frozen=True, slots=True)
class GetCapabilitiesRequest(wire.Message):
    """Asks what a server can do."""

    instance_name: str = wire.string(1)


@dataclass(frozen=True, slots=True)
class SemVer(wire.Message):
    """A version."""

    major: int = wire.integer(1)
    minor: int = wire.integer(2)
    patch: int = wire.integer(3)
    prerelease: str = wire.string(4)


@dataclass(frozen=True, slots=True)
class UpdateCapabilities(wire.Message):
    """Whether action results may be written."""

    update_enabled: bool = wire.boolean(1)


@dataclass(frozen=True, slots=True)
class CacheCapabilities(wire.Message):
    """What a cache can do; a size of 0 says that there is no limit."""

    digest_functions: tuple[int, ...] = wire.integers(1)
    action_cache_update_capabilities: UpdateCapabilities | None = wire.message(2, UpdateCapabilities)
    max_batch_total_size_bytes: int = wire.integer(4)
    symlink_absolute_path_strategy: int = wire.integer(5)
    supported_compressors: tuple[int, ...] = wire.integers(6)
    supported_batch_update_compressors: tuple[int, ...] = wire.integers(7)
    max_cas_blob_size_bytes: int = wire.integer(8)
    split_blob_support: bool = wire.boolean(9)
    splice_blob_support: bool = wire.boolean(10)


@dataclass(frozen=True, slots=True)
class ExecutionCapabilities(wire.Message):
    """What an executor can do."""

    digest_function: int = wire.integer(1)
    exec_enabled: bool = wire.boolean(2)
    supported_node_properties: tuple[str, ...] = wire.strings(4)
    digest_functions: tuple[int, ...] = wire.integers(5)


@dataclass(frozen=True, slots=True)
class ServerCapabilities(wire.Message):
    """What a server can do, and the versions of the API that it speaks."""

    cache_capabilities: CacheCapabilities | None = wire.message(1, CacheCapabilities)
    execution_capabilities: ExecutionCapabilities | None = wire.message(2, ExecutionCapabilities)
    deprecated_api_version: SemVer | None = wire.message(3, SemVer)
    low_api_version: SemVer | None = wire.message(4, SemVer)
    high_api_version: SemVer | None = wire.message(5, SemVer)


Q = TypeVar("Q", bound=wire.Message)
R = TypeVar("R", bound=wire.Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[Q, R]):
    """A method of a service: its path, what it is asked with and what it answers, each perhaps many times.

    ``words`` are for messages: they say, before the server's address, what is done.
    """

    path: str
    request: type[Q]
    response: type[R]
    words: str

    @property
    def name(self) -> str:
        """Its name in its service."""
        return self.path.rpartition("/")[2]


_V2 = "/build.bazel.remote.execution.v2"
GET_CAPABILITIES = Method(f"{_V2}.Capabilities/GetCapabilities", GetCapabilitiesRequest, ServerCapabilities, "use")
FIND_MISSING = Method(
    f"{_V2}.ContentAddressableStorage/FindMissingBlobs",
    FindMissingBlobsRequest,
    FindMissingBlobsResponse,
    "ask which blobs are missing of",
)
BATCH_UPDATE = Method(
    f"{_V2}.ContentAddressableStorage/BatchUpdateBlobs",
    BatchUpdateBlobsRequest,
    BatchUpdateBlobsResponse,
    "send blobs to",
)
BATCH_READ = Method(
    f"{_V2}.ContentAddressableStorage/BatchReadBlobs", BatchReadBlobsRequest, BatchReadBlobsResponse, "read blobs of"
)
GET_TREE = Method(f"{_V2}.ContentAddressableStorage/GetTree", GetTreeRequest, GetTreeResponse, "read a tree of")
GET_ACTION_RESULT = Method(
    f"{_V2}.ActionCache/GetActionResult", GetActionResultRequest, ActionResult, "look up an action result in"
)
UPDATE_ACTION_RESULT = Method(
    f"{_V2}.ActionCache/UpdateActionResult", UpdateActionResultRequest, ActionResult, "keep an action result in"
)
READ = Method("/google.bytestream.ByteStream/Read", ReadRequest, ReadResponse, "read a blob of")
WRITE = Method("/google.bytestream.ByteStream/Write", WriteRequest, WriteResponse, "send a blob to")
