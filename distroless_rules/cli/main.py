"""``distroless``: words become a request; errors are printed here, once, and become the exit status."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import Any

import click

from distroless_rules import __version__
from distroless_rules.cli.interruption import interruptible
from distroless_rules.errors import DistrolessError, did_you_mean

__all__ = ["command", "main"]

_VERBS = {
    "init": "Write distroless.toml and a first BUILD file here.",
    "build": "Build targets; outputs appear under distroless-out/.",
    "run": "Build an image and start it in podman, crun or runc.",
    "test": "Build tests and run them.",
    "lock": "Fix the version of every deb that BUILD files name.",
    "query": "Ask what targets there are and what they need.",
    "plan": "Show the stages of an image and what is cached of them.",
    "why": "Show how a file or deb came into an image.",
    "explain": "Show why a digest is not that of the build before.",
    "verify": "Make targets again without any cache and compare.",
    "log": "Show what builds did, and why they did it.",
    "inspect": "Show what is in an image.",
    "diff": "Show what two images differ in.",
    "sbom": "Account for everything in an image: SPDX or CycloneDX.",
    "analyze": "Show what a fat image consists of, and make it distroless.",
    "check": "Hold images to the hardening policy.",
    "docs": "Describe rules, macros and providers as Markdown.",
    "lint": "Look at BUILD and .bzl files without evaluating them.",
    "cache": "Look after the cache.",
    "key": "Make the keys by which shared results are signed.",
}


class _Verbs(click.Group):
    """Verbs whose modules are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"distroless_rules.cli.{cmd_name}")
        found: click.Command = module.command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in _VERBS:
            hint = did_you_mean(args[0], _VERBS)
            raise click.UsageError(f'there is no verb "{args[0]}"{f"; {hint}" if hint else ""}', ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(_VERBS.items()))


def _dashed(token: str) -> str:
    """Let ``--keep_going``, as Bazel writes it, mean ``--keep-going``."""
    return token.replace("_", "-")


@click.command(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": _dashed},
    subcommand_metavar="VERB [ARGUMENTS]...",
    epilog='Completion in bash: eval "$(_DISTROLESS_COMPLETE=bash_source distroless)"',
)
@click.version_option(__version__, prog_name="distroless", message="%(prog)s %(version)s")
def command() -> None:
    """Build distroless container images from BUILD files.

    Labels and patterns (//app:image, :image, //...) are relative to the folder you stand in.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the build failed, 2 the request was wrong, 3 interrupted or internal."""
    gc.set_threshold(200_000)  # what a build makes it keeps to its end: looking for garbage costs 5 % of its time
    if arguments is None:
        _in_utf8()
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words or bool(os.environ.get("DISTROLESS_DEBUG"))
    try:
        with interruptible():
            status = command.main(_before_dashes(words), "distroless", standalone_mode=False)
    except BaseException as error:
        if debug and not isinstance(error, SystemExit | click.ClickException | click.exceptions.Exit):
            raise
        status = _report(error)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status if isinstance(status, int) else 0)


def _in_utf8() -> None:
    """Begin again in UTF-8 mode (PEP 540) where the locale has another encoding: paths of debs are UTF-8."""
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - ourselves


def _before_dashes(words: list[str]) -> list[str]:
    """Drop ``--debug``, which belongs to no verb; words after ``--`` are not ours."""
    end = words.index("--") if "--" in words else len(words)
    return [word for word in words[:end] if word != "--debug"] + words[end:]


def _report(error: BaseException) -> Any:
    """Print an error and give its exit status."""
    if isinstance(error, DistrolessError):
        click.echo(f"distroless: {error}", err=True)
        return error.status
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.UsageError):
        error.show()
        return 2
    if isinstance(error, click.ClickException):
        error.show()
        return 2
    if isinstance(error, KeyboardInterrupt | click.Abort):
        click.echo("distroless: interrupted", err=True)
        return 3
    if isinstance(error, SystemExit):
        return error.code
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    import traceback

    place = traceback.extract_tb(error.__traceback__)[-1]
    click.echo(
        f"distroless: internal error: {type(error).__name__}: {error} ({place.filename}:{place.lineno}); "
        "this is a fault of distroless itself; --debug shows where",
        err=True,
    )
    return 3
