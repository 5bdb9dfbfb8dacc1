"""``distroless log list|what-ran|what-missed|diff``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from distroless_rules.cli.common import Flags, open_here, options
from distroless_rules.errors import DistrolessError, FormatError, RequestError, escaped

if TYPE_CHECKING:
    from distroless_rules.logs.kept import Kept
    from distroless_rules.logs.log import Log

__all__ = ["command"]

T = TypeVar("T")

_json = click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")


@click.group(invoke_without_command=True, subcommand_metavar="[list|what-ran|what-missed|diff]")
@click.pass_context
def command(context: click.Context) -> None:
    """Show what builds did; without a subcommand, list the logs that there are.

    A LOG is a number or id that the list shows; last, which is meant if none is named; last~1, the one before it; or
    the file of a log, of another machine for example. The list says where the files are.
    """
    if context.invoked_subcommand is None:
        context.invoke(listing)


@command.command("list")
@_json
@options()
def listing(flags: Flags, as_json: bool) -> None:
    """List the logs of this workspace, the newest first."""
    from distroless_rules.cli.log_text import head_document, listed
    from distroless_rules.logs.kept import folder_of, kept

    project = open_here(flags)
    rows = [(log, _asked(log, lambda log: log.head())) for log in kept(project)]
    if as_json:
        heads = [head_document(log, head) for log, head in rows if not isinstance(head, DistrolessError)]
        click.echo(json.dumps(heads, indent=2))
        return
    _print(listed(rows, str(folder_of(project))))


@command.command("what-ran", short_help="Show what was performed, where, and how long.")
@click.argument("log", default="last")
@click.option("--all", "everything", is_flag=True, help="Show actions too whose results were found.")
@_json
@options()
def what_ran(flags: Flags, log: str, everything: bool, as_json: bool) -> None:
    """Show what a build performed, where, and how long that took; LOG is the last one if none is named."""
    from distroless_rules.cli.log_text import entry_document, head_document, ran

    found = _find(flags, log)
    read = found.read()
    shown = [entry for entry in read.actions if everything or entry.ending.performed]
    if as_json:
        rows = [entry_document(entry) for entry in shown]
        click.echo(json.dumps({**head_document(found, read.head), "actions": rows}, indent=2))
        return
    _print(ran(found, read.head, shown))


@command.command("what-missed", short_help="Show why no cache had what was performed.")
@click.argument("log", default="last")
@click.option("--against", metavar="LOG", help="Compare with this log, and not with all before it.")
@_json
@options()
def what_missed(flags: Flags, log: str, against: str | None, as_json: bool) -> None:
    """Show why a build performed what it did: the first thing in which each action differs.

    What it is compared with is the last log before that has the same action of the same target.
    """
    from distroless_rules.cli.log_text import head_document, missed_document, misses
    from distroless_rules.explaining.missed import missed

    found = _find(flags, log)
    read = found.read()
    others = [_find(flags, against)] if against else _before(flags, found)
    reasons = missed(read, _read(others, strict=bool(against)))
    if as_json:
        rows = [missed_document(each) for each in reasons]
        click.echo(json.dumps({**head_document(found, read.head), "missed": rows}, indent=2))
        return
    _print(misses(found, read, reasons, others[0] if against else None))


@command.command("diff", short_help="Show which actions of two builds differ.")
@click.argument("old", metavar="LOG1")
@click.argument("new", metavar="[LOG2]", default="last")
@_json
@options()
def diff(flags: Flags, old: str, new: str, as_json: bool) -> None:
    """Show which actions of two builds differ, and in what first; LOG2 is the last one if it is not named."""
    from distroless_rules.cli.log_text import diff_document, differing
    from distroless_rules.explaining.missed import compared

    logs = [_find(flags, word) for word in (old, new)]
    before, after = (log.read() for log in logs)
    differences = compared(before, after)
    if as_json:
        click.echo(json.dumps(diff_document(logs, before, after, differences), indent=2))
        return
    _print(differing(logs, before, after, differences))


def _find(flags: Flags, word: str) -> Kept:
    """Find a log; a file is found outside of workspaces too."""
    from distroless_rules.logs.kept import Kept, find

    if "/" in word and Path(word).is_file():
        return Kept(Path(word), f'"{word}"')
    return find(open_here(flags), word)


def _before(flags: Flags, log: Kept) -> list[Kept]:
    """Give the logs of the workspace that are older, of a file all."""
    from distroless_rules.logs.kept import kept

    return [each for each in kept(open_here(flags)) if not log.number or each.number < log.number]


def _read(logs: Iterable[Kept], *, strict: bool) -> Iterator[tuple[str, Log]]:
    """Read logs one after the other; damaged ones are left out unless ``strict``."""
    for log in logs:
        read = _asked(log, lambda log: log.read())
        if not isinstance(read, DistrolessError):
            yield log.name, read
        elif strict:
            raise read


def _asked(log: Kept, ask: Callable[[Kept], T]) -> T | DistrolessError:
    """Ask something of a log; give what is wrong with one that is damaged, or gone by now."""
    try:
        return ask(log)
    except (FormatError, RequestError) as error:
        return error


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(escaped(line))
