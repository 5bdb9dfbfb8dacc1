"""What the services that execute are asked, and what they answer; and what a call is for.

Sources: ``build/bazel/remote/execution/v2/remote_execution.proto`` (remote-apis, main, 2026-03-31),
``google/longrunning/operations.proto``.
"""

from __future__ import annotations

from dataclasses import dataclass

from distroless_rules.storage import wire
from distroless_rules.storage.messages import ActionResult, AnyMessage, ExecutedActionMetadata, Status
from distroless_rules.storage.services import Method, Priority
from distroless_rules.values.digest import Digest

__all__ = [
    "CANCEL_OPERATION",
    "EXECUTE",
    "WAIT_EXECUTION",
    "CancelOperationRequest",
    "Empty",
    "ExecuteOperationMetadata",
    "ExecuteRequest",
    "ExecuteResponse",
    "LogFile",
    "NamedLog",
    "Operation",
    "RequestMetadata",
    "ToolDetails",
    "WaitExecutionRequest",
]


@dataclass(frozen=True, slots=True)
class ExecuteRequest(wire.Message):
    """Asks for an action to be executed."""

    instance_name: str = wire.string(1)
    skip_cache_lookup: bool = wire.boolean(3)
    action_digest: Digest | None = wire.digest(6)
    execution_policy: Priority | None = wire.message(7, Priority)
    results_cache_policy: Priority | None = wire.message(8, Priority)
    digest_function: int = wire.integer(9)
    inline_stdout: bool = wire.boolean(10)
    inline_stderr: bool = wire.boolean(11)
    inline_output_files: tuple[str, ...] = wire.strings(12)


@dataclass(frozen=True, slots=True)
class LogFile(wire.Message):
    """A log that a server kept."""

    digest: Digest | None = wire.digest(1)
    human_readable: bool = wire.boolean(2)


@dataclass(frozen=True, slots=True)
class NamedLog(wire.Message):
    """An entry of ``ExecuteResponse.server_logs``."""

    key: str = wire.string(1)
    value: LogFile | None = wire.message(2, LogFile)


@dataclass(frozen=True, slots=True)
class ExecuteResponse(wire.Message):
    """How an execution ended; in the response of an ``Operation``."""

    result: ActionResult | None = wire.message(1, ActionResult)
    cached_result: bool = wire.boolean(2)
    status: Status | None = wire.message(3, Status)
    server_logs: tuple[NamedLog, ...] = wire.messages(4, NamedLog)
    message: str = wire.string(5)


@dataclass(frozen=True, slots=True)
class ExecuteOperationMetadata(wire.Message):
    """Where an execution is: stage 1 looks into the cache, 2 is queued, 3 executes, 4 is complete."""

    stage: int = wire.integer(1)
    action_digest: Digest | None = wire.digest(2)
    stdout_stream_name: str = wire.string(3)
    stderr_stream_name: str = wire.string(4)
    partial_execution_metadata: ExecutedActionMetadata | None = wire.message(5, ExecutedActionMetadata)
    digest_function: int = wire.integer(6)


@dataclass(frozen=True, slots=True)
class WaitExecutionRequest(wire.Message):
    """Asks to be told about an operation again."""

    name: str = wire.string(1)


@dataclass(frozen=True, slots=True)
class CancelOperationRequest(wire.Message):
    """Asks for an operation to be given up."""

    name: str = wire.string(1)


@dataclass(frozen=True, slots=True)
class Operation(wire.Message):
    """A long-running operation; when it is done it has an error or a response."""

    name: str = wire.string(1)
    metadata: AnyMessage | None = wire.message(2, AnyMessage)
    done: bool = wire.boolean(3)
    error: Status | None = wire.message(4, Status)
    response: AnyMessage | None = wire.message(5, AnyMessage)


@dataclass(frozen=True, slots=True)
class Empty(wire.Message):
    """Nothing."""


@dataclass(frozen=True, slots=True)
class ToolDetails(wire.Message):
    """The program that asks."""

    tool_name: str = wire.string(1)
    tool_version: str = wire.string(2)


@dataclass(frozen=True, slots=True)
class RequestMetadata(wire.Message):
    """What a call is for; sent in the header ``build.bazel.remote.execution.v2.requestmetadata-bin``."""

    tool_details: ToolDetails | None = wire.message(1, ToolDetails)
    action_id: str = wire.string(2)
    tool_invocation_id: str = wire.string(3)
    correlated_invocations_id: str = wire.string(4)
    action_mnemonic: str = wire.string(5)
    target_id: str = wire.string(6)
    configuration_id: str = wire.string(7)


EXECUTE = Method(
    "/build.bazel.remote.execution.v2.Execution/Execute", ExecuteRequest, Operation, "execute an action on"
)
WAIT_EXECUTION = Method(
    "/build.bazel.remote.execution.v2.Execution/WaitExecution", WaitExecutionRequest, Operation, "wait for an action on"
)
CANCEL_OPERATION = Method(
    "/google.longrunning.Operations/CancelOperation", CancelOperationRequest, Empty, "cancel an action on"
)
