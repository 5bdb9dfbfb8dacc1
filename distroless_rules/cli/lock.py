"""``distroless lock``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from distroless_rules.cli.common import Flags, counted, note, open_here, options
from distroless_rules.errors import LockError, RequestError

if TYPE_CHECKING:
    from distroless_rules.project import Project
    from distroless_rules.values.archive import Lock

__all__ = ["command"]


@click.command()
@click.argument("debs", nargs=-1)
@click.option("--check", is_flag=True, help="Change nothing; exit with 2 if the lock is missing or stale.")
@click.option("--update", is_flag=True, help="Take the newest versions: of the debs named, or of all.")
@options()
def command(flags: Flags, debs: tuple[str, ...], check: bool, update: bool) -> None:
    """Fix the version of every deb that BUILD files name, and of what these need.

    Versions that are locked already stay, unless --update asks for newer ones. DEBS are names or @archive//name.
    """
    from distroless_rules.cli.progress import Progress

    if debs and not update:
        raise RequestError(
            "lock", "debs can be named with --update only", hint=f"write `distroless lock --update {debs[0]}`"
        )
    if check and update:
        raise RequestError("lock", "--check and --update contradict each other")
    if check:
        _check(open_here(flags))
        return
    names = tuple(deb.rpartition("//")[2].rpartition(":")[2] for deb in debs)
    with Progress() as progress:
        project = open_here(flags, progress)
        old = project.read_lock()
        new = project.make_lock("as asked" if old else "there is no distroless.lock", names if update else None)
    lines = _differences(old, new)
    for line in lines:
        click.echo(line)
    count = counted(sum(len(debs) for archive in new.archives.values() for debs in archive.debs.values()), "deb")
    same = ", the same as before" if old and not lines else ""  # the archive's own files may be others
    note(f"distroless.lock is unchanged ({count})" if old == new else f"distroless.lock holds {count}{same}")


def _check(project: Project) -> None:
    """Compare the lock with what BUILD files and settings ask for."""
    from distroless_rules.actions.evaluate import debs_wanted
    from distroless_rules.deb.lock_check import Wanted, check

    lock = project.read_lock()
    reasons = ["there is no distroless.lock"]
    if lock is not None:
        wanted = debs_wanted(project.workspace, project.engine)
        archives = project.workspace.archives or {}
        reasons = check(lock, archives, Wanted(wanted.debs, wanted.local), root=project.root)
    for reason in reasons[1:]:
        note(f"  {reason}")
    if reasons:
        raise LockError("use distroless.lock", reasons[0], hint="run `distroless lock`")
    note("distroless.lock is current")


def _differences(old: Lock | None, new: Lock) -> list[str]:
    """Give a line for each deb that came, went or changed its version."""

    def versions(lock: Lock | None) -> dict[tuple[str, str, str], str]:
        return {
            (archive, architecture, name): deb.version
            for archive, locked in (lock.archives if lock else {}).items()
            for architecture, debs in locked.debs.items()
            for name, deb in debs.items()
        }

    before, after = versions(old), versions(new)
    lines = []
    for key in sorted(before.keys() | after.keys()) if old else ():
        archive, architecture, name = key
        what = f"@{archive}//{name} ({architecture})"
        if key not in before:
            lines.append(f"+ {what} {after[key]}")
        elif key not in after:
            lines.append(f"- {what} {before[key]}")
        elif before[key] != after[key]:
            lines.append(f"  {what} {before[key]} -> {after[key]}")
    return lines
