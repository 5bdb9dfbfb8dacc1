"""What a rule asks of an image's file tree: JSON parameters in, frozen values out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from distroless_rules.deb.effects.accounts import MAX_ID
from distroless_rules.errors import AnalysisError, FormatError
from distroless_rules.values.path import clean

__all__ = ["FileSpec", "GroupSpec", "Options", "UserSpec"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A path that the user declares.

    Attributes:
        path: where in the image; of a tree the folder that it is laid out in.
        kind: ``file``, ``dir``, ``symlink`` or ``tree``.
        mode: permission bits, or None: by what it is.
        owner: ``user:group``, names or numbers.
        input: the name of the input with the bytes, or ``""``.
        target: of a link its text.
        label: the target that declares it.
    """

    path: str
    kind: str
    mode: int | None
    owner: str
    input: str
    target: str
    label: str


@dataclass(frozen=True, slots=True)
class UserSpec:
    """A user that the image declares.

    Attributes:
        name: the login name.
        uid: the number, or None: the one that ``docs/effects.md`` fixes for the name.
        gid: the number of the primary group, None: that of the group of the same name, or of a new one.
        home: the home folder, ``""``: ``/home/<name>``.
        shell: the login shell, ``""``: none.
        gecos: the comment field.
        groups: names of further groups.
        label: the target that declares it.
    """

    name: str
    uid: int | None
    gid: int | None = None
    home: str = ""
    shell: str = ""
    gecos: str = ""
    groups: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """A group that the image declares: name, number (or None, as of users) and members."""

    name: str
    gid: int | None
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that the rule says about the file tree; the parameters of the tool ``Compose``.

    Attributes:
        layers: names of debs, a tuple for each layer, in order.
        platform: ``linux/amd64``.
        files: what the user declares.
        users: the users that the image declares.
        groups: the groups that the image declares.
        defaults: whether root and nonroot (65532) are added.
        user: the user of the image's config, ``""`` when it has none.
        os_release: fields to change in os-release; None leaves it as Debian's.
        exclude: patterns of paths that are not taken from debs.
        excluded: debs that the image must not have.
        barred: those of them that the build stage has, and that a library may else be taken from.
        keep: patterns of paths that no prune rule drops, and whose setuid and setgid bits stay.
        kept: debs whose dependencies, and on which dependencies, are not cut.
        offered: debs that are taken if a library of theirs is needed.
        accept: debs whose unmodelled scripts are accepted.
        timezone: the zone of ``/etc/localtime``, None: UTC when there are zones.
        ca_bundle: names of inputs with further certificates.
        locales: languages whose message catalogues stay.
        cut: (deb, dependency, reason) to pass on into the report.
        libraries: further debs, which join the last layer (of an image with no layer of debs the system's), with the
            reason of each for the report.
    """

    layers: tuple[tuple[str, ...], ...] = ()
    platform: str = "linux/amd64"
    files: tuple[FileSpec, ...] = ()
    users: tuple[UserSpec, ...] = ()
    groups: tuple[GroupSpec, ...] = ()
    defaults: bool = True
    user: str = ""
    os_release: Mapping[str, str] | None = None
    exclude: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
    timezone: str | None = None
    ca_bundle: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()
    cut: tuple[tuple[str, str, str], ...] = ()
    libraries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @staticmethod
    def parse(parameters: Mapping[str, Any]) -> Options:
        """Read the tool's parameters; what is missing has its default.

        Raises:
            AnalysisError: for a path, mode, name or number that cannot be.
        """
        get = parameters.get
        return Options(
            layers=tuple(tuple(group) for group in get("layers", ())),
            platform=get("platform") or "linux/amd64",
            files=tuple(_file(row) for row in get("files", ())),
            users=tuple(_user(row) for row in get("users", ())),
            groups=tuple(
                GroupSpec(_name(row["name"]), _id(row.get("gid")), tuple(row.get("members", ())))
                for row in get("groups", ())
            ),
            defaults=get("defaults", True),
            user=get("user") or "",
            os_release=get("os_release"),
            exclude=tuple(get("exclude", ())),
            excluded=tuple(get("excluded", ())),
            barred=tuple(get("barred", ())),
            keep=tuple(get("keep", ())),
            kept=tuple(get("kept", ())),
            offered=tuple(row["deb"] for row in get("offers", ())),
            accept=tuple(get("accept", ())),
            timezone=_zone(get("timezone")),
            ca_bundle=tuple(get("ca_bundle", ())),
            locales=tuple(get("locales", ())),
            cut=tuple((deb, dependency, reason) for deb, dependency, reason in get("cut", ())),
        )


def _file(row: Mapping[str, Any]) -> FileSpec:
    label = row.get("label", "")
    path = _path(row["path"], f"add a path of {label}")
    kind, mode, target = row.get("kind", "file"), row.get("mode"), row.get("target") or ""
    doing = f'add "/{path}" of {label}'
    if kind not in ("file", "dir", "symlink", "tree"):
        raise AnalysisError(doing, f'"{kind}" is no kind of file', hint="expected file, dir, symlink or tree")
    if not path and kind != "tree":
        raise AnalysisError(doing, "it names the root folder")
    if kind == "symlink" and not target:
        raise AnalysisError(doing, "the link has no target")
    if mode is not None and not re.fullmatch(r"0?[0-7]{3,4}", mode):
        raise AnalysisError(
            doing, f'mode "{mode}" is not three or four octal digits', hint='expected for example "0644"'
        )
    bits = None if mode is None else int(mode, 8)
    return FileSpec(path, kind, bits, row.get("owner") or "0:0", row.get("input") or "", target, label)


def _zone(name: str | None) -> str | None:
    return _path(name, f'set the time zone "{name}"') if name else None


def _path(text: str, doing: str) -> str:
    try:
        return clean(text, what=doing)
    except FormatError as error:
        raise AnalysisError(doing, error.cause) from error


def _user(row: Mapping[str, Any]) -> UserSpec:
    return UserSpec(
        name=_name(row["name"]),
        uid=_id(row.get("uid")),
        gid=_id(row.get("gid")),
        home=_home(row.get("home")),
        shell=_field(row.get("shell")),
        gecos=_field(row.get("gecos")),
        groups=tuple(row.get("groups", ())),
        label=row.get("label", ""),
    )


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        hint = "expected a letter or underscore, then at most 31 letters, digits, dots, dashes and underscores"
        raise AnalysisError(f'add user or group "{name}"', "the name is not well formed", hint=hint)
    return name


def _home(text: str | None) -> str:
    if text and not text.startswith("/"):
        raise AnalysisError(f'use the home folder "{text}"', "it is not an absolute path")
    return _field(text)


def _field(text: str | None) -> str:
    if text and (":" in text or "\n" in text):
        raise AnalysisError(f"add a user with {json.dumps(text)}", "fields of passwd(5) hold no colon or line break")
    return text or ""


def _id(number: int | str | None) -> int | None:
    if number is None or number == "":
        return None
    if not str(number).isdecimal() or int(number) > MAX_ID:
        raise AnalysisError(f'use the user or group number "{number}"', f"it is not between 0 and {MAX_ID}")
    return int(number)
