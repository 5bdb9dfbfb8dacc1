"""``config.json``: a bundle in, what crun and runc read out.

A container gets what docker gives it by default - file systems, capabilities, hidden paths - but no cgroup of its own:
limits are for those who run images for good. Source: OCI runtime-spec 1.0, config.md and config-linux.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distroless_rules.oci.bundle import Bundle, Mount, Process

__all__ = ["Identity", "write"]

_NAMES = """AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP
SETUID SYS_CHROOT"""
_CAPABILITIES = [f"CAP_{name}" for name in _NAMES.split()]
_HIDDEN = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
]
_READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
_SAFE = ["nosuid", "noexec", "nodev"]
# Where programs expect to be able to write, as podman-run(1) --read-only-tmpfs has it.
_SCRATCH = ("/run", "/tmp", "/var/tmp")  # noqa: S108 - paths in the container
_LOCALHOST = "127.0.0.1\tlocalhost\n::1\tlocalhost\n"


@dataclass(frozen=True, slots=True)
class Identity:
    """The only user and group of a user namespace: those of the container, and who they are outside."""

    uid: int
    gid: int
    outer_uid: int
    outer_gid: int


def write(bundle: Bundle, mapping: Identity | None) -> None:
    """Write ``config.json``, and what it names besides the root file system, into the bundle's folder.

    Args:
        bundle: what is started.
        mapping: for a container in a user namespace of its own, who is in it; None: there is none.
    """
    options, process = bundle.options, bundle.process
    spec: dict[str, Any] = {
        "ociVersion": "1.0.0",
        "process": _process(process, mapping, terminal=options.terminal),
        "root": {"path": "rootfs", "readonly": options.read_only},
        "mounts": _mounts(bundle, private=mapping is not None),
        "linux": {
            "namespaces": [{"type": kind} for kind in ("mount", "pid", "ipc")],
            "maskedPaths": _HIDDEN,
            "readonlyPaths": _READ_ONLY,
        },
    }
    if options.network == "none":
        spec["linux"]["namespaces"] += [{"type": "network"}, {"type": "uts"}]
        spec["hostname"] = "localhost"
    if mapping:
        spec["linux"]["namespaces"].append({"type": "user"})
        spec["linux"]["uidMappings"] = [{"containerID": mapping.uid, "hostID": mapping.outer_uid, "size": 1}]
        spec["linux"]["gidMappings"] = [{"containerID": mapping.gid, "hostID": mapping.outer_gid, "size": 1}]
    (bundle.folder / "config.json").write_text(json.dumps(spec))


def _process(process: Process, mapping: Identity | None, *, terminal: bool) -> dict[str, Any]:
    user: dict[str, Any] = {"uid": process.uid, "gid": process.gid, "additionalGids": list(process.groups)}
    if mapping:
        user = {"uid": mapping.uid, "gid": mapping.gid}
    # A user other than root has no capability, and can get these through setuid programs.
    held = _CAPABILITIES if user["uid"] == 0 else []
    return {
        "terminal": terminal,
        "user": user,
        "args": list(process.arguments),
        "env": [f"{name}={text}" for name, text in process.env.items()],
        "cwd": process.folder,
        "capabilities": {"bounding": _CAPABILITIES, "effective": held, "permitted": held},
        "noNewPrivileges": False,
    }


def _mounts(bundle: Bundle, *, private: bool) -> list[dict[str, Any]]:
    """Give the mounts; in a user namespace (``private``) the kernel allows no new sysfs, and knows no group 5."""
    terminals = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", *([] if private else ["gid=5"])]
    mounts = [
        _mount("/proc", "proc", _SAFE),
        _mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount("/dev/pts", "devpts", terminals),
        _mount("/dev/shm", "tmpfs", [*_SAFE, "mode=1777", "size=65536k"]),  # noqa: S108 - a path in the container
        _mount("/dev/mqueue", "mqueue", _SAFE),
        _bind(Mount("/sys", "/sys", read_only=True), _SAFE) if private else _mount("/sys", "sysfs", [*_SAFE, "ro"]),
    ]
    targets = {mount.target for mount in bundle.mounts}
    if bundle.options.read_only:
        mounts += [_mount(path, "tmpfs", ["nosuid", "nodev", "mode=1777"]) for path in _SCRATCH if path not in targets]
    mounts += [_bind(mount) for mount in _names(bundle) if mount.target not in targets]
    return mounts + [_bind(mount) for mount in sorted(bundle.mounts, key=lambda mount: mount.target)]


def _names(bundle: Bundle) -> list[Mount]:
    """Give the files by which programs find hosts: this machine's, or none but itself."""
    texts = {"/etc/hosts": _LOCALHOST}
    if bundle.options.network == "host":
        texts = {path: _text(path) for path in ("/etc/hosts", "/etc/resolv.conf")}
    mounts = []
    for path, text in texts.items():
        copy = bundle.folder / Path(path).name
        copy.write_text(text)
        copy.chmod(0o644)
        mounts.append(Mount(str(copy), path))
    return mounts


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except FileNotFoundError:
        return ""


def _mount(target: str, kind: str, options: list[str]) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": kind, "options": options}


def _bind(mount: Mount, options: list[str] | None = None) -> dict[str, Any]:
    given = ["rbind", "rprivate", *(options or []), *(["ro"] if mount.read_only else [])]
    return {"destination": mount.target, "type": "bind", "source": mount.source, "options": given}
