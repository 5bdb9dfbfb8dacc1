"""Bundles: an image in, what a container runtime starts out - a root file system on disk, and who runs what in it.

What is asked for beats what the image says. Source: OCI image-spec 1.1, config.md and conversion.md; docker-run(1) for
what programs expect to find.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from distroless_rules.errors import FormatError, RequestError, StorageError, did_you_mean
from distroless_rules.oci.config import Config
from distroless_rules.oci.layout import Image
from distroless_rules.oci.unpack import Root, unpack
from distroless_rules.values.path import clean
from distroless_rules.values.tree import Kind

__all__ = ["Bundle", "Mount", "Options", "Process", "prepare", "volume"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MAX_ACCOUNTS = 4 << 20  # bytes of passwd or group
_MAX_ID = (1 << 32) - 2


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder or file of this machine that a container sees.

    Attributes:
        source: its absolute path here.
        target: its absolute path in the container.
        read_only: whether the container may not write to it.
    """

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """How a container is to be started.

    Attributes:
        arguments: what takes the place of the image's cmd, if there is anything.
        env: variables besides the image's.
        volumes: what the container sees of this machine.
        network: ``host`` or ``none``.
        user: who runs it, in place of the image's user; None: as the image says.
        read_only: whether the root file system cannot be written to.
        entrypoint: the program in place of the image's, whose cmd does not count then; ``""``: as the image says.
        terminal: whether the program gets a terminal of its own.
    """

    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Mount, ...] = ()
    network: str = "host"
    user: str | None = None
    read_only: bool = False
    entrypoint: str = ""
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class Process:
    """A container's first process.

    Attributes:
        arguments: the program and its arguments.
        env: all of its environment.
        uid: who runs it.
        gid: that user's group.
        groups: numbers of further groups, sorted.
        folder: the folder that it starts in.
    """

    arguments: tuple[str, ...]
    env: Mapping[str, str]
    uid: int
    gid: int
    groups: tuple[int, ...]
    folder: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a container runtime needs.

    Attributes:
        folder: a folder for the runtime's own files.
        root: the root file system, beneath ``folder``.
        process: what is started.
        mounts: what the container sees of this machine.
        options: as asked for.
    """

    folder: Path
    root: Root
    process: Process
    mounts: tuple[Mount, ...]
    options: Options


def volume(text: str) -> Mount:
    """Read ``HOST:CONTAINER`` or ``HOST:CONTAINER:ro``; a relative HOST is below the current folder.

    Raises:
        RequestError: if it is not well formed, or there is no such file or folder here.
    """
    doing = f'use volume "{text}"'
    source, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if not source or not target.startswith("/") or mode not in ("", "ro", "rw"):
        raise RequestError(doing, "it is not well formed", hint="expected HOST:/CONTAINER or HOST:/CONTAINER:ro")
    try:
        inside = "/" + clean(target, what=doing)
    except FormatError as error:
        raise RequestError(doing, error.cause) from error
    here = os.path.abspath(os.path.expanduser(source))
    if inside == "/":
        raise RequestError(doing, "it would hide the whole image")
    if not os.path.exists(here):
        raise RequestError(doing, f'there is no "{here}"')
    return Mount(here, inside, mode == "ro")


def prepare(image: Image, folder: Path, options: Options) -> Bundle:
    """Unpack an image, and settle what is to be started.

    Args:
        image: the image.
        folder: an empty folder that nobody else can look into.
        options: how the container is to be started.

    Raises:
        RequestError: if the image does not have the program, user or group.
        FormatError: if a layer is damaged, malformed or hostile.
        StorageError: if the folder cannot be written.
    """
    try:
        (folder / "rootfs").mkdir(mode=0o700)
        root = unpack(image, folder / "rootfs")
        root.make_folder(image.config.start.workdir)
        process = _process(image.config, root, options)
        mounts = options.volumes
        if options.read_only:
            mounts += tuple(_writable(image.config, root, {mount.target for mount in mounts}))
    except OSError as error:
        raise StorageError(f'unpack an image to "{folder}"', error.strerror or str(error)) from error
    return Bundle(folder, root, process, mounts, options)


def _writable(config: Config, root: Root, taken: set[str]) -> Iterator[Mount]:
    """Give the image's own volumes, which can be written to even where nothing else can."""
    for target in config.start.volumes:
        if target not in taken:
            real, _ = root.make_folder(target)
            yield Mount(root.path(real), target)


def _process(config: Config, root: Root, options: Options) -> Process:
    start = config.start
    if options.entrypoint:
        arguments = (options.entrypoint, *options.arguments)
    else:
        arguments = start.entrypoint + (options.arguments or start.cmd)
    if not arguments:
        raise RequestError("start the image", "it has no entrypoint and no cmd", hint="give a program after --")
    uid, gid, groups, home = _account(root, start.user if options.user is None else options.user)
    env = {"PATH": _PATH, "HOME": home or "/"} | ({"TERM": "xterm"} if options.terminal else {})
    env |= {**start.env, **options.env}
    # A program may come from a volume, and what is hidden by one does not count.
    if not options.volumes:
        _check_program(root, arguments[0], env["PATH"], start.workdir)
    return Process(arguments, env, uid, gid, groups, start.workdir or "/")


def _check_program(root: Root, program: str, path: str, workdir: str) -> None:
    places = [f"{folder}/{program}" for folder in path.split(":")]
    if "/" in program:
        places = [program if program.startswith("/") else f"{workdir}/{program}"]
    found = [there[1].entry for place in places if (there := root.find(place))]
    if not any(entry.kind is Kind.FILE and entry.mode & 0o111 for entry in found):
        cause = "it is there, and cannot be executed" if found else "the image does not have it"
        raise RequestError(f'start "{program}"', cause)


def _account(root: Root, text: str) -> tuple[int, int, tuple[int, ...], str]:
    """Give uid, gid, further groups and home of ``user[:group]``, names or numbers, as the image knows them.

    A number that the image does not know is taken as it is. Source: docker-run(1) ``--user``.
    """
    user, colon, group = text.partition(":")
    doing = f'run as "{text}"'
    rows = list(_rows(root, "etc/passwd", 6))
    wanted = _number(user or "0", doing)
    known = next((row for row in rows if (row[2] == str(wanted) if wanted is not None else row[0] == user)), None)
    if known is None and wanted is None:
        hint = did_you_mean(user, [row[0] for row in rows])
        raise RequestError(doing, f'the image has no user "{user}"', hint=hint)
    uid, gid, name, home = (wanted, 0, "", "") if known is None else (int(known[2]), int(known[3]), known[0], known[5])
    assert uid is not None
    groups = list(_rows(root, "etc/group", 4))
    if colon:
        return uid, _group(groups, group, doing), (), home
    further = {int(row[2]) for row in groups if name and name in row[3].split(",")}
    return uid, gid, tuple(sorted(further - {gid})), home


def _group(groups: list[list[str]], text: str, doing: str) -> int:
    wanted = _number(text, doing)
    if wanted is not None:
        return wanted
    for row in groups:
        if row[0] == text:
            return int(row[2])
    raise RequestError(doing, f'the image has no group "{text}"', hint=did_you_mean(text, [row[0] for row in groups]))


def _rows(root: Root, path: str, fields: int) -> Iterator[list[str]]:
    """Give the well-formed lines of passwd(5) or group(5), split."""
    for line in root.read(path, _MAX_ACCOUNTS).decode("utf-8", "replace").splitlines():
        row = line.split(":")
        numbers = row[2:4] if fields > 4 else row[2:3]
        if len(row) >= fields and all(_is_number(part) for part in numbers):
            yield row


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MAX_ID


def _number(text: str, doing: str) -> int | None:
    if text.isascii() and text.isdigit() and not _is_number(text):
        raise RequestError(doing, f'"{text}" is no number of a user or group')
    return int(text) if _is_number(text) else None
