"""Every example that serves, started by each container runtime as nonroot and asked a question."""

from __future__ import annotations

import gzip
import http.server
import json
import os
import signal
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.built import ROOT
from tests.support.container import Container, free_port

pytestmark = [pytest.mark.archive, pytest.mark.runtime]
NONROOT = 65532


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def fetch(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return bytes(answer.read())


def test_python_answers_a_request(container: Container, log: Path) -> None:
    port = free_port()
    with container.serve("//python:image", str(port), log=log) as server:
        answer = json.loads(server.ask(lambda: fetch(port, "/a/path")))
        assert (answer["hello"], answer["path"]) == ("world", "/a/path")
        assert answer["python"].startswith("3.13.")


# Image -> what only its own answer has. All are built from source.
SERVICES = {
    "//c:image": "c",
    "//cpp:image": "language",
    "//go:image": "go",
    "//jvm:image": "java",
    "//libraries:image": "visits",
    "//rust:image": "count",
    "//typescript:image": "up",
    "//wheels:image": "signed",
}


@pytest.mark.parametrize("label", SERVICES)
def test_a_service_built_from_source_answers(container: Container, label: str, log: Path) -> None:
    port = free_port()
    with container.serve(label, str(port), log=log) as server:
        answer = json.loads(server.ask(lambda: fetch(port, "/a/path")))
        assert answer["path"] == "/a/path"
        assert SERVICES[label] in answer
        assert server.stop() in (0, 143)


def test_an_image_with_two_services_starts_either(container: Container, log: Path) -> None:
    for options in ([], ["--entrypoint", "/usr/bin/python3"]):
        port = free_port()
        words = [] if not options else ["/usr/local/lib/server"]
        with container.serve("//together:image", *words, str(port), options=options, log=log) as server:
            answer = json.loads(server.ask(lambda port=port: fetch(port, "/a/path")))  # type: ignore[misc]
            assert ("signed" if options else "go") in answer


def test_nginx_serves_a_file(container: Container, tmp_path: Path, log: Path) -> None:
    port = free_port()
    config = tmp_path / "nginx.conf"
    original = (container.built.root / "nginx/nginx.conf").read_text()
    config.write_text(original.replace("listen 8080", f"listen 127.0.0.1:{port}"))
    options = ["-v", f"{config}:/etc/nginx/nginx.conf:ro"]
    tested = container.run("//nginx:image", "-t", options=options)
    assert tested.status == 0, tested.err
    assert "configuration file /etc/nginx/nginx.conf test is successful" in tested.err
    with container.serve("//nginx:image", options=options, log=log) as server:
        page = server.ask(lambda: fetch(port, "/"))
        assert page == (container.built.root / "nginx/index.html").read_bytes()
        assert server.stop(signal.SIGQUIT) == 0


class _Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the path, packed."""

    def do_GET(self) -> None:
        body = gzip.compress(self.path.encode())
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def https() -> Iterator[int]:
    """Serve on loopback under the name "localhost", vouched for by the authority of examples/node; give the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ROOT / "examples/node/server.crt", ROOT / "examples/node/server.key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_curl_asks_over_https(container: Container, tmp_path: Path) -> None:
    authority = tmp_path / "authority.crt"
    authority.write_bytes((ROOT / "examples/node/authority.crt").read_bytes())
    authority.chmod(0o644)
    with https() as port:
        words = ["-sS", "--compressed", "--noproxy", "*", f"https://localhost:{port}/a/path"]
        refused = container.run("//curl:image", *words)
        assert refused.status == 60, refused.err  # curl(1): the peer certificate cannot be authenticated
        trusting = ["--cacert", "/authority.crt", *words]
        done = container.run("//curl:image", *trusting, options=["-v", f"{authority}:/authority.crt:ro"])
        assert (done.status, done.out) == (0, "/a/path"), done.err


def data_folder(container: Container, folder: Path) -> Path:
    """Make a cluster outside of the image that serves it, as its user."""
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:  # else the container's user is this one
        os.chown(folder, NONROOT, NONROOT)
    made = container.run(
        "//extra:initdb", "-D", "/data", "--no-locale", "-E", "UTF8", "--no-sync", options=["-v", f"{folder}:/data"]
    )
    assert made.status == 0, made.out + made.err
    return folder


def test_postgresql_tells_its_version(container: Container) -> None:
    done = container.run("//postgresql:image", "--version")
    assert done.out.startswith("postgres (PostgreSQL) 17."), done.err


def test_postgresql_answers_a_query(container: Container, tmp_path: Path, log: Path) -> None:
    data = data_folder(container, tmp_path / "data")
    port = str(free_port())

    def query() -> str:
        words = ["-h", "127.0.0.1", "-p", port, "-d", "postgres", "-Atc"]
        question = "SELECT current_user, 6 * 7, to_tsvector('english', 'running dogs') @@ to_tsquery('dog & run')"
        done = container.run("//extra:psql", *words, question)
        if "refused" in done.err or "starting up" in done.err:
            raise OSError(done.err)
        assert done.status == 0, done.err
        return done.out

    words = ["-D", "/data", "-k", "/tmp", "-p", port, "-c", "listen_addresses=127.0.0.1"]
    with container.serve("//postgresql:image", *words, options=["-v", f"{data}:/data"], log=log) as server:
        assert server.ask(query) == "nonroot|42|t\n"
        assert server.stop(signal.SIGINT) == 0
    assert "database system is shut down" in server.said
