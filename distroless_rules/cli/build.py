"""``distroless build``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from distroless_rules.cli.common import Flags, build_here, counted, note, options, told
from distroless_rules.cli.telling import Telling
from distroless_rules.errors import BuildError, RequestError
from distroless_rules.values.size import size_text

if TYPE_CHECKING:
    from distroless_rules.build import Built
    from distroless_rules.execution.events import Counts

__all__ = ["Patterns", "command", "summary", "unmarked", "worked"]

_KINDS = ("docker-archive", "oci-archive")


_FEW = 10
_LINES = 20
_NEGATIVE = ("-//", "-@", "-:")
_MARK = "\0"  # no argument of a process holds it


class Patterns(click.Command):
    """A command that takes ``-//app:slow`` for a pattern and not for options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Mark such words, which the parser would refuse."""
        return super().parse_args(ctx, [f"{_MARK}{word}" if word.startswith(_NEGATIVE) else word for word in args])


def unmarked(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> tuple[str, ...]:
    """Give words as they were typed."""
    return tuple(word.removeprefix(_MARK) for word in words)


@click.command(cls=Patterns)
@click.argument("patterns", nargs=-1, required=True, callback=unmarked)
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="KIND=FILE",
    help="Write the image to docker-archive=FILE or oci-archive=FILE too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was built as JSON.")
@options(*told, "minimal")
def command(flags: Flags, patterns: tuple[str, ...], outputs: tuple[str, ...], as_json: bool) -> None:
    """Build targets; outputs appear under distroless-out/<package>/<name>.

    PATTERNS are labels (//app:image, :image) or patterns (//app:all, //..., -//app:slow).
    """
    import time

    archives = [_archive(text) for text in outputs]
    if archives and flags.minimal:
        raise RequestError(f"write {'='.join(archives[0])}", "--remote-download-minimal brings nothing to write")
    begun = time.monotonic()
    with Telling(flags, "build", patterns) as telling:
        project, built = build_here(flags, patterns, telling)
        for kind, file in archives:
            _write_archive(project.outputs, built, kind, file)
        if as_json:
            _print_json(project.outputs, built)
        for line in (*built.warnings, *summary(built, time.monotonic() - begun)):
            note(line)
        for failure in built.failures[1:]:
            note(f"distroless: {failure}")
        if built.failures:
            raise built.failures[0]


def summary(built: Built, seconds: float) -> list[str]:
    """Give the lines that end a build: what was made, and how much work it was."""
    lines = _made(built)
    counts = built.counts
    count = counted(len(built.results), "target")
    if counts is None:
        lines.append(f"{count} up to date ({seconds:.2f} s)")
        return lines
    return [*lines, *worked(count, counts, built.traffic, seconds)]


def worked(what: str, counts: Counts, traffic: tuple[int, int], seconds: float) -> list[str]:
    """Say how much work something was.

    Args:
        what: what was made: ``2 targets``.
        counts: how many actions ended how.
        traffic: bytes that went to the shared cache and the engine, and came from them.
        seconds: how long it took.
    """
    parts = [f"{counts.same} up to date", counted(counts.cached, "disk hit")]
    if counts.shared or any(traffic):
        parts.append(counted(counts.shared, "remote hit"))
    if counts.remote:
        parts.append(f"{counts.remote} run remotely")
    parts.append(f"{counts.ran} run locally")
    if counts.failed:
        parts.append(f"{counts.failed} failed")
    if counts.skipped:
        parts.append(f"{counts.skipped} skipped")
    if counts.fetched:
        parts.append(f"{counted(counts.fetched, 'deb')} fetched ({size_text(counts.fetched_bytes)})")
    saved = f"; the cache saved {counts.saved / 1000:.2f} s" if counts.cached or counts.shared else ""
    lines = [f"{what}, {counted(counts.total, 'action')}: {', '.join(parts)} ({seconds:.2f} s{saved})"]
    if any(traffic):
        sent, received = map(size_text, traffic)
        where = "shared cache and engine" if counts.remote else "shared cache"
        lines.append(f"{where}: {received} received, {sent} sent")
    return lines


def _made(built: Built) -> list[str]:
    """Give a line for each output; of many targets the images only."""
    few = len(built.results) <= _FEW
    lines = []
    for result in built.results:
        if few or result.digest:
            digest = f" {result.digest}" if result.digest else ""
            places = [f"distroless-out/{path}" for path in result.paths] or [result.label] * bool(digest)
            size = f" ({size_text(result.size)})" if len(places) == 1 else ""
            lines += [f"  {place}{digest}{size}" for place in places]
    return [*lines[:_LINES], f"  and {len(lines) - _LINES} more"] if len(lines) > _LINES else lines


def _archive(text: str) -> tuple[str, str]:
    kind, equals, file = text.partition("=")
    if kind not in _KINDS or not equals or not file:
        raise RequestError(f'read --output "{text}"', f"expected {' or '.join(f'{kind}=FILE' for kind in _KINDS)}")
    return kind, file


def _write_archive(folder: Path, built: Built, kind: str, file: str) -> None:
    from distroless_rules.oci import archive

    images = [result for result in built.results if result.digest]
    if len(images) != 1:
        cause = f"{len(images)} images were built, and the file holds one" if images else "no image was built"
        raise RequestError(f"write {kind}={file}", cause)
    name = images[0].label.removeprefix("//").replace(":", "/").strip("/").lower()
    try:
        if kind == "docker-archive":
            archive.write_docker(folder / images[0].paths[0], Path(file), f"{name}:latest")
        else:
            archive.write_oci(folder / images[0].paths[0], Path(file))
    except OSError as error:
        raise BuildError(f"write {kind}={file}", error.strerror or str(error)) from error


def _print_json(folder: Path, built: Built) -> None:
    import json

    rows = [
        {
            "label": result.label,
            "rule": result.rule,
            "paths": [str(folder / path) for path in result.paths],
            "digest": result.digest or None,
            "size": result.size,
        }
        for result in built.results
    ]
    click.echo(json.dumps(rows, indent=2))
