"""Command lines of container runtimes: a bundle in, what to execute out.

Nothing of a runtime's own state outlives a run: its folders are all beneath the one that it is given. Source:
podman-run(1), containers.conf(5), containers-storage.conf(5), crun(1), runc-run(8).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from distroless_rules.errors import RuntimeMissingError
from distroless_rules.oci import runtime_spec
from distroless_rules.oci.bundle import Bundle
from distroless_rules.oci.runtime_spec import Identity

__all__ = ["MAX_STATE", "RUNTIMES", "Command", "find"]

_PID = "pid"
_CGROUPS = Path("/sys/fs/cgroup")
# crun and podman know cgroups of version 1 or 2 and not both at once; no container of ours has one, so that they may
# as well find none.
_WITHOUT_CGROUPS = ("sh", "-c", 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"', "sh")
_IDLE = "tmp/pause.pid"  # keeps a user namespace for the podman that comes next
_CONF = """[containers]
default_ulimits = []
log_driver = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
tmp_dir = "{state}/tmp"
[network]
network_config_dir = "{state}/net"
"""
_STORAGE = """[storage]
driver = "vfs"
graphroot = "{state}/storage"
rootless_storage_path = "{state}/storage"
runroot = "{state}/run"
"""
MAX_STATE = 46  # podman takes 50 for its run root


@dataclass(frozen=True, slots=True)
class Command:
    """How a runtime is asked to start a container.

    Attributes:
        run: starts it and ends when it ends, with its exit status.
        remove: ends it if it runs, and forgets it.
        pid_file: the file that holds the process id of the container's first process once that was started.
        idle: the file that holds the process id of a helper that has to be ended, if the runtime has one.
        env: variables besides this process's.
        note: what a person should know of it.
    """

    run: tuple[str, ...]
    remove: tuple[str, ...]
    pid_file: Path
    idle: Path
    env: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


def find(name: str) -> str | None:
    """Give the path of a program; that of users other than root often lacks the folders of such programs."""
    path = os.environ.get("PATH", os.defpath)
    return shutil.which(name, path=f"{path}:/usr/local/sbin:/usr/sbin:/sbin")


def _crun(program: str, bundle: Bundle, state: Path) -> Command:
    """crun: the container is in a user namespace with its one user if this is not run by root."""
    process, rootless, hybrid = bundle.process, os.geteuid() != 0, _hybrid()
    outer = (0, 0) if hybrid else (os.geteuid(), os.getegid())
    runtime_spec.write(bundle, Identity(process.uid, process.gid, *outer) if rootless else None)
    wrapper: tuple[str, ...] = ()
    if hybrid:
        wrapper = ("unshare", *(("--user", "--map-root-user") if rootless else ()), "--mount", *_WITHOUT_CGROUPS)
    return _plain((*wrapper, program, f"--root={state}", "--cgroup-manager=disabled"), bundle, state)


def _runc(program: str, bundle: Bundle, state: Path) -> Command:
    """runc: as crun, but it knows only user namespaces that have a root."""
    process, note = bundle.process, ""
    if os.geteuid() == 0:
        runtime_spec.write(bundle, None)
    else:
        runtime_spec.write(bundle, Identity(0, 0, os.geteuid(), os.getegid()))
        if process.uid:
            note = f"runc without root knows root alone: the program runs as user 0 in place of {process.uid}"
    return _plain((program, f"--root={state}"), bundle, state, note)


def _plain(base: tuple[str, ...], bundle: Bundle, state: Path, note: str = "") -> Command:
    pid_file, name = state / _PID, _name()
    run = ("run", "--bundle", str(bundle.folder), "--pid-file", str(pid_file), name)
    return Command((*base, *run), (*base, "delete", "--force", name), pid_file, state / _IDLE, note=note)


def _name() -> str:
    """Give a container a name of its own: runc names its cgroup by it, and ends whatever is in there with it."""
    return f"distroless-{os.urandom(8).hex()}"


def _podman(program: str, bundle: Bundle, state: Path) -> Command:
    """podman: reads no image, but starts from the root file system as it is.

    Raises:
        RuntimeMissingError: if it is known that it cannot.
    """
    uid, rootless = bundle.process.uid, os.geteuid() != 0
    crun, runc = None if _hybrid() else find("crun"), find("runc")
    if rootless and uid and not crun:
        cause = f"podman without root cannot run a program as user {uid} here"
        raise RuntimeMissingError("start the image", cause, hint="it would need crun, and cgroups of one version")
    env, name = _podman_settings(state), _name()
    base = (program, *([f"--runtime={crun or runc}"] if crun or runc else []))
    run = [*base, "run", "--rm", "--interactive", f"--name={name}", f"--pidfile={state / _PID}"]
    if crun:
        run.append("--cgroups=disabled")  # runc cannot
    run += [*_podman_options(bundle, rootless=rootless), "--rootfs", bundle.root.path(""), *bundle.process.arguments]
    return Command(tuple(run), (*base, "rm", "--force", "--ignore", name), state / _PID, state / _IDLE, env)


def _podman_settings(state: Path) -> dict[str, str]:
    """Write podman's settings, in place of this machine's; give the variables that say where they are."""
    files = {"CONTAINERS_CONF": state / "containers.conf", "CONTAINERS_STORAGE_CONF": state / "storage.conf"}
    files["CONTAINERS_CONF"].write_text(_CONF.format(state=state))
    files["CONTAINERS_STORAGE_CONF"].write_text(_STORAGE.format(state=state))
    (state / "xdg").mkdir(mode=0o700, exist_ok=True)
    return {name: str(path) for name, path in files.items()} | {"XDG_RUNTIME_DIR": str(state / "xdg")}


def _podman_options(bundle: Bundle, *, rootless: bool) -> Iterator[str]:
    options, process = bundle.options, bundle.process
    yield from ("--passwd=false", "--http-proxy=false", "--security-opt=label=disable", f"--network={options.network}")
    yield from (f"--user={process.uid}:{process.gid}", f"--workdir={process.folder}")
    yield from (f"--env={name}={text}" for name, text in process.env.items())
    yield from (f"--volume={m.source}:{m.target}{':ro' if m.read_only else ''}" for m in bundle.mounts)
    if options.terminal:
        yield "--tty"
    if options.read_only:
        yield "--read-only"
    if rootless:
        # All files belong to who runs this, so that this is who the container's user must be.
        yield from (f"--uidmap={process.uid}:0:1", f"--gidmap={process.gid}:0:1")
    else:
        yield from (f"--group-add={group}" for group in process.groups)


def _hybrid() -> bool:
    """Say whether this machine has cgroups of both versions at once, as systemd's "hybrid" mode sets them up."""
    return (_CGROUPS / "unified").is_dir() and not (_CGROUPS / "cgroup.controllers").exists()


RUNTIMES: Mapping[str, Callable[[str, Bundle, Path], Command]] = {"podman": _podman, "crun": _crun, "runc": _runc}
"""How to start a bundle, by the runtime's name and in order of preference. Each is given the runtime's path, the bundle
and a folder for the runtime's own files whose path has at most ``MAX_STATE`` bytes."""
