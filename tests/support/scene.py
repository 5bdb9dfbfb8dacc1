"""A workspace that has been built well, on a signed archive of its own behind a real server: where faults are planted.

    with scene(tmp_path) as it:                    # builds //:image, well
        it.server.plant("*", Fault(status=503))
        it.fails(1, "distroless: cannot ...: ...", "build", "//:image", change={"BUILD": "..."})

``fails`` sees to it that one error was printed and nothing else, and that the lock, the last output and the cache are
as they were; ``recovers`` that a build of the workspace as it was gives the same digest again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.archive import SmallArchive
from tests.support.command import Commands, Ran
from tests.support.debs import make_deb
from tests.support.server import Server

__all__ = ["BUILD", "Scene", "scene"]

BUILD = """load("@distroless_rules//rules:defs.bzl", "distroless_image")

distroless_image(
    name = "image",
    contents = ["@trixie//small"],
)
"""
DEBS = (
    make_deb("0755 usr/bin/small = program\\n\nusr/bin/tiny -> small\nusr/share/doc/small/copyright = free",
             {"Depends": "libsmall"}),
    make_deb("usr/lib/libsmall.so.1 = library\\n\netc/small.conf = x\nusr/share/doc/libsmall/copyright = free",
             {"Package": "libsmall"}, compression="zstd"),
    make_deb("usr/share/other/text = other\\n\nusr/share/doc/other/copyright = free", {"Package": "other"}),
)  # fmt: skip


ROOT = Path(__file__).parents[2]
_DIFFERS = {
    r"\b[0-9a-f]{64}\b": "<digest>",
    r"\b[0-9A-F]{40}\b": "<key>",
    r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC": "<time>",
    r"\b\d+\.\d\d s\b": "<seconds>",
}


class Scene(Commands):
    """See the module; ``folder`` is empty.

    Attributes:
        archive: what is served.
        server: how.
        digest: of the image that the first build gave.
    """

    def __init__(self, folder: Path, archive: SmallArchive, server: Server) -> None:
        self.folder = folder
        self.archive = archive
        self.server = server
        settings = f'[workspace]\nname = "w"\n\n{archive.table(uris=[server.uri])}'
        super().__init__(folder, {"distroless.toml": settings, "BUILD": BUILD})
        self.digest = ""

    def build(self) -> Ran:
        """Build the image."""
        return self.run("build", "//:image")

    def start(self, *words: str, hook: str = "", wrapper: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start ``distroless`` in a process and session of its own.

        Args:
            words: its arguments.
            hook: Python to be executed before.
            wrapper: a command that executes another.
        """
        code = f"{hook}\nfrom distroless_rules.cli.main import main\nmain()"
        env = {**os.environ, "PWD": str(self.root), "DISTROLESS_CACHE": str(self.cache), "PYTHONPATH": str(ROOT)}
        command = [*wrapper, sys.executable, "-c", code, *(words or ("build", "//:image"))]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.root, env=env, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )

    def output(self) -> str:
        """Give the digest of the image in the output folder, every byte of which is checked."""
        folder = self.root / "distroless-out/image"
        (descriptor,) = json.loads((folder / "index.json").read_bytes())["manifests"]
        for blob in (folder / "blobs/sha256").iterdir():
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
        return str(descriptor["digest"])

    def shown(self, text: str) -> str:
        """Give a text with what differs from run to run left out."""
        host = self.server.uri.removeprefix("http://")
        text = text.replace(host, "mirror").replace(str(self.folder), "")
        for pattern, name in _DIFFERS.items():
            text = re.sub(pattern, name, text)
        return text

    def fails(self, status: int, error: str, *words: str, change: Mapping[str, str] | None = None) -> None:
        """Run a command, in a workspace with other files if told so, that must end with this error and harm nothing."""
        kept = [self.root / name for name in ("BUILD", "distroless.toml", "distroless.lock")]
        before = {path: path.read_bytes() for path in kept}
        self.write(change or {})
        lock = kept[2].read_bytes()
        self.failed(self.run(*(words or ("build", "//:image"))), status, error)
        assert self.run("cache", "verify", folder="..").err == "every blob is what its name says\n"
        assert kept[2].read_bytes() == lock
        for name in change or {}:
            (self.root / name).unlink()
        for path, data in before.items():
            path.write_bytes(data)

    def failed(self, ran: Ran, status: int, error: str) -> None:
        """See that a command printed this error and nothing else, the last good output still being there."""
        lines = [line for line in self.shown(ran.err).splitlines() if not line.startswith(("Locking", "Fetching"))]
        assert "\n".join(lines) == error
        assert (ran.out, ran.status) == ("", status)
        assert self.output() == self.digest

    def recovers(self) -> None:
        """See that a good build still gives the same image, whether or not anything is left in the cache."""
        ran = self.build()
        assert ran.status == 0, ran.err
        assert self.output() == self.digest
        assert self.run("cache", "verify").status == 0


@contextmanager
def scene(folder: Path, debs: Sequence[bytes] = DEBS, *, built: bool = True) -> Iterator[Scene]:
    """Make a scene of these debs, and build its image."""
    archive = SmallArchive(folder / "archive")
    for deb in debs:
        archive.add(deb)
    archive.publish("trixie")
    with Server(archive.folder) as server:
        made = Scene(folder, archive, server)
        if built:
            ran = made.build()
            assert ran.status == 0, ran.err
            made.digest = made.output()
        yield made
