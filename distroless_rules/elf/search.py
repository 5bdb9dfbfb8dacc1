"""What the dynamic loader finds: an ELF file and a file system in, the libraries that it loads out, and what is lost.

A program is loaded as glibc's loader does it: breadth first, a name that is loaded already is not looked for again,
DT_RPATH of a file and of those that brought it, LD_LIBRARY_PATH, DT_RUNPATH of the file alone, the folders of
ld.so.conf where there is a cache of them, the loader's own folders. Candidates for another processor are passed over.

Source: ld.so(8); glibc's elf/dl-load.c; ld-musl's path of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from distroless_rules.elf.read import Elf

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
        by: what brought it, None for the first.
    """

    path: str
    real: str
    elf: Elf
    by: Loaded | None = None


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

    def load(self, path: str) -> Iterator[Need]:
        """Load the file at ``path`` with all that it needs, and give each need once for each file that has it."""
        found = self.find(path)
        if found is None:
            return
        first = Loaded(path, *found)
        named = {name: first for name in (first.elf.soname, path.rpartition("/")[2]) if name}
        by_real = {first.real: first}
        queue = [first]
        musl = first.elf.interpreter.rpartition("/")[2].startswith("ld-musl-")
        for at in queue:
            for name in dict.fromkeys(at.elf.needed):
                known = named.get(name)
                if known is None:
                    folders = [*self._folders(at, musl=musl)]
                    known = self._search(at, name, folders)
                    if known is None:
                        yield Need(at.real, name, None, tuple(dict.fromkeys(folders)))
                        continue
                    same = by_real.get(known.real)
                    if same is None:
                        by_real[known.real] = known
                        queue.append(known)
                    known = same or known
                    named[name] = known
                    if known.elf.soname:
                        named.setdefault(known.elf.soname, known)
                yield Need(at.real, name, known)

    def _search(self, of: Loaded, name: str, folders: list[str]) -> Loaded | None:
        if "/" in name:
            folders.clear()
            return self._fits(of, _expand(name, of))
        for folder in folders:
            found = self._fits(of, f"{folder}/{name}" if folder else name)
            if found is not None:
                return found
        return None

    def _fits(self, of: Loaded, path: str) -> Loaded | None:
        key = (path, of.elf.abi)
        if key not in self._known:
            found = self.find(path.strip("/"))
            fits = found is not None and found[1].abi == of.elf.abi and found[1].kind == "dyn"
            self._known[key] = found if fits else None
        known = self._known[key]
        return None if known is None else Loaded(path.strip("/"), *known, of)

    def _folders(self, of: Loaded, *, musl: bool) -> Iterator[str]:
        if not of.elf.runpath:
            at: Loaded | None = of
            while at is not None:
                if not at.elf.runpath:
                    yield from (_expand(folder, at) for folder in at.elf.rpath)
                at = at.by
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
