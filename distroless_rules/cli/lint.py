"""``distroless lint``."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from distroless_rules.cli.common import Flags, counted, note, open_here, options
from distroless_rules.errors import RequestError

if TYPE_CHECKING:
    from distroless_rules.loading.files import WorkspaceFiles
    from distroless_rules.project import Project

__all__ = ["command"]


@click.command()
@click.argument("paths", nargs=-1)
@click.option("--fix", is_flag=True, help="Format files with buildifier.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@options()
def command(flags: Flags, paths: tuple[str, ...], fix: bool, as_json: bool) -> int:
    """Look at BUILD and .bzl files without evaluating them: linter, type checker, formatting.

    PATHS are files and folders; without any, all of the workspace. Formatting is checked where buildifier is installed.
    The exit status is 1 if there is anything to be changed.
    """
    from distroless_rules.loading import lint
    from distroless_rules.loading.files import WorkspaceFiles

    project = open_here(flags)
    workspace = project.workspace
    files = WorkspaceFiles(project.root, workspace.build_file, workspace.ignore)
    chosen = list(dict.fromkeys(path for text in paths or ("",) for path in _chosen(project, files, text)))
    rows = [
        {"file": f.at.file, "line": f.at.line, "column": f.at.column, "severity": f.severity, "message": f.message}
        | {"name": f.name}
        for f in lint.lint(files, chosen)
    ]
    for path in _unformatted(project, chosen, fix):
        message = "it is not formatted as buildifier does it; --fix does"
        rows.append({"file": path, "line": 0, "column": 0, "severity": "warning", "message": message, "name": "format"})
    if as_json:
        import json

        click.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            place = ":".join(str(row[key]) for key in ("file", "line", "column") if row[key])
            click.echo(f"{place}: {row['severity']}: {row['message']} [{row['name']}]")
        note(f"{counted(len(chosen), 'file')}: {counted(len(rows), 'finding') if rows else 'nothing found'}")
    return 1 if rows else 0


def _chosen(project: Project, files: WorkspaceFiles, text: str) -> Iterator[str]:
    """Give the files that an argument means, as paths from the workspace's root."""
    from distroless_rules.loading import lint

    path = os.path.normpath(os.path.join(project.folder, text)) if text else ""
    path = "" if path == "." else path
    if path.startswith(".."):
        raise RequestError(f'lint "{text}"', "it is not in the workspace")
    if path and files.is_file(path):
        yield path
    elif (project.root / path).is_dir():
        yield from lint.files_below(files, path)
    else:
        raise RequestError(f'lint "{text}"', "there is no such file or folder")


def _unformatted(project: Project, paths: Sequence[str], fix: bool) -> list[str]:
    """Give the files that buildifier would change, after it has changed them with ``fix``."""
    program = shutil.which("buildifier")
    if program is None:
        if fix:
            raise RequestError("format files", "buildifier is not installed")
        note("buildifier is not installed: formatting is not checked")
        return []
    if not paths:
        return []
    mode = "fix" if fix else "check"
    words = [program, f"-mode={mode}", "-lint=off", "--", *paths]
    done = subprocess.run(words, cwd=project.root, capture_output=True, text=True, check=False)
    marked = (line for line in done.stderr.splitlines() if line.endswith("# reformat"))
    return [] if fix else [line.removesuffix("# reformat").strip() for line in marked]
