"""What several verbs share: options, the workspace one stands in, messages."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from distroless_rules.errors import RequestError

if TYPE_CHECKING:
    from distroless_rules.project import Project
    from distroless_rules.values.request import Request

__all__ = ["build_options", "note", "open_here", "request", "workspace_options"]

F = TypeVar("F", bound=Callable[..., Any])


def note(message: str) -> None:
    """Say something to the person, on standard error."""
    click.echo(message, err=True)


def workspace_options(function: F) -> F:
    """Add the options of every verb that works in a workspace."""
    cache = click.option(
        "--cache-dir",
        "--cache_dir",
        default="",
        metavar="FOLDER",
        help="The cache; else $DISTROLESS_CACHE, else the user's.",
    )
    debug = click.option("--debug", is_flag=True, expose_value=False, help="Show where in this program an error arose.")
    return cache(debug(function))


def request_options(function: F) -> F:
    """Add the options that say what targets are built for."""
    platform = click.option(
        "--platform", default="", metavar="OS/ARCH", help="What to build for: linux/arm64, or a platform's label."
    )
    define = click.option(
        "--define", multiple=True, metavar="KEY=VALUE", help="A value that config_setting can ask for."
    )
    return platform(define(function))


def build_options(function: F) -> F:
    """Add the options of every verb that builds."""
    jobs = click.option(
        "-j",
        "--jobs",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Threads; 0, the default: one for each core.",
    )
    going = click.option(
        "-k", "--keep_going", "--keep-going", is_flag=True, help="After a failure, go on with what does not need it."
    )
    locked = click.option(
        "--locked", is_flag=True, help="Fail if distroless.lock is missing or stale; never change it."
    )
    return workspace_options(request_options(jobs(going(locked(function)))))


def open_here(cache: str, status: Callable[[str], None] = note) -> Project:
    """Open the workspace that the working folder is in.

    Raises:
        ConfigError: if there is none, or its settings are wrong.
    """
    from distroless_rules.project import open_project

    return open_project(_here(), cache, status)


def request(project: Project, patterns: tuple[str, ...], platform: str, define: tuple[str, ...]) -> Request:
    """Read what is asked for, relative to the folder that the user stands in.

    Raises:
        LabelError: for a pattern that is not well formed.
        RequestError: for a definition that is not.
    """
    from distroless_rules.values.label import Pattern
    from distroless_rules.values.request import Request

    values = {}
    for text in define:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise RequestError(f'read --define "{text}"', "expected KEY=VALUE")
        values[key] = value
    wanted = tuple(Pattern.parse(pattern, package=project.folder) for pattern in patterns)
    return Request(wanted, platform, values)


def _here() -> Path:
    """Give the working folder as the user sees it, links kept; so that messages name what was typed."""
    logical = os.environ.get("PWD", "")
    actual = Path.cwd()
    if logical and Path(logical).is_absolute() and Path(logical).exists() and Path(logical).samefile(actual):
        return Path(logical)
    return actual


def on_terminal() -> bool:
    """Say whether standard error is a terminal that can show a live display."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
