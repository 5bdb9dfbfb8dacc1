"""Results of actions as they are kept in shared caches, and the judgement of those that are found there.

Going in: results of ours, or messages of anybody's. Going out: messages, or results that are whole: the action ended
well and made each declared output and nothing else. An output is an ``OutputFile`` under its name; one that is a tree
is the file of its archive. The auxiliary metadata say whose result it is, so that one that has come to stand under
another action's key is found out, the version of the code that made it, and who signed it. Source: ``ActionResult`` in
``remote_execution.proto``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from distroless_rules.errors import FormatError
from distroless_rules.storage import wire
from distroless_rules.storage.messages import (
    ActionResult,
    AnyMessage,
    ExecutedActionMetadata,
    GetActionResultRequest,
    OutputFile,
    Property,
    Timestamp,
)
from distroless_rules.storage.signatures import Signer
from distroless_rules.storage.store import NOBODY
from distroless_rules.storage.store import ActionResult as Result
from distroless_rules.values.digest import Digest

__all__ = ["blobs", "contents", "dump", "load", "signatures"]

_STRING = "type.googleapis.com/google.protobuf.StringValue"  # its field 1 is the text, as Property's is
_ACTION = "type.googleapis.com/build.bazel.remote.execution.v2.GetActionResultRequest"  # which names an action
_PROPERTY = "type.googleapis.com/build.bazel.remote.execution.v2.Platform.Property"
_SIGNATURE = "distroless-rules signature"  # the name of a property
_CODE = 100  # characters of the version of code
_LONGEST = 4096  # bytes of a path, as in Linux
_NOTHING = "keep a result in the shared cache"
_NO_BYTES: Mapping[Digest, bytes] = MappingProxyType({})


def blobs(result: Result) -> set[Digest]:
    """Give everything that a result names."""
    return {*result.outputs.values(), *([result.printed] if result.printed else [])}


def contents(message: ActionResult) -> dict[Digest, bytes]:
    """Give the bytes of outputs that came with a result, which are whatever somebody wrote there."""
    return {file.digest: file.contents for file in message.output_files if file.contents and file.digest}


def dump(
    key: Digest, result: Result, signer: Signer | None = None, within: Mapping[Digest, bytes] = _NO_BYTES
) -> ActionResult:
    """Give the message that keeps a result.

    Args:
        key: the digest of its action.
        result: what the action made.
        signer: signs it; None: it is not signed.
        within: bytes of outputs that go with it, to spare those who find it a question.

    Raises:
        FormatError: if the name of an output is not a relative path that every machine can have.
    """
    for name in result.outputs:
        if cause := _unclean(name):
            raise FormatError(_NOTHING, f"{cause}: {name[:100]!a}")
    result = replace(result, code=result.code[:_CODE])
    signed = [Property(_SIGNATURE, signer.sign(key, result))] if signer is not None else []
    seconds, milliseconds = divmod(result.milliseconds, 1000)
    files = sorted(result.outputs.items())
    return ActionResult(
        output_files=tuple(OutputFile(name, digest, contents=within.get(digest, b"")) for name, digest in files),
        stdout_digest=result.printed,
        execution_metadata=ExecutedActionMetadata(
            execution_start_timestamp=Timestamp(),
            execution_completed_timestamp=Timestamp(seconds, milliseconds * 1_000_000),
            auxiliary_metadata=(
                AnyMessage(_STRING, wire.encode(Property(name=result.code))),
                AnyMessage(_ACTION, wire.encode(GetActionResultRequest(action_digest=key))),
                *(AnyMessage(_PROPERTY, wire.encode(each)) for each in signed),
            ),
        ),
    )


def load(key: Digest, message: ActionResult, names: Collection[str], doing: str) -> Result:
    """Give the result that a message keeps; nobody vouches for it yet.

    Args:
        key: the digest of the action.
        message: as it was found.
        names: of the declared outputs.
        doing: what cannot be done with a bad one.

    Raises:
        FormatError: if it is not the result of this action, ended well, with exactly these outputs.
    """

    def refused(cause: str) -> FormatError:
        return FormatError(doing, cause)

    if message.exit_code:
        raise refused(f"it is of an action that failed, with exit status {message.exit_code}")
    if message.output_directories or message.output_symlinks:
        raise refused("it has outputs that are not files")
    if message.output_file_symlinks or message.output_directory_symlinks:
        raise refused("it has outputs that are not files")
    outputs: dict[str, Digest] = {}
    for file in message.output_files:
        if cause := _unclean(file.path):
            raise refused(f"{cause}: {file.path[:100]!a}")
        if file.path in outputs or file.path not in names:
            raise refused(f'it has {"twice" if file.path in outputs else "besides"} an output "{file.path}"')
        if file.digest is None:
            raise refused(f'its output "{file.path}" has no digest')
        outputs[file.path] = file.digest
    if lacking := sorted(set(names) - set(outputs)):
        raise refused(f'it lacks output "{lacking[0]}"')
    metadata = message.execution_metadata or ExecutedActionMetadata()
    if AnyMessage(_ACTION, wire.encode(GetActionResultRequest(action_digest=key))) not in metadata.auxiliary_metadata:
        raise refused("it is another action's")
    return Result(outputs, _milliseconds(metadata), _code(metadata), message.stdout_digest, voucher=NOBODY)


def signatures(message: ActionResult) -> list[str]:
    """Give the signatures that came with a result, each of which may be anything: ``signatures`` checks them."""
    found = []
    for each in (message.execution_metadata or ExecutedActionMetadata()).auxiliary_metadata:
        if each.type_url == _PROPERTY:
            try:
                said = wire.decode(Property, each.value)
            except FormatError:
                continue  # others may put there what they like
            if said.name == _SIGNATURE:
                found.append(said.value)
    return found


def _unclean(path: str) -> str:
    """Say what is wrong with a path, ``""``: nothing."""
    if not path or path.startswith("/") or not path.isprintable() or len(path.encode("utf-8", "replace")) > _LONGEST:
        return "an output has a name that is no relative path"
    if any(part in ("", ".", "..") for part in path.split("/")) or "\\" in path:
        return "an output has a name that leads elsewhere"
    return ""


def _milliseconds(metadata: ExecutedActionMetadata) -> int:
    begun, ended = metadata.execution_start_timestamp, metadata.execution_completed_timestamp
    if begun is None or ended is None:
        return 0
    spent = (ended.seconds - begun.seconds) * 1000 + (ended.nanos - begun.nanos) // 1_000_000
    return min(max(spent, 0), 1 << 40)


def _code(metadata: ExecutedActionMetadata) -> str:
    for each in metadata.auxiliary_metadata:
        if each.type_url == _STRING:
            try:
                return wire.decode(Property, each.value).name[:_CODE]
            except FormatError:
                return ""  # it is only told to people
    return ""
