"""``distroless run``."""

from __future__ import annotations

import os

import click

from distroless_rules.cli.common import Flags, build_here, images, note, told_options
from distroless_rules.cli.telling import Telling
from distroless_rules.errors import RequestError

__all__ = ["command"]


@click.command(context_settings={"ignore_unknown_options": False})
@click.argument("target")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--runtime", type=click.Choice(["podman", "crun", "runc"]), help="The runtime; else the first one that works here."
)
@click.option(
    "-e",
    "--env",
    multiple=True,
    metavar="KEY=VALUE",
    help="An environment variable of the container; KEY alone passes on the one set here.",
)
@click.option(
    "-v",
    "--volume",
    "volumes",
    multiple=True,
    metavar="HOST:CONTAINER[:ro]",
    help="A folder or file of this machine, put into the container.",
)
@click.option(
    "--network",
    type=click.Choice(["host", "none"]),
    default="host",
    show_default=True,
    help="What network the container sees.",
)
@click.option("--user", default="", metavar="USER[:GROUP]", help="Run as somebody else than the image says.")
@click.option("--entrypoint", default="", metavar="PROGRAM", help="Start this in place of the image's program and cmd.")
@click.option("--read-only", is_flag=True, help="Make the root file system read-only.")
@told_options
def command(
    flags: Flags,
    target: str,
    arguments: tuple[str, ...],
    runtime: str | None,
    env: tuple[str, ...],
    volumes: tuple[str, ...],
    network: str,
    user: str,
    entrypoint: str,
    read_only: bool,
) -> int:
    """Build the image TARGET and start it; ARGUMENTS, after --, take the place of its cmd.

    The exit status is the program's.
    """
    from distroless_rules.oci import runtime as runtimes

    variables = _variables(env)
    with Telling(flags, "run", [target]) as telling:
        project, built = build_here(flags, [target], telling)
        for line in built.warnings:
            note(line)
        found = images(project, built, f'run "{target}"')
    if len(found) > 1:
        raise RequestError(f'run "{target}"', f"it is {len(found)} images", hint="name one")
    return runtimes.run(
        found[0][1],
        list(arguments),
        runtime=runtime,
        env=variables,
        volumes=list(volumes),
        network=network,
        user=user or None,
        read_only=read_only,
        entrypoint=entrypoint,
        warn=note,
    )


def _variables(texts: tuple[str, ...]) -> dict[str, str]:
    """Read variables; one without a value has the value it has here, and is left out if it has none."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key:
            raise RequestError(f'read --env "{text}"', "expected KEY=VALUE, or the KEY of a variable that is set here")
        if equals or key in os.environ:
            found[key] = value if equals else os.environ[key]
    return found
