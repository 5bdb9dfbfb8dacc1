"""A shared cache in a repository of any OCI registry: no server of its own is needed.

A blob is a blob, of the same digest. A result is an artifact, tagged ``ac-`` and the digest of its action: a manifest
whose first layer is the ``ActionResult``, and whose other layers are what it names, so that a registry that collects
garbage keeps these. The descriptor of the first holds its bytes as well, so that one request finds a result. Tags can
be moved and registries can lie: bytes are compared with their digests, and results judged, by whoever asks, as with
every other shared cache. Sources: OCI distribution-spec 1.1; image-spec 1.1, "Guidelines for Artifact Usage" and
descriptor.md ("Embedded Content").
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, BinaryIO

from distroless_rules.errors import FormatError
from distroless_rules.storage import wire
from distroless_rules.storage.endpoint import Endpoint
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.http_blobs import HttpBlobs, each
from distroless_rules.storage.messages import ActionResult
from distroless_rules.storage.registry_call import Registry
from distroless_rules.storage.remote import Bytes, InMemory, Receiver, without_empty
from distroless_rules.storage.web import TOO_LARGE
from distroless_rules.values.digest import Digest

__all__ = ["RegistryCache"]

_LARGEST = 4 << 20  # bytes of a manifest, in all registries
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
_ARTIFACT = "application/vnd.distroless-rules.action-result.v1"
_RESULT = "application/vnd.distroless-rules.action-result.v1+protobuf"
_BYTES = "application/octet-stream"
_NOTHING = b"{}"  # image-spec 1.1, "Guidance for an Empty Descriptor"
_PIECE = 8 << 20  # bytes of a part, where a registry takes no more at once


class RegistryCache(HttpBlobs):
    """A repository that holds blobs and action results (see ``storage.remote.Remote``); safe for many threads.

    Args:
        endpoint: the registry; its path is the repository.
        seconds: how long it may say nothing.
    """

    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        self._registry = Registry(endpoint, seconds)
        super().__init__(self._registry, endpoint.shown, lambda digest: f"blobs/{digest.oci}")
        self._config_there = False

    def send(self, blobs: Mapping[Digest, Bytes]) -> None:
        """Have it keep blobs (see ``Remote.send``)."""
        each(lambda digest: self._send(digest, blobs[digest]), without_empty(blobs))

    def find(self, key: Digest) -> ActionResult | None:
        """Give the result kept under an action's digest (see ``Remote.find``)."""
        doing = f"look up an action result in {self.shown}"
        found = self.patience.call(partial(self._manifest, _tag(key), doing))
        if found is None:
            return None
        try:
            digest, data = _loaded(found, doing)
            return wire.decode(ActionResult, self._read(digest, doing) if data is None else data)
        except FormatError as error:
            raise RemoteError(doing, error.cause, Code.DATA_LOSS) from error

    def keep(self, key: Digest, result: ActionResult) -> None:
        """Have it keep a result (see ``Remote.keep``)."""
        data = wire.encode(result)
        named = without_empty(file.digest for file in result.output_files if file.digest is not None)
        named += without_empty([result.stdout_digest] if result.stdout_digest else [])
        manifest = _dumped(data, named)
        doing = f"keep an action result in {self.shown}"
        if len(manifest) > _LARGEST:
            cause = f"a result of {len(named)} outputs is larger than a manifest may be"
            raise RemoteError(doing, cause, Code.INVALID_ARGUMENT)
        self._send(Digest.of(data), InMemory(data))
        if not self._config_there:
            self._send(Digest.of(_NOTHING), InMemory(_NOTHING))
            self._config_there = True
        self.patience.call(partial(self._tag, _tag(key), manifest, doing))

    def _manifest(self, tag: str, doing: str) -> bytes | None:
        data = bytearray()
        with self._registry.ask("GET", f"manifests/{tag}", {"Accept": _MANIFEST}) as (status, _, pieces):
            if status == 404:
                self._registry.lacks(doing, pieces)
                return None
            if status != 200:
                raise self._registry.refused(status, doing, pieces)
            for piece in pieces:
                data += piece
                if len(data) > _LARGEST:
                    raise RemoteError(doing, f"it is larger than {_LARGEST >> 20} MiB", Code.DATA_LOSS)
        return bytes(data)

    def _read(self, digest: Digest, doing: str) -> bytes:
        """Give a result's own bytes, checked."""
        if digest.size > _LARGEST * 4:
            raise RemoteError(doing, f"it is larger than {_LARGEST * 4 >> 20} MiB", Code.DATA_LOSS)
        data = bytearray()
        receiver = Receiver(digest, data.extend, doing)
        self.fetch(digest, receiver)
        receiver.end()
        return bytes(data)

    def _tag(self, tag: str, manifest: bytes, doing: str) -> None:
        headers = {"Content-Type": _MANIFEST, "Content-Length": str(len(manifest))}
        path = f"manifests/{tag}"
        with self._registry.ask("PUT", path, headers, InMemory(manifest)) as (status, _, pieces):
            if status not in (200, 201, 202):
                raise self._registry.refused(status, doing, pieces)

    def _send(self, digest: Digest, source: Bytes) -> None:
        self.patience.call(partial(self._upload, digest, source))

    def _upload(self, digest: Digest, source: Bytes) -> None:
        """Send a blob in one piece; in parts where the registry, or what stands before it, finds that too large."""
        doing = f"send a blob to {self.shown}"
        with source.open("rb", buffering=0) as body:
            place, _ = self._begun(doing)
            headers = {"Content-Type": _BYTES, "Content-Length": str(digest.size)}
            with self._registry.ask("PUT", _ended(place, digest), headers, body) as answer:
                status, _, pieces = answer
                if status not in (201, 202, 204, TOO_LARGE):
                    raise self._registry.refused(status, doing, pieces)
            if status == TOO_LARGE:
                body.seek(0)
                self._upload_parts(digest, body, doing)

    def _upload_parts(self, digest: Digest, body: BinaryIO, doing: str) -> None:
        place, least = self._begun(doing)
        at = 0
        while part := body.read(max(least, _PIECE)):
            headers = {
                "Content-Type": _BYTES,
                "Content-Length": str(len(part)),
                "Content-Range": f"{at}-{at + len(part) - 1}",
            }
            with self._registry.ask("PATCH", place, headers, InMemory(part)) as (status, said, pieces):
                if status not in (201, 202, 204):
                    raise self._registry.refused(status, doing, pieces)
                place = self._registry.place(place, said.get("Location", ""))
            at += len(part)
        with self._registry.ask("PUT", _ended(place, digest), work=digest.size) as (status, _, pieces):
            if status not in (201, 202, 204):
                raise self._registry.refused(status, doing, pieces)

    def _begun(self, doing: str) -> tuple[str, int]:
        """Begin an upload; give where its bytes go, and the fewest that a part may have."""
        with self._registry.ask("POST", "blobs/uploads/") as (status, said, pieces):
            if status not in (201, 202):
                raise self._registry.refused(status, doing, pieces)
            least = said.get("OCI-Chunk-Min-Length", "0")
            return self._registry.place("blobs/uploads/", said.get("Location", "")), _number(least)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _tag(key: Digest) -> str:
    return f"ac-{key.hash}"


def _ended(place: str, digest: Digest) -> str:
    return f"{place}{'&' if '?' in place else '?'}digest={digest.oci}"


def _dumped(data: bytes, named: Iterable[Digest]) -> bytes:
    """Write the manifest of a result."""
    embedded = {"data": base64.b64encode(data).decode()}
    layers = [{**_descriptor(_RESULT, Digest.of(data)), **embedded}]
    layers += [_descriptor(_BYTES, digest) for digest in dict.fromkeys(named)]
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "artifactType": _ARTIFACT,
        "config": _descriptor(_EMPTY, Digest.of(_NOTHING)),
        "layers": layers,
    }
    return json.dumps(manifest, separators=(",", ":")).encode()


def _descriptor(media_type: str, digest: Digest) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest.oci, "size": digest.size}


def _loaded(data: bytes, doing: str) -> tuple[Digest, bytes | None]:
    """Read the manifest of a result; give its digest and, if they are there, its bytes.

    Raises:
        FormatError: if it is anything else, or the bytes are others.
    """
    try:
        value = json.loads(data)
        first = value["layers"][0]
        kinds = value.get("artifactType"), first["mediaType"]
        algorithm, _, digits = first["digest"].partition(":")
        size, embedded = first["size"], first.get("data")
        held = None if embedded is None else base64.b64decode(embedded, validate=True)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(doing, "it is not the manifest of a result") from error
    if kinds != (_ARTIFACT, _RESULT) or algorithm != "sha256" or type(size) is not int:
        raise FormatError(doing, "it is an artifact of another kind")
    digest = Digest(digits, size)
    if held is not None and Digest.of(held) != digest:
        raise FormatError(doing, f"it holds other bytes than those of {digest.oci}")
    return digest, held
