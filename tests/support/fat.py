"""Small fat images: debs in a few words in, the layout of an image with dpkg's database out.

    fat(folder, [deb("app", "libc6", files={"usr/bin/app": elf}), deb("gcc", section="devel")], own={"srv/run": b"..."})

The base layer holds the debs and their database, the next one the application; further layers are members as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distroless_rules.oci.config import Start
from distroless_rules.values.path import parents
from tests.support.image import Member, directory, file, layout_of, symlink, tar

__all__ = ["Deb", "database", "deb", "fat", "members"]

OS_RELEASE = b'ID=debian\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n'


@dataclass(frozen=True)
class Deb:
    """A deb: control fields, and files by path; a text is a link."""

    name: str
    fields: Mapping[str, str]
    files: Mapping[str, bytes | str] = field(default_factory=dict)
    automatic: bool = False
    postinst: str = ""


def deb(
    name: str,
    depends: str = "",
    *,
    files: Mapping[str, bytes | str] | None = None,
    automatic: bool = False,
    postinst: str = "",
    **fields: str,
) -> Deb:
    known = {"version": "1", "architecture": "amd64", "section": "utils", "priority": "optional", **fields}
    control = {key.title().replace("_", "-"): value for key, value in known.items()}
    if depends:
        control["Depends"] = depends
    return Deb(name, control, files if files is not None else {f"usr/share/{name}/data": b"data"}, automatic, postinst)


def database(debs: Sequence[Deb]) -> dict[str, bytes]:
    """Give the files of dpkg's database and apt's marks."""
    status, marks, found = "", "", {}
    for each in debs:
        fields = "".join(f"{key}: {value}\n" for key, value in each.fields.items())
        status += f"Package: {each.name}\nStatus: install ok installed\n{fields}Description: {each.name}\n\n"
        if each.automatic:
            marks += f"Package: {each.name}\nArchitecture: amd64\nAuto-Installed: 1\n\n"
        paths = sorted({"/."} | {f"/{p}" for path in each.files for p in (*parents(path), path)})
        base = f"var/lib/dpkg/info/{each.name}"
        found[f"{base}.list"] = "".join(f"{path}\n" for path in paths).encode("utf-8", "surrogateescape")
        sums = {path: hashlib.md5(data).hexdigest() for path, data in each.files.items() if isinstance(data, bytes)}
        found[f"{base}.md5sums"] = "".join(f"{md5}  {path}\n" for path, md5 in sums.items()).encode(
            "utf-8", "surrogateescape"
        )
        if each.postinst:
            found[f"{base}.postinst"] = each.postinst.encode()
    found["var/lib/dpkg/status"] = status.encode()
    if marks:
        found["var/lib/apt/extended_states"] = marks.encode()
    return found


def members(files: Mapping[str, bytes | str], uid: int = 0) -> list[Member]:
    """Give the tar members of files, with their folders; programs and scripts may be executed."""
    folders = sorted({folder for path in files for folder in parents(path)})
    made: list[Member] = [directory(folder) for folder in folders]
    for path, data in files.items():
        if isinstance(data, str):
            made.append(symlink(path, data))
        else:
            made.append(file(path, data, 0o755 if data[:2] in (b"\x7fE", b"#!") else 0o644, uid, uid))
    return made


def fat(
    folder: Path,
    debs: Sequence[Deb],
    own: Mapping[str, bytes | str] | None = None,
    *layers: list[Member],
    start: Start = Start(),  # noqa: B008 - frozen
    extra: Mapping[str, bytes | str] | None = None,
    uid: int = 0,
) -> Path:
    """Write the layout of a fat image at ``folder``, and give it.

    Args:
        folder: where.
        debs: what is installed.
        own: files of the application, a layer of their own.
        layers: further layers.
        start: how it is started.
        extra: files of the base layer that no deb has.
        uid: the owner of the application's files.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    base: dict[str, bytes | str] = {"usr/lib/os-release": OS_RELEASE, **database(debs), **(extra or {})}
    for each in debs:
        base |= each.files
    plain = [tar(*members(base)), *([tar(*members(own, uid))] if own else []), *(tar(*layer) for layer in layers)]
    return layout_of(folder, plain, start)
