"""A fat image: a root with all that installing brings, made by mmdebstrap once for a run, and its programs started.

fat = FatContainer(built, "crun", root(shared), room)
done = fat.run("//curl:image", "--version")

Labels are those of the examples: what an example's image starts is started in the fat root, its own files mounted. So
whatever asks an image for its work (``tests.support.container``) asks the fat one for the same.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.fat import Fat as Maker
from distroless_rules.oci.bundle import Bundle, Mount, Options, Process, volume
from distroless_rules.oci.runtime_commands import RUNTIMES, find
from distroless_rules.oci.unpack import Root
from tests.support.built import ROOT
from tests.support.container import Container

__all__ = ["FatContainer", "root"]

DEBS = """apache2 curl ffmpeg ghostscript git imagemagick libgtk-3-0t64 libstdc++6 nginx nodejs openjdk-21-jre-headless
php-cli postgresql-17 python3 redis-server ruby tzdata ca-certificates"""
"""What is installed: what the examples name, and enough besides for more than 300 debs."""
NONROOT = 65532


def root(shared: Path) -> Path:
    """Give the root, made by the first worker that asks; ``$DISTROLESS_TEST_FAT`` names one that outlives the run.

    Args:
        shared: a folder that all workers of this run know.
    """
    if os.geteuid() or not shutil.which("mmdebstrap"):
        pytest.skip("needs root and mmdebstrap")
    folder = Path(os.environ.get("DISTROLESS_TEST_FAT") or shared / "fat")
    with (shared / "fat.flock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            folder.mkdir()
            Maker(folder, folder / "debs").install(tuple(DEBS.split()), folder / "rootfs")
            (folder / "done").touch()
    return folder / "rootfs"


@dataclass(frozen=True)
class _Start:
    """What an example's image starts, and where its own files are: path in the image -> path in the workspace."""

    words: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    built: str = ""


_BIN = "/usr/lib/postgresql/17/bin"
_PYTHON, _SERVER = "/usr/bin/python3", "/usr/local/bin/server"
_STARTS = {
    "//curl:image": _Start(("/usr/bin/curl",)),
    "//extra:behaviours": _Start((_PYTHON, "/app/behaviours.py"), {"/app": "extra"}),
    "//extra:initdb": _Start((f"{_BIN}/initdb",)),
    "//extra:psql": _Start((f"{_BIN}/psql",)),
    "//extra:python": _Start((_PYTHON, "/app/walk.py"), {"/app": "extra"}),
    "//java:image": _Start(("/usr/bin/java", "-cp", "/app", "Tls"), {"/app": "java"}),
    "//nginx:image": _Start(("/usr/sbin/nginx", "-e", "stderr", "-g", "daemon off;"), {"/srv/www": "nginx"}),
    "//node:image": _Start(("/usr/bin/node", "/app/check.js"), {"/app": "node"}, {"TZ": "Europe/Berlin"}),
    "//postgresql:image": _Start((f"{_BIN}/postgres",)),
    "//python:image": _Start((_PYTHON, "/app/server.py"), {"/app": "python"}),
} | {f"//{name}:image": _Start((_SERVER,), built=_SERVER) for name in ("c", "cpp", "go", "libraries", "rust")}


@dataclass(frozen=True)
class FatContainer(Container):
    """Starts in a fat root what images start.

    Attributes:
        root: the fat root.
        room: a folder for what the runtime needs.
    """

    root: Path = Path()
    room: Path = Path()

    def command(self, label: str, arguments: Sequence[str], options: Sequence[str]) -> list[str]:
        """Give the command line that starts in the fat root what an image starts."""
        start = _STARTS[label]
        given = [*zip(options[::2], options[1::2], strict=True)]
        mounts = [Mount(str(self.built.root / path), at) for at, path in start.files.items()]
        mounts += [volume(text) for option, text in given if option == "-v"]
        if start.built:
            image = self.room / label.strip("/").replace(":", "-")
            if not image.exists():
                self.built.unpack(label, image)
            mounts.append(Mount(f"{image}{start.built}", start.built))
        if label == "//node:image":
            mounts.append(self._trusting())
        mounts.append(self._accounts())
        env = {"PATH": "/usr/sbin:/usr/bin", "HOME": "/tmp"} | dict(start.env)
        env |= dict(text.split("=", 1) for option, text in given if option == "-e")
        process = Process((*start.words, *arguments), env, NONROOT, NONROOT, (), "/")
        folder = self.room / os.urandom(6).hex()
        folder.mkdir()
        bundle = Bundle(folder, Root(self.root), process, tuple(mounts), Options())
        state = folder / "state"
        state.mkdir()
        words = [*RUNTIMES["crun"](find("crun") or "crun", bundle, state).run]
        config = json.loads((folder / "config.json").read_text())
        config["root"]["path"] = str(self.root)
        # As process 1, a program that does not ask for SIGTERM would not get it.
        config["linux"]["namespaces"] = [each for each in config["linux"]["namespaces"] if each["type"] != "pid"]
        (folder / "config.json").write_text(json.dumps(config))
        return words

    def _accounts(self) -> Mount:
        """Give /etc/passwd with the user that our images have."""
        passwd = self.room / "passwd"
        passwd.write_text((self.root / "etc/passwd").read_text() + f"nonroot:x:{NONROOT}:{NONROOT}::/tmp:/bin/false\n")
        return Mount(str(passwd), "/etc/passwd")

    def _trusting(self) -> Mount:
        """Give the bundle of authorities with that of examples/node, as the image has it."""
        path = "etc/ssl/certs/ca-certificates.crt"
        bundle = self.room / "bundle.crt"
        bundle.write_bytes((self.root / path).read_bytes() + (ROOT / "examples/node/authority.crt").read_bytes())
        return Mount(str(bundle), f"/{path}")
