"""Images of the gate's tests as images that are really built: tables in; what the build says of each out.

    said = gated(folder, FAULTS, contents)
    said["a library of a program"]        # '"/app/run" of //:f0 needs the library ...'

An ELF file is made of what the table says of it, a script and a Python file of their text, and what a deb brings is
packed into a deb of a signed archive with a Contents index, which says what deb to add.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distroless_rules.closure.facts import Facts
from distroless_rules.elf.read import Elf
from distroless_rules.values.path import parents
from tests.support.debs import make_deb, member
from tests.support.elf import make_elf
from tests.support.gate import BASE, Image
from tests.support.many import Many, needing

__all__ = ["gated"]

_MACHINES = {"EM_X86_64": "amd64", "EM_AARCH64": "arm64", "EM_386": "386", "EM_BPF": "bpf"}
_PREFIX = "cannot put the image together: "


def gated(folder: Path, images: Mapping[str, Image], contents: str) -> dict[str, str]:
    """Build images, in an empty folder; give what is said of each, ``""`` if the gate has nothing against it.

    Those with something of a tree are left out: only a command, or a wheel, makes one.
    """
    many = Many(folder, contents)
    numbers = {name: number for number, name in enumerate(images)}
    for name, image in images.items():
        if not any(path.startswith("tree") for path in image.files):
            _declare(many, numbers[name], image)
        else:
            del numbers[name]
    many.build()
    said = {name: many.said.get(number, "") for name, number in numbers.items()}
    return {name: text.removeprefix(_PREFIX) if text.startswith(_PREFIX) else "" for name, text in said.items()}


def _declare(many: Many, number: int, image: Image) -> None:
    """Declare the files and the image of a table."""
    debs: dict[str, dict[str, Any]] = {}
    own: dict[str, Any] = {}
    for name, what in (BASE | image.files).items():
        kind, colon, path = name.rpartition(":")
        if kind.startswith("deb"):
            debs.setdefault(kind.partition("=")[2] or "d", {})[path] = what
        elif not colon:
            own[path] = what
    packed = {name: _deb(name, files, image.strict.get(name, ())) for name, files in debs.items()}
    packed |= {name: needing(name) for names in image.strict.values() for name in names}
    places = {f"/{path}": f"s/{number}-{at}" for at, path in enumerate(own) if not _is_link(own[path])}
    files = {path: where for path, where in places.items() if own[path[1:]] != "dir"}
    many.files(
        f"f{number}",
        {
            "srcs": files,
            "directories": [path for path in places if path not in files],
            "symlinks": {f"/{path}": what[3:] for path, what in own.items() if _is_link(what)},
            "modes": {path: f"{_mode(own[path[1:]]):04o}" for path in files},
        },
        {where: _bytes(own[path[1:]]) for path, where in files.items()},
    )
    many.add(
        number,
        packed,
        lambda archive: {
            "allow_missing": [*image.allow],
            "contents": [f":f{number}", *(f"@{archive}//{name}" for name in debs)],
            "entrypoint": [*image.start],
            "env": dict(image.env),
            "exclude": [name for names in image.strict.values() for name in names],
            "volumes": [f"/{path}" for path in image.volumes],
            "workdir": "/app",
        },
    )


def _is_link(what: Any) -> bool:
    return isinstance(what, str) and what.startswith("-> ")


def _mode(what: Any) -> int:
    return 0o644 if isinstance(what, (bytes, str)) else 0o755


def _bytes(what: Any) -> bytes:
    if isinstance(what, Elf):
        return _elf(what)
    if isinstance(what, Facts):
        return f"#!{what.script}\n".encode() if what.script else make_elf(needed=["libc.so.6"])[:90]
    return what if isinstance(what, bytes) else str(what or "").encode()


def _elf(what: Elf) -> bytes:
    notes = [{"soname": [*each.sonames], "priority": each.priority, "feature": each.feature} for each in what.dlopen]
    return make_elf(
        needed=what.needed,
        soname=what.soname,
        interpreter=what.interpreter,
        rpath=":".join(what.rpath),
        runpath=":".join(what.runpath),
        needs=what.needs,
        defines=what.defines,
        dlopen=notes,
        symbols=["__stack_chk_fail", *(["dlopen", *what.opens] if what.opens else [])],
        machine=_MACHINES[what.machine],
        bits=what.bits,
        kind=what.kind,
        static=not what.dynamic,
    )


def _deb(name: str, files: Mapping[str, Any], depends: tuple[str, ...]) -> bytes:
    folders = dict.fromkeys(folder for path in files for folder in sorted(parents(path)))
    members = [member(f"./{folder}/", "5", mode=0o755) for folder in folders]
    for path, what in files.items():
        if _is_link(what):
            members.append(member(f"./{path}", "2", mode=0o777, link=what[3:]))
        else:
            members.append(member(f"./{path}", data=_bytes(what), mode=_mode(what)))
    fields = {"Package": name} | ({"Depends": ", ".join(depends)} if depends else {})
    return make_deb([f"usr/share/doc/{name}/copyright = free", *members], fields)
