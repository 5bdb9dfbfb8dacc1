"""An engine over gRPC: the store that it has, and the executions that it is told to make.

An execution is followed by a thread of its own, as an engine says nothing while it runs; whoever asked looks up ten
times a second whether it is still wanted. Where the connection breaks, the same execution is asked for by its name;
what is not wanted any more is cancelled. Source: remote_execution.proto, "Execution"; longrunning/operations.proto.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress

from distroless_rules.errors import FormatError
from distroless_rules.execution.output_trees import MAX_TREE
from distroless_rules.execution.pool import Job
from distroless_rules.execution.uploads import Part
from distroless_rules.storage import operations, wire
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.messages import ActionResult, Directory
from distroless_rules.storage.operations import ExecuteResponse, Operation
from distroless_rules.storage.remote import Receiver
from distroless_rules.storage.remote_grpc import GrpcCache
from distroless_rules.storage.services import SHA256, Priority
from distroless_rules.storage.store import MissingBlobError
from distroless_rules.values.digest import EMPTY, Digest

__all__ = ["GrpcEngine"]

_TICK = 0.1  # seconds between two looks at whether an execution is wanted
_ATTEMPTS = 5  # how often in a row a connection may break without a word
_BEGINNINGS = 3  # how often an execution is asked for that the server forgets
_ALIVE = 60.0  # seconds of silence after which the server is asked whether it is still there
_FIRST_WAIT = 0.2  # seconds; twice as long each time
_CHUNK = 2000, 32 << 20  # blobs, and bytes, that are sent in one go


class GrpcEngine:
    """A server of the Remote Execution API that executes; safe for many threads.

    Args:
        cache: its store.
        instance: the name of the instance.
        priority: of executions; lower ones go first, 0 is the server's own choice.
    """

    def __init__(self, cache: GrpcCache, instance: str, priority: int = 0) -> None:
        self._cache = cache
        self._instance = instance
        self._priority = priority

    @property
    def name(self) -> str:
        """Its address."""
        return self._cache.shown

    def ready(self) -> None:
        """See that it runs actions (see ``remote.Engine``)."""
        if not self._cache.capabilities.executes:
            cause = "it holds results and runs nothing"
            raise RemoteError(self._doing("run commands on"), cause, Code.UNIMPLEMENTED)

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Give those of ``digests`` that it does not hold (see ``uploads.Receiver``)."""
        return self._cache.missing(digests)

    def put(self, parts: Iterable[Part]) -> None:
        """Have it take blobs, some at a time (see ``uploads.Receiver``)."""
        chunk: dict[Digest, Part] = {}
        size = 0
        for part in parts:
            chunk[part.digest] = part
            size += part.digest.size
            if len(chunk) >= _CHUNK[0] or size >= _CHUNK[1]:
                self._cache.send(chunk)
                chunk, size = {}, 0
        if chunk:
            self._cache.send(chunk)

    def read(self, digests: Sequence[Digest]) -> Mapping[Digest, bytes]:
        """Give blobs (see ``gathering.Source``)."""
        found: dict[Digest, bytes] = {EMPTY: b""}

        def take(digest: Digest, data: bytes) -> None:
            receiver = Receiver(digest, lambda _: None, self._doing("read blobs of"))
            receiver(data)
            receiver.end()
            found[digest] = data

        wanted = [digest for digest in dict.fromkeys(digests) if digest != EMPTY]
        rest = self._cache.fetch_many(wanted, take) if len(wanted) > 1 or (wanted and wanted[0].size) else set()
        for digest in rest:
            pieces: list[bytes] = []
            self.copy(digest, pieces.append)
            found[digest] = b"".join(pieces)
        return found

    def folders(self, root: Digest) -> Iterable[Directory]:
        """Give the messages of a folder and of those below it (see ``gathering.Source``)."""
        try:
            return self._cache.folders(root, MAX_TREE)
        except RemoteError as error:
            if error.code is not Code.UNIMPLEMENTED:
                raise
        return self._level_by_level(root)

    def _level_by_level(self, root: Digest) -> Iterable[Directory]:
        found: dict[Digest, Directory] = {}
        rest = {root}
        while rest:
            if sum(digest.size for digest in (*found, *rest)) > MAX_TREE:
                raise RemoteError(self._doing("read a folder of"), f"it has more than {MAX_TREE} bytes", Code.DATA_LOSS)
            try:
                level = {digest: wire.decode(Directory, data) for digest, data in self.read(sorted(rest)).items()}
            except FormatError as error:
                raise RemoteError(self._doing("read a folder of"), error.cause, Code.DATA_LOSS) from error
            found |= {digest: level[digest] for digest in rest}
            below = {node.digest for digest in rest for node in level[digest].directories}
            rest = {digest for digest in below if digest is not None} - found.keys()
        return found.values()

    def copy(self, digest: Digest, write: Callable[[bytes], object]) -> None:
        """Write a blob's bytes (see ``gathering.Source``)."""
        receiver = Receiver(digest, write, self._doing("read a blob of"))
        if digest != EMPTY:
            try:
                self._cache.fetch(digest, receiver)
            except MissingBlobError as error:
                cause = f"it does not hold {digest.oci}, which it named"
                raise RemoteError(self._doing("read a blob of"), cause, Code.NOT_FOUND) from error
        receiver.end()

    def find(self, action: Digest) -> ActionResult | None:
        """Give the result that it remembers of an action (see ``remote.Engine``)."""
        try:
            return self._cache.find(action)
        except RemoteError as error:
            if error.code is Code.UNIMPLEMENTED:  # it executes, and lets nobody look
                return None
            raise

    def execute(self, action: Digest, skip_cache: bool, check: Callable[[], None]) -> ExecuteResponse:
        """Have an action executed (see ``remote.Engine``)."""
        following = _Following(self._cache, self._request(action, skip_cache))
        threading.Thread(target=following.run, name="execution", daemon=True).start()
        try:
            asked = time.monotonic()
            while not following.done.wait(_TICK):
                check()
                if time.monotonic() - asked > _ALIVE:
                    self._cache.missing([action])  # fails where the server has gone without a word
                    asked = time.monotonic()
        finally:
            if not following.done.is_set():
                following.cancel()
        return following.response()

    def _request(self, action: Digest, skip_cache: bool) -> operations.ExecuteRequest:
        return operations.ExecuteRequest(
            instance_name=self._instance,
            skip_cache_lookup=skip_cache,
            action_digest=action,
            execution_policy=Priority(self._priority) if self._priority else None,
            digest_function=SHA256,
        )

    def _doing(self, verb: str) -> str:
        return f"{verb} {self.name}"


class _Following:
    """One execution, followed to its end.

    Attributes:
        done: set when it has ended, in whatever way.
    """

    def __init__(self, cache: GrpcCache, request: operations.ExecuteRequest) -> None:
        self.done = threading.Event()
        self._cache = cache
        self._request = request
        self._name = ""
        self._unwanted = False
        self._begun = 0
        self._job = Job(self._follow)

    def response(self) -> ExecuteResponse:
        """Give how it ended, or raise why that cannot be told."""
        return self._job.result()

    def cancel(self) -> None:
        """Have it ended, and wait for nothing: the thread ends when the server has."""
        self._unwanted = True
        if self._name:
            with suppress(RemoteError):
                self._cache.channel.call(
                    operations.CANCEL_OPERATION, operations.CancelOperationRequest(self._name), seconds=1
                )

    def run(self) -> None:
        """Follow it; for a thread of its own."""
        try:
            self._job.run()
        finally:
            self.done.set()

    def _follow(self) -> ExecuteResponse:
        broken = 0
        while True:
            known = self._name
            try:
                ended = self._listen()
                if ended is not None:
                    return ended
                failure = RemoteError(self._doing(), "it ended the call without a result", Code.UNAVAILABLE)
            except RemoteError as error:
                failure = error
                if error.code is Code.NOT_FOUND and known:
                    self._name = ""  # it has forgotten the execution: a new one is asked for
                elif not error.transient:
                    raise
            broken = 1 if self._name != known else broken + 1
            if broken >= _ATTEMPTS or (self._begun >= _BEGINNINGS and not self._name) or self._unwanted:
                raise failure
            time.sleep(_FIRST_WAIT * 2 ** (broken - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            if self._request.action_digest is not None:
                self._cache.missing([self._request.action_digest])  # fails for good where the server has gone

    def _listen(self) -> ExecuteResponse | None:
        """Listen to one call: the first, or one that asks for what it began."""
        channel = self._cache.channel
        if self._name:
            waiting = operations.WaitExecutionRequest(self._name)
            answers = channel.stream(operations.WAIT_EXECUTION, waiting, silence=math.inf)
        else:
            self._begun += 1
            answers = channel.stream(operations.EXECUTE, self._request, silence=math.inf)
        with closing(answers):
            for operation in answers:
                self._name = operation.name or self._name
                if operation.done:
                    return self._ended(operation)
                if self._unwanted:
                    self.cancel()
        return None

    def _ended(self, operation: Operation) -> ExecuteResponse:
        if operation.error is not None and operation.error.code:
            code = Code(operation.error.code)
            raise RemoteError(self._doing(), f"{code.name}: {operation.error.message[:300]}", code)
        if operation.response is None or not operation.response.type_url.endswith("/" + _RESPONSE):
            raise RemoteError(self._doing(), "it ended the execution without a response", Code.DATA_LOSS)
        try:
            return wire.decode(ExecuteResponse, operation.response.value)
        except FormatError as error:
            cause = f"its answer is malformed: {error.cause}"
            raise RemoteError(self._doing(), cause, Code.DATA_LOSS) from error

    def _doing(self) -> str:
        return f"execute an action on {self._cache.shown}"


_RESPONSE = "build.bazel.remote.execution.v2.ExecuteResponse"
