"""Small files that postinst scripts of Essential debs copy or write.

Source: postinst of base-files, base-passwd and libc-bin; os-release(5), nsswitch.conf(5), passwd(5), group(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from distroless_rules.deb.effects.accounts import NOLOGIN, Account
from distroless_rules.deb.effects.effect import Change, Effect, Scene, file, link
from distroless_rules.errors import AnalysisError

__all__ = ["ACCOUNTS", "NSSWITCH", "OS_RELEASE"]

_NSSWITCH = (
    b"passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
    b"protocols: files\nservices: files\n"
)
_SPECIAL = re.compile(r"[$`\"\\]")  # os-release(5): escaped within double quotes
_KEY = re.compile(r"[A-Z][A-Z0-9_]*")


def _os_release(scene: Scene) -> Iterator[Change]:
    shipped = "usr/lib/os-release" in scene.tree
    text = scene.base_file("base-files", "usr/lib/os-release")
    if text is not None and (not shipped or scene.options.os_release):
        yield file("usr/lib/os-release", _changed(text, scene.options.os_release or {}), replace=True)
    elif text is None and scene.options.os_release and not shipped:
        yield file("usr/lib/os-release", _changed(b"", scene.options.os_release))
    else:
        return
    if "etc/os-release" not in scene.tree:
        yield link("etc/os-release", "../usr/lib/os-release")
    version = scene.base_file("base-files", "etc/debian_version")
    if version is not None and "etc/debian_version" not in scene.tree:
        yield file("etc/debian_version", version)


def _changed(text: bytes, fields: Mapping[str, str]) -> bytes:
    lines = text.decode().splitlines()
    for key, value in sorted(fields.items()):
        if not _KEY.fullmatch(key):
            raise AnalysisError(f'set "{key}" in os-release', "keys are capital letters, digits and underscores")
        if "\n" in value:
            raise AnalysisError(f'set "{key}" in os-release', "its value has more than one line")
        quoted = _SPECIAL.sub(r"\\\g<0>", value)
        line = f'{key}="{quoted}"'
        at = next((n for n, old in enumerate(lines) if old.startswith(f"{key}=")), len(lines))
        lines[at : at + 1] = [line]
    return "".join(f"{line}\n" for line in lines).encode()


def _nsswitch(scene: Scene) -> Iterator[Change]:
    if "etc/nsswitch.conf" not in scene.tree:
        template = scene.base_file("libc-bin", "usr/share/libc-bin/nsswitch.conf")
        yield file("etc/nsswitch.conf", template or _NSSWITCH)


def _accounts(scene: Scene) -> Iterator[Change]:
    users = "".join(f"{_shelled(scene, a)}\n" for a in sorted(scene.accounts.users.values(), key=lambda a: a.uid))
    groups = "".join(f"{group}\n" for group in sorted(scene.accounts.groups.values(), key=lambda g: g.gid))
    if users:
        yield file("etc/passwd", users.encode())
    if groups:
        yield file("etc/group", groups.encode())


def _shelled(scene: Scene, account: Account) -> Account:
    """Give the account without a shell that is not in the image."""
    there = scene.tree.follow(account.shell.strip("/"))
    return account if there is not None else replace(account, shell=NOLOGIN)


OS_RELEASE = Effect(
    "os-release",
    "/usr/lib/os-release, /etc/os-release and /etc/debian_version are base-files', with the fields that the image "
    "changes; scanners know the distribution by them.",
    _os_release,
)
NSSWITCH = Effect("nsswitch", "/etc/nsswitch.conf is libc-bin's template.", _nsswitch)
ACCOUNTS = Effect(
    "accounts",
    "/etc/passwd and /etc/group hold base-passwd's users and groups, nonroot (65532), those that scripts of the debs "
    "create, with fixed numbers, and those that the image declares; nobody has a password.",
    _accounts,
)
