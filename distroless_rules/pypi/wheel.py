"""Wheels, installed: zip archives in, the files of a folder that Python imports from out.

Nothing is compiled and no program for the command line is written; an image starts modules by the interpreter.
Source: PyPA's "Binary distribution format", "Installing a wheel".
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from distroless_rules.errors import FormatError
from distroless_rules.tar.writer import END, header, padding
from distroless_rules.values.path import parents
from distroless_rules.values.tree import Entry, Kind, order

__all__ = ["install"]

_CHUNK = 1 << 20  # bytes copied at a time
_LARGEST = 16 << 30  # bytes of all files of a wheel
_MOST = 1 << 20  # files of a wheel
_DATA = re.compile(r"[^/]+\.data/(?P<kind>[^/]+)/(?P<path>.+)")
_PLACES = {"purelib": "", "platlib": "", "scripts": "bin/", "data": "", "headers": "include/"}


@dataclass(frozen=True, slots=True)
class _File:
    """A member of a wheel and where it goes."""

    wheel: zipfile.ZipFile
    name: str
    info: zipfile.ZipInfo
    path: str

    @property
    def mode(self) -> int:
        return 0o755 if self.info.external_attr >> 16 & 0o111 else 0o644

    def pieces(self) -> Iterator[bytes]:
        with self.wheel.open(self.info) as stream:
            while piece := stream.read(_CHUNK):
                yield piece


def install(wheels: Iterable[Path], write: Callable[[bytes], object]) -> None:
    """Write the files of wheels as a tar archive that is the same for the same wheels.

    Args:
        wheels: the wheels.
        write: takes the archive.

    Raises:
        FormatError: if one is malformed, or two have different files at one place.
    """
    files: dict[str, _File] = {}
    with ExitStack() as stack:
        for path in wheels:
            try:
                wheel = stack.enter_context(zipfile.ZipFile(path))
            except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
                raise FormatError(f"read {path.name}", f"it is no wheel: {error}") from error
            for file in _members(wheel, path.name):
                other = files.setdefault(file.path, file)
                if other is not file and not _same(other, file):
                    cause = f'{other.name} and {file.name} both have "{file.path}", and it is not the same'
                    raise FormatError("install wheels", cause)
        folders = {parent for path in files for parent in parents(path)} | {""}
        if clash := sorted(folders & files.keys()):
            raise FormatError(
                "install wheels", f'"{clash[0]}" is a file in {files[clash[0]].name} and a folder elsewhere'
            )
        entries = [Entry.directory(folder) for folder in folders]
        entries += [Entry(path, Kind.FILE, file.mode, size=file.info.file_size) for path, file in files.items()]
        for entry in order(entries):
            write(header(entry, 0))
            if entry.kind is Kind.FILE:
                _copy(files[entry.path], write)
    write(END)


def _members(wheel: zipfile.ZipFile, name: str) -> Iterator[_File]:
    infos = [info for info in wheel.infolist() if not info.is_dir()]
    if len(infos) > _MOST or sum(info.file_size for info in infos) > _LARGEST:
        raise FormatError(f"read {name}", "it holds too much to be a wheel")
    seen: set[str] = set()
    for info in infos:
        path = info.filename
        if found := _DATA.fullmatch(path):
            if found["kind"] not in _PLACES:
                raise FormatError(f"read {name}", f'its "{path[:200]}" belongs nowhere')
            path = _PLACES[found["kind"]] + found["path"]
        if "\0" in path or "\\" in path or any(part in ("", ".", "..") for part in path.split("/")):
            raise FormatError(f"read {name}", f"a file in it is called {info.filename[:200]!r}")
        if path in seen:
            raise FormatError(f"read {name}", f'"{path[:200]}" is in it twice')
        seen.add(path)
        yield _File(wheel, name, info, path)


def _same(one: _File, other: _File) -> bool:
    return (one.info.CRC, one.info.file_size) == (other.info.CRC, other.info.file_size) and b"".join(
        one.pieces()
    ) == b"".join(other.pieces())


def _copy(file: _File, write: Callable[[bytes], object]) -> None:
    size = 0
    try:
        for piece in file.pieces():
            size += len(piece)
            write(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise FormatError(f"read {file.name}", f'"{file.path}" is damaged: {error}') from error
    if size != file.info.file_size:
        raise FormatError(f"read {file.name}", f'"{file.path}" is damaged: it is not as long as it says')
    write(bytes(padding(size)))
