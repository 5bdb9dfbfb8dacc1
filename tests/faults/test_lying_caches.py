"""Shared caches that lie, fail or stand still: no lie is taken, nothing wrong is kept, and every build ends right."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

from distroless_rules.storage import gc, services, wire
from distroless_rules.storage.faults import Code
from distroless_rules.storage.messages import (
    ActionResult,
    AnyMessage,
    ExecutedActionMetadata,
    OutputDirectory,
    OutputFile,
    OutputSymlink,
    Status,
)
from distroless_rules.storage.services import BatchReadBlobsResponse, BlobContent, ReadResponse
from distroless_rules.tools.tool import Tool, Workbench
from distroless_rules.values.digest import Digest
from tests.support.liar import Liar, Refusal
from tests.support.workshop import Workshop, action, join, out

LARGE = "x" * 5_000_000
CHAIN = [
    action("one", parameters={"text": "1"}),
    action("two", inputs={"1": out("one")}, parameters={"text": "2"}),
    action("three", inputs={"2": out("two")}, parameters={"text": "3"}),
    action("large", parameters={"text": LARGE}),
]
WANTED = (out("three"), out("large"))
Truth = Callable[[], Any]
Lie = Callable[[Truth], Any]


def _read(change: Callable[[bytes], bytes]) -> dict[str, Lie]:
    """Change the bytes of every blob, however it is read."""

    def batch(truth: Truth) -> BatchReadBlobsResponse:
        return BatchReadBlobsResponse(tuple(replace(c, data=change(c.data)) for c in truth().responses))

    def stream(truth: Truth) -> list[ReadResponse]:
        return [ReadResponse(change(b"".join(answer.data for answer in truth())))]

    return {"BatchReadBlobs": batch, "Read": stream}


def _result(change: Callable[[ActionResult], Any]) -> dict[str, Lie]:
    return {"GetActionResult": lambda truth: change(truth())}


def _files(change: Callable[[tuple[OutputFile, ...]], tuple[OutputFile, ...]]) -> dict[str, Lie]:
    return _result(lambda result: replace(result, output_files=change(result.output_files)))


def _refuse(*methods: str, code: Code) -> dict[str, Lie]:
    def refuse(_: Truth) -> Any:
        raise Refusal(code, "as the test says")

    return dict.fromkeys(methods, refuse)


def _endless(_: Truth) -> Iterator[ReadResponse]:
    for _ in itertools.count():
        yield ReadResponse(bytes(100_000))


def _twist(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:] if data else data


def _bomb(_: Truth) -> Iterator[ReadResponse]:
    squeezer = zstandard.ZstdCompressor().compressobj()
    for _ in range(2000):
        yield ReadResponse(squeezer.compress(bytes(1 << 20)))


def _digest(hash_field: bytes) -> bytes:
    return b"\x12" + bytes((len(hash_field) + 7,)) + b"\x0a\x03out\x12" + bytes((len(hash_field),)) + hash_field


ALL = ("FindMissingBlobs", "BatchReadBlobs", "Read", "GetActionResult", "GetCapabilities")
MISSING = services.FindMissingBlobsResponse
LIES: dict[str, dict[str, Lie]] = {
    "wrong bytes of the right length": _read(_twist),
    "a byte too few": _read(lambda data: data[:-1]),
    "a byte too many": _read(lambda data: data + b"!"),
    "no bytes": _read(lambda data: b""),
    "zeros": _read(lambda data: bytes(len(data))),
    "bytes of another blob": _read(lambda data: b"312"[: len(data)] or b"z"),
    "an endless stream": {"BatchReadBlobs": lambda truth: BatchReadBlobsResponse(), "Read": _endless},
    "an answer about blobs that nobody asked for": {
        "BatchReadBlobs": lambda truth: BatchReadBlobsResponse((BlobContent(Digest.of(b"evil"), b"evil"),))
    },
    "a blob twice, once wrong": {
        "BatchReadBlobs": lambda truth: BatchReadBlobsResponse(
            tuple(x for c in truth().responses for x in (replace(c, data=_twist(c.data)), c))
        )
    },
    "blobs promised and not given": _refuse("BatchReadBlobs", "Read", code=Code.NOT_FOUND),
    "each blob's status an error": {
        "BatchReadBlobs": lambda truth: BatchReadBlobsResponse(
            tuple(replace(c, status=Status(Code.INTERNAL)) for c in truth().responses)
        ),
        **_refuse("Read", code=Code.INTERNAL),
    },
    "everything missing": {"FindMissingBlobs": lambda truth: MISSING((Digest.of(b"3"), Digest.of(b"123")))},
    "nothing missing": {
        "FindMissingBlobs": lambda truth: MISSING(),
        **_refuse("BatchReadBlobs", "Read", code=Code.NOT_FOUND),
    },
    "missing what nobody asked for": {"FindMissingBlobs": lambda truth: MISSING((Digest.of(b"other"),))},
    "an output lacking": _files(lambda files: ()),
    "an output too many": _files(lambda files: (*files, OutputFile("more", Digest.of(b"1")))),
    "an output twice": _files(lambda files: files + files),
    "an output that leads out": _files(lambda files: (replace(files[0], path="../out"),)),
    "an output with an absolute path": _files(lambda files: (replace(files[0], path="/out"),)),
    "an output without a digest": _files(lambda files: (replace(files[0], digest=None),)),
    "a size too large": _files(lambda files: (replace(files[0], digest=Digest(files[0].digest.hash, 7)),)),  # type: ignore[union-attr]
    "wrong bytes within results": _files(lambda files: tuple(replace(f, contents=b"?" * f.digest.size) for f in files)),  # type: ignore[union-attr]
    "too many bytes within results": _files(lambda files: tuple(replace(f, contents=bytes(9_000_000)) for f in files)),
    "too few bytes within results": _files(lambda files: tuple(replace(f, contents=b"1") for f in files)),
    "a digest of three letters": _result(lambda result: _digest(b"\x0a\x03abc")),
    "a digest in capitals": _result(lambda result: _digest(b"\x0a\x40" + b"A" * 64)),
    "a result that failed": _result(lambda result: replace(result, exit_code=3)),
    "a folder for a file": _result(
        lambda result: replace(result, output_files=(), output_directories=(OutputDirectory("out", Digest.of(b"1")),))
    ),
    "a link beside the output": _result(
        lambda result: replace(result, output_symlinks=(OutputSymlink("out2", "/etc/passwd"),))
    ),
    "a result without its key": _result(lambda result: replace(result, execution_metadata=ExecutedActionMetadata())),
    "a result of ten thousand outputs": _files(
        lambda files: tuple(OutputFile(f"o{n}", files[0].digest) for n in range(10_000))
    ),
    "bytes that are no message": {method: lambda truth: b"\xff\xff\xff\xff" for method in ALL},
    "a message cut short": _result(lambda result: wire.encode(result)[:-3]),
    "a message of 20 MB": _result(
        lambda result: replace(
            result, execution_metadata=ExecutedActionMetadata(auxiliary_metadata=(AnyMessage("x", bytes(20_000_000)),))
        )
    ),
    "another digest function": {
        "GetCapabilities": lambda truth: services.ServerCapabilities(services.CacheCapabilities((9,)))
    },
    "another version of the API": {
        "GetCapabilities": lambda truth: services.ServerCapabilities(low_api_version=services.SemVer(3))
    },
    **{f"all calls end with {code.name}": _refuse(*ALL, code=code) for code in Code if code is not Code.OK},
    **{f"reading ends with {c.name}": _refuse("BatchReadBlobs", "Read", code=c) for c in Code if c is not Code.OK},
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Liar]:
    with Liar() as made:
        yield made


@pytest.fixture
def filled(server: Liar, tmp_path: Path) -> Liar:
    shop = Workshop(tmp_path / "first", remote=server.address, upload=True)
    assert sorted(shop.build(CHAIN, *WANTED).ran) == ["large", "one", "three", "two"]
    assert len(server.results) == 4
    return server


def _built(folder: Path, address: str, seconds: float = 30) -> Workshop:
    """Build beside a server, see that all is right, and that nothing wrong was kept."""
    shop = Workshop(folder, remote=address, seconds=seconds)
    built = shop.build(CHAIN, *WANTED)
    assert not built.errors
    assert shop.read(built, out("three")) == b"123"
    assert shop.read(built, out("large")) == LARGE.encode()
    assert gc.verify(shop.cache) == []
    alone = Workshop(folder)
    again = alone.build(CHAIN, *WANTED)
    assert alone.read(again, out("three")) == b"123"
    assert alone.read(again, out("large")) == LARGE.encode()
    assert len({kind(warning) for warning in shop.warnings}) == len(shop.warnings), "one warning of each kind"
    return shop


def kind(warning: str) -> str:
    return warning.partition(" sha256:")[0]


def test_a_server_that_tells_the_truth_is_believed(filled: Liar, tmp_path: Path) -> None:
    shop = Workshop(tmp_path / "second", remote=filled.address)
    built = shop.build(CHAIN, *WANTED)
    assert built.endings == dict.fromkeys(("one", "two", "three", "large"), "shared")
    assert not shop.warnings
    assert shop.read(built, out("three")) == b"123"
    assert filled.calls["Read"] == 1, "only what is wanted is brought, and it is large"


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_is_taken(filled: Liar, tmp_path: Path, lie: str) -> None:
    filled.lies = LIES[lie]
    _built(tmp_path / "second", filled.address)


@pytest.mark.parametrize("method", ["GetCapabilities", "GetActionResult", "FindMissingBlobs", "Read"])
def test_a_server_that_says_nothing_is_not_waited_for(filled: Liar, tmp_path: Path, method: str) -> None:
    def hang(truth: Truth) -> Any:
        filled.closing.wait(60)
        raise Refusal(Code.UNAVAILABLE)

    filled.lies = {method: hang}
    shop = _built(tmp_path / "second", filled.address, seconds=0.5)
    assert len(shop.warnings) == 1


def test_a_server_that_sends_a_byte_at_a_time_is_not_waited_for(filled: Liar, tmp_path: Path) -> None:
    def drip(truth: Truth) -> Iterator[ReadResponse]:
        for _ in range(600):
            yield ReadResponse(b"x")
            filled.closing.wait(0.1)

    filled.lies = {"Read": drip}
    (warning,) = _built(tmp_path / "second", filled.address, seconds=0.5).warnings
    assert "slower than 50 kB a second" in warning


def test_what_expands_without_end_is_not_expanded(filled: Liar, tmp_path: Path) -> None:
    assert filled.capabilities.cache_capabilities is not None
    cache = replace(filled.capabilities.cache_capabilities, supported_compressors=(services.ZSTD,))
    filled.capabilities = replace(filled.capabilities, cache_capabilities=cache)
    filled.lies = {"Read": _bomb}
    (warning,) = _built(tmp_path / "second", filled.address).warnings
    assert "more than the 5000000 bytes" in warning


def test_results_that_have_changed_places_are_not_taken(filled: Liar, tmp_path: Path) -> None:
    keys = list(filled.results)
    values = list(filled.results.values())
    filled.results = dict(zip(keys, values[1:] + values[:1], strict=True))
    shop = _built(tmp_path / "second", filled.address)
    assert len(shop.warnings) == 1
    assert "it is another action's" in shop.warnings[0]


REFUSED = {
    "no right to write results": _refuse("UpdateActionResult", code=Code.PERMISSION_DENIED),
    "no right to write blobs": _refuse("BatchUpdateBlobs", "Write", code=Code.PERMISSION_DENIED),
    "not known who writes": _refuse("UpdateActionResult", "BatchUpdateBlobs", code=Code.UNAUTHENTICATED),
    "no room": _refuse("BatchUpdateBlobs", "Write", code=Code.RESOURCE_EXHAUSTED),
    "half of a stream taken": {
        "Write": lambda truth: services.WriteResponse(truth().committed_size // 2),
        "FindMissingBlobs": lambda truth: MISSING((*truth().missing_blob_digests, Digest.of(LARGE.encode()))),
    },
    "no word of blobs": {"BatchUpdateBlobs": lambda truth: services.BatchUpdateBlobsResponse()},
    "each blob refused": {
        "BatchUpdateBlobs": lambda truth: services.BatchUpdateBlobsResponse(
            tuple(replace(b, status=Status(Code.INVALID_ARGUMENT, "no")) for b in truth().responses)
        )
    },
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_server_that_takes_nothing_costs_a_warning(server: Liar, tmp_path: Path, why: str) -> None:
    server.lies = REFUSED[why]
    shop = Workshop(tmp_path / "first", remote=server.address, upload=True)
    built = shop.build(CHAIN, *WANTED)
    assert not built.errors
    assert shop.read(built, out("three")) == b"123"
    assert len(shop.warnings) == 1, shop.warnings


def test_a_server_that_comes_back_is_used_again(server: Liar, tmp_path: Path) -> None:
    def slow(bench: Workbench) -> None:
        time.sleep(0.1)
        join(bench)

    chain = [
        action(f"n{n}", inputs={"1": out(f"n{n - 1}")} if n else {}, parameters={"text": str(n)}) for n in range(30)
    ]
    first = Workshop(tmp_path / "first", {"Join": Tool("Join", "1", slow)}, remote=server.address, upload=True)
    assert not first.build(chain, out("n29")).errors
    failing = iter(range(4))

    def at_first(truth: Truth) -> Any:
        if next(failing, None) is not None:
            raise Refusal(Code.UNAVAILABLE)
        return truth()

    server.lies = {"GetActionResult": at_first}
    shop = Workshop(tmp_path / "second", {"Join": Tool("Join", "1", slow)}, remote=server.address)
    built = shop.build(chain, out("n29"))
    assert built.endings["n0"] == "ran"
    assert built.endings["n29"] == "shared"
    assert len(shop.warnings) == 1


@pytest.mark.parametrize("honest", [True, False])
def test_everything_lost_below_a_long_chain_is_made_again_in_one_build(
    server: Liar, tmp_path: Path, honest: bool
) -> None:
    performed: list[str] = []

    def counted(bench: Workbench) -> None:
        performed.append(bench.parameters["text"])
        join(bench)

    chain = [
        action(f"n{n}", inputs={"1": out(f"n{n - 1}")} if n else {}, parameters={"text": f"{n} "}) for n in range(50)
    ]
    first = Workshop(tmp_path / "first", remote=server.address, upload=True)
    assert len(first.build(chain, out("n49")).ran) == 50

    def lose(truth: Truth) -> Any:
        server.blobs.clear()
        raise Refusal(Code.NOT_FOUND)

    server.lies = {"Read": lose}
    if not honest:
        server.lies["FindMissingBlobs"] = lambda truth: MISSING()
    shop = Workshop(tmp_path / "second", {"Join": Tool("Join", "1", counted)}, remote=server.address)
    built = shop.build(chain, out("n49"))
    assert not built.errors
    assert shop.read(built, out("n49")) == "".join(f"{n} " for n in range(50)).encode()
    assert len(performed) == 50, "no action is performed twice"
    assert len(built.ran) == (50 if honest else 99), "where a server tells, nothing is begun in vain"
