"""What every shared cache must do, whichever server it is. A new one is one more line in ``REMOTES``."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from distroless_rules.storage.connect import connect
from distroless_rules.storage.endpoint import Identity, parse
from distroless_rules.storage.messages import (
    ActionResult,
    AnyMessage,
    ExecutedActionMetadata,
    OutputFile,
    Timestamp,
)
from distroless_rules.storage.remote import Remote
from distroless_rules.storage.store import MissingBlobError
from distroless_rules.values.digest import EMPTY, Digest
from tests.support import engines

REMOTES: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "casd": engines.casd,
    "buildgrid": engines.buildgrid,
    "nginx": engines.nginx,
    "folder": engines.shared_folder,
    "docker-registry": engines.docker_registry,
    "go-registry": engines.go_registry,
}
LARGE = 9_000_001  # bytes: more than any batch or message may have


SLOW_TO_START = ("buildgrid",)


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.long if name in SLOW_TO_START else ()) for name in REMOTES],
)
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with REMOTES[request.param](tmp_path_factory.mktemp("engine") / "data") as found:
        yield found


@pytest.fixture
def remote(address: str) -> Iterator[Remote]:
    made = connect(parse(address, Identity()), seconds=30)
    yield made
    made.close()


def put(remote: Remote, folder: Path, *blobs: bytes) -> list[Digest]:
    """Send blobs from files in ``folder``."""
    digests = [Digest.of(blob) for blob in blobs]
    files = {digest: folder / digest.hash for digest in digests}
    for digest, blob in zip(digests, blobs, strict=True):
        files[digest].write_bytes(blob)
    remote.send(files)
    return digests


def read(remote: Remote, digest: Digest) -> bytes:
    out: list[bytes] = []
    remote.fetch(digest, out.append)
    return b"".join(out)


@pytest.mark.parametrize("size", [1, 100_000, LARGE])
def test_gives_back_what_was_sent(remote: Remote, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    digest = Digest.of(data)
    assert remote.missing([digest, EMPTY]) == {digest}
    assert put(remote, tmp_path, data) == [digest]
    assert remote.missing([digest, EMPTY]) == set()
    assert read(remote, digest) == data


def test_what_compresses_well_arrives_whole(remote: Remote, tmp_path: Path) -> None:
    data = b"a line that is like the next\n" * 400_000
    (digest,) = put(remote, tmp_path, data)
    assert read(remote, digest) == data


def test_many_small_blobs_go_together(remote: Remote, tmp_path: Path) -> None:
    blobs = [os.urandom(20_000) for _ in range(450)]  # 9 MB: three batches
    digests = put(remote, tmp_path, *blobs)
    assert remote.missing(digests) == set()
    gone = Digest.of(os.urandom(9))
    taken: dict[Digest, bytes] = {}
    rest = remote.fetch_many([*digests, gone], lambda digest, data: taken.update({digest: data}))
    assert gone in rest
    assert set(taken) | rest == {*digests, gone}
    assert all(Digest.of(data) == digest for digest, data in taken.items())


def test_the_empty_blob_is_never_sent(remote: Remote, tmp_path: Path) -> None:
    before = remote.traffic.up
    put(remote, tmp_path, b"")
    assert remote.missing([EMPTY]) == set()
    assert remote.traffic.up - before < 100


def test_sending_twice_is_sending_once(remote: Remote, tmp_path: Path) -> None:
    data = os.urandom(LARGE)
    assert put(remote, tmp_path, data) == put(remote, tmp_path, data)
    assert read(remote, Digest.of(data)) == data


def test_a_missing_blob_is_named(remote: Remote) -> None:
    for size in (9, LARGE):
        gone = Digest(Digest.of(os.urandom(16)).hash, size)
        with pytest.raises(MissingBlobError) as caught:
            read(remote, gone)
        assert caught.value.digest == gone


def test_results_by_key(remote: Remote, tmp_path: Path) -> None:
    (out,) = put(remote, tmp_path, os.urandom(10))
    result = ActionResult(
        output_files=(OutputFile("tar", out), OutputFile("von/ä b", EMPTY)),
        stdout_digest=out,
        execution_metadata=ExecutedActionMetadata(
            execution_start_timestamp=Timestamp(),
            execution_completed_timestamp=Timestamp(1, 5_000_000),
            auxiliary_metadata=(AnyMessage("type.googleapis.com/google.protobuf.StringValue", b"\x0a\x011"),),
        ),
    )
    key = Digest.of(os.urandom(10))
    assert remote.find(key) is None
    remote.keep(key, result)
    found = remote.find(key)
    assert found is not None
    assert found.output_files == result.output_files
    assert found.stdout_digest == out
    assert found.execution_metadata is not None
    assert found.execution_metadata.execution_completed_timestamp == Timestamp(1, 5_000_000)
    assert found.execution_metadata.auxiliary_metadata[0].value == b"\x0a\x011"
    remote.keep(key, ActionResult(output_files=(OutputFile("other", out),)))
    changed = remote.find(key)
    assert changed is not None
    assert [file.path for file in changed.output_files] == ["other"]


def test_many_threads_send_and_read(remote: Remote, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            folder = tmp_path / str(number)
            folder.mkdir()
            for turn in range(10):
                data = b"%d" % ((number + turn) % 12) * 10_000
                (digest,) = put(remote, folder, data)
                assert read(remote, digest) == data
        except BaseException as error:  # noqa: BLE001 - carried to the test's thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_bytes_are_counted(remote: Remote, tmp_path: Path) -> None:
    data = os.urandom(1_000_000)
    (digest,) = put(remote, tmp_path, data)
    assert 1_000_000 <= remote.traffic.up < 1_010_000
    read(remote, digest)
    assert 1_000_000 <= remote.traffic.down < 1_010_000
