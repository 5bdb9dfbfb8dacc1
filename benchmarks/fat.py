"""Sizes: the images of examples/ beside fat images that install the same debs the usual way, as Markdown, in one run.

Usage: ``python benchmarks/fat.py [python java ...] [--cache-dir DIR] [--debs DIR]``. Each example is built with
``closure = "packages"`` and with ``"files"``. The fat image is the tree of ``mmdebstrap --variant=minbase
--include=DEBS``: the debs of the official base image (required ones and apt), then ``apt-get install`` without
recommended debs, from the same mirrors and for this machine's architecture. Its slim form lacks what slim base images
lack. Of a program that is built from source, DEBS are those that it needs when it runs and the base image lacks, and
what we built is copied in: the last stage of the usual Dockerfile. All are compressed as our layers are. Needs root, or
a mmdebstrap that can unshare; the debs that it fetched are kept in ``--debs`` for the next run.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath

from distroless_rules.deb import control, sources
from distroless_rules.loading import workspace as workspaces
from distroless_rules.oci import layout
from distroless_rules.oci.compressor import compressor

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
ARCHIVE = "trixie"
BINARIES = re.compile(r"(usr/(local/)?)?s?bin/[^/]+")
SHELLS = frozenset(("ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "mksh", "sh", "tcsh", "zsh"))
MANAGERS = frozenset(("apk", "apt-get", "corepack", "dpkg", "gem", "npm", "pip", "pip3", "rpm", "yarn"))
# What slim images leave out, and what they keep of it (debuerreotype, scripts/.slimify-excludes and -includes).
SLIMMED = re.compile(r"usr/share/(doc|groff|info|linda|lintian/overrides|locale|man)/.")
UNSLIMMED = re.compile(r"usr/share/(doc/[^/]+/copyright|locale/locale\.alias)")
HEAD = (
    "| example | image | debs | files | MB | MB, gzip | programs | setuid or setgid | shells, package managers, perl |"
)
BUILT = {"c": (), "cpp": ("libstdc++6",), "go": (), "libraries": (), "rust": ()}
"""Examples that are built from source -> the debs that their programs need and a base image lacks."""
PROGRAMS = "usr/local/"  # where rules put what they build
EXAMPLE_DEBS: dict[str, tuple[str, ...]] = {
    build.parent.name: tuple(debs)
    for build in EXAMPLES.glob("*/BUILD")
    if (debs := re.findall(rf'"@{ARCHIVE}//([a-z0-9.+-]+)"', build.read_text("utf-8")))
} | BUILT


def main() -> None:
    """Build, count and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("examples", nargs="*", default=sorted(EXAMPLE_DEBS))
    parser.add_argument("--cache-dir", help="the cache of distroless; its own by default")
    parser.add_argument("--debs", type=Path, default=Path.home() / ".cache/distroless-benchmarks/debs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        workspace = Path(folder) / "examples"
        shutil.copytree(EXAMPLES, workspace, ignore=shutil.ignore_patterns("distroless-out", "distroless.lock"))
        fat = Fat(Path(folder), options.debs)
        print(f"{datetime.now(timezone.utc):%Y-%m-%d}, {ARCHIVE}, {_run(['dpkg', '--print-architecture'])}.\n")
        print(HEAD + "\n|---|---|--:|--:|--:|--:|--:|--:|---|")
        whole, slim = fat.images((), {})
        print(slim.row("nothing", "fat, slim") + "\n" + whole.row("", "fat"), flush=True)
        stored: dict[str, dict[str, int]] = {"packages": {}, "files": {}, "fat, slim": {}, "fat": {}}
        for example in options.examples:
            ours = distroless(workspace, example, "packages", options.cache_dir)
            small = distroless(workspace, example, "files", options.cache_dir)
            whole, slim = fat.images(EXAMPLE_DEBS[example], ours.programs_built)
            _check_versions(ours, whole)
            images = dict(zip(stored, (ours, small, slim, whole), strict=True))
            for kind, image in images.items():
                named = example if kind == "packages" else ""
                print(image.row(named, kind, None if kind == "packages" else ours), flush=True)
                stored[kind] |= image.layers
    totals = ", ".join(f"{kind}: {sum(layers.values()) / 1e6:.1f} MB" for kind, layers in stored.items())
    print(f"\nAll of them in one place, gzip, each layer once (each fat image as one layer above its base): {totals}.")


@dataclass(slots=True)
class Contents:
    """What is in an image.

    Attributes:
        debs: each deb's version.
        files: how many files, links and the like there are: everything but folders.
        size: bytes in files; a file of several names counts once.
        layers: bytes of each compressed layer, by what tells it from others.
        programs: the names in folders that a PATH has.
        privileged: how many files are setuid or setgid.
        programs_built: path and bytes of what was built from source.
    """

    debs: dict[str, str] = field(default_factory=dict)
    files: int = 0
    size: int = 0
    layers: dict[str, int] = field(default_factory=dict)
    programs: list[str] = field(default_factory=list)
    privileged: int = 0
    programs_built: dict[str, bytes] = field(default_factory=dict)

    @property
    def packed(self) -> int:
        """Bytes of the compressed layers."""
        return sum(self.layers.values())

    def add(self, member: tarfile.TarInfo, path: str) -> None:
        """Count a member of a layer."""
        if member.isdir():
            return
        self.files += 1
        self.size += member.size if member.isreg() else 0
        self.privileged += member.isreg() and bool(member.mode & 0o6000)
        if BINARIES.fullmatch(path):
            self.programs.append(PurePosixPath(path).name)

    def row(self, example: str, kind: str, smaller: Contents | None = None) -> str:
        """Give the table's row; sizes are also given as ratios to a smaller image's."""
        sizes = [f"{size / 1e6:.1f}" for size in (self.size, self.packed)]
        if smaller:
            ratios = (self.size / smaller.size, self.packed / smaller.packed)
            sizes = [f"{size} ({ratio:.1f} x)" for size, ratio in zip(sizes, ratios, strict=True)]
        named = [name for name in sorted(set(self.programs)) if name in SHELLS | MANAGERS | {"perl"}]
        counts = (len(self.debs), self.files, *sizes, len(self.programs), self.privileged)
        return " | ".join((f"| {example}", kind, *map(str, counts), ", ".join(named) or "none")) + " |"


def distroless(workspace: Path, example: str, closure: str, cache: str | None) -> Contents:
    """Build an example with a closure and count what is in it."""
    build = workspace / example / "BUILD"
    text = re.sub(r' {4}closure = "[a-z]*",\n', "", build.read_text("utf-8"))
    text = text.replace("distroless_image(\n", f'distroless_image(\n    closure = "{closure}",\n')
    build.write_text(text, "utf-8")
    words = [sys.executable, "-m", "distroless_rules", "build", f"//{example}:image"]
    _run([*words, *(["--cache-dir", str(Path(cache).absolute())] if cache else [])], cwd=workspace)
    out = workspace / "distroless-out" / example
    debs = json.loads((out / "image.report.json").read_text("utf-8"))["debs"]
    found = Contents({name: deb["version"] for name, deb in debs.items()})
    paths: set[str] = set()
    for layer in layout.read(out / "image").manifest.layers:
        found.layers[layer.digest.oci] = layer.digest.size
        with tarfile.open(layout.blob(out / "image", layer.digest), "r:gz") as tar:
            for member in tar:
                path = member.name.removeprefix("./")
                if path in paths and not member.isdir():
                    raise SystemExit(f"{example}: {path} is in two layers, and would count twice")
                paths.add(path)
                found.add(member, path)
                if example in BUILT and path.startswith(PROGRAMS) and member.isreg():
                    stream = tar.extractfile(member)
                    assert stream is not None
                    found.programs_built[path] = stream.read()
    return found


class Fat:
    """Makes fat images with mmdebstrap."""

    def __init__(self, folder: Path, debs: Path) -> None:
        """Write the sources that mmdebstrap reads: the examples' own, with this machine's mirrors and keys."""
        self.folder, self.debs = folder, debs.absolute()
        self.debs.mkdir(parents=True, exist_ok=True)
        self.sources = folder / "sources.list"
        self.bases: dict[str, int] = {}
        self.made: dict[tuple[str, ...], tuple[Contents, Contents]] = {}
        archive = (workspaces.read(EXAMPLES).archives or {})[ARCHIVE]
        with self.sources.open("w", encoding="utf-8") as file:
            for source in sources.find(archive, EXAMPLES):
                key = folder / f"{source.suite}.gpg"
                key.write_bytes(source.keyring())
                for uri in source.uris:
                    file.write(f"deb [signed-by={key}] {uri} {source.suite} {' '.join(archive.components)}\n")

    def images(self, debs: tuple[str, ...], built: Mapping[str, bytes]) -> tuple[Contents, Contents]:
        """Install debs in a base image and put files above them; count that, and its slim form."""
        way = compressor("gzip")
        assert way.compress is not None
        if debs not in self.made:
            self.made[debs] = self.image(debs)
        whole, slim = (copy.deepcopy(image) for image in self.made[debs])
        for image in (whole, slim):
            image.files += len(built)
            image.size += sum(map(len, built.values()))
            for data in built.values():
                image.layers[hashlib.sha256(data).hexdigest()] = len(way.compress(bytearray(data)))
        return whole, slim

    def image(self, debs: tuple[str, ...]) -> tuple[Contents, Contents]:
        """Install debs in a base image; count that, and its slim form. The first call must be for no debs."""
        whole, slim = Contents(), Contents()
        tree, rest = self.folder / "fat.tar", self.folder / "slim.tar"
        self.install(debs, tree)
        with tarfile.open(tree) as source, tarfile.open(rest, "w") as target:
            for member in source:
                path = member.name.removeprefix("./")
                whole.add(member, path)
                if SLIMMED.match(path) and not UNSLIMMED.fullmatch(path):
                    continue
                slim.add(member, path)
                target.addfile(member, source.extractfile(member) if member.isreg() else None)
            status = source.extractfile("./var/lib/dpkg/status")
            assert status is not None
            whole.debs = slim.debs = _installed(status.read())
        for kind, contents, tar in zip(("fat", "slim"), (whole, slim), (tree, rest), strict=True):
            base = self.bases.setdefault(kind, packed := _packed(tar))
            contents.layers = {f"{kind} base": base, f"{kind} {' '.join(debs)}": packed - base}
        return whole, slim

    def install(self, debs: tuple[str, ...], tree: Path) -> None:
        """Have mmdebstrap write a tree, or a folder for a name without an ending.

        Its manual page says under sync-in how debs are kept for the next.
        """
        archives = "/var/cache/apt/archives"
        words = ["mmdebstrap", "--quiet", "--variant=minbase", "--skip=essential/unlink"]
        words += [f"--include={','.join(debs)}"] if debs else []
        words += [f'--setup-hook=mkdir -p "$1{archives}"', f"--setup-hook=sync-in {self.debs} {archives}"]
        words += [f"--customize-hook=sync-out {archives} {self.debs}", "", str(tree), str(self.sources)]
        _run(words, env={**os.environ, "TMPDIR": str(self.folder)})


def _installed(status: bytes) -> dict[str, str]:
    """Give the version of each deb that dpkg's status file says is installed (dpkg-query(1))."""
    stanzas = control.stanzas(status, "dpkg's status file")
    return {deb["Package"]: deb["Version"] for deb in stanzas if deb["Status"] == "install ok installed"}


def _packed(tree: Path) -> int:
    """Give how many bytes a tar archive has as a layer of ours."""
    way = compressor("gzip")
    assert way.compress is not None
    with tree.open("rb") as file:
        return sum(len(way.compress(bytearray(piece))) for piece in iter(lambda: file.read(way.piece), b""))


def _check_versions(ours: Contents, fat: Contents) -> None:
    """See that both have the same debs.

    Raises:
        SystemExit: if the archive changed meanwhile, or one of them was made from something else.
    """
    for name, version in ours.debs.items():
        if name in fat.debs and fat.debs[name] != version:
            raise SystemExit(f"{name} is {version} in ours and {fat.debs[name]} in the fat image")


def _run(words: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a program and give what it printed; when it fails, end with what it said."""
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{words[0]} failed with status {done.returncode}\n{done.stderr}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
