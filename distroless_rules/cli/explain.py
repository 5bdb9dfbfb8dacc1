"""``distroless explain``."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from distroless_rules.cli.common import Flags, build_options, open_here, print_messages
from distroless_rules.errors import RequestError, escaped

if TYPE_CHECKING:
    from distroless_rules.cli.progress import Progress
    from distroless_rules.explaining.made import Made
    from distroless_rules.project import Project
    from distroless_rules.values.request import Request

__all__ = ["command"]


@click.command()
@click.argument("target")
@click.option(
    "--against",
    metavar="LOG",
    help="Compare with the build of LOG: a file, of another machine for example, or one that distroless log lists.",
)
@click.option("--no-build", is_flag=True, help="Compare the last two builds as they were; do not build now.")
@click.option("--all", "everything", is_flag=True, help="Show every step that differs, with all that differs in it.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@build_options
def command(flags: Flags, target: str, against: str | None, no_build: bool, everything: bool, as_json: bool) -> None:
    """Show why the digest of TARGET is not that of the build before.

    TARGET is built first, for the platform and definitions of its last build if none are given. What differs first is
    named - a source file, a line of a BUILD file, the version of a deb, a flag, a tool - and how it reaches the digest.
    """
    from distroless_rules.cli.explain_text import document, shown, shown_alone
    from distroless_rules.cli.progress import Progress
    from distroless_rules.explaining.explain import explain
    from distroless_rules.explaining.made import history
    from distroless_rules.values.label import Label

    with Progress() as progress:
        project = open_here(flags, progress)
        request = flags.request_one(project, target, f'explain "{target}"')
        pattern = request.patterns[0]
        label = str(Label(pattern.repo, pattern.package, pattern.name))
        before = history(project, label, 1)
        if not no_build:
            label = _built(flags, project, request, before, progress)
    found = history(project, label)
    if not found:
        raise RequestError(f'explain "{label}"', "no build of it is known", hint=f"run `distroless build {label}`")
    old = _read(project, against, label) if against is not None else found[1] if len(found) > 1 else None
    answer = explain(old, found[0], project.root) if old is not None else None
    if as_json:
        click.echo(json.dumps(document(found[0], answer), indent=2))
        return
    lines = shown(answer, everything=everything) if answer is not None else shown_alone(found[0], first=not before)
    for line in lines:
        click.echo(escaped(line))


def _built(flags: Flags, project: Project, request: Request, before: list[Made], progress: Progress) -> str:
    """Build the target as its last build did where the flags say nothing else; give the label that it turns out to be.

    Raises:
        DistrolessError: whatever keeps it from being built.
    """
    from distroless_rules.build import build

    if before:
        platform, define = request.platform or before[0].platform, request.define or before[0].define
        request = replace(request, platform=platform, define=define)
    built = build(project, request, flags.build, progress.listen)
    print_messages(built.messages)
    if built.failures:
        raise built.failures[0]
    return built.results[0].label


def _read(project: Project, word: str, label: str) -> Made:
    """Read what a log says of a target.

    Raises:
        RequestError: if there is no such log, or it did not make the target.
        FormatError: if it is malformed.
    """
    from distroless_rules.explaining.made import made_of
    from distroless_rules.logs.kept import find

    found = find(project, word)
    log = found.read()
    labels = [target.label for target in log.head.made]
    if label not in labels:
        told = f'"{labels[0]}"' if len(labels) == 1 else f"{len(labels)} targets" if labels else "nothing"
        raise RequestError(f"compare with {found.name}", f'that build made {told}, and "{label}" is asked for')
    return made_of(log, label)
