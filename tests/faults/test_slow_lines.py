"""Real caches behind a network that is slow, stops or crawls: builds end right, and slow ones are made use of."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from distroless_rules.actions.action import Action
from distroless_rules.storage import gc
from distroless_rules.storage.endpoint import Identity, parse
from distroless_rules.storage.remote_grpc import GrpcCache
from distroless_rules.values.digest import Digest
from tests.support import engines
from tests.support.slow_line import SlowLine
from tests.support.workshop import Workshop, action, out

SERVERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "casd": engines.casd,
    "nginx": engines.nginx,
    "registry": engines.docker_registry,
}
LARGE = random.Random(1).randbytes(3_000_000).hex()  # streamed; too large for what is held on the way
SMALL = LARGE[:400_000]
SECONDS = 3  # that are usual
LONG = 60  # far more than any of this takes, and far less than what it would without limits


@pytest.fixture(params=SERVERS, scope="module")
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with SERVERS[request.param](tmp_path_factory.mktemp("server") / "data") as found:
        yield found


def chain(name: str, text: str) -> list[Action]:
    """Give actions whose results no other test has left on the server."""
    return [
        action("one", parameters={"text": f"{name} "}),
        action("two", inputs={"1": out("one")}, parameters={"text": text}),
    ]


def built(shop: Workshop, name: str, text: str) -> list[str]:
    """Build, see that all is right and soon done; give how the actions ended."""
    begun = time.monotonic()
    made = shop.build(chain(name, text), out("two"))
    assert time.monotonic() - begun < LONG
    assert not made.errors
    assert shop.read(made, out("two")) == f"{name} {text}".encode()
    assert gc.verify(shop.cache) == []
    return [made.endings["one"], made.endings["two"]]


def test_a_slow_network_is_made_use_of(address: str, tmp_path: Path) -> None:
    with SlowLine(address, rate=200_000) as line:
        first = Workshop(tmp_path / "first", remote=line.address, upload=True, seconds=SECONDS)
        assert built(first, "slow", SMALL) == ["ran", "ran"]
        second = Workshop(tmp_path / "second", remote=line.address, seconds=SECONDS)
        assert built(second, "slow", SMALL) == ["shared", "shared"]
    assert [warning for warning in first.warnings + second.warnings if "warning" in warning] == []


def test_many_small_blobs_over_a_slow_network(tmp_path: Path) -> None:
    with engines.casd(tmp_path / "data") as real, SlowLine(real, rate=200_000) as line:
        cache = GrpcCache(parse(line.address, Identity()), SECONDS)
        data = [SMALL[n * 1000 : (n + 1) * 1000].encode() for n in range(400)]
        files = {Digest.of(each): tmp_path / str(n) for n, each in enumerate(data)}
        for n, each in enumerate(data):
            (tmp_path / str(n)).write_bytes(each)
        cache.send(files)
        found: dict[Digest, bytes] = {}
        assert cache.fetch_many(list(files), found.__setitem__) == set()
        assert found == {Digest.of(each): each for each in data}
        cache.close()


@pytest.mark.parametrize(
    ("text", "how"), [(SMALL, "stops"), (LARGE, "stops"), (LARGE, "crawls")], ids=["small", "large", "crawls"]
)
def test_an_upload_that_does_not_get_on_costs_a_warning(address: str, tmp_path: Path, text: str, how: str) -> None:
    with SlowLine(address) as line:
        shop = Workshop(tmp_path / "first", remote=line.address, upload=True, seconds=SECONDS)
        if how == "stops":
            line.stop_after(100_000)
        else:
            line.slow_after(100_000)
        assert built(shop, f"up {how} {len(text)}", text) == ["ran", "ran"]
    (warning,) = [each for each in shop.warnings if each.startswith("warning")]
    assert warning.endswith(("; 1 of 2 results not sent", "; 2 of 2 results not sent")), warning


@pytest.mark.parametrize("how", ["stops", "crawls"])
def test_a_download_that_does_not_get_on_is_made_here(address: str, tmp_path: Path, how: str) -> None:
    first = Workshop(tmp_path / "first", remote=address, upload=True)
    assert built(first, f"down {how}", LARGE) == ["ran", "ran"]
    with SlowLine(address) as line:
        shop = Workshop(tmp_path / "second", remote=line.address, seconds=SECONDS)
        if how == "stops":
            line.stop_after(1_000_000)
        else:
            line.slow_after(1_000_000)
        assert built(shop, f"down {how}", LARGE)[1] == "ran"
    assert len(shop.warnings) == 1, shop.warnings
