"""The messages of the Remote Execution API version 2 that are kept: actions, directories, results, and their parts.

Names and field numbers are the format; a docstring says what the names do not. Sources:
``build/bazel/remote/execution/v2/remote_execution.proto`` (remote-apis, main, 2026-03-31), ``google/rpc/status.proto``,
``google/rpc/error_details.proto``, and the well-known types of Protocol Buffers.
"""

from __future__ import annotations

from dataclasses import dataclass

from distroless_rules.storage import wire
from distroless_rules.values.digest import Digest

__all__ = [
    "Action",
    "ActionResult",
    "AnyMessage",
    "Command",
    "Directory",
    "DirectoryNode",
    "Duration",
    "ExecutedActionMetadata",
    "FileNode",
    "GetActionResultRequest",
    "NodeProperties",
    "OutputDirectory",
    "OutputFile",
    "OutputSymlink",
    "Platform",
    "PreconditionFailure",
    "Property",
    "Status",
    "SymlinkNode",
    "Timestamp",
    "Tree",
    "UInt32Value",
    "Violation",
]


@dataclass(frozen=True, slots=True)
class Duration(wire.Message):
    """A span of time."""

    seconds: int = wire.integer(1)
    nanos: int = wire.integer(2)


@dataclass(frozen=True, slots=True)
class Timestamp(wire.Message):
    """A point in time: since 1970, UTC."""

    seconds: int = wire.integer(1)
    nanos: int = wire.integer(2)


@dataclass(frozen=True, slots=True)
class AnyMessage(wire.Message):
    """A message whose type is told by its URL, ``type.googleapis.com/<full name>``."""

    type_url: str = wire.string(1)
    value: bytes = wire.data(2)


@dataclass(frozen=True, slots=True)
class UInt32Value(wire.Message):
    """A number that may be absent."""

    value: int = wire.integer(1)


@dataclass(frozen=True, slots=True)
class Status(wire.Message):
    """How a call ended; ``code`` is a gRPC status code."""

    code: int = wire.integer(1)
    message: str = wire.string(2)
    details: tuple[AnyMessage, ...] = wire.messages(3, AnyMessage)


@dataclass(frozen=True, slots=True)
class Violation(wire.Message):
    """Of type ``MISSING``, the subject ``blobs/<hash>/<size>`` is not in the CAS."""

    type: str = wire.string(1)
    subject: str = wire.string(2)
    description: str = wire.string(3)


@dataclass(frozen=True, slots=True)
class PreconditionFailure(wire.Message):
    """Which blobs were missing, in the details of a ``Status``."""

    violations: tuple[Violation, ...] = wire.messages(1, Violation)


@dataclass(frozen=True, slots=True)
class Property(wire.Message):
    """A name and a value: of a platform, of an environment, of a node."""

    name: str = wire.string(1)
    value: str = wire.string(2)


@dataclass(frozen=True, slots=True)
class Platform(wire.Message):
    """What a worker must be; sorted by name, then value."""

    properties: tuple[Property, ...] = wire.messages(1, Property)


@dataclass(frozen=True, slots=True)
class Action(wire.Message):
    """What is executed; its digest is the key of its result."""

    command_digest: Digest | None = wire.digest(1)
    input_root_digest: Digest | None = wire.digest(2)
    timeout: Duration | None = wire.message(6, Duration)
    do_not_cache: bool = wire.boolean(7)
    salt: bytes = wire.data(9)
    platform: Platform | None = wire.message(10, Platform)


@dataclass(frozen=True, slots=True)
class Command(wire.Message):
    """What an action runs; environment variables and output paths are sorted."""

    arguments: tuple[str, ...] = wire.strings(1)
    environment_variables: tuple[Property, ...] = wire.messages(2, Property)
    output_files: tuple[str, ...] = wire.strings(3)
    output_directories: tuple[str, ...] = wire.strings(4)
    platform: Platform | None = wire.message(5, Platform)
    working_directory: str = wire.string(6)
    output_paths: tuple[str, ...] = wire.strings(7)
    output_node_properties: tuple[str, ...] = wire.strings(8)
    output_directory_format: int = wire.integer(9)


@dataclass(frozen=True, slots=True)
class NodeProperties(wire.Message):
    """What a node has beyond name and content."""

    properties: tuple[Property, ...] = wire.messages(1, Property)
    mtime: Timestamp | None = wire.message(2, Timestamp)
    unix_mode: UInt32Value | None = wire.message(3, UInt32Value)


@dataclass(frozen=True, slots=True)
class FileNode(wire.Message):
    """A file in a directory."""

    name: str = wire.string(1)
    digest: Digest | None = wire.digest(2)
    is_executable: bool = wire.boolean(4)
    node_properties: NodeProperties | None = wire.message(6, NodeProperties)


@dataclass(frozen=True, slots=True)
class DirectoryNode(wire.Message):
    """A directory in a directory."""

    name: str = wire.string(1)
    digest: Digest | None = wire.digest(2)


@dataclass(frozen=True, slots=True)
class SymlinkNode(wire.Message):
    """A symbolic link in a directory."""

    name: str = wire.string(1)
    target: str = wire.string(2)
    node_properties: NodeProperties | None = wire.message(4, NodeProperties)


@dataclass(frozen=True, slots=True)
class Directory(wire.Message):
    """A directory; each kind of node is sorted by name, and a name occurs once."""

    files: tuple[FileNode, ...] = wire.messages(1, FileNode)
    directories: tuple[DirectoryNode, ...] = wire.messages(2, DirectoryNode)
    symlinks: tuple[SymlinkNode, ...] = wire.messages(3, SymlinkNode)
    node_properties: NodeProperties | None = wire.message(5, NodeProperties)


@dataclass(frozen=True, slots=True)
class Tree(wire.Message):
    """A directory with everything below it; children are found by their digests."""

    root: Directory | None = wire.message(1, Directory)
    children: tuple[Directory, ...] = wire.messages(2, Directory)


@dataclass(frozen=True, slots=True)
class OutputFile(wire.Message):
    """A file that an action made."""

    path: str = wire.string(1)
    digest: Digest | None = wire.digest(2)
    is_executable: bool = wire.boolean(4)
    contents: bytes = wire.data(5)
    node_properties: NodeProperties | None = wire.message(7, NodeProperties)


@dataclass(frozen=True, slots=True)
class OutputDirectory(wire.Message):
    """A directory that an action made, as the digest of a ``Tree`` or of its root ``Directory``."""

    path: str = wire.string(1)
    tree_digest: Digest | None = wire.digest(3)
    is_topologically_sorted: bool = wire.boolean(4)
    root_directory_digest: Digest | None = wire.digest(5)


@dataclass(frozen=True, slots=True)
class OutputSymlink(wire.Message):
    """A symbolic link that an action made."""

    path: str = wire.string(1)
    target: str = wire.string(2)
    node_properties: NodeProperties | None = wire.message(4, NodeProperties)


@dataclass(frozen=True, slots=True)
class ExecutedActionMetadata(wire.Message):
    """Where and when an action was executed."""

    worker: str = wire.string(1)
    queued_timestamp: Timestamp | None = wire.message(2, Timestamp)
    worker_start_timestamp: Timestamp | None = wire.message(3, Timestamp)
    worker_completed_timestamp: Timestamp | None = wire.message(4, Timestamp)
    input_fetch_start_timestamp: Timestamp | None = wire.message(5, Timestamp)
    input_fetch_completed_timestamp: Timestamp | None = wire.message(6, Timestamp)
    execution_start_timestamp: Timestamp | None = wire.message(7, Timestamp)
    execution_completed_timestamp: Timestamp | None = wire.message(8, Timestamp)
    output_upload_start_timestamp: Timestamp | None = wire.message(9, Timestamp)
    output_upload_completed_timestamp: Timestamp | None = wire.message(10, Timestamp)
    auxiliary_metadata: tuple[AnyMessage, ...] = wire.messages(11, AnyMessage)
    virtual_execution_duration: Duration | None = wire.message(12, Duration)


@dataclass(frozen=True, slots=True)
class ActionResult(wire.Message):
    """What an action made and printed, and how it ended."""

    output_files: tuple[OutputFile, ...] = wire.messages(2, OutputFile)
    output_directories: tuple[OutputDirectory, ...] = wire.messages(3, OutputDirectory)
    exit_code: int = wire.integer(4)
    stdout_raw: bytes = wire.data(5)
    stdout_digest: Digest | None = wire.digest(6)
    stderr_raw: bytes = wire.data(7)
    stderr_digest: Digest | None = wire.digest(8)
    execution_metadata: ExecutedActionMetadata | None = wire.message(9, ExecutedActionMetadata)
    output_file_symlinks: tuple[OutputSymlink, ...] = wire.messages(10, OutputSymlink)
    output_directory_symlinks: tuple[OutputSymlink, ...] = wire.messages(11, OutputSymlink)
    output_symlinks: tuple[OutputSymlink, ...] = wire.messages(12, OutputSymlink)


@dataclass(frozen=True, slots=True)
class GetActionResultRequest(wire.Message):
    """Asks for a result by its action's digest; kept in results, where it says whose they are."""

    instance_name: str = wire.string(1)
    action_digest: Digest | None = wire.digest(2)
    inline_stdout: bool = wire.boolean(3)
    inline_stderr: bool = wire.boolean(4)
    inline_output_files: tuple[str, ...] = wire.strings(5)
    digest_function: int = wire.integer(6)
