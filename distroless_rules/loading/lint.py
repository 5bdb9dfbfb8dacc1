"""BUILD and ``.bzl`` files looked at without evaluating them: a workspace's files in, findings out.

starlark-pyo3's linter and type checker; the types of what a file loads are those of the loaded file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from distroless_rules.errors import LabelError, LoadError
from distroless_rules.loading import interpreter, names
from distroless_rules.loading.files import WorkspaceFiles
from distroless_rules.loading.interpreter import Finding, Interface
from distroless_rules.values.label import Label

__all__ = ["files_below", "lint"]


def files_below(files: WorkspaceFiles, folder: str) -> Iterator[str]:
    """Give the paths of BUILD and ``.bzl`` files in a folder's packages and the folders of none below it, sorted."""
    for path in files.folders(folder):
        prefix = f"{path}/" if path else ""
        for name in sorted(files.folder(path).files):
            if name == files.build_file or name.endswith(".bzl"):
                yield prefix + name


def lint(files: WorkspaceFiles, paths: Iterable[str]) -> list[Finding]:
    """Look at files.

    Args:
        files: the workspace's.
        paths: of the files.

    Returns:
        What was found, in the order of places.

    Raises:
        LoadError: if a file cannot be read.
    """
    checker = _Checker(files)
    findings = [finding for path in dict.fromkeys(paths) for finding in checker.findings(path)]
    return sorted(findings, key=lambda finding: (finding.at.file, finding.at.line, finding.at.column, finding.name))


class _Checker:
    """Looks at each file once, what it loads first."""

    def __init__(self, files: WorkspaceFiles) -> None:
        self._files = files
        self._done: dict[str, tuple[list[Finding], Interface | None]] = {}

    def findings(self, path: str) -> list[Finding]:
        return self._look(path, ())[0]

    def _look(self, path: str, above: tuple[str, ...]) -> tuple[list[Finding], Interface | None]:
        if path in self._done:
            return self._done[path]
        text = self._files.read(path)
        if text is None:
            raise LoadError(f"read {path}", "there is no such file")
        interfaces = {}
        for written in interpreter.loads(path, text):
            loaded = self._loaded(path, written)
            if loaded and loaded not in (*above, path):
                interface = self._look(loaded, (*above, path))[1]
                if interface is not None:
                    interfaces[written] = interface
        is_build = path.rpartition("/")[2] == self._files.build_file
        self._done[path] = interpreter.check(path, text, names.usual(is_build), interfaces)
        return self._done[path]

    def _loaded(self, path: str, written: str) -> str:
        """Give the path of a file of the workspace that another one loads, ``""`` if it is none."""
        package = path.rpartition("/")[0]
        while package and not self._files.is_package(package):
            package = package.rpartition("/")[0]
        try:
            label = Label.parse(written, package=package)
        except LabelError:
            return ""
        return label.path if not label.repo and self._files.is_file(label.path) else ""
