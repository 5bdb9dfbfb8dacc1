"""Debs of the real archive as the product reads them: names in, the indexes of all they depend on out.

``$DISTROLESS_TEST_CACHE`` names a folder that keeps the indexes (a few MiB) from run to run; without it every deb is
fetched anew.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from distroless_rules.deb import mirror, package, sources
from distroless_rules.deb.archive import open_archive
from distroless_rules.deb.index import BinaryPackage
from distroless_rules.deb.package import DebIndex
from distroless_rules.deb.parallel import each
from distroless_rules.deb.resolve import Root, resolve
from distroless_rules.deb.universe import Preferences
from distroless_rules.values.archive import Archive
from distroless_rules.values.digest import Digest

__all__ = ["TRIXIE", "closure"]

TRIXIE = Archive("trixie", ("trixie", "trixie-updates", "trixie-security"))


def closure(names: Sequence[str], folder: Path) -> Mapping[str, DebIndex]:
    """Give the debs of trixie for amd64 that satisfy the names, dependencies and all, by name.

    Args:
        names: of debs.
        folder: where to work, and where to keep indexes when nothing else is said.
    """
    kept = Path(os.environ.get("DISTROLESS_TEST_CACHE") or folder) / "indexes"
    kept.mkdir(parents=True, exist_ok=True)
    index, _ = open_archive(TRIXIE, "amd64", folder, kept.parent / "archives", None, time.time())
    roots = [Root(f"@trixie//{name}", name, name) for name in names]
    chosen = resolve("trixie", index, roots, Preferences(named=frozenset(names))).debs
    wanted = [deb.package for deb in chosen.values()]
    places = {place.suite: place.uris for place in sources.find(TRIXIE, folder, "amd64")}
    return dict(each(lambda one: (one.name, _index(one, places[one.suite], kept)), wanted, 4))


def _index(one: BinaryPackage, uris: Sequence[str], kept: Path) -> DebIndex:
    path = kept / one.sha256
    if not path.exists():
        with tempfile.TemporaryFile(dir=kept) as file:
            mirror.fetch(uris, one.filename, file, Digest(one.sha256, one.size))
            index = package.read(file, one.name, lambda _: None, map)
        made = path.with_name(f"{path.name}.{os.getpid()}")
        made.write_bytes(package.dumps(index, one.sha256))
        made.replace(path)
    return package.loads(path.read_bytes())
