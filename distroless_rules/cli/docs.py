"""``distroless docs``."""

from __future__ import annotations

import click

from distroless_rules.cli.common import Flags, open_here, options

__all__ = ["command"]


@click.command()
@click.argument("files", nargs=-1)
@options()
def command(flags: Flags, files: tuple[str, ...]) -> None:
    """Describe rules, macros and providers as Markdown, from their own documentation.

    FILES are labels of .bzl files (//tools:lua.bzl); without any, what distroless-rules itself offers.
    """
    from distroless_rules.asking import describe
    from distroless_rules.values.label import Label

    project = open_here(flags)
    labels = [Label.parse(text, package=project.folder) for text in files]
    click.echo(describe(project, labels), nl=False)
