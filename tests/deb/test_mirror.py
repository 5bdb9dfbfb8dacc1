from __future__ import annotations

import io
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from distroless_rules.deb import mirror, transport
from distroless_rules.deb.mirror import NotFoundError, Retry
from distroless_rules.errors import FetchError, TrustError
from distroless_rules.values.digest import Digest
from tests.support.server import Fault, Server

DATA = bytes(range(256)) * 4096
DIGEST = Digest.of(DATA)
QUICK = Retry(attempts=3, pause=0.001)
PATH = "pool/a+b_1~2.deb"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    (folder / "pool").mkdir(parents=True)
    (folder / PATH).write_bytes(DATA)
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server(folder) as server:
        yield server


def get(*uris: str, digest: Digest = DIGEST, path: str = PATH) -> bytes:
    sink = io.BytesIO()
    mirror.fetch(uris, path, sink, digest, retry=QUICK)
    return sink.getvalue()


def cause(kind: type[FetchError] | type[TrustError], *uris: str, path: str = PATH, digest: Digest = DIGEST) -> str:
    with pytest.raises(kind) as caught:
        get(*uris, path=path, digest=digest)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert caught.value.doing == f'fetch "{path}"'
    return caught.value.cause


def host(server: Server) -> str:
    return server.uri.removeprefix("http://")


def test_fetches(server: Server, folder: Path) -> None:
    assert get(server.uri) == get(f"{server.uri}/") == get(folder.as_uri()) == get(f"file:{folder}") == DATA
    assert server.requests[0].headers["user-agent"] == "distroless-rules"
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_one_connection_is_used_again(server: Server) -> None:
    ports = set()
    meet = server.meet

    def noting(path: str, headers: dict[str, str]) -> Fault:
        ports.add(threading.get_ident())  # the server has one thread a connection
        return meet(path, headers)

    server.meet = noting  # type: ignore[method-assign,assignment]
    for _ in range(5):
        assert get(server.uri) == DATA
    assert len(ports) == 1


def test_the_mirror_that_served_is_told_and_progress_is_counted(server: Server) -> None:
    seen: list[int] = []
    sink = io.BytesIO()
    assert mirror.fetch(("file:///none", server.uri), PATH, sink, DIGEST, seen.append, QUICK) == server.uri
    assert sum(seen) == len(DATA)


@pytest.mark.parametrize(
    "fault",
    [Fault(status=503, times=2), Fault(status=429, times=2), Fault(cut=0, times=2), Fault(cut=100_000, times=2)],
)
def test_what_fails_for_the_moment_is_tried_again(server: Server, fault: Fault) -> None:
    server.plant(f"/{PATH}", fault)
    assert get(server.uri) == DATA
    assert len(server.requests) == 3


def test_what_keeps_failing_is_left_for_the_next_mirror(server: Server, folder: Path) -> None:
    server.plant("*", Fault(status=503))
    assert get(server.uri, folder.as_uri()) == DATA
    assert cause(FetchError, server.uri) == f"{host(server)}: it answers 503 Service Unavailable"
    assert len(server.requests) == 6


def test_goes_on_where_it_broke_off(server: Server) -> None:
    server.plant("*", Fault(cut=400_000, times=1))
    seen: list[int] = []
    sink = io.BytesIO()
    mirror.fetch((server.uri,), PATH, sink, DIGEST, seen.append, QUICK)
    assert sink.getvalue() == DATA
    assert server.requests[1].headers["range"] == "bytes=400000-"
    assert server.requests[1].headers["if-range"].startswith('"')
    assert sum(seen) == len(DATA)
    assert min(seen) > 0


def test_starts_anew_where_ranges_are_not_heeded(server: Server) -> None:
    server.plant("*", Fault(cut=400_000, times=1))
    server.plant("*", Fault(ranges=False))
    seen: list[int] = []
    sink = io.BytesIO()
    mirror.fetch((server.uri,), PATH, sink, DIGEST, seen.append, QUICK)
    assert sink.getvalue() == DATA
    assert sum(seen) == len(DATA)


def test_starts_anew_when_another_part_comes_than_asked(server: Server) -> None:
    server.plant("*", Fault(cut=400_000, times=1))
    server.plant("*", Fault(status=206, headers={"Content-Range": f"bytes 5-9/{len(DATA)}"}, times=1))
    assert get(server.uri) == DATA


def test_a_later_run_goes_on_with_the_file_of_an_earlier(server: Server, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(DATA[:300_000])
    mirror.fetch((server.uri,), PATH, part, DIGEST, retry=QUICK)
    assert part.read_bytes() == DATA
    assert server.requests[0].headers["range"] == "bytes=300000-"
    mirror.fetch((server.uri,), PATH, part, DIGEST, retry=QUICK)
    assert len(server.requests) == 1  # it is whole: nothing is asked


@pytest.mark.parametrize("junk", [b"junk", b"x" * len(DATA), b"x" * (len(DATA) + 1)])
def test_a_beginning_that_is_another_files_is_thrown_away(server: Server, tmp_path: Path, junk: bytes) -> None:
    part = tmp_path / "part"
    part.write_bytes(junk)
    mirror.fetch((server.uri,), PATH, part, DIGEST, retry=QUICK)
    assert part.read_bytes() == DATA


def test_wrong_bytes_are_never_handed_over(server: Server, folder: Path) -> None:
    wrong = b"x" + DATA[1:]
    server.plant("*", Fault(body=wrong))
    expected = f"it serves another file (SHA-256 {Digest.of(wrong).hash}, not {DIGEST.hash})"
    assert cause(TrustError, server.uri) == f"{host(server)}: {expected}"
    assert get(server.uri, folder.as_uri()) == DATA
    server.heal()
    server.plant("*", Fault(body=DATA + b"x"))
    assert "it serves another file (1048577 bytes, not 1048576)" in cause(TrustError, server.uri)


def test_never_more_is_read_than_the_file_may_have(server: Server) -> None:
    server.plant("*", Fault(body=DATA * 8, chunked=True))
    sink = io.BytesIO()
    with pytest.raises(FetchError, match=r"it sends more than the 1048576 bytes that are allowed"):
        mirror.fetch((server.uri,), PATH, sink, DIGEST, retry=QUICK)
    assert len(sink.getvalue()) <= len(DATA)
    with pytest.raises(FetchError, match=r"it serves 1048576 bytes, more than the 1000 that are allowed"):
        mirror.fetch_text((server.folder.as_uri(),), PATH, 1000)


def test_not_found_on_any_mirror(server: Server) -> None:
    found = cause(NotFoundError, server.uri, "file:///none", path="pool/none")
    assert found == f"{host(server)}: it has no such file, /none: it has no such file"
    assert len(server.requests) == 1


def test_not_found_on_one_and_refused_by_another_is_not_the_same(server: Server) -> None:
    server.plant("*", Fault(status=403))
    assert cause(FetchError, "file:///none", server.uri).endswith(f"{host(server)}: it answers 403 Forbidden")


def test_no_mirror_is_named() -> None:
    assert cause(FetchError) == "no mirror is named"


def test_offline_says_the_host_and_the_reason() -> None:
    assert cause(FetchError, "http://user:secret@none.invalid") == "none.invalid: its name cannot be resolved"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        port = taken.getsockname()[1]
        assert cause(FetchError, f"http://127.0.0.1:{port}") == f"127.0.0.1:{port}: Connection refused"


def test_a_silent_mirror_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "READ_SECONDS", 0.05)
    transport._pool.cache_clear()
    server.plant("*", Fault(delay=0.5))
    assert "no byte in 0.05 s" in cause(FetchError, server.uri)
    transport._pool.cache_clear()


def test_redirects(server: Server) -> None:
    server.plant("/old/x", Fault(status=302, headers={"Location": f"/{PATH.replace('+', '%2B')}"}))
    assert get(server.uri, path="old/x") == DATA
    server.plant("/loop/x", Fault(status=301, headers={"Location": "/loop/x"}))
    assert "redirects more than 5 times" in cause(FetchError, server.uri, path="loop/x")
    for target in ("file:///etc/passwd", "ftp://x.example/", "gopher:x"):
        server.plant(f"/{target[:4]}/x", Fault(status=302, headers={"Location": target}))
        assert "it redirects from http to" in cause(FetchError, server.uri, path=f"{target[:4]}/x")


def test_logins_stay_with_their_origin(folder: Path) -> None:
    with Server(folder) as first, Server(folder) as second:
        location = f"{second.uri}/{PATH.replace('+', '%2B')}"
        first.plant("/a/x", Fault(status=302, headers={"Location": "/b/x"}))
        first.plant("/b/x", Fault(status=302, headers={"Location": location}))
        assert get(first.uri.replace("http://", "http://user:secret@"), path="a/x") == DATA
        assert ["authorization" in request.headers for request in first.requests] == [True, True]
        assert "authorization" not in second.requests[0].headers


def test_https_is_checked_and_never_left_for_http(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 2 -subj /CN=localhost"
    script += " -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
    with Server(server.folder, context) as secure:
        assert secure.uri.startswith("https://")
        assert "CERTIFICATE_VERIFY_FAILED" in cause(FetchError, secure.uri)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "c.pem"))
        transport._pool.cache_clear()
        assert get(secure.uri) == DATA
        secure.plant("/down/x", Fault(status=302, headers={"Location": f"{server.uri}/x"}))
        assert "it redirects from https to http" in cause(FetchError, secure.uri, path="down/x")
        server.plant("/up/x", Fault(status=302, headers={"Location": f"{secure.uri}/{PATH.replace('+', '%2B')}"}))
        assert get(server.uri, path="up/x") == DATA
    transport._pool.cache_clear()


def test_through_a_proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.uri)  # a server that is asked for whole URIs serves their paths
    assert get("http://behind.invalid") == DATA
    assert server.requests[0].headers["host"] == "behind.invalid"
    monkeypatch.setenv("no_proxy", "behind.invalid")
    assert cause(FetchError, "http://behind.invalid") == "behind.invalid: its name cannot be resolved"


def test_text_that_has_not_changed_is_not_sent_again(server: Server, folder: Path) -> None:
    uri, text = mirror.fetch_text((server.uri,), PATH, 1 << 21)
    assert (uri, text.data, text.unchanged) == (server.uri, DATA, False)
    again = mirror.fetch_text((server.uri,), PATH, 1 << 21, text.validators)[1]
    assert (again.data, again.unchanged) == (b"", True)
    (folder / PATH).write_bytes(b"new")
    assert mirror.fetch_text((server.uri,), PATH, 1 << 21, text.validators)[1].data == b"new"


def test_text_that_is_cut_off_is_not_taken(server: Server) -> None:
    server.plant("*", Fault(cut=10))
    with pytest.raises(FetchError, match="cut off"):
        mirror.fetch_text((server.uri,), PATH, 1 << 21, retry=QUICK)


def test_a_sink_that_cannot_be_written_is_the_callers_error(server: Server, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        mirror.fetch((server.uri,), PATH, tmp_path / "none" / "x", DIGEST, retry=QUICK)
