"""What several verbs share: options, the workspace one stands in, a build of it, messages."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from distroless_rules.errors import RequestError

if TYPE_CHECKING:
    from distroless_rules.build import Built, Options
    from distroless_rules.cli.progress import Progress
    from distroless_rules.cli.telling import Telling
    from distroless_rules.project import Project
    from distroless_rules.values.remote_cache import RemoteOptions
    from distroless_rules.values.remote_execution import ExecutionOptions
    from distroless_rules.values.request import Request

__all__ = [
    "Flags",
    "build_here",
    "build_options",
    "counted",
    "images",
    "note",
    "open_here",
    "options",
    "print_messages",
    "told",
    "told_options",
]

T = TypeVar("T")


def note(message: str) -> None:
    """Say something to the person, on standard error."""
    click.echo(message, err=True)


@dataclass(frozen=True, slots=True)
class Flags:
    """What the options that verbs share were given; see the help texts below."""

    platform: str = ""
    define: tuple[str, ...] = ()
    jobs: int = 0
    keep_going: bool = False
    locked: bool = False
    sandbox_debug: bool = False
    cache_dir: str = ""
    remote_cache: str | None = None
    remote_upload: bool | None = None
    remote_accept: bool | None = None
    remote_required: bool | None = None
    remote_header: tuple[str, ...] = ()
    signing_key: Path | None = None
    remote_executor: str | None = None
    strategy: tuple[str, ...] = ()
    profile: str = ""
    events: str = ""
    minimal: bool = False

    def request(self, project: Project, patterns: Iterable[str]) -> Request:
        """Read what is asked for, relative to the folder that the user stands in.

        Raises:
            LabelError: for a pattern that is not well formed.
            RequestError: for a definition that is not.
        """
        from distroless_rules.values.label import Pattern
        from distroless_rules.values.request import Request

        values = {}
        for text in self.define:
            key, equals, value = text.partition("=")
            if not equals or not key:
                raise RequestError(f'read --define "{text}"', "expected KEY=VALUE")
            values[key] = value
        wanted = tuple(Pattern.parse(pattern, package=project.folder) for pattern in patterns)
        return Request(wanted, self.platform, values)

    def request_one(self, project: Project, target: str, doing: str) -> Request:
        """Read what is asked for where it must be one target.

        Args:
            project: the workspace.
            target: what the user wrote.
            doing: what is done with it, for the message: ``inspect "//app:image"``.

        Raises:
            LabelError: if it is not well formed.
            RequestError: if it is a pattern of several.
        """
        request = self.request(project, [target])
        if not request.patterns[0].name or request.patterns[0].negative:
            raise RequestError(doing, "it is not the label of one target")
        return request

    @property
    def build(self) -> Options:
        """How to build."""
        from distroless_rules.build import Options

        return Options(self.jobs, self.keep_going, self.locked, self.sandbox_debug, self.minimal)

    @property
    def execution(self) -> ExecutionOptions:
        """What is said about an engine."""
        from distroless_rules.values.remote_execution import ExecutionOptions

        return ExecutionOptions(self.remote_executor, self.strategy)

    @property
    def remote(self) -> RemoteOptions:
        """What is said about a shared cache."""
        from distroless_rules.values.remote_cache import RemoteOptions

        return RemoteOptions(
            self.remote_cache,
            self.remote_upload,
            self.remote_accept,
            self.remote_required,
            self.remote_header,
            self.signing_key.absolute() if self.signing_key is not None else None,
        )


_OPTIONS = {
    "platform": click.option(
        "--platform", default="", metavar="OS/ARCH", help="What to build for: linux/arm64, or a platform's label."
    ),
    "define": click.option(
        "--define", multiple=True, metavar="KEY=VALUE", help="A value that config_setting can ask for."
    ),
    "jobs": click.option(
        "-j",
        "--jobs",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Threads; 0, the default: one for each core.",
    ),
    "keep_going": click.option(
        "-k", "--keep-going", is_flag=True, help="After a failure, go on with what does not need it."
    ),
    "locked": click.option(
        "--locked", is_flag=True, help="Fail if distroless.lock is missing or stale; never change it."
    ),
    "sandbox_debug": click.option(
        "--sandbox-debug", is_flag=True, help="Keep the sandbox of an action that fails, and say how to enter it."
    ),
    "remote_cache": click.option(
        "--remote-cache",
        metavar="ADDRESS",
        help="A cache that others share: grpc[s]://HOST:PORT/INSTANCE, http[s]://HOST/PATH, oci://HOST/REPOSITORY or a "
        "folder; '' for none.",
    ),
    "remote_upload": click.option(
        "--remote-upload/--noremote-upload", default=None, help="Whether to send what is made here to it."
    ),
    "remote_accept": click.option(
        "--remote-accept/--noremote-accept", default=None, help="Whether to use what it holds; it is, by default."
    ),
    "remote_required": click.option(
        "--remote-required/--noremote-required", default=None, help="Whether to fail if it does not answer."
    ),
    "remote_header": click.option(
        "--remote-header", multiple=True, metavar="NAME=VALUE", help="A header to send to it with each request."
    ),
    "signing_key": click.option(
        "--signing-key",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The key that signs what is sent to it; see `distroless key`.",
    ),
    "remote_executor": click.option(
        "--remote-executor",
        metavar="ADDRESS",
        help="An engine that runs commands: grpc[s]://HOST:PORT/INSTANCE, or '' for none.",
    ),
    "strategy": click.option(
        "--strategy",
        multiple=True,
        metavar="[KIND=]WHERE",
        help="Where commands run: local, remote, or dynamic for both; of a KIND such as CcCompile, or all.",
    ),
    "profile": click.option(
        "--profile",
        default="",
        metavar="FILE",
        help="Write a trace of the build to FILE, which chrome://tracing and Perfetto draw.",
    ),
    "events": click.option(
        "--build-event-json-file",
        "events",
        default="",
        metavar="FILE",
        help="Write what happens to FILE, a line of JSON each, as Bazel's build events.",
    ),
    "minimal": click.option(
        "--remote-download-minimal",
        "minimal",
        is_flag=True,
        help="Learn the digests and bring nothing: distroless-out/ stays as it is.",
    ),
    "cache_dir": click.option(
        "--cache-dir", default="", metavar="FOLDER", help="The cache; else $DISTROLESS_CACHE, else the user's."
    ),
}
_debug = click.option("--debug", is_flag=True, expose_value=False, help="Show where in this program an error arose.")


def options(*names: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Give a verb shared options, by the names that ``Flags`` has for them; ``--cache-dir`` and ``--debug`` always.

    The verb's function takes their values as one ``Flags``, its first argument.
    """
    shared = (*names, "cache_dir")

    def decorate(function: Callable[..., T]) -> Callable[..., T]:
        @functools.wraps(function)
        def verb(**given: Any) -> T:
            flags = Flags(**{name: given.pop(name) for name in shared})
            return function(flags, **given)

        added = _debug(verb)
        for name in reversed(shared):
            added = _OPTIONS[name](added)
        return added

    return decorate


remote_options = (
    "remote_cache",
    "remote_upload",
    "remote_accept",
    "remote_required",
    "remote_header",
    "signing_key",
)
execution_options = ("remote_executor", "strategy")
build_options = options(
    "platform", "define", "jobs", "keep_going", "locked", "sandbox_debug", *remote_options, *execution_options
)
"""The options of every verb that builds."""

told = (
    *("platform", "define", "jobs", "keep_going", "locked", "sandbox_debug"),
    *(*remote_options, *execution_options, "profile", "events"),
)
told_options = options(*told)
"""The same, with those that say what other programs are told (see ``cli.telling``)."""


def open_here(flags: Flags, progress: Progress | None = None) -> Project:
    """Open the workspace that the working folder is in; ``progress`` shows what is done with it.

    Raises:
        ConfigError: if there is none, or its settings are wrong.
    """
    from distroless_rules.project import open_project

    if progress is None:
        return open_project(_here(), flags.cache_dir, note, remote=flags.remote, execution=flags.execution)
    return open_project(_here(), flags.cache_dir, progress.status, progress.received, flags.remote, flags.execution)


def build_here(flags: Flags, patterns: Iterable[str], telling: Telling | None = None) -> tuple[Project, Built]:
    """Build targets of the workspace that the working folder is in, and print what BUILD files print.

    Args:
        flags: how.
        patterns: what.
        telling: tells other programs.

    Raises:
        DistrolessError: whatever keeps them from being built.
    """
    from distroless_rules.build import build
    from distroless_rules.cli.progress import Progress

    with Progress() as progress:
        project = open_here(flags, progress)
        listener = telling.listening(progress.listen) if telling else progress.listen
        built = build(project, flags.request(project, patterns), flags.build, listener)
    if telling:
        telling.built(built, project.outputs)
    print_messages(built.messages)
    return project, built


def images(project: Project, built: Built, doing: str) -> list[tuple[str, Path]]:
    """Give the label and folder of each image that was built.

    Args:
        project: the workspace.
        built: a build of it.
        doing: what cannot be done without one.

    Raises:
        DistrolessError: the failure that kept an image from being built.
        RequestError: if there is none among what was built.
    """
    if built.failures:
        raise built.failures[0]
    found = [(result.label, project.outputs / result.paths[0]) for result in built.results if result.digest]
    if not found:
        raise RequestError(doing, "it is not an image")
    return found


def print_messages(messages: Iterable[str]) -> None:
    """Print what BUILD files printed."""
    for message in messages:
        note(f"DEBUG: {message}")


def counted(count: int, noun: str) -> str:
    """Write how many there are of something: ``1 deb``, ``2 debs``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _here() -> Path:
    """Give the working folder as the user sees it, links kept, so that messages name what was typed. Source: pwd(1)."""
    logical = os.environ.get("PWD", "")
    actual = Path.cwd()
    plain = Path(logical).is_absolute() and ".." not in Path(logical).parts
    return Path(logical) if plain and Path(logical).exists() and Path(logical).samefile(actual) else actual
