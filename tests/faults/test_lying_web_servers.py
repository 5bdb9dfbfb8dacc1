"""HTTP caches and registries that lie, fail or stand still: no lie is taken, and every build ends right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from distroless_rules.storage import gc
from distroless_rules.values.digest import Digest
from tests.support.web_caches import Handler, Lie, Registry, Web, serving
from tests.support.workshop import Workshop, action, out

CHAIN = [
    action("one", parameters={"text": "1"}),
    action("two", inputs={"1": out("one")}, parameters={"text": "2"}),
    action("large", parameters={"text": "x" * 500_000}),
]
WANTED = (out("two"), out("large"))


def _bytes(change: Callable[[bytes], bytes]) -> Lie:
    def lie(handler: Handler, body: bytes | None) -> bool:
        if handler.command == "HEAD" or not handler.of_blob or body is None:
            return False
        handler.give(change(body))
        return True

    return lie


def _result(change: Callable[[bytes], bytes]) -> Lie:
    def lie(handler: Handler, body: bytes | None) -> bool:
        if not handler.of_result or body is None:
            return False
        handler.give(change(body))
        return True

    return lie


def _always(status: int, headers: dict[str, str] | None = None, *, of_blobs: bool = False) -> Lie:
    def lie(handler: Handler, _: bytes | None) -> bool:
        if of_blobs and not handler.of_blob:
            return False
        handler.give(b"words", status, headers)
        return True

    return lie


def _short(handler: Handler, body: bytes | None) -> bool:
    if handler.command == "HEAD" or not handler.of_blob or body is None:
        return False
    handler.give(body[:-1], headers={"Content-Length": str(len(body))})
    handler.close_connection = True
    return True


def _endless(handler: Handler, body: bytes | None) -> bool:
    if handler.command == "HEAD":
        return False
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while not handler.owner.closing.is_set():
        handler.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
    return True


def _promised(handler: Handler, body: bytes | None) -> bool:
    if not handler.of_blob:
        return False
    handler.give(None if handler.command == "GET" else b"", headers={} if handler.command == "GET" else {"X": "y"})
    return True


def _garbage(handler: Handler, _: bytes | None) -> bool:
    handler.wfile.write(b"\xff\xfe no HTTP at all\r\n\r\n")
    handler.close_connection = True
    return True


def _reset(handler: Handler, _: bytes | None) -> bool:
    handler.close_connection = True
    return True


def _packed(handler: Handler, body: bytes | None) -> bool:
    if handler.command == "HEAD" or not handler.of_blob or body is None:
        return False
    handler.give(body, headers={"Content-Encoding": "gzip"})
    return True


LIES: dict[str, Lie] = {
    "wrong bytes of the right length": _bytes(lambda body: bytes([body[0] ^ 1]) + body[1:]),
    "a byte too few": _bytes(lambda body: body[:-1]),
    "a byte too many": _bytes(lambda body: body + b"!"),
    "no bytes": _bytes(lambda body: b""),
    "a body that breaks off": _short,
    "an endless body": _endless,
    "blobs promised and not given": _promised,
    "another encoding than was asked for": _packed,
    "a result that is no message": _result(lambda body: b"\xff\xff"),
    "a result with other bytes of its outputs": _result(lambda body: body.replace(b"\x2a\x021", b"\x2a\x02?")),
    "a result cut short": _result(lambda body: body[:-9]),
    "an empty result": _result(lambda body: b""),
    "a result of 40 MB": _result(lambda body: bytes(40_000_000)),
    "no HTTP at all": _garbage,
    "connections closed": _reset,
    "a redirect": _always(302, {"Location": "http://127.0.0.1:9/elsewhere"}),
    "a part nobody asked for": _always(206, {"Content-Range": "bytes 5-9/10"}, of_blobs=True),
    **{f"all answers are {status}": _always(status) for status in (400, 401, 403, 404, 405, 429, 500, 501, 503, 507)},
}


@pytest.fixture(params=[Web, Registry])
def web(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Web]:
    with serving(request.param()) as made:
        shop = Workshop(tmp_path / "first", remote=made.address, upload=True)
        assert len(shop.build(CHAIN, *WANTED).ran) == 3
        assert not shop.warnings
        assert len(made.kept) == (6 if request.param is Web else 10)
        yield made


def _built(folder: Path, address: str, seconds: float = 30) -> Workshop:
    shop = Workshop(folder, remote=address, seconds=seconds)
    built = shop.build(CHAIN, *WANTED)
    assert not built.errors
    assert shop.read(built, out("two")) == b"12"
    assert shop.read(built, out("large")) == b"x" * 500_000
    assert gc.verify(shop.cache) == []
    return shop


def test_a_server_that_tells_the_truth_is_believed(web: Web, tmp_path: Path) -> None:
    shop = Workshop(tmp_path / "second", remote=web.address)
    built = shop.build(CHAIN, *WANTED)
    assert set(built.endings.values()) == {"shared"}
    assert not shop.warnings


def test_small_outputs_come_with_their_results(tmp_path: Path) -> None:
    with serving(Web()) as web:
        Workshop(tmp_path / "first", remote=web.address, upload=True).build(CHAIN, *WANTED)
        web.asked.clear()
        shop = Workshop(tmp_path / "second", remote=web.address)
        built = shop.build(CHAIN, *WANTED)
        assert set(built.endings.values()) == {"shared"}
        assert shop.read(built, out("two")) == b"12"
        large = Digest.of(b"x" * 500_000).hash
        blobs = [(method, path.rpartition("/")[2]) for method, path, _ in web.asked if "/cas/" in path]
        assert blobs == [("HEAD", large), ("GET", large)]
        assert len(web.asked) == len(blobs) + len(CHAIN)


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_is_taken(web: Web, tmp_path: Path, lie: str) -> None:
    web.lie = LIES[lie]
    shop = _built(tmp_path / "second", web.address)
    assert len(shop.warnings) <= 1, shop.warnings


@pytest.mark.parametrize("part", ["answer", "head", "body"])
@pytest.mark.parametrize("drip", [False, True])
def test_a_server_that_stands_still_is_not_waited_for(web: Web, tmp_path: Path, part: str, drip: bool) -> None:
    def crawl(handler: Handler, body: bytes | None) -> bool:
        if part == "body":
            if handler.command == "HEAD" or not handler.of_blob or len(body or b"") < 1000:
                return False
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n")
        elif part == "head":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not handler.owner.closing.wait(0.1):
            if drip and part != "answer":
                handler.wfile.write(b"x")
        return True

    web.lie = crawl
    shop = _built(tmp_path / "second", web.address, seconds=0.5)
    assert len(shop.warnings) == 1, shop.warnings


def test_a_transfer_that_breaks_off_goes_on(web: Web, tmp_path: Path) -> None:
    broken: list[str] = []

    def once(handler: Handler, body: bytes | None) -> bool:
        if handler.command == "HEAD" or not handler.of_blob or len(body or b"") < 1000 or body is None:
            return False
        given = handler.headers.get("Range")
        if given:
            start = int(given.removeprefix("bytes=").rstrip("-"))
            broken.append(given)
            handler.give(body[start:], 206, {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"})
            return True
        handler.give(body[:200_000], headers={"Content-Length": str(len(body))})
        handler.close_connection = True
        return True

    web.lie = once
    shop = Workshop(tmp_path / "second", remote=web.address)
    built = shop.build(CHAIN, *WANTED)
    assert set(built.endings.values()) == {"shared"}
    assert broken
    assert shop.read(built, out("large")) == b"x" * 500_000
