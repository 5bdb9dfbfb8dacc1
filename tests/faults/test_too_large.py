"""Servers that take no large body, and say so before they have read it all: the rest is sent, with one warning."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from distroless_rules.storage.services import CacheCapabilities
from tests.support import engines
from tests.support.liar import Liar
from tests.support.web_caches import Handler, Registry, Web, serving
from tests.support.workshop import Workshop, action, out

LARGE = "large " * 1_000_000
ACTIONS = [
    action("small", parameters={"text": "small"}),
    action("large", inputs={"1": out("small")}, parameters={"text": LARGE}),
    action("larger", inputs={"1": out("small")}, parameters={"text": LARGE * 2}),
]


def sent(folder: Path, address: str) -> str:
    """Build, see that what is not too large has been sent; give the warning."""
    shop = Workshop(folder / "first", remote=address, upload=True)
    built = shop.build(ACTIONS, out("large"), out("larger"))
    assert not built.errors
    second = Workshop(folder / "second", remote=address)
    found = second.build(ACTIONS, out("small"), out("large"))
    assert found.endings["small"] == "shared"
    assert found.endings["large"] == "ran"
    assert second.warnings == []
    (warning,) = [line for line in shop.warnings if line.startswith("warning")]
    return warning


@pytest.mark.parametrize("lingering", ["on", "off"])
def test_nginx_with_a_limit(tmp_path: Path, lingering: str) -> None:
    extra = f"client_max_body_size 1m; lingering_close {lingering};"
    with engines.nginx(tmp_path / "server", extra) as address:
        warning = sent(tmp_path, address)
    assert "it answers 413 Request Entity Too Large to one of 600000" in warning
    assert "client_max_body_size; 2 of 3 results not sent" in warning


def _hangs_up(handler: Handler) -> None:
    """Answer when a little has come, and reset the connection, as much is there that nobody has read."""
    handler.rfile.read(1000)
    handler.wfile.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True


def _says_nothing_of_it(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\n\r\n")
    handler.close_connection = True


@pytest.mark.parametrize("how", [_hangs_up, _says_nothing_of_it])
def test_a_server_that_answers_early(tmp_path: Path, how: Callable[[Handler], None]) -> None:
    class Answers(Web.answers):  # type: ignore[name-defined,misc]
        def do_PUT(self) -> None:
            if int(self.headers["Content-Length"]) > 1_000_000:
                how(self)
            else:
                super().do_PUT()

    class Limited(Web):
        answers = Answers

    with serving(Limited()) as server:
        warning = sent(tmp_path, server.address)
    assert "413" in warning
    assert warning.endswith("client_max_body_size; 2 of 3 results not sent")


def test_a_registry_that_takes_no_part_either(tmp_path: Path) -> None:
    def refuses(handler: Handler, truth: bytes | None) -> bool:
        if handler.command == "PATCH":
            handler.give(b"", 413)
        return handler.command == "PATCH"

    with serving(Registry()) as server:
        assert isinstance(server, Registry)
        server.most, server.lie = 1_000_000, refuses
        warning = sent(tmp_path, server.address)
    assert "413" in warning
    assert warning.endswith("client_max_body_size; 2 of 3 results not sent")


def test_a_server_whose_capabilities_have_a_limit(tmp_path: Path) -> None:
    with Liar() as server:
        cache = replace(
            server.capabilities.cache_capabilities or CacheCapabilities(), max_cas_blob_size_bytes=1_000_000
        )
        server.capabilities = replace(server.capabilities, cache_capabilities=cache)
        warning = sent(tmp_path, server.address)
        assert not server.calls["Write"]
    assert "it takes none of more than 1000000 bytes, and one has" in warning
    assert warning.endswith("; 2 of 3 results not sent")


def test_a_body_is_sent_whole_while_the_server_says_nothing(tmp_path: Path) -> None:
    with serving(Web()) as server:
        shop = Workshop(tmp_path, remote=server.address, upload=True)
        assert not shop.build(ACTIONS, out("large"), out("larger")).errors
        assert shop.warnings == []
        assert sum(len(data) for data in server.kept.values()) > 3 * len(LARGE)
