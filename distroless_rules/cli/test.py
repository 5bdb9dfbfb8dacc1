"""``distroless test``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from distroless_rules.cli.build import Patterns, unmarked, worked
from distroless_rules.cli.common import Flags, counted, note, open_here, print_messages, told_options
from distroless_rules.cli.telling import Telling
from distroless_rules.errors import BuildError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distroless_rules.testing import Tested, Tests

__all__ = ["command"]

_WIDTH = 60
_SHOWN = 200  # lines of a log


@click.command(cls=Patterns)
@click.argument("patterns", nargs=-1, required=True, callback=unmarked)
@click.option(
    "--test-output",
    "show",
    type=click.Choice(["summary", "errors", "all"]),
    default="errors",
    help="Whose output is shown: nobody's, that of tests that fail (the default), or everybody's.",
)
@click.option(
    "--runs-per-test", "runs", type=click.IntRange(1, 10000), default=1, metavar="N", help="Run each N times."
)
@click.option(
    "--test-timeout", "seconds", type=click.IntRange(min=1), metavar="SECONDS", help="In place of what tests say."
)
@click.option("--test-arg", "arguments", multiple=True, metavar="ARGUMENT", help="A further argument of every test.")
@click.option("--test-env", "variables", multiple=True, metavar="NAME=VALUE", help="A variable that every test sees.")
@click.option(
    "--cache-test-results/--no-cache-test-results", "cached", default=True, help="Whether a known result is taken."
)
@click.option("--junit", metavar="FILE", help="Write the results as JUnit XML too.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@told_options
def command(
    flags: Flags,
    patterns: tuple[str, ...],
    show: str,
    runs: int,
    seconds: int | None,
    arguments: tuple[str, ...],
    variables: tuple[str, ...],
    cached: bool,
    junit: str | None,
    as_json: bool,
) -> int:
    """Run tests, each in a sandbox; logs appear under distroless-out/<package>/<name>.test.log.

    PATTERNS are labels or patterns as for build; of what they match, tests run, and nothing else is built. The exit
    status is 0 if all pass and 1 if one does not.
    """
    from distroless_rules.cli.progress import Progress
    from distroless_rules.testing import How, test

    environment = dict(_variable(text) for text in variables)
    how = How(runs, not cached, seconds or 0, arguments, environment)
    begun = time.monotonic()
    with Telling(flags, "test", patterns) as telling:
        with Progress() as progress:
            project = open_here(flags, progress)
            request = flags.request(project, patterns)
            tests = test(project, request, flags.build, how, telling.listening(progress.listen))
        telling.tested(tests)
    print_messages(tests.messages)
    for line in (*tests.warnings, *_worked(tests, time.monotonic() - begun)):
        note(line)
    for failure in tests.failures:
        note(f"distroless: {failure}")
    for line in _lines(tests, runs, show, project.outputs):
        click.echo(line, err=as_json)
    if junit:
        _write_junit(Path(junit), tests)
    if as_json:
        _print_json(tests)
    return 0 if tests.passed else 1


def _worked(tests: Tests, seconds: float) -> list[str]:
    """Say how much work it was, and what of it a cache saved."""
    labels = {each.label for each in tests.tested}
    return worked(counted(len(labels), "test"), tests.counts, tests.traffic, seconds)


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise RequestError(f'read --test-env "{text}"', "expected NAME=VALUE")
    return name, value


def _lines(tests: Tests, runs: int, show: str, folder: Path) -> Iterator[str]:
    """Write what was printed, then a line for each run and one for all."""
    for each in tests.tested:
        wanted = show == "all" or (show == "errors" and each.verdict.value in ("FAILED", "TIMEOUT"))
        if wanted and each.log is not None:
            yield f"==== {_title(each, runs)} printed:"
            yield from _log(each.log)
    for each in tests.tested:
        known = "(cached) " if each.cached else ""
        time = f" in {each.milliseconds / 1000:.1f} s" if each.log is not None else ""
        yield f"{_title(each, runs):<{_WIDTH}} {known}{each.verdict.value}{time}"
        if each.cause:
            yield f"  {each.cause.replace(chr(10), chr(10) + '  ')}"
            yield f"  {folder.name}/{each.log.relative_to(folder) if each.log else ''}"
    passed = sum(each.verdict.value == "PASSED" for each in tests.tested)
    failed = len(tests.tested) - passed
    what = counted(len(tests.tested), "test" if runs == 1 else "run")
    yield f"{what}: {passed} passed" + (f", {failed} not" if failed else "")


def _title(each: Tested, runs: int) -> str:
    return f"{each.label} (run {each.run} of {runs})" if runs > 1 else each.label


def _log(path: Path) -> list[str]:
    text = "".join(
        letter if letter.isprintable() or letter in "\n\t" else "�" for letter in path.read_text("utf-8", "replace")
    )
    lines = text.removesuffix("\n").split("\n")
    if len(lines) <= _SHOWN:
        return lines
    return [f"[... {len(lines) - _SHOWN} lines are left out; all are in {path}]", *lines[-_SHOWN:]]


def _write_junit(path: Path, tests: Tests) -> None:
    from distroless_rules.cli.junit import document

    try:
        path.write_bytes(document(tests.tested))
    except OSError as error:
        raise BuildError(f'write "{path}"', error.strerror or str(error)) from error


def _print_json(tests: Tests) -> None:
    import json

    rows = [
        {
            "label": each.label,
            "run": each.run,
            "verdict": each.verdict.value,
            "cached": each.cached,
            "milliseconds": each.milliseconds,
            "cause": each.cause or None,
            "log": str(each.log) if each.log else None,
        }
        for each in tests.tested
    ]
    click.echo(json.dumps(rows, indent=2))
