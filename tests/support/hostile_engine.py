"""An engine in memory that does what a test says: a real gRPC server, real messages, and whatever lies are wanted.

    with serving() as engine:
        engine.answer = lambda action: [engine.done(ActionResult(...))]
        ... engine.address

It keeps blobs, counts calls, and has no opinion of its own: ``answer`` gives what ``Execute`` streams for an action.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from distroless_rules.storage import operations, services, wire
from distroless_rules.storage.messages import (
    ActionResult,
    AnyMessage,
    Directory,
    FileNode,
    OutputDirectory,
    Status,
    Tree,
)
from distroless_rules.storage.operations import ExecuteResponse, Operation
from distroless_rules.storage.services import Method
from distroless_rules.values.digest import Digest

__all__ = ["Engine", "Refusal", "serving"]

Answer = Callable[[Digest], Iterator[Operation] | list[Operation]]


class Refusal(Exception):  # noqa: N818 - what an RPC does
    """Ends a call with a status."""

    def __init__(self, code: grpc.StatusCode, details: str = "no") -> None:
        super().__init__(details)
        self.code = code


class Engine:
    """What the server holds and does.

    Attributes:
        address: where it listens.
        blobs: what it holds.
        answer: what ``Execute`` streams for an action.
        resume: what ``WaitExecution`` streams for the name of an operation.
        calls: the last part of each method that was called, in order.
        cancelled: the names of operations that were.
        remembered: what its action cache holds.
        forged: blobs that are given other bytes when they are read.
        pages: what ``GetTree`` streams; it is not offered at first.
    """

    def __init__(self) -> None:
        self.address = ""
        self.blobs: dict[Digest, bytes] = {}
        self.answer: Answer = lambda action: []
        self.resume: Callable[[str], Iterator[Operation] | list[Operation]] = lambda name: []
        self.calls: list[str] = []
        self.cancelled: list[str] = []
        self.remembered: dict[Digest, ActionResult] = {}
        self.forged: dict[Digest, bytes] = {}
        self.pages: Callable[[services.GetTreeRequest], Iterator[services.GetTreeResponse]] = _unknown
        self.stop = threading.Event()

    def put(self, data: bytes) -> Digest:
        """Keep a blob."""
        digest = Digest.of(data)
        self.blobs[digest] = data
        return digest

    def tree(self, root: Directory, *children: Directory) -> Digest:
        """Keep a tree."""
        return self.put(wire.encode(Tree(root, children)))

    def folder(self, path: str, **files: bytes) -> OutputDirectory:
        """Say that a folder with some files was made."""
        nodes = tuple(FileNode(name, self.put(data)) for name, data in sorted(files.items()))
        return OutputDirectory(path, self.tree(Directory(files=nodes)))

    def done(
        self, result: ActionResult | None, *, status: Status | None = None, cached: bool = False, name: str = "op"
    ) -> Operation:
        """Give the last message of an execution."""
        response = wire.encode(ExecuteResponse(result, cached, status))
        kind = "type.googleapis.com/build.bazel.remote.execution.v2.ExecuteResponse"
        return Operation(name, done=True, response=AnyMessage(kind, response))

    def executions(self) -> int:
        """Count how often something was to be executed."""
        return self.calls.count("Execute")

    # What it answers

    def capabilities(self, _: Any) -> services.ServerCapabilities:
        execution = services.ExecutionCapabilities(services.SHA256, exec_enabled=True)
        return services.ServerCapabilities(services.CacheCapabilities((services.SHA256,)), execution)

    def find_missing(self, request: services.FindMissingBlobsRequest) -> services.FindMissingBlobsResponse:
        return services.FindMissingBlobsResponse(tuple(d for d in request.blob_digests if d not in self.blobs))

    def update(self, request: services.BatchUpdateBlobsRequest) -> services.BatchUpdateBlobsResponse:
        rows = []
        for each in request.requests:
            right = Digest.of(each.data) == each.digest
            if right:
                self.put(each.data)
            rows.append(services.BlobStatus(each.digest, Status(0 if right else 3, "" if right else "wrong digest")))
        return services.BatchUpdateBlobsResponse(tuple(rows))

    def find(self, request: services.GetActionResultRequest) -> ActionResult:
        if request.action_digest not in self.remembered:
            raise Refusal(grpc.StatusCode.NOT_FOUND)
        return self.remembered[request.action_digest]

    def read_batch(self, request: services.BatchReadBlobsRequest) -> services.BatchReadBlobsResponse:
        rows = []
        for digest in request.digests:
            data = self.forged.get(digest, self.blobs.get(digest))
            status = Status(0 if data is not None else 5)
            rows.append(services.BlobContent(digest, data or b"", status))
        return services.BatchReadBlobsResponse(tuple(rows))

    def read(self, request: services.ReadRequest) -> Iterator[services.ReadResponse]:
        value, size = request.resource_name.rsplit("/", 2)[1:]
        digest = Digest(value, int(size))
        data = self.forged.get(digest, self.blobs.get(digest))
        if data is None:
            raise Refusal(grpc.StatusCode.NOT_FOUND)
        yield services.ReadResponse(data[request.read_offset :])

    def write(self, requests: Iterator[services.WriteRequest]) -> services.WriteResponse:
        data = b"".join(request.data for request in requests)
        self.put(data)
        return services.WriteResponse(len(data))

    def cancel(self, request: operations.CancelOperationRequest) -> operations.Empty:
        self.cancelled.append(request.name)
        self.stop.set()
        return operations.Empty()


def _unknown(_: services.GetTreeRequest) -> Iterator[services.GetTreeResponse]:
    raise Refusal(grpc.StatusCode.UNIMPLEMENTED)


@contextmanager
def serving() -> Iterator[Engine]:
    """Start an engine for as long as the block lasts."""
    engine = Engine()
    server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((_Handler(engine),))
    engine.address = f"grpc://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield engine
    finally:
        engine.stop.set()
        server.stop(0).wait()


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc, unused-ignore]
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        asked: list[tuple[Method[Any, Any], str, Callable[[Any], Any]]] = [
            (services.GET_CAPABILITIES, "unary_unary", engine.capabilities),
            (services.FIND_MISSING, "unary_unary", lambda r: engine.find_missing(r)),
            (services.BATCH_UPDATE, "unary_unary", lambda r: engine.update(r)),
            (services.BATCH_READ, "unary_unary", lambda r: engine.read_batch(r)),
            (services.GET_ACTION_RESULT, "unary_unary", lambda r: engine.find(r)),
            (services.READ, "unary_stream", engine.read),
            (services.GET_TREE, "unary_stream", lambda r: engine.pages(r)),
            (services.WRITE, "stream_unary", engine.write),
            (operations.EXECUTE, "unary_stream", lambda r: engine.answer(r.action_digest)),
            (operations.WAIT_EXECUTION, "unary_stream", lambda r: engine.resume(r.name)),
            (operations.CANCEL_OPERATION, "unary_unary", engine.cancel),
        ]
        self._methods = {method.path: (method, shape, answer) for method, shape, answer in asked}

    def service(self, details: Any) -> Any:
        found = self._methods.get(details.method)
        if found is None:
            return None
        method, shape, answer = found
        self._engine.calls.append(details.method.rpartition("/")[2])

        def one(request: Any, context: Any) -> Any:
            try:
                return answer(request)
            except Refusal as refusal:
                context.abort(refusal.code, str(refusal))

        def many(request: Any, context: Any) -> Any:
            try:
                yield from answer(request)
            except Refusal as refusal:
                context.abort(refusal.code, str(refusal))

        make = getattr(grpc, f"{shape}_rpc_method_handler")
        behaviour = many if shape == "unary_stream" else one
        return make(behaviour, lambda data: wire.decode(method.request, data), wire.encode)
