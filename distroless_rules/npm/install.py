"""Packages, installed: their archives in, the files of ``node_modules`` out.

No script of a package runs. What is neither file nor folder in an archive is left out, as npm does it.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from distroless_rules.errors import FormatError
from distroless_rules.npm.lockfile import Locked
from distroless_rules.tar.writer import END, header, padding
from distroless_rules.values.path import parents
from distroless_rules.values.tree import Entry, Kind

__all__ = ["install"]

_LARGEST = 1 << 30  # bytes of a package's files
_CHUNK = 1 << 20


def install(packages: Iterable[tuple[Locked, Path]], write: Callable[[bytes], object]) -> None:
    """Write what belongs into ``node_modules`` as a tar archive that is the same for the same packages.

    Args:
        packages: each with its archive, sorted by place.
        write: takes the archive.

    Raises:
        FormatError: if an archive is malformed.
    """
    folders: set[str] = set()

    def put(entry: Entry, data: bytes = b"") -> None:
        for folder in sorted({"", *parents(entry.path)} - folders):
            folders.add(folder)
            write(header(Entry.directory(folder), 0))
        write(header(entry, 0) + data + bytes(padding(len(data))))

    commands: dict[str, str] = {}
    for package, archive in packages:
        below = package.place.removeprefix("node_modules/")
        programs = {path.removeprefix("./") for _, path in package.bin}
        for path, mode, data in _files(package, archive):
            mode = 0o755 if path in programs else mode
            put(Entry(f"{below}/{path}", Kind.FILE, mode, size=len(data)), data)
        if "/node_modules/" not in below:
            commands.update((name, f"../{below}/{path.removeprefix('./')}") for name, path in package.bin)
    for name, target in sorted(commands.items()):
        if "/" not in name and name not in ("", ".", ".."):
            put(Entry.symlink(f".bin/{name}", target))
    if not folders:
        write(header(Entry.directory(""), 0))
    write(END)


def _files(package: Locked, archive: Path) -> Iterator[tuple[str, int, bytes]]:
    """Give path, mode and bytes of each file, sorted; of two at one path the last."""
    doing = f"read the archive of {package}"
    found: dict[str, tuple[int, bytes]] = {}
    size = 0
    try:
        with gzip.open(archive) as file, tarfile.open(fileobj=file, mode="r|") as tar:
            for member in tar:
                path = member.name.removeprefix("./").partition("/")[2]  # without the folder that holds all
                if not member.isreg() or not path:
                    continue
                if "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
                    raise FormatError(doing, f"a file in it is called {member.name[:200]!r}")
                size += member.size
                if size > _LARGEST:
                    raise FormatError(doing, "it holds too much to be a package")
                stream = tar.extractfile(member) or io.BytesIO()
                found[path] = (0o755 if member.mode & 0o111 else 0o644, stream.read())
            while file.read(_CHUNK):
                pass  # to its checksum
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise FormatError(doing, f"it is damaged: {error}") from error
    for path in sorted(found):
        yield path, *found[path]
