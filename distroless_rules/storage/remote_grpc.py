"""A shared cache that speaks the Remote Execution API: blobs and action results over gRPC.

Small blobs go together, up to a batch's size; larger ones are streamed, with memory for a piece of each. Nothing is
taken for granted that servers are known to get wrong: batches are smaller than any message may be, a read has no
limit, an upload that another client finished first is done. Source: ``remote_execution.proto``, the comments of
``ContentAddressableStorage`` and ``ActionCache``; ``bytestream.proto``.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import BinaryIO, TypeVar

from distroless_rules.storage import services, wire
from distroless_rules.storage.capabilities import Capabilities, read_capabilities
from distroless_rules.storage.channel import Channel
from distroless_rules.storage.endpoint import Endpoint
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.messages import ActionResult, Directory, GetActionResultRequest, Status
from distroless_rules.storage.patience import Patience
from distroless_rules.storage.remote import Bytes, Write, without_empty
from distroless_rules.storage.services import Method
from distroless_rules.storage.store import MissingBlobError
from distroless_rules.storage.together import Together
from distroless_rules.storage.zstd import expanded, expanded_up_to, shrinks, squeezing
from distroless_rules.values.digest import Digest

__all__ = ["GrpcCache"]

Q = TypeVar("Q", bound=wire.Message)
R = TypeVar("R", bound=wire.Message)

_PIECE = 1 << 20  # bytes of a message of an upload
_OVERHEAD = 160  # bytes that a blob's digest, status and tags need in a batch, at most
_PAGE = 1000  # bytes that a page of a folder counts for beside what it holds
_ASKED = 20_000  # digests that are asked for at once: 1.5 MB
_KEPT = 500  # blobs that are sent together: a server may make a file of each before it answers


class GrpcCache:
    """A server that holds blobs and action results (see ``storage.remote.Remote``); safe for many threads.

    Args:
        endpoint: the server; its path is the instance name.
        seconds: how long a small call may take.
        headers: what goes with each call beside the endpoint's own.

    Attributes:
        shown: its address.
        traffic: how many bytes went each way.
        little: bytes of a blob that is brought as soon as it is named (see ``Remote``).
        patience: lets calls through.
        channel: carries them.
    """

    little = 0

    def __init__(self, endpoint: Endpoint, seconds: float, headers: tuple[tuple[str, str | bytes], ...] = ()) -> None:
        self.shown = endpoint.shown
        self.channel = Channel(endpoint, seconds, headers)
        self.traffic = self.channel.traffic
        self.patience = Patience(self._probe)
        self._instance = endpoint.path
        self._prefix = f"{endpoint.path}/" if endpoint.path else ""
        self._lock = threading.Lock()
        self._capabilities: Capabilities | None = None
        self._asks, self._reads = Together(self._missing), Together(self._read)

    def close(self) -> None:
        """End what is under way (see ``Remote.close``)."""
        self.patience.close()
        self.channel.close()

    @property
    def capabilities(self) -> Capabilities:
        """What the server can do, asked once.

        Raises:
            RemoteError: if it does not say, or cannot do what is needed.
        """
        with self._lock:
            if self._capabilities is None:
                self._capabilities = self.patience.call(self._probe)
            return self._capabilities

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Give those of ``digests`` that it does not hold (see ``Remote.missing``)."""
        wanted = without_empty(digests)
        return set(self._asks.ask(wanted)) if wanted else set()

    def fetch(self, digest: Digest, write: Write) -> None:
        """Write a blob's bytes to ``write`` (see ``Remote.fetch``); goes on where a transfer broke off."""
        at = 0
        zstd = self.capabilities.zstd_streams

        def read() -> None:
            nonlocal at
            squeezed = zstd and not at
            kind = "compressed-blobs/zstd" if squeezed else "blobs"
            request = services.ReadRequest(f"{self._prefix}{kind}/{digest}", read_offset=at)
            with closing(self.channel.stream(services.READ, request)) as answers:
                pieces: Iterator[bytes] = (answer.data for answer in answers)
                for piece in expanded(pieces, self.shown) if squeezed else pieces:
                    write(piece)
                    at += len(piece)

        try:
            self.patience.call(read)
        except RemoteError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            raise MissingBlobError(digest) from error

    def fetch_many(self, digests: Collection[Digest], take: Callable[[Digest, bytes], object]) -> set[Digest]:
        """Give small blobs to ``take``, in as few calls as can be (see ``Remote.fetch_many``)."""
        rest = set(digests)
        for part in _batches(tuple(rest), self.capabilities.batch):
            for digest, data in self._reads.ask(part).items():
                take(digest, data)
                rest.discard(digest)  # whoever asked for what does not come asks for it alone
        return rest

    def folders(self, root: Digest, most: int) -> list[Directory]:
        """Give the messages of a folder and of those below it, as it gives them (``GetTree``).

        Args:
            root: the digest of the folder's ``Directory``.
            most: bytes that they may be.

        Raises:
            RemoteError: if it does not hold them, does not offer this, or gives more.
        """
        found: list[Directory] = []
        token, size = "", 0
        while True:
            page = self.patience.call(partial(self._page, root, token, most - size))
            found += [folder for answer in page for folder in answer.directories]
            size += _PAGE + sum(len(wire.encode(answer)) for answer in page)
            token = page[-1].next_page_token if page else ""
            if not token:
                return found
            if not any(answer.directories for answer in page):
                cause = "it gives pages without end"
                raise RemoteError(f"read a folder of {self.shown}", cause, Code.DATA_LOSS)

    def _page(self, root: Digest, token: str, most: int) -> list[services.GetTreeResponse]:
        request = services.GetTreeRequest(self._instance, root, page_token=token)
        answers: list[services.GetTreeResponse] = []
        with closing(self.channel.stream(services.GET_TREE, request)) as stream:
            for answer in stream:
                answers.append(answer)
                most -= len(wire.encode(answer))
                if most < 0:
                    raise RemoteError(f"read a folder of {self.shown}", "it is too large", Code.DATA_LOSS)
        return answers

    def send(self, blobs: Mapping[Digest, Bytes]) -> None:
        """Have it keep blobs (see ``Remote.send``)."""
        limit, largest = self.capabilities.batch, self.capabilities.largest
        wanted = without_empty(blobs)
        if largest and (size := max((digest.size for digest in wanted), default=0)) > largest:
            cause = f"it takes none of more than {largest} bytes, and one has {size}"
            raise RemoteError(f"send blobs to {self.shown}", cause, Code.OUT_OF_RANGE)
        for part in _batches(wanted, limit, _KEPT):
            uploads = tuple(services.BlobUpload(digest, blobs[digest].read_bytes()) for digest in part)
            request = services.BatchUpdateBlobsRequest(self._instance, uploads)
            self.patience.call(partial(self._send_batch, request))
        for digest in wanted:
            if digest.size + _OVERHEAD > limit:
                self.patience.call(partial(self._send_stream, digest, blobs[digest]))

    def find(self, key: Digest) -> ActionResult | None:
        """Give the result kept under an action's digest (see ``Remote.find``)."""
        try:
            return self._ask(services.GET_ACTION_RESULT, GetActionResultRequest(self._instance, key))
        except RemoteError as error:
            if error.code is Code.NOT_FOUND:
                return None
            raise

    def keep(self, key: Digest, result: ActionResult) -> None:
        """Have it keep a result (see ``Remote.keep``)."""
        if not self.capabilities.takes_results:
            hint = "set upload = false in [cache]"
            raise RemoteError(f"keep results in {self.shown}", "it takes none", Code.PERMISSION_DENIED, hint=hint)
        request = services.UpdateActionResultRequest(self._instance, key, result)
        self._ask(services.UPDATE_ACTION_RESULT, request)

    def _missing(self, digests: Collection[Digest]) -> dict[Digest, bool]:
        wanted = tuple(digests)
        found: set[Digest] = set()
        for start in range(0, len(wanted), _ASKED):
            request = services.FindMissingBlobsRequest(self._instance, wanted[start : start + _ASKED])
            found.update(self._ask(services.FIND_MISSING, request).missing_blob_digests)
        return dict.fromkeys(found, True)

    def _read(self, digests: Collection[Digest]) -> dict[Digest, bytes]:
        zstd = (services.ZSTD,) if self.capabilities.zstd_streams else ()
        found: dict[Digest, bytes] = {}
        for part in _batches(digests, self.capabilities.batch):
            request = services.BatchReadBlobsRequest(self._instance, tuple(part), zstd)
            size = sum(digest.size for digest in part)
            for answer in self._ask(services.BATCH_READ, request, size).responses:
                digest, data = answer.digest, answer.data
                if digest is None or digest not in digests or _failed(answer.status):
                    continue
                if answer.compressor == services.ZSTD:
                    data = expanded_up_to(digest.size + 1, data, self.shown)
                found[digest] = data
        return found

    def _probe(self) -> Capabilities:
        return read_capabilities(self.channel, self._instance)

    def _ask(self, method: Method[Q, R], request: Q, expects: int = 0) -> R:
        self.capabilities  # noqa: B018 - a server that cannot be ours is not asked
        return self.patience.call(lambda: self.channel.call(method, request, expects=expects))

    def _send_batch(self, request: services.BatchUpdateBlobsRequest) -> None:
        answer = self.channel.call(services.BATCH_UPDATE, request, blobs=len(request.requests))
        for each in answer.responses:
            if each.status is not None and _failed(each.status):
                raise self._refused(each.digest, each.status)
        if len(answer.responses) < len(request.requests):
            cause = f"it took {len(answer.responses)} of {len(request.requests)}"
            raise RemoteError(f"send blobs to {self.shown}", cause, Code.DATA_LOSS)

    def _send_stream(self, digest: Digest, file: Bytes) -> None:
        with file.open("rb", buffering=0) as stream:
            squeezed = self.capabilities.zstd_streams and shrinks(stream)
            kind = "compressed-blobs/zstd" if squeezed else "blobs"
            name = f"{self._prefix}uploads/{uuid.uuid4()}/{kind}/{digest}"
            pieces = _pieces(stream)
            writes = _writes(name, squeezing(pieces) if squeezed else pieces)
            answer = self.channel.upload(services.WRITE, writes, digest.size)
        if not squeezed and answer.committed_size != digest.size:
            cause = f"it took {answer.committed_size} of {digest.size} bytes"
            raise RemoteError(f"send a blob to {self.shown}", f"{cause} of {digest.oci}", Code.DATA_LOSS)

    def _refused(self, digest: Digest | None, status: Status) -> RemoteError:
        code = Code(status.code) if status.code in Code.__members__.values() else Code.UNKNOWN
        cause = f"{code.name}: {self.channel.redact(status.message)[:300]}, of {digest.oci if digest else 'one'}"
        return RemoteError(f"send blobs to {self.shown}", cause, code, said=status)


def _failed(status: Status | None) -> bool:
    return status is not None and status.code != Code.OK


def _batches(digests: Iterable[Digest], limit: int, most: int = _ASKED) -> Iterator[list[Digest]]:
    """Put those that fit into batches of at most ``limit`` bytes, and ``most`` blobs, together."""
    batch: list[Digest] = []
    size = 0
    for digest in digests:
        cost = digest.size + _OVERHEAD
        if cost > limit:
            continue
        if size + cost > limit or len(batch) == most:
            yield batch
            batch, size = [], 0
        batch.append(digest)
        size += cost
    if batch:
        yield batch


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    """Give the rest of a file; nothing more once it is closed, as it is when a server wants no more."""
    while not stream.closed and (data := stream.read(_PIECE)):
        yield data


def _writes(name: str, pieces: Iterator[bytes]) -> Iterator[services.WriteRequest]:
    """Give the requests of an upload; the last one, which says so, holds no bytes."""
    at = 0
    for piece in pieces:
        yield services.WriteRequest("" if at else name, at, data=piece)
        at += len(piece)
    yield services.WriteRequest("" if at else name, at, finish_write=True)
