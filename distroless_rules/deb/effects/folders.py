"""The folders that every program expects, with the modes and owners that they have on a Debian system.

But for two: of an image's folders everybody may write to /tmp alone. What is kept over restarts in /var/tmp, and the
locks of devices in /run/lock, have no meaning in a container.

Source: base-files' entries and postinst; hier(7).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from distroless_rules.deb.effects.effect import Change, Effect, Scene, folder
from distroless_rules.values.tree import Kind

__all__ = ["FOLDERS", "HIERARCHY"]

HIERARCHY: Mapping[str, int] = {
    "boot": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "home": 0o755,
    "proc": 0o755,
    "root": 0o700,
    "run": 0o755,
    "run/lock": 0o755,
    "sys": 0o755,
    "tmp": 0o1777,
    "usr": 0o755,
    "usr/bin": 0o755,
    "usr/lib": 0o755,
    "usr/sbin": 0o755,
    "var": 0o755,
    "var/cache": 0o755,
    "var/lib": 0o755,
    "var/log": 0o755,
    "var/tmp": 0o755,
}
"""Path -> mode."""


def _folders(scene: Scene) -> Iterator[Change]:
    for path, mode in HIERARCHY.items():
        claim = scene.tree.claim(path)
        if claim is None or claim.rank != "user":
            yield folder(path, mode)
    if scene.tree.get("lib64") is not None:
        yield folder("usr/lib64")
    declared = {spec.name for spec in scene.options.users} | ({"nonroot"} if scene.options.defaults else set())
    for account in scene.accounts.users.values():
        path = account.home.strip("/")
        old = scene.tree.get(path)
        if account.name in declared and path and path != "nonexistent" and old is None:
            yield folder(path, 0o700, account.uid, account.gid)
        elif account.name in declared and old is not None and old.kind is not Kind.DIRECTORY:
            scene.warnings.append(f'the home of user "{account.name}", /{path}, is not a folder')


FOLDERS = Effect(
    "folders",
    "The folders of the file system hierarchy are there: /tmp at 1777, /root at 0700, places to mount "
    "/proc, /sys and /dev on, and a home at 0700 for nonroot and each declared user.",
    _folders,
)
