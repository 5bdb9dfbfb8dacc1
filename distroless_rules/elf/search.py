"""What the dynamic loader finds: an ELF file and a file system in, the libraries that it loads out, and what is lost.

A program is loaded as glibc's loader does it: breadth first, a name that is loaded already is not looked for again,
DT_RPATH of a file and of those that brought it, LD_LIBRARY_PATH, DT_RUNPATH of the file alone, the folders of
ld.so.conf where there is a cache of them, the loader's own folders. Candidates for another processor are passed over.

Source: ld.so(8); glibc's elf/dl-load.c; ld-musl's path of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from distroless_rules.elf.read import Elf
from distroless_rules.errors import FormatError

__all__ = ["Loaded", "Loader", "Need", "triplet"]

_TRIPLETS = {
    ("EM_X86_64", 64): "x86_64-linux-gnu",
    ("EM_X86_64", 32): "x86_64-linux-gnux32",
    ("EM_386", 32): "i386-linux-gnu",
    ("EM_AARCH64", 64): "aarch64-linux-gnu",
    ("EM_ARM", 32): "arm-linux-gnueabihf",
    ("EM_RISCV", 64): "riscv64-linux-gnu",
    ("EM_PPC64", 64): "powerpc64le-linux-gnu",
    ("EM_S390", 64): "s390x-linux-gnu",
    ("EM_LOONGARCH", 64): "loongarch64-linux-gnu",
}
_PLATFORMS = {"EM_X86_64": "x86_64", "EM_386": "i686", "EM_AARCH64": "aarch64"}


def triplet(elf: Elf) -> str:
    """Give Debian's multiarch name for what a file runs on, ``""`` for one that Debian has no port for."""
    return _TRIPLETS.get((elf.machine, elf.bits), "")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file as the loader has it.

    Attributes:
        path: by which it was found, without the first slash; links are not followed, as ``$ORIGIN`` is its folder.
        real: where it really lies.
        elf: what it says.
        rpath: the folders of DT_RPATH that hold for it: its own and those of what brought it.
    """

    path: str
    real: str
    elf: Elf
    rpath: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """A library that a file needs.

    Attributes:
        of: the real path of the file that needs it.
        name: what it asks for.
        found: what the loader finds, None if nothing.
        searched: the folders that were looked in, where nothing was found.
    """

    of: str
    name: str
    found: Loaded | None
    searched: tuple[str, ...] = ()


_MAX_FOLDERS = 2_048
_MAX_STEPS = 5_000_000  # tens of times what an image of a whole desktop takes
_Asked = tuple[str, tuple[str, int, bool], bool, bool]

Find = Callable[[str], "tuple[str, Elf] | None"]
"""A path without the first slash -> the real path of the file there and what it says; None if it is no ELF file."""


@dataclass
class Loader:
    """Loads files of one file system.

    Attributes:
        find: looks a path up.
        library_path: the folders of LD_LIBRARY_PATH.
        conf: the folders of ld.so.conf, where the file system has a cache made of them.
    """

    find: Find
    library_path: Sequence[str] = ()
    conf: Sequence[str] = ()
    _known: dict[tuple[str, tuple[str, int, bool]], tuple[str, Elf] | None] = field(default_factory=dict)
    _plain: dict[_Asked, tuple[Loaded | None, tuple[str, ...]]] = field(default_factory=dict)
    _steps: int = 0

    def load(self, path: str) -> Iterator[Need]:
        """Load the file at ``path`` with all that it needs, and give each need once for each file that has it.

        Raises:
            FormatError: if this loader has looked for more than any image needs.
        """
        found = self.find(path)
        if found is None:
            return
        first = self._brought(path, found, None)
        named = {name: first for name in (first.elf.soname, path.rpartition("/")[2]) if name}
        by_real = {first.real: first}
        queue = [first]
        musl = first.elf.interpreter.rpartition("/")[2].startswith("ld-musl-")
        for at in queue:
            for name in dict.fromkeys(at.elf.needed):
                self._spend(1, at)
                known = named.get(name)
                if known is None:
                    known, folders = self._search(at, name, musl=musl)
                    if known is None:
                        yield Need(at.real, name, None, folders)
                        continue
                    same = by_real.get(known.real)
                    if same is None:
                        known = by_real[known.real] = self._brought(known.path, (known.real, known.elf), at)
                        queue.append(known)
                    known = same or known
                    named[name] = known
                    if known.elf.soname:
                        named.setdefault(known.elf.soname, known)
                yield Need(at.real, name, known)

    def _spend(self, steps: int, of: Loaded) -> None:
        self._steps += steps
        if self._steps > _MAX_STEPS:
            cause = f"libraries are looked for in more than {_MAX_STEPS // 1_000_000} million places"
            raise FormatError(f'find what "/{of.real}" loads', cause)

    def _brought(self, path: str, found: tuple[str, Elf], by: Loaded | None) -> Loaded:
        """Give a file as what brought it makes the loader have it."""
        rpath = by.rpath if by is not None else ()
        loaded = Loaded(path, *found, rpath)
        if not loaded.elf.rpath:
            return loaded
        own = (_expand(folder, loaded) for folder in loaded.elf.rpath)
        rpath = tuple(dict.fromkeys((*own, *rpath)))
        if len(rpath) > _MAX_FOLDERS:
            cause = f"the run paths that hold for it have more than {_MAX_FOLDERS} folders"
            raise FormatError(f'find what "/{loaded.real}" loads', cause)
        return replace(loaded, rpath=rpath)

    def _search(self, of: Loaded, name: str, *, musl: bool) -> tuple[Loaded | None, tuple[str, ...]]:
        """Look for a library; give it, and the folders that were to be looked in."""
        if "/" in name:
            return self._fits(of, _expand(name, of)), ()
        if of.elf.runpath or of.rpath:
            folders = tuple(dict.fromkeys(self._folders(of, musl=musl)))
            return self._first(of, name, folders), folders
        # What has no path of its own finds what all others find.
        asked = (name, of.elf.abi, of.elf.no_default, musl)
        if asked not in self._plain:
            folders = tuple(dict.fromkeys(self._folders(of, musl=musl)))
            self._plain[asked] = self._first(of, name, folders), folders
        return self._plain[asked]

    def _first(self, of: Loaded, name: str, folders: tuple[str, ...]) -> Loaded | None:
        self._spend(len(folders), of)
        found = (self._fits(of, f"{folder}/{name}" if folder else name) for folder in folders)
        return next((each for each in found if each is not None), None)

    def _fits(self, of: Loaded, path: str) -> Loaded | None:
        key = (path, of.elf.abi)
        if key not in self._known:
            found = self.find(path.strip("/"))
            fits = found is not None and found[1].abi == of.elf.abi and found[1].kind == "dyn"
            self._known[key] = found if fits else None
        known = self._known[key]
        return None if known is None else Loaded(path.strip("/"), *known)

    def _folders(self, of: Loaded, *, musl: bool) -> Iterator[str]:
        if not of.elf.runpath:
            yield from of.rpath
        yield from (folder.strip("/") for folder in self.library_path)
        yield from (_expand(folder, of) for folder in of.elf.runpath)
        if of.elf.no_default:
            return
        if musl:
            yield from ("lib", "usr/local/lib", "usr/lib")
            return
        yield from (folder.strip("/") for folder in self.conf)
        multiarch = triplet(of.elf)
        if multiarch:
            yield from (f"lib/{multiarch}", f"usr/lib/{multiarch}")
        yield from ("lib", "usr/lib")
        if of.elf.bits == 64:
            yield from ("lib64", "usr/lib64")


def _expand(text: str, of: Loaded) -> str:
    """Give a folder with ``$ORIGIN``, ``$LIB`` and ``$PLATFORM`` replaced, ld.so(8); relative to the root."""
    if "$" in text:
        values = {
            "ORIGIN": "/" + of.path.rpartition("/")[0],
            "LIB": f"lib/{triplet(of.elf)}",
            "PLATFORM": _PLATFORMS.get(of.elf.machine, ""),
        }
        for name, value in values.items():
            text = text.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return text.strip("/")
