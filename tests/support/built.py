"""The workspace of the examples, copied and built once for a whole test run: a label in, its image out.

Workers of pytest-xdist share the copy: the first one builds it, and the others wait. ``$DISTROLESS_TEST_CACHE`` names a
cache that outlives the run; without it, one is made beside the copy and debs are fetched from the real archive.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from distroless_rules.oci import layer_reader, layout
from distroless_rules.oci.layout import Image
from distroless_rules.oci.unpack import unpack
from distroless_rules.values.tree import Entry

__all__ = ["EXAMPLES", "ROOT", "Built", "build_once", "cache_of", "copy_debs", "copy_workspace", "workspace"]

ROOT = Path(__file__).parents[2]
EXTRA = ROOT / "tests/examples/extra"
EXAMPLES = (
    "//base:image",
    "//bookworm:base",
    "//bookworm:python",
    "//c:image",
    "//cpp:image",
    "//curl:image",
    "//go:image",
    "//java:image",
    "//jvm:image",
    "//libraries:image",
    "//nginx:image",
    "//node:image",
    "//postgresql:image",
    "//python:image",
    "//rust:image",
    "//static:image",
    "//together:image",
    "//typescript:image",
    "//wheels:image",
)
"""Every image of ``examples/``; a test sees that none is missing."""


@dataclass(frozen=True)
class Built:
    """A workspace that was built.

    Attributes:
        root: the workspace.
        cache: its cache.
        digests: of every image target, the digest of its manifest.
    """

    root: Path
    cache: Path
    digests: Mapping[str, str]

    def command(self, *words: str) -> list[str]:
        """Give a command line of ``distroless`` for this workspace; it is to be run in ``root``."""
        return [sys.executable, "-m", "distroless_rules", *words]

    @property
    def env(self) -> dict[str, str]:
        """The environment of such a command."""
        return os.environ | {"DISTROLESS_CACHE": str(self.cache), "PYTHONPATH": str(ROOT)}

    def attempt(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ``distroless``, however it ends."""
        return subprocess.run(
            self.command(*words), cwd=self.root, env=self.env, capture_output=True, text=True, timeout=600, check=False
        )

    def ask(self, *words: str) -> str:
        """Run a command of ``distroless`` that must succeed, and give what it prints."""
        done = self.attempt(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def folder(self, label: str) -> Path:
        """Give the OCI layout of an image."""
        return self.root / "distroless-out" / label.removeprefix("//").replace(":", "/").lstrip("/")

    def image(self, label: str) -> Image:
        """Give an image, its documents checked."""
        return layout.read(self.folder(label))

    def layers(self, label: str) -> list[list[Entry]]:
        """Give the entries of each layer, as its archive has them."""
        image = self.image(label)
        found = []
        for layer, diff_id in zip(image.manifest.layers, image.config.diff_ids, strict=True):
            pieces = layer_reader.pieces(layout.blob(image.folder, layer.digest), layer, diff_id)
            found.append(list(layer_reader.entries(pieces, layer)))
        return found

    def unpack(self, label: str, folder: Path) -> Path:
        """Unpack an image to a folder, which is made, and give the folder."""
        folder.mkdir()
        unpack(self.image(label), folder)
        return folder


def cache_of(shared: Path) -> Path:
    """Give the cache of every workspace that needs the archive: one, so that each deb is fetched once."""
    return Path(os.environ.get("DISTROLESS_TEST_CACHE") or shared / "examples-cache")


def workspace(folder: Path, shared: Path, files: Mapping[str, str], *examples: str) -> Built:
    """Make a workspace that has the archives of the examples; nothing of it is built.

    Args:
        folder: where, below which it is made.
        shared: the folder that all workers of this run know.
        files: path -> text.
        examples: packages of ``examples/`` that it has too.
    """
    root = folder / "workspace"
    root.mkdir()
    shutil.copy(ROOT / "examples/distroless.toml", root)
    for name in examples:
        shutil.copytree(ROOT / "examples" / name, root / name)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Built(root, cache_of(shared), {})


def copy_workspace(folder: Path) -> None:
    """Copy the examples, and the images that only tests need, to a folder that is not there."""
    shutil.copytree(ROOT / "examples", folder, ignore=shutil.ignore_patterns("distroless-out", "distroless.lock"))
    shutil.copytree(EXTRA, folder / "extra")


def copy_debs(root: Path, cache: Path, target: Path) -> None:
    """Copy from one cache to another the debs that a workspace has locked, as far as they are there; nothing else."""
    for digest in set(re.findall(r'"([0-9a-f]{64})"', (root / "distroless.lock").read_text())):
        blob = Path("cas", digest[:2], digest)
        if (cache / blob).exists():
            (target / blob).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(cache / blob, target / blob)


def build_once(shared: Path) -> Built:
    """Build every image, unless another worker has.

    Args:
        shared: a folder that all workers of this run know, and nobody else uses.
    """
    root = shared / "examples"
    done, failed = shared / "examples.json", shared / "examples.failed"
    cache = cache_of(shared)
    with (shared / "examples.flock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if failed.exists():
            pytest.fail(failed.read_text())
        if not done.exists():
            copy_workspace(root)
            built = subprocess.run(
                Built(root, cache, {}).command("build", "--json", "//..."),
                cwd=root,
                env=Built(root, cache, {}).env,
                capture_output=True,
                text=True,
                timeout=900,
                check=False,
            )
            if built.returncode:
                failed.write_text(f"the examples cannot be built: {built.stderr}")
                pytest.fail(failed.read_text())
            done.write_text(built.stdout)
        results = json.loads(done.read_text())
    return Built(root, cache, {row["label"]: row["digest"] for row in results if row["digest"]})
