"""``distroless cache stats|gc|verify``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from distroless_rules.cli.common import Flags, note, options
from distroless_rules.errors import ConfigError, RequestError, StorageError
from distroless_rules.values.size import size_text

__all__ = ["command"]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


@click.group(subcommand_metavar="stats|gc|verify")
def command() -> None:
    """Look after the cache: what is in it, making it smaller, checking it."""


def _folder(option: str) -> Path:
    """Give the cache folder, inside or outside of a workspace."""
    from distroless_rules.loading import workspace as workspaces
    from distroless_rules.loading.workspace import Workspace
    from distroless_rules.project import cache_folder

    try:
        root = workspaces.find_root(Path.cwd())
    except ConfigError:
        return cache_folder(Workspace(Path.cwd(), ""), option)
    return cache_folder(workspaces.read(root), option)


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?", text.strip().lower())
    if not match or match[2] not in _UNITS:
        raise RequestError(f'read the size "{text}"', "expected a number with a unit", hint="500MB, 2GiB, 0")
    return int(float(match[1]) * _UNITS[match[2]])


@command.command("stats")
@options()
def stats(flags: Flags) -> None:
    """Show how much is in the cache."""
    from distroless_rules.storage import gc

    folder = _folder(flags.cache_dir)
    usages = list(gc.stats(folder))
    click.echo(folder)
    for usage in usages:
        click.echo(f"  {usage.kind:<15} {usage.count:>8}  {size_text(usage.bytes):>9}")


@command.command("gc", short_help="Make the cache no larger than SIZE.")
@click.option("--max-size", required=True, metavar="SIZE", help="What may stay: 2GB, 500MiB, 0.")
@options()
def collect(flags: Flags, max_size: str) -> None:
    """Remove what was not used for the longest time, until the cache is no larger than SIZE."""
    from distroless_rules.storage import gc

    limit = _size(max_size)
    done = gc.collect(_folder(flags.cache_dir), limit)
    kept = size_text(done.kept_bytes)
    note(f"removed {done.removed} files ({size_text(done.removed_bytes)}), kept {done.kept} ({kept})")


@command.command("verify", short_help="Read every blob and set aside what is damaged.")
@options()
def verify(flags: Flags) -> None:
    """Read every blob and compare it with its digest; set aside what differs."""
    from distroless_rules.storage import gc

    damaged = gc.verify(_folder(flags.cache_dir))
    for damage in damaged:
        click.echo(f"{damage.path}: {damage.cause}")
    if damaged:
        what = "1 file was damaged and is" if len(damaged) == 1 else f"{len(damaged)} files were damaged and are"
        cause = f"{what} set aside; what was in there will be made again"
        raise StorageError("trust the cache", cause)
    note("every blob is what its name says")
