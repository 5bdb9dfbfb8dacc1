"""``distroless why``."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from distroless_rules.cli.common import Flags, build_options, open_here

__all__ = ["command"]


@click.command()
@click.argument("image")
@click.argument("what", metavar="PATH|DEB")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@build_options
def command(flags: Flags, image: str, what: str, as_json: bool) -> None:
    """Show the chain from IMAGE to a path in it (/usr/bin/python3) or to a deb (libc6).

    Each line names the attribute by which the one above leads to it; `depends` is a dependency of a deb.
    """
    from distroless_rules.cli.progress import Progress
    from distroless_rules.why import why

    with Progress() as progress:
        project = open_here(flags, progress)
        request = flags.request_one(project, image, f'ask about "{image}"')
        answer = why(project, request, flags.build, what, progress.listen)
    if as_json:
        click.echo(json.dumps(asdict(answer), indent=2))
        return
    for depth, link in enumerate(answer.chain):
        click.echo(f"{'  ' * depth}{link.name}{f'  ({link.how})' if link.how else ''}")
    click.echo(answer.origin)
