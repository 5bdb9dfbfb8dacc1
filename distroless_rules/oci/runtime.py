"""Running an image: a layout and what a person asks for in, the program's exit status out.

podman, crun and runc are tried in this order: one that is there may still not be able to start a container here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from distroless_rules.errors import RequestError, RuntimeMissingError, StorageError, did_you_mean
from distroless_rules.oci import bundle as bundles
from distroless_rules.oci import layout
from distroless_rules.oci.bundle import Bundle, Options
from distroless_rules.oci.orphans import adopted
from distroless_rules.oci.runtime_commands import MAX_STATE, RUNTIMES, Command, find
from distroless_rules.oci.supervise import started, supervise
from distroless_rules.values.platform import HOST

__all__ = ["run"]

_DOING = "start the image"
_HINT = "install one: apt install crun"
_PREFIX = "distroless-"
_REMOVAL = 30  # seconds that a runtime may take to forget a container


def run(
    folder: Path,
    arguments: list[str],
    *,
    runtime: str | None,
    env: Mapping[str, str],
    volumes: list[str],
    network: str,
    user: str | None,
    read_only: bool,
    entrypoint: str = "",
    warn: Callable[[str], None],
) -> int:
    """Run the image of a layout; its standard streams are this process's.

    Args:
        folder: the layout.
        arguments: what takes the place of the image's cmd, if there is anything.
        runtime: ``podman``, ``crun`` or ``runc``; None: the first one that works here.
        env: variables besides the image's.
        volumes: ``HOST:CONTAINER[:ro]``.
        network: ``host`` or ``none``.
        user: who runs it, in place of the image's user; None: as the image says.
        read_only: whether the root file system cannot be written to.
        entrypoint: the program in place of the image's, whose cmd does not count then; ``""``: as the image says.
        warn: tells a person something.

    Returns:
        The program's exit status; 128 and the signal's number if a signal ended it.

    Raises:
        RequestError: if the image does not have the program or user, or a volume is not there.
        RuntimeMissingError: if no runtime can start it.
        FormatError: if the layout or a layer is damaged.
        StorageError: if there is no room to unpack it.
    """
    present = _present(runtime)
    options = Options(
        arguments=tuple(arguments),
        env=env,
        volumes=tuple(bundles.volume(text) for text in volumes),
        network=network,
        user=user,
        read_only=read_only,
        entrypoint=entrypoint,
        terminal=os.isatty(0) and os.isatty(1),
    )
    image = layout.read(folder)
    if image.config.platform != HOST:
        warn(f"the image is for {image.config.platform}, and this machine is {HOST}")
    with _room() as (room, state):
        return _first(bundles.prepare(image, room, options), state, present, warn)


def _present(wanted: str | None) -> dict[str, str]:
    """Give the runtimes to try with their paths, in order."""
    if wanted is not None and wanted not in RUNTIMES:
        hint = did_you_mean(wanted, RUNTIMES) or f"expected {', '.join(RUNTIMES)}"
        raise RequestError(f'use runtime "{wanted}"', "it is not known", hint=hint)
    names = list(RUNTIMES) if wanted is None else [wanted]
    found = {name: path for name in names if (path := find(name))}
    if not found:
        cause = f"{wanted} is not installed" if wanted else "none of podman, crun and runc is installed"
        raise RuntimeMissingError(_DOING, cause, hint=f"apt install {wanted}" if wanted else _HINT)
    return found


@contextmanager
def _room() -> Iterator[tuple[Path, Path]]:
    """Give a folder for the image, and one with a short path for what a runtime notes down.

    /tmp may be in memory, and an image large.
    """
    chosen = os.environ.get("TMPDIR", "")
    with _folder([chosen, "/var/tmp", "/tmp"]) as room:  # noqa: S108 - what is made there is private
        short = [chosen, "/tmp"] if len(chosen) + len(_PREFIX) + 9 <= MAX_STATE else ["/tmp"]  # noqa: S108 - as above
        with _folder(short) as state:
            yield room, state


@contextmanager
def _folder(places: list[str]) -> Iterator[Path]:
    place = next((place for place in places if place and os.access(place, os.W_OK)), None)
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    except OSError as error:
        raise StorageError("unpack the image", error.strerror or str(error), hint="set TMPDIR") from error
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a run's folder, in which a program or image may have made folders that cannot be written to."""
    if os.geteuid() != 0:
        for path, _, _ in os.walk(folder):
            os.chmod(path, 0o700)
    shutil.rmtree(folder)


def _first(bundle: Bundle, state: Path, present: Mapping[str, str], warn: Callable[[str], None]) -> int:
    """Start the container by the first runtime that can."""
    left = list(present)
    for name, program in present.items():
        left.remove(name)
        following = f"; trying {left[0]}" if left else ""
        try:
            command = RUNTIMES[name](program, bundle, state)
        except RuntimeMissingError as error:
            if not left:
                raise
            warn(f"{error.cause}{following}")
            continue
        if command.note:
            warn(command.note)
        status = _attempt(command)
        if status is not None:
            return status
        if left:
            warn(f"{name} cannot start the container here{following}")
    raise RuntimeMissingError(_DOING, f"{' and '.join(present)} could not, as said above")


def _attempt(command: Command) -> int | None:
    """Give the program's exit status, None if it was never started."""
    command.pid_file.unlink(missing_ok=True)
    env = {**os.environ, **command.env}
    with adopted(command.idle) as reap:
        try:
            status = supervise(command.run, env, command.pid_file, reap)
            return status if started(command.pid_file) else None
        finally:
            _forget(command, env)


def _forget(command: Command, env: Mapping[str, str]) -> None:
    """See that nothing of the container is left, however it ended."""
    quiet = subprocess.DEVNULL
    subprocess.run(command.remove, env=env, check=False, timeout=_REMOVAL, stdin=quiet, stdout=quiet, stderr=quiet)
