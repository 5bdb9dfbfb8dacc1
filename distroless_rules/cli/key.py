"""``distroless key generate|public``."""

from __future__ import annotations

from pathlib import Path

import click

from distroless_rules.cli.common import note

__all__ = ["command"]


@click.group(subcommand_metavar="generate|public")
def command() -> None:
    """Make the keys by which results in a shared cache are signed, and show their public parts.

    A builder that sends results signs them with a secret key; who names the public key in "trusted_keys" of [cache]
    uses no others. Keys are a line NAME:BASE64 each, as those of Nix are.
    """


@command.command("generate", short_help="Write a new secret key to FILE.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", default="", metavar="NAME", help="What signatures call it; else the name of FILE.")
def generate(file: Path, name: str) -> None:
    """Write a new secret key to FILE, which must not exist, and print the public key that belongs to it."""
    from distroless_rules.storage import key_file, signatures

    key = signatures.generate(name or file.name.partition(".")[0])
    key_file.write(file, key)
    click.echo(str(key.public))
    note(
        f'the secret key is in "{file}": name it as "signing_key" in [cache] or by --signing-key where results are made'
        '; what is printed goes into "trusted_keys" in [cache] of those who use them'
    )


@command.command("public", short_help="Print the public key of the secret one in FILE.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def public(file: Path) -> None:
    """Print the public key that belongs to the secret one in FILE; - is standard input."""
    from distroless_rules.storage import key_file

    source = Path("/dev/stdin") if str(file) == "-" else file
    click.echo(str(key_file.signer(key_file.read(source), f'read the key in "{file}"').public))
