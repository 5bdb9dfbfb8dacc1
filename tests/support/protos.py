"""The official descriptors of the Remote Execution API, as an engine's package ships them, read by protobuf.

    official("build.bazel.remote.execution.v2.Command") -> its message class

They are taken out of generated modules without importing these.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import Any

import pytest

from tests.support.engines import FOLDER

_PROTOS = FOLDER / "buildstream" / "_protos"
_MODULES = (  # each after what it imports
    "google/api/http",
    "google/api/annotations",
    "google/rpc/status",
    "google/longrunning/operations",
    "google/bytestream/bytestream",
    "build/bazel/semver/semver",
    "build/bazel/remote/execution/v2/remote_execution",
)


def official(name: str) -> Any:
    """Give the message class of that full name; skips the test where no engine is installed."""
    from google.protobuf import message_factory

    if not _PROTOS.is_dir():
        pytest.skip("no engine is installed; tests/run --install does it")
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(name))


@cache
def _pool() -> Any:
    from google.protobuf import (
        any_pb2,
        descriptor_pb2,
        descriptor_pool,
        duration_pb2,
        empty_pb2,
        timestamp_pb2,
        wrappers_pb2,
    )

    pool = descriptor_pool.DescriptorPool()
    for known in (any_pb2, descriptor_pb2, duration_pb2, empty_pb2, timestamp_pb2, wrappers_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    for module in _MODULES:
        pool.AddSerializedFile(_serialized((_PROTOS / f"{module}_pb2.py").read_text("utf-8")))
    return pool


def _serialized(text: str) -> bytes:
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "AddSerializedFile"
        ):
            found = ast.literal_eval(node.args[0])
            assert isinstance(found, bytes)
            return found
    raise AssertionError("a generated module holds its descriptor")
