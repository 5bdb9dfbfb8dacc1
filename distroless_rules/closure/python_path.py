"""Where the modules of an image's Python are: an import in, the files that it opens out.

Source: the Python Language Reference, 5 (the import system); Debian Python Policy, 2.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from distroless_rules.closure.imports import Import
from distroless_rules.closure.view import View

__all__ = ["INTERPRETER", "PythonPath", "standard"]

INTERPRETER = re.compile(r"usr/(?:local/)?bin/python(3\.\d+)")

_START_TEXT = """
abc codecs collections.abc encodings genericpath importlib.util importlib.machinery io linecache os pkgutil
posixpath re runpy site sitecustomize stat sysconfig traceback types warnings zipimport _collections_abc
_sitebuiltins
"""
_START = tuple(_START_TEXT.split())
"""What an interpreter imports to start a file, a folder or a module, and to print an error."""


def standard(version: str) -> Iterator[str]:
    """Give the folders that Debian's interpreter of a version (``3.13``) searches."""
    yield from (f"usr/lib/python{version}", f"usr/lib/python{version}/lib-dynload")
    yield from (f"usr/local/lib/python{version}/{folder}-packages" for folder in ("dist", "site"))
    yield "usr/lib/python3/dist-packages"


@dataclass(frozen=True)
class PythonPath:
    """The modules of an image.

    Attributes:
        view: its files.
        own: folders of the application that may be on the path.
        env: the program's environment.
    """

    view: View
    own: tuple[str, ...]
    env: Mapping[str, str]

    @cached_property
    def versions(self) -> tuple[str, ...]:
        """The interpreters' versions."""
        return tuple(sorted({match[1] for path in self.view.entries if (match := INTERPRETER.fullmatch(path))}))

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """Every folder that could be on the path."""
        named = (part.strip("/") for part in self.env.get("PYTHONPATH", "").split(":") if part)
        return tuple(dict.fromkeys([*named, *self.own, *(f for v in self.versions for f in standard(v))]))

    @cached_property
    def _having(self) -> Mapping[str, tuple[str, ...]]:
        """Names of modules -> the folders of the path that have something of that name."""
        found: dict[str, list[str]] = {}
        for folder in self.folders:
            for name in self._modules(folder):
                found.setdefault(name, []).append(folder)
        return {name: tuple(folders) for name, folders in found.items()}

    @cached_property
    def _read(self) -> dict[str, Mapping[str, list[str]]]:
        return {}

    def _modules(self, folder: str) -> Mapping[str, list[str]]:
        """Give the files of a folder by the module that each is; folders and other files are modules without any."""
        if folder not in self._read:
            found: dict[str, list[str]] = {}
            for name in sorted(self.view.children.get(self.view.real(folder) or folder, ())):
                stem, dot, end = name.rpartition(".")
                found.setdefault(name, [])
                if dot and end in ("py", "pyc", "so"):
                    found.setdefault(name.partition(".")[0] if end == "so" else stem, []).append(name)
            self._read[folder] = found
        return self._read[folder]

    def has(self, name: str) -> bool:
        """Tell whether any folder of the path has something of a module's name."""
        return name in self._having

    def holds(self, folder: str, name: str) -> bool:
        """Tell whether a folder has something of a module's name."""
        return name in self._modules(folder)

    def start(self) -> Iterator[str]:
        """Give the files that an interpreter opens before it comes to a program; every text encoding is one."""
        for name in _START:
            yield from self._module(name)
        for folder in self.folders:
            names = self.view.children.get(f"{folder}/encodings", ())
            yield from (f"{folder}/encodings/{name}" for name in sorted(names))

    def opened(self, path: str, each: Import) -> Iterator[str]:
        """Give the files that an import in the source at ``path`` may open."""
        if each.level:
            base = "/".join(path.split("/")[: -each.level])
            yield from self._below((base,), each.module, each.names)
        else:
            here = path.rpartition("/")[0]
            top = each.module.partition(".")[0]
            yield from self._below((here, *self._having.get(top, ())), each.module, each.names)

    def _module(self, name: str) -> Iterator[str]:
        yield from self._below(self._having.get(name.partition(".")[0], ()), name, ())

    def _below(self, folders: tuple[str, ...], module: str, names: tuple[str, ...]) -> Iterator[str]:
        at = folders
        for part in module.split(".") if module else ():
            if not at:
                return
            at, files = self._step(at, part)
            yield from files
        if not module:
            yield from (f"{folder}/__init__.py" for folder in at)
        for name in names:
            yield from self._step(at, name)[1]

    def _step(self, folders: tuple[str, ...], name: str) -> tuple[tuple[str, ...], list[str]]:
        """Look a module up: give the folders of what is below it, and its files."""
        packages, files = [], []
        for folder in folders:
            found = self._modules(folder)
            if name in found:
                packages.append(f"{folder}/{name}")
                files.append(f"{folder}/{name}/__init__.py")
            files += (f"{folder}/{file}" for file in found.get(name, ()))
        return tuple(packages), files
