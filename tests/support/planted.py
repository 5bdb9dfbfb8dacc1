"""Cases of the policy as images that are really made: texts of ``tests.support.policy`` in; what came of each out.

    cases = Planted(folder, [*FAULTS, *NEAR_MISSES])
    cases.found[0]                    # "error shell /usr/bin/dash\\n"

What a case says of debs is packed into debs of a signed archive of the test's own, and locked and fetched from there;
what nobody asks for comes because another deb depends on it. What it says of targets is ``files`` in a BUILD file. All
of them are built by one ``distroless build -k``. What our images cannot have - a device, another ``/tmp`` - is in the
layout of an image as somebody else may have made it, and all of these are read by one ``distroless check``.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distroless_rules.closure.owner import Owner
from distroless_rules.values.path import parents
from distroless_rules.values.tree import Entry, Kind
from tests.support import image as images
from tests.support.debs import make_deb, member
from tests.support.elf import make_elf
from tests.support.many import Many, needing
from tests.support.policy import BASE, Row, config_of, rows, words

__all__ = ["Planted"]

_BASE = rows(BASE)[1]
_LIBC = make_elf(soname="libc.so.6", symbols=["__stack_chk_fail"])
_TYPES = {Kind.FILE: "0", Kind.SYMLINK: "2", Kind.DIRECTORY: "5"}
_SCRIPT = re.compile(r"(\w+) of (\S+), line 2: (.*)")
_VIOLATION = re.compile(r"^  ([a-z-]+): (/[^ :]+|user|cmd|entrypoint|(?:env|label|deb|port) [^ ]+)", re.MULTILINE)


class Planted:
    """Cases, made.

    Attributes:
        ways: how each is made: ``build``, ``layout``, or ``""`` for those that can be neither.
        found: what was found in each and counts for more than a note, a line each: level, check, subject.
        many: the workspace of those that are built, and what the build said.
        layouts: the folders of the others.
    """

    def __init__(self, folder: Path, texts: Sequence[str]) -> None:
        """Make images of cases, in an empty folder."""
        cases = {number: _Case.read(text) for number, text in enumerate(texts)}
        self.ways = [case.way for case in cases.values()]
        self.many = Many(folder)
        server = next(row.content for row in _BASE if row.entry.path == "app/server")
        self.many.files("app", {"srcs": {"/app/server": "server"}, "mode": "0755"}, {"server": server})
        for number, case in cases.items():
            if case.way == "build":
                _declare(self.many, number, case)
        self.many.build()
        self.found = {number: found for number in cases if (found := self._found(number)) is not None}
        made = [number for number, case in cases.items() if case.way == "layout"]
        self.layouts = [_layout(folder / f"layout{number}", cases[number]) for number in made]
        checked = self.many.commands.run("check", "--format=json", *map(str, self.layouts)).out
        self.found |= {number: _counted(row) for number, row in zip(made, json.loads(checked), strict=True)}

    def _found(self, number: int) -> str | None:
        """Give what was found in what was built, or not built because of it; None: it failed for another reason."""
        said, verdict = self.many.said.get(number, ""), self.many.beside(number, ".policy.json")
        if said.startswith(f"cannot let //:c{number} pass: "):
            return "".join(f"error {check} {what}\n" for check, what in _VIOLATION.findall(said))
        return _counted(json.loads(verdict.read_bytes())) if verdict.exists() else None


@dataclass(frozen=True)
class _Case:
    """A case: what it says, the paths it has, and which way it is made."""

    told: Mapping[str, list[str]]
    rows: Sequence[Row]
    way: str

    @classmethod
    def read(cls, text: str) -> _Case:
        told, made = rows(text)
        kinds = {row.owner.kind for row in made}
        is_odd = any(row.entry.xattrs or row.entry.kind not in _TYPES for row in made)
        way = "layout" if is_odd or "image" in kinds or "foreign" in told else "build"
        return cls(told, made, "" if "tree" in kinds or "history" in told else way)

    @property
    def accepted(self) -> dict[str, tuple[str, str]]:
        """The debs whose scripts nobody has modelled -> the script's name, and its second line."""
        found = [_SCRIPT.fullmatch(text) for text in self.told.get("accepted", ())]
        return {match[2]: (match[1], match[3]) for match in found if match}

    def debs(self) -> dict[str, bytes]:
        """Give name -> bytes of the debs that it has."""
        bare = words(self.told, "debs")
        own: dict[str, list[Row]] = {name: [] for name in ("libc6", *bare)}
        for row in self.rows:
            if row.owner.kind == "deb":
                own.setdefault(row.owner.name, []).append(row)
        own["libc6"] += [row for row in _BASE if row.owner.name == "libc6"]
        scripts = {name: {script: f"#!/bin/sh\n{line}\n"} for name, (script, line) in self.accepted.items()}
        made = {name: _deb(name, told, has_licence=name not in bare) for name, told in own.items()}
        made |= {name: make_deb(_licence(name), {"Package": name}, each) for name, each in scripts.items()}
        return {name: needing(name) for name in words(self.told, "asked")} | made


def _licence(name: str) -> str:
    return f"usr/share/doc/{name}/copyright = free"


def _deb(name: str, made: Sequence[Row], *, has_licence: bool) -> bytes:
    """Pack a deb; of two rows for a path the first counts."""
    own = {row.entry.path: row for row in reversed(made)}
    folders = dict.fromkeys(folder for path in own for folder in sorted(parents(path)))
    packed = [member(f"./{folder}/", "5", mode=0o755) for folder in folders]
    for path, row in own.items():
        entry = row.entry
        packed.append(
            member(f"./{path}", _TYPES[entry.kind], row.content, entry.mode, entry.uid, entry.gid, _leads(entry))
        )
    if name == "libc6":
        packed.append(member("./usr/lib/x86_64-linux-gnu/libc.so.6", data=_LIBC))
    texts = [_licence(name)] if has_licence and f"usr/share/doc/{name}/copyright" not in own else []
    return make_deb([*texts, *packed], {"Package": name})


def _leads(entry: Entry) -> str:
    return entry.target if entry.kind is Kind.SYMLINK else ""


def _declare(many: Many, number: int, case: _Case) -> None:
    """Declare a case's files and its image."""
    debs, start = case.debs(), config_of(case.told).start
    brought = sorted(set(debs) - set(words(case.told, "asked")) - {"libc6"})
    if brought:
        debs[f"needs-{number}"] = needing(f"needs-{number}", *brought)
    asked = [name for name in debs if name not in brought]
    many.files(f"f{number}", *_files(number, case))
    many.add(
        number,
        debs,
        lambda archive: {
            "accept": [*case.accepted],
            "allow_missing": words(case.told, "allow"),
            "contents": [":app", f":f{number}", *(f"@{archive}//{name}" for name in asked)],
            "cmd": [*start.cmd],
            "entrypoint": [*start.entrypoint],
            "env": dict(start.env),
            "exposed_ports": [*start.ports],
            "keep": [*brought, *(f"/{row.entry.path}" for row in case.rows if row.owner.kind == "deb")],
            "labels": dict(start.labels),
            "user": start.user,
            "volumes": [*start.volumes],
            "workdir": start.workdir,
        },
    )


def _files(number: int, case: _Case) -> tuple[dict[str, object], dict[str, bytes]]:
    """Give the attributes of the target with a case's files, and their bytes by path in the workspace."""
    own = {f"/{row.entry.path}": row for row in case.rows if row.owner.kind == "file"}
    files, folders, links = (
        {path: row for path, row in own.items() if row.entry.kind is kind}
        for kind in (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK)
    )
    places = {path: f"s/{number}-{at}" for at, path in enumerate(files)}
    attributes = {
        "srcs": places,
        "directories": [*folders],
        "symlinks": {path: row.entry.target for path, row in links.items()},
        "modes": {path: f"{row.entry.mode:04o}" for path, row in (files | folders).items()},
        "owners": {path: f"{row.entry.uid}:{row.entry.gid}" for path, row in (files | folders).items()},
    }
    return attributes, {places[path]: row.content for path, row in files.items()}


def _counted(document: Mapping[str, list[dict[str, str]]]) -> str:
    held = document["violations"]
    return "".join(f"{row['level']} {row['check']} {row['subject']}\n" for row in held if row["level"] != "note")


def _layout(folder: Path, case: _Case) -> Path:
    """Write an image that somebody else may have made, with the debs' records and licences."""
    bare = words(case.told, "debs")
    debs = {row.owner.name for row in (*_BASE, *case.rows) if row.owner.kind == "deb"}
    licences = [
        row
        for name in debs.difference(bare)
        for row in rows(f"deb={name}: 0644 /usr/share/doc/{name}/copyright = free")[1]
    ]
    made = {row.entry.path: row for row in (*licences, *_BASE, *case.rows)}
    for path in [*made]:
        for parent in parents(path):
            made.setdefault(parent, Row(Owner("image", ""), Entry.directory(parent), b""))
    members = [_member(made[path]) for path in sorted(made)]
    for name in sorted(debs.union(bare)):
        paths = [path for path, row in made.items() if row.owner == Owner("deb", name)]
        stated = f"Package: {name}\nVersion: 1\nArchitecture: amd64\nStatus: install ok installed\n"
        sums = "".join(f"{'0' * 32}  {path}\n" for path in paths)
        members.append(images.file(f"var/lib/dpkg/status.d/{name}", stated.encode()))
        members.append(images.file(f"var/lib/dpkg/status.d/{name}.md5sums", sums.encode()))
    return images.layout_of(folder, [images.tar(*members)], config_of(case.told).start)


def _member(row: Row) -> images.Member:
    entry = row.entry
    info = tarfile.TarInfo(entry.path)
    odd = {Kind.FIFO: tarfile.FIFOTYPE, Kind.BLOCK_DEVICE: tarfile.BLKTYPE}
    info.type = odd.get(entry.kind) or _TYPES[entry.kind].encode()
    info.mode, info.uid, info.gid, info.linkname = entry.mode, entry.uid, entry.gid, _leads(entry)
    info.pax_headers = {f"SCHILY.xattr.{name}": bytes.fromhex(value).decode("latin-1") for name, value in entry.xattrs}
    return info, row.content
