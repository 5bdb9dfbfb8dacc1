"""A real fat image as people make them: the base system, ``apt-get install``, an application, a clean-up.

Every stage is a layer, written by umoci. It needs root, mmdebstrap, umoci and the archive.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from distroless_rules.deb import sources
from distroless_rules.loading import workspace as workspaces
from tests.support.built import ROOT

__all__ = ["DEBS", "Fat", "make", "without"]

DEBS = ("ca-certificates", "gcc", "libc6-dev", "make", "python3", "python3-requests")
_SERVER = """\
import ctypes, json, os, sqlite3, ssl, sys
import requests
from helper import answer

fast = ctypes.CDLL("/srv/app/libfast.so")
told = {
    "answer": answer.ANSWER, "fast": fast.twice(20), "requests": bool(requests.__version__), "user": os.getuid(),
    "sqlite": sqlite3.connect(":memory:").execute("select 1 + 1").fetchone()[0], "greeting": os.environ["GREETING"],
    "trusts": len(ssl.create_default_context().get_ca_certs()) > 50, "arguments": sys.argv[1:],
}
print(json.dumps(told, sort_keys=True))
"""


@dataclass(frozen=True)
class Fat:
    """The image.

    Attributes:
        layout: its OCI layout, with the tag.
        root: its root file system.
    """

    layout: str
    root: Path

    def run(self, *words: str, env: Mapping[str, str] | None = None) -> str:
        """Run a command in its root file system, which must succeed; give what it prints."""
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", **(env or {})}
        return _run("chroot", str(self.root), *words, env=env)


def _run(*words: str, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(words, capture_output=True, text=True, env=env, check=False, timeout=900)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr[-2000:]}"
    return done.stdout


def make(folder: Path) -> Fat:
    """Make the image below an empty folder, which is best in memory."""
    layout, bundle = f"{folder}/fat:latest", folder / "bundle"
    root = bundle / "rootfs"
    _base(folder)
    _run("umoci", "init", "--layout", f"{folder}/fat")
    _run("umoci", "new", "--image", layout)
    _run("umoci", "unpack", "--image", layout, str(bundle))
    root.rmdir()
    (folder / "base").rename(root)
    fat = Fat(layout, root)

    def layer() -> None:
        _run("umoci", "repack", "--refresh-bundle", "--image", layout, str(bundle))

    layer()
    fat.run("apt-get", "update", "-q")
    install = ("apt-get", "install", "-q", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-unsafe-io")
    fat.run(*install, *DEBS)
    for left in ("var/lib/apt/lists", "var/cache/apt"):
        shutil.rmtree(root / left)
    layer()
    _application(fat)
    layer()
    (root / "srv/app/fast.c").unlink()
    shutil.rmtree(root / "usr/share/doc/gcc-14-base", ignore_errors=True)
    layer()
    words = [f"--config.entrypoint={word}" for word in ("/bin/sh", "-c", "cd /srv/app && exec python3 server.py")]
    more = ["--config.env=GREETING=hello", "--config.user=app", "--config.label=org.example.made=by hand"]
    _run("umoci", "config", "--image", layout, *words, *more)
    return fat


def _base(folder: Path) -> None:
    """Have mmdebstrap make the base system, with the archive's sources and keys in it."""
    archive = (workspaces.read(ROOT / "examples").archives or {})["trixie"]
    outside, inside = "", ""
    keys = folder / "keys"
    keys.mkdir()
    for source in sources.find(archive, ROOT / "examples"):
        (keys / f"{source.suite}.gpg").write_bytes(source.keyring())
        for uri in source.uris:
            rest = f"{uri} {source.suite} {' '.join(archive.components)}\n"
            outside += f"deb [signed-by={keys}/{source.suite}.gpg] {rest}"
            inside += f"deb [signed-by=/etc/apt/keyrings/{source.suite}.gpg] {rest}"
    (folder / "sources.list").write_text(outside)
    env = {**os.environ, "TMPDIR": str(folder)}
    _run("mmdebstrap", "--quiet", "--variant=apt", "", f"{folder}/base", f"{folder}/sources.list", env=env)
    shutil.copytree(keys, folder / "base/etc/apt/keyrings", dirs_exist_ok=True)
    for old in (folder / "base/etc/apt/sources.list.d").iterdir():
        old.unlink()
    (folder / "base/etc/apt/sources.list").write_text(inside)


def _application(fat: Fat) -> None:
    app, packages = fat.root / "srv/app", fat.root / "usr/local/lib/python3.13/dist-packages/helper"
    app.mkdir()
    packages.mkdir(parents=True)
    (app / "server.py").write_text(_SERVER)
    (app / "fast.c").write_text("int twice(int x) { return 2 * x; }\n")
    (packages / "__init__.py").touch()
    (packages / "answer.py").write_text("ANSWER = 42\n")
    fat.run("gcc", "-shared", "-fPIC", "-o", "/srv/app/libfast.so", "/srv/app/fast.c")
    with (fat.root / "etc/passwd").open("a") as file:
        file.write("app:x:1000:1000::/srv/app:/usr/sbin/nologin\n")
    with (fat.root / "etc/group").open("a") as file:
        file.write("app:x:1000:\n")
    for path in (app, *app.iterdir()):
        os.chown(path, 1000, 1000)


def without(status: str, cuts: list[list[str]]) -> str:
    """Give dpkg's status without what makes apt keep a deb whatever is marked, and dependencies that are cut."""
    found = []
    for stanza in re.sub(r"(?m)^(?:Essential|Priority|Important|Protected): .*\n", "", status).split("\n\n"):
        name = stanza.partition("\n")[0].removeprefix("Package: ")
        lost = {dependency for deb, dependency, _ in cuts if deb == name}
        lines = []
        for line in stanza.split("\n"):
            key, colon, value = line.partition(": ")
            if colon and key in ("Depends", "Pre-Depends"):
                groups = (group.strip() for group in value.split(","))
                kept = [group for group in groups if not lost & set(re.findall(r"[a-z0-9][a-z0-9+.-]+", group))]
                line = f"{key}: {', '.join(kept)}" if kept else ""
            lines += [line] if line else []
        found.append("\n".join(lines))
    return "\n\n".join(found) + "\n"
