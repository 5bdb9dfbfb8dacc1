"""Command lines of container runtimes: a bundle in, what to execute out.

Nothing of a runtime's own state outlives the bundle: its folders are all beneath the bundle's. Source: podman-run(1),
containers.conf(5), containers-storage.conf(5), crun(1), runc-run(8).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from distroless_rules.errors import RuntimeMissingError
from distroless_rules.oci import runtime_spec
from distroless_rules.oci.bundle import Bundle
from distroless_rules.oci.runtime_spec import Identity

__all__ = ["RUNTIMES", "Command", "find"]

_ID = "distroless"
_CGROUPS = Path("/sys/fs/cgroup")
# crun and podman know cgroups of version 1 or 2 and not both at once; no container of ours has one, so that they may
# as well find none.
_WITHOUT_CGROUPS = ("sh", "-c", 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"', "sh")
_IDLE = "xdg/libpod/tmp/pause.pid"  # keeps a user namespace for the podman that comes next
_CONF = """[containers]
default_ulimits = []
log_driver = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
[network]
network_config_dir = "{folder}/net"
"""


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


def _crun(program: str, bundle: Bundle) -> Command:
    """crun: the container is in a user namespace with its one user if this is not run by root."""
    process, rootless, hybrid = bundle.process, os.geteuid() != 0, _hybrid()
    outer = (0, 0) if hybrid else (os.geteuid(), os.getegid())
    runtime_spec.write(bundle, Identity(process.uid, process.gid, *outer) if rootless else None)
    wrapper: tuple[str, ...] = ()
    if hybrid:
        wrapper = ("unshare", *(("--user", "--map-root-user") if rootless else ()), "--mount", *_WITHOUT_CGROUPS)
    base = (*wrapper, program, f"--root={bundle.folder}/state", "--cgroup-manager=disabled")
    return _command(base, bundle)


def _runc(program: str, bundle: Bundle) -> Command:
    """runc: as crun, but it knows only user namespaces that have a root."""
    process, note = bundle.process, ""
    if os.geteuid() == 0:
        runtime_spec.write(bundle, None)
    else:
        runtime_spec.write(bundle, Identity(0, 0, os.geteuid(), os.getegid()))
        if process.uid:
            note = f"runc without root knows root alone: the program runs as user 0 in place of {process.uid}"
    return _command((program, f"--root={bundle.folder}/state"), bundle, note)


def _command(base: tuple[str, ...], bundle: Bundle, note: str = "") -> Command:
    pid_file = bundle.folder / "pid"
    run = ("run", "--bundle", str(bundle.folder), "--pid-file", str(pid_file), _ID)
    return Command((*base, *run), (*base, "delete", "--force", _ID), pid_file, bundle.folder / _IDLE, note=note)


def _podman(program: str, bundle: Bundle) -> Command:
    """podman: reads no image, but starts from the root file system as it is.

    Raises:
        RuntimeMissingError: if it is known that it cannot.
    """
    folder, options, process = bundle.folder, bundle.options, bundle.process
    pid_file = folder / "pid"
    (folder / "xdg").mkdir(mode=0o700, exist_ok=True)
    (folder / "containers.conf").write_text(_CONF.format(folder=folder))
    paths = {"graphroot": "storage", "rootless_storage_path": "storage", "runroot": "run"}
    storage = "".join(f'{key} = "{folder}/{name}"\n' for key, name in paths.items())
    (folder / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\n{storage}')
    env = {
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "XDG_RUNTIME_DIR": str(folder / "xdg"),
    }
    crun, runc = None if _hybrid() else find("crun"), find("runc")
    base = [program, *([f"--runtime={crun or runc}"] if crun or runc else [])]
    run = [*base, "run", "--rm", "--interactive", f"--name={_ID}", f"--pidfile={pid_file}"]
    run += [
        "--passwd=false",
        "--http-proxy=false",
        "--security-opt=label=disable",
        f"--network={options.network}",
    ]
    run += [f"--user={process.uid}:{process.gid}", f"--workdir={process.folder}"]
    run += [f"--env={name}={text}" for name, text in process.env.items()]
    run += [f"--volume={m.source}:{m.target}{':ro' if m.read_only else ''}" for m in bundle.mounts]
    if crun:
        run.append("--cgroups=disabled")  # runc cannot
    if options.terminal:
        run.append("--tty")
    if options.read_only:
        run.append("--read-only")
    if os.geteuid() == 0:
        run += [f"--group-add={group}" for group in process.groups]
    elif process.uid and not crun:
        cause = f"podman without root cannot run a program as user {process.uid} here"
        raise RuntimeMissingError("start the image", cause, hint="it would need crun, and cgroups of one version")
    else:
        # All files belong to who runs this, so that this is who the container's user must be.
        run += [f"--uidmap={process.uid}:0:1", f"--gidmap={process.gid}:0:1"]
    run += ["--rootfs", bundle.root.path(""), *process.arguments]
    return Command(tuple(run), (*base, "rm", "--force", "--ignore", _ID), pid_file, folder / _IDLE, env)


def _hybrid() -> bool:
    """Say whether this machine has cgroups of both versions at once, as systemd's "hybrid" mode sets them up."""
    return (_CGROUPS / "unified").is_dir() and not (_CGROUPS / "cgroup.controllers").exists()


RUNTIMES: Mapping[str, Callable[[str, Bundle], Command]] = {"podman": _podman, "crun": _crun, "runc": _runc}
"""How to start a bundle, by the runtime's name; in order of preference."""
