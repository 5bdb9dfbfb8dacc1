"""A shared cache in memory that tells the truth, or lies as a test says: gRPC, on loopback.

    with Liar() as server:
        server.lies["Read"] = lambda truth: [ReadResponse(b"wrong")]
        ... server.address, server.blobs, server.results, server.calls ...

A lie is given a function that gives the true answer, and gives what is sent in its place: a message, bytes, an iterable
of these for a stream; or it raises ``Refusal``.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from distroless_rules.storage import services, wire
from distroless_rules.storage.faults import Code
from distroless_rules.storage.messages import ActionResult, Status
from distroless_rules.storage.services import Method
from distroless_rules.values.digest import EMPTY, Digest

__all__ = ["METHODS", "Liar", "Refusal", "encoded"]

Lie = Callable[[Callable[[], Any]], Any]
METHODS = [getattr(services, name) for name in services.__all__ if isinstance(getattr(services, name), Method)]


class Refusal(Exception):  # noqa: N818 - what a server answers
    """The call ends with a status."""

    def __init__(self, code: Code, details: str = "") -> None:
        super().__init__(code, details)
        self.code, self.details = code, details


class Liar:
    """The server, from ``__enter__`` to ``__exit__``."""

    def __init__(self, tls: grpc.ServerCredentials | None = None) -> None:
        """Start with nothing kept and no lies; over TLS with credentials."""
        self.blobs: dict[Digest, bytes] = {EMPTY: b""}
        self.results: dict[Digest, ActionResult] = {}
        self.lies: dict[str, Lie] = {}
        self.calls: Counter[str] = Counter()
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.capabilities = services.ServerCapabilities(
            services.CacheCapabilities((services.SHA256,), services.UpdateCapabilities(True)),
            low_api_version=services.SemVer(2),
            high_api_version=services.SemVer(2, 3),
        )
        self.closing = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(64), options=[("grpc.max_receive_message_length", -1)])
        for method in METHODS:
            _, service, name = method.path.split("/")
            handlers = {name: self._handler(method, name)}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        where = "127.0.0.1:0"
        port = self._server.add_secure_port(where, tls) if tls else self._server.add_insecure_port(where)
        self.address = f"grpc{'s' if tls else ''}://127.0.0.1:{port}"

    def __enter__(self) -> Liar:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.stop(0)

    # What it says when it does not lie

    def get_capabilities(self, _: services.GetCapabilitiesRequest) -> services.ServerCapabilities:
        return self.capabilities

    def find_missing_blobs(self, request: services.FindMissingBlobsRequest) -> services.FindMissingBlobsResponse:
        return services.FindMissingBlobsResponse(tuple(d for d in request.blob_digests if d not in self.blobs))

    def batch_update_blobs(self, request: services.BatchUpdateBlobsRequest) -> services.BatchUpdateBlobsResponse:
        for upload in request.requests:
            assert Digest.of(upload.data) == upload.digest
            self.blobs[upload.digest] = upload.data
        return services.BatchUpdateBlobsResponse(tuple(services.BlobStatus(u.digest) for u in request.requests))

    def batch_read_blobs(self, request: services.BatchReadBlobsRequest) -> services.BatchReadBlobsResponse:
        return services.BatchReadBlobsResponse(
            tuple(
                services.BlobContent(digest, self.blobs[digest])
                if digest in self.blobs
                else services.BlobContent(digest, status=Status(Code.NOT_FOUND))
                for digest in request.digests
            )
        )

    def get_tree(self, _: services.GetTreeRequest) -> Iterator[services.GetTreeResponse]:
        raise Refusal(Code.UNIMPLEMENTED)

    def get_action_result(self, request: services.GetActionResultRequest) -> ActionResult:
        assert request.action_digest is not None
        if request.action_digest not in self.results:
            raise Refusal(Code.NOT_FOUND)
        return self.results[request.action_digest]

    def update_action_result(self, request: services.UpdateActionResultRequest) -> ActionResult:
        assert request.action_digest is not None
        assert request.action_result is not None
        named = [file.digest for file in request.action_result.output_files]
        assert all(digest in self.blobs for digest in named), "blobs come before the results that name them"
        self.results[request.action_digest] = request.action_result
        return request.action_result

    def read(self, request: services.ReadRequest) -> Iterator[services.ReadResponse]:
        digest = Digest.parse("/".join(request.resource_name.split("/")[-2:]))
        assert not request.read_limit
        if digest not in self.blobs:
            raise Refusal(Code.NOT_FOUND)
        data = self.blobs[digest][request.read_offset :]
        for start in range(0, len(data), 100_000):
            yield services.ReadResponse(data[start : start + 100_000])

    def write(self, requests: Iterator[services.WriteRequest]) -> services.WriteResponse:
        name, data = "", bytearray()
        for request in requests:
            name = name or request.resource_name
            assert request.write_offset == len(data)
            data += request.data
        digest = Digest.parse("/".join(name.split("/")[-2:]))
        assert Digest.of(bytes(data)) == digest
        self.blobs[digest] = bytes(data)
        return services.WriteResponse(len(data))

    # What is said

    def _handler(self, method: Method[Any, Any], name: str) -> Any:
        truth = getattr(self, _snake(name))

        def answered(request: Any, context: grpc.ServicerContext) -> Any:
            self.calls[name] += 1
            self.seen.append((name, dict(context.invocation_metadata())))
            try:
                lie = self.lies.get(name)
                yield from encoded(lie(lambda: truth(request)) if lie else truth(request))
            except Refusal as refusal:
                code = next(code for code in grpc.StatusCode if code.value[0] == refusal.code)
                context.abort(code, refusal.details)

        def once(request: bytes, context: grpc.ServicerContext) -> bytes:
            (answer,) = answered(wire.decode(method.request, request), context)
            return bytes(answer)

        def stream(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            yield from answered(wire.decode(method.request, request), context)

        def upload(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            (answer,) = answered((wire.decode(method.request, request) for request in requests), context)
            return bytes(answer)

        if method is services.WRITE:
            return grpc.stream_unary_rpc_method_handler(upload)
        if method in (services.READ, services.GET_TREE):
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(once)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def encoded(answer: Any) -> Iterator[bytes]:
    """Give the bytes of each message of an answer."""
    each: Iterable[Any] = (answer,) if isinstance(answer, (bytes, wire.Message)) else answer
    for one in each:
        yield one if isinstance(one, bytes) else wire.encode(one)
