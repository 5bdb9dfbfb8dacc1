"""``distroless verify``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from distroless_rules.cli.build import Patterns, unmarked
from distroless_rules.cli.common import Flags, build_options, counted, note, open_here
from distroless_rules.errors import TrustError, escaped

if TYPE_CHECKING:
    from distroless_rules.verifying import Compared, Deviation, Verified

__all__ = ["command"]


@click.command(cls=Patterns)
@click.argument("patterns", nargs=-1, required=True, callback=unmarked)
@click.option("--json", "as_json", is_flag=True, help="Print what was compared as JSON.")
@build_options
def command(flags: Flags, patterns: tuple[str, ...], as_json: bool) -> None:
    """Make targets again on this machine alone, and compare them with what caches and the last build give.

    Nothing counts for that but sources and locked debs: no shared cache, no engine, no result that is kept here.
    Where a step gives other bytes, it is named, with who vouched for the others; the exit status is then 1. What is in
    the output folder and in the caches stays as it is.
    """
    from distroless_rules.cli.progress import Progress
    from distroless_rules.verifying import verify

    with TemporaryDirectory(prefix="distroless-verify-") as aside:
        with Progress() as progress:
            project = open_here(flags, progress)
            request = flags.request(project, patterns)
            verified = verify(project, request, flags.build, progress.listen, Path(aside))
        if as_json:
            click.echo(json.dumps(_document(verified), indent=2))
        else:
            for line in _shown(verified):
                click.echo(escaped(line))
    if not verified.same:
        steps = len({deviation.action for deviation in verified.deviations})
        cause = f"{counted(steps, 'step')} of {verified.steps} {'gives' if steps == 1 else 'give'} other bytes here"
        if not steps:
            cause = "the output folder holds something else"
        hint = "`distroless build --noremote-accept` uses nothing that was found elsewhere"
        raise TrustError("verify " + " ".join(patterns), cause, hint=hint)
    for origin, count in verified.origins.items():
        note(f"{counted(count, 'step')} {origin}")


def _shown(verified: Verified) -> Iterator[str]:
    for target in verified.targets:
        yield from _target(target)
    for deviation in verified.deviations:
        yield ""
        yield from _deviation(deviation)
    if verified.followers:
        others = counted(verified.followers, "more step")
        yield f"{others} {'differs' if verified.followers == 1 else 'differ'} by what is read from there"
    for target in verified.targets:
        if target.layouts is not None:
            yield ""
            yield from _images(target.label, *target.layouts)


def _target(target: Compared) -> Iterator[str]:
    digest = f" {target.made}" if target.made else ""
    if target.same:
        yield f"{target.label}{digest} is the same, made on this machine alone"
        return
    yield f"{target.label} is not the same:"
    rows = {"caches give": target.given, "this machine makes": target.made, "the output folder holds": target.placed}
    shown = {name: digest for name, digest in rows.items() if digest}
    width = max(map(len, shown), default=0)
    yield from (f"  {name:<{width}}  {digest}" for name, digest in shown.items())


def _deviation(deviation: Deviation) -> Iterator[str]:
    action = deviation.action
    title = action.progress or action.mnemonic
    yield f'{title}, for {action.owner}: same inputs, other output "{deviation.output}"'
    yield f"  given  {deviation.given.oci}, {deviation.given.size} bytes: {deviation.origin}"
    yield f"  made   {deviation.made.oci}, {deviation.made.size} bytes"
    if deviation.first is None:
        yield "  what was given is not to be had"
    else:
        yield f"  {counted(deviation.first, 'byte')} at the start {'is' if deviation.first == 1 else 'are'} the same"


def _images(label: str, given: Path, made: Path) -> Iterator[str]:
    """Say what two images differ in, as ``diff`` does."""
    from distroless_rules.cli.diff_text import shown
    from distroless_rules.comparing.compare import compare
    from distroless_rules.comparing.picture import picture
    from distroless_rules.oci.opened import platforms

    for platform in platforms(str(made)):
        several = platform if len(platforms(str(made))) > 1 else None
        one = picture(str(given), f"{label} as given", several)
        yield from shown(compare(one, picture(str(made), f"{label} as made here", several)), {})


def _document(verified: Verified) -> dict[str, Any]:
    return {
        "same": verified.same,
        "steps": verified.steps,
        "origins": dict(verified.origins),
        "targets": [
            {
                "label": target.label,
                "same": target.same,
                "given": target.given or None,
                "made": target.made or None,
                "placed": target.placed or None,
            }
            for target in verified.targets
        ],
        "differ": [
            {
                "mnemonic": each.action.mnemonic,
                "owner": each.action.owner,
                "output": each.output,
                "given": str(each.given),
                "made": str(each.made),
                "origin": each.origin,
                "first_byte": each.first,
            }
            for each in verified.deviations
        ],
        "followers": verified.followers,
    }
