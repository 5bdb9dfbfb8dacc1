"""Messages go through bytes unchanged; the bytes are those of the protobuf library; what is no message is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings, strategies

from distroless_rules.errors import FormatError
from distroless_rules.storage import messages, operations, services, wire
from distroless_rules.storage.messages import Action, ActionResult, Command, Directory, FileNode, OutputFile, Property
from distroless_rules.storage.services import CacheCapabilities, FindMissingBlobsRequest, GetActionResultRequest
from distroless_rules.values.digest import EMPTY, Digest
from tests.support.protos import official

V2 = "build.bazel.remote.execution.v2"
ELSEWHERE = {
    messages.AnyMessage: "google.protobuf.Any",
    messages.Duration: "google.protobuf.Duration",
    messages.Timestamp: "google.protobuf.Timestamp",
    messages.UInt32Value: "google.protobuf.UInt32Value",
    messages.Status: "google.rpc.Status",
    messages.Property: f"{V2}.Platform.Property",
    services.ReadRequest: "google.bytestream.ReadRequest",
    services.ReadResponse: "google.bytestream.ReadResponse",
    services.WriteRequest: "google.bytestream.WriteRequest",
    services.WriteResponse: "google.bytestream.WriteResponse",
    services.SemVer: "build.bazel.semver.SemVer",
    services.Priority: f"{V2}.ExecutionPolicy",
    services.UpdateCapabilities: f"{V2}.ActionCacheUpdateCapabilities",
    services.BlobUpload: f"{V2}.BatchUpdateBlobsRequest.Request",
    services.BlobStatus: f"{V2}.BatchUpdateBlobsResponse.Response",
    services.BlobContent: f"{V2}.BatchReadBlobsResponse.Response",
    operations.Operation: "google.longrunning.Operation",
    operations.CancelOperationRequest: "google.longrunning.CancelOperationRequest",
    operations.NamedLog: f"{V2}.ExecuteResponse.ServerLogsEntry",
    operations.Empty: "google.protobuf.Empty",
}
NOT_SHIPPED = {messages.PreconditionFailure, messages.Violation}
KINDS = [
    kind
    for module in (messages, services, operations)
    for kind in (getattr(module, name) for name in module.__all__)
    if isinstance(kind, type) and issubclass(kind, wire.Message)
]
DIGESTS = strategies.builds(
    Digest, strategies.text("0123456789abcdef", min_size=64, max_size=64), strategies.integers(0, (1 << 63) - 1)
)


def values(kind: Any) -> strategies.SearchStrategy[Any]:
    """Give values of a message class, of every field that it declares."""
    fields = {}
    for field in dataclasses.fields(kind):
        _, how = field.metadata["wire"]
        fields[field.name] = _values(str(field.type), kind, how.repeated)
    return strategies.builds(kind, **fields)


def _values(annotation: str, kind: Any, repeated: bool) -> strategies.SearchStrategy[Any]:
    name = annotation.removeprefix("tuple[").removesuffix(", ...]").removesuffix(" | None")
    plain = {
        "str": strategies.text(),
        "bytes": strategies.binary(),
        "bool": strategies.booleans(),
        "int": strategies.integers(-1 if kind is services.WriteResponse else 0, (1 << 31) - 1),
        "Digest": DIGESTS,
    }
    if name not in plain:
        modules = (messages, services, operations)
        inner = next(getattr(module, name) for module in modules if hasattr(module, name))
        plain[name] = strategies.deferred(lambda: values(inner))
    if repeated:
        return strategies.lists(plain[name], max_size=3).map(tuple)
    return strategies.none() | plain[name] if annotation.endswith("None") else plain[name]


def official_name(kind: Any) -> str:
    return ELSEWHERE.get(kind, f"{V2}.{kind.__name__}")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_names_and_numbers_are_the_official_ones(kind: Any) -> None:
    if kind in NOT_SHIPPED:
        pytest.skip("no engine ships it")
    numbers = {field.name: field.number for field in official(official_name(kind)).DESCRIPTOR.fields}
    ours = {field.name: field.metadata["wire"][0] for field in dataclasses.fields(kind)}
    newer = {"max_cas_blob_size_bytes", "split_blob_support", "splice_blob_support", "digest_function"} - set(numbers)
    assert {name: number for name, number in ours.items() if name not in newer}.items() <= numbers.items()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=8, deadline=None)
@given(draw=strategies.data())
def test_messages_go_through_bytes_unchanged(kind: Any, draw: strategies.DataObject) -> None:
    value = draw.draw(values(kind))
    assert wire.decode(kind, wire.encode(value)) == value


@pytest.mark.parametrize("kind", [Action, Command, Directory, ActionResult, messages.Tree, FindMissingBlobsRequest])
@settings(max_examples=8, deadline=None)
@given(draw=strategies.data())
def test_bytes_are_those_of_protobuf(kind: Any, draw: strategies.DataObject) -> None:
    data = wire.encode(draw.draw(values(kind)))
    theirs = official(official_name(kind))()
    theirs.ParseFromString(data)
    assert theirs.SerializeToString(deterministic=True) == data


def test_a_directory_of_a_thousand_files_has_protobufs_bytes() -> None:
    theirs = official(f"{V2}.Directory")()
    for number in range(1000):
        digest = Digest.of(b"%d" % number)
        file = theirs.files.add(name=f"file-{number:04}", is_executable=number % 3 == 0)
        file.digest.hash, file.digest.size_bytes = digest.hash, digest.size
    ours = tuple(
        FileNode(name=f"file-{number:04}", digest=Digest.of(b"%d" % number), is_executable=number % 3 == 0)
        for number in range(1000)
    )
    assert wire.encode(Directory(files=ours)) == theirs.SerializeToString(deterministic=True)


def test_defaults_are_left_out() -> None:
    assert wire.encode(Command()) == b""
    assert wire.encode(Action(timeout=messages.Duration())) == b"\x32\x00", "a message that is there is not a default"
    assert wire.encode(OutputFile(digest=EMPTY)) == b"\x12\x42\x0a\x40" + EMPTY.hash.encode()


def test_unknown_fields_are_skipped() -> None:
    unknown = b"\xf8\x07\x96\x01" + b"\xfa\x07\x03abc" + b"\xf9\x07" + bytes(8) + b"\xfd\x07" + bytes(4)
    known = wire.encode(Property("name", "value"))
    assert wire.decode(Property, unknown + known + unknown) == Property("name", "value")


def test_numbers_are_read_packed_and_one_by_one() -> None:
    assert wire.decode(CacheCapabilities, b"\x0a\x02\x01\x02\x08\x09").digest_functions == (1, 2, 9)


def test_parts_of_one_message_are_merged() -> None:
    parts = wire.encode(Action(timeout=messages.Duration(seconds=3))) + wire.encode(
        Action(timeout=messages.Duration(nanos=4))
    )
    assert wire.decode(Action, parts).timeout == messages.Duration(3, 4)


def test_a_digest_without_a_hash_is_none() -> None:
    assert wire.decode(GetActionResultRequest, b"\x12\x00").action_digest is None


def test_negative_numbers_have_ten_bytes() -> None:
    assert wire.encode(services.WriteResponse(-1)) == b"\x08" + b"\xff" * 9 + b"\x01"
    assert wire.decode(ActionResult, b"\x20" + b"\xff" * 9 + b"\x01").exit_code == -1


BAD = {
    "cut in a number": b"\x12",
    "cut in a length": b"\x12\x80",
    "cut in a field": b"\x12\x05abc",
    "cut in a fixed field": b"\xfd\x07\x00",
    "an endless number": b"\x08" + b"\xff" * 11,
    "field number 0": b"\x00\x00",
    "a group": b"\x13\x14",
    "a wire type that is none": b"\x0e",
    "not UTF-8": b"\x0a\x02\xff\xfe",
    "a digest of 3 letters": b"\x12\x05\x0a\x03abc",
    "a digest in capitals": b"\x12\x42\x0a\x40" + b"A" * 64,
    "a digest of negative size": b"\x12\x4d\x0a\x40" + b"a" * 64 + b"\x10" + b"\xff" * 9 + b"\x01",
    "a length of almost 2^64": b"\x12" + b"\xff" * 9 + b"\x01",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="cannot read"):
        wire.decode(OutputFile, data)


@settings(max_examples=100, deadline=None)
@given(strategies.binary(max_size=300))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    for kind in (ActionResult, Directory, services.BatchReadBlobsResponse, operations.Operation, CacheCapabilities):
        try:
            again = wire.decode(kind, data)
        except FormatError:
            continue
        assert wire.decode(kind, wire.encode(again)) == again


def test_a_message_of_too_many_parts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_PARTS", 100)
    assert len(wire.decode(Directory, b"\x0a\x00" * 100).files) == 100
    with pytest.raises(FormatError, match="more than 100 values"):
        wire.decode(Directory, b"\x0a\x00" * 101)
    with pytest.raises(FormatError, match="more than 100 values"):
        wire.decode(CacheCapabilities, b"\x0a\x65" + b"\x01" * 101)


def test_text_that_is_not_unicode_is_not_sent() -> None:
    with pytest.raises(FormatError, match="not Unicode"):
        wire.encode(Property("\udcff"))


def test_ten_thousand_digests_survive() -> None:
    wanted = tuple(Digest.of(b"%d" % number) for number in range(10_000))
    data = wire.encode(FindMissingBlobsRequest("", wanted))
    assert wire.decode(FindMissingBlobsRequest, data).blob_digests == wanted
