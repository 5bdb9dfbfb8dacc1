"""Run actions for a test: a shell command in, an action whose ``/`` is a few programs of busybox out."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.actions.command import ENVIRONMENT, ROOT, Command, execution_path
from distroless_rules.values.digest import Digest
from tests.support.image import directory, file, symlink, tar

__all__ = ["made", "root_of", "run", "tree", "write_root"]

_NAMES = "sh cat chmod cp echo env find head id ln ls mkdir mkfifo mv pwd rm sed sleep sort stat touch tr wc yes"
_APPLETS = _NAMES.split()


def root_of(busybox: bytes) -> bytes:
    """Give the archive of a tree that can be the root of a sandbox."""
    folders = [directory(name) for name in ("build", "dev", "etc", "proc", "sys", "tmp", "usr", "usr/bin")]
    programs = [symlink(f"usr/bin/{name}", "busybox") for name in _APPLETS]
    passwd = file("etc/passwd", b"build:x:1000:1000::/build:/bin/sh\n")
    return tar(
        directory("./"),
        *folders,
        file("usr/bin/busybox", busybox, 0o755),
        *programs,
        symlink("bin", "usr/bin"),
        passwd,
    )


def write_root(folder: Path, busybox: bytes) -> Path:
    """Lay such a tree out, and give the folder; every program that busybox has is there."""
    for name in ("build", "dev", "etc", "proc", "sys", "tmp", "usr/bin"):
        (folder / name).mkdir(parents=True)
    program = folder / "usr/bin/busybox"
    program.write_bytes(busybox)
    program.chmod(0o555)
    for name in subprocess.check_output([program, "--list"], text=True).split():
        if name != "busybox":
            (folder / "usr/bin" / name).symlink_to("busybox")
    (folder / "bin").symlink_to("usr/bin")
    (folder / "etc/passwd").write_text("build:x:1000:1000::/build:/bin/sh\n")
    return folder


def tree(root: bytes) -> Artifact:
    """Name the root, as a locked file."""
    return Artifact(Root.LOCKED, "root", Digest.of(root), tree=True)


def made(owner: str, name: str = "out", *, folder: bool = False) -> Artifact:
    """Name an output of the action ``owner``."""
    return Artifact(Root.DERIVED, f"{owner}/{name}", tree=folder)


def run(
    owner: str,
    script: str,
    root: Artifact,
    inputs: Sequence[Artifact] = (),
    outputs: Sequence[Artifact] = (),
    environment: Mapping[str, str] | None = None,
    seconds: int = 120,
) -> Action:
    """Make a run action; its output is ``made(owner)`` unless others are named, and ``$OUT`` is the first."""
    outputs = outputs or [made(owner)]
    variables = {**ENVIRONMENT, "OUT": execution_path(outputs[0]), **(environment or {})}
    named = [Named(execution_path(each), each) for each in inputs]
    return Action(
        "Shell",
        owner,
        Command(("/bin/sh", "-e", "-c", script), variables, seconds).dump(),
        tuple(sorted([Named(ROOT, root), *named], key=lambda each: each.name)),
        tuple(sorted((Named(execution_path(each), each) for each in outputs), key=lambda each: each.name)),
        stage="build",
        run=True,
    )
