"""A workspace that builds an image's distroless equivalent: an anatomy in, ``distroless.toml``, BUILD and files out.

Files of the application lie below ``rootfs/`` as they lie in the image. Those whose names no label can have, or that
would mean something to the loader, lie below ``odd/`` by number.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from distroless_rules.anatomy.anatomy import Anatomy
from distroless_rules.anatomy.archive import Suites, suites_of
from distroless_rules.anatomy.declared import Declared
from distroless_rules.anatomy.waivers import waivers
from distroless_rules.errors import LabelError, RequestError
from distroless_rules.values.label import Label
from distroless_rules.values.tree import Entry

__all__ = ["Workspace", "notes", "render", "write"]

_CONFIG = "distroless.toml"
_OUTPUT = "distroless-out"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MODE = 0o644


@dataclass(frozen=True)
class Workspace:
    """What is written.

    Attributes:
        texts: name -> text of a file.
        files: path below the folder -> file of the image.
    """

    texts: Mapping[str, str]
    files: Mapping[str, Entry]


def render(anatomy: Anatomy, declared: Declared) -> Workspace:
    """Give the files of the workspace.

    Raises:
        RequestError: if the image's platform is none that debs are for.
        FormatError: if its apt sources are malformed.
    """
    suites = suites_of(anatomy)
    names = {part for path in declared.files for part in path.split("/")}
    build_file = next(name for name in ("BUILD", "BUILD.distroless", "BUILD.analyzed") if name not in names)
    placed = {path: f"rootfs/{path}" for path in declared.files if not _is_odd(path, build_file)}
    odd = [path for path in declared.files if path not in placed]
    placed |= {path: f"odd/{number:04}" for number, path in enumerate(odd, 1)}
    texts = {
        _CONFIG: _config(anatomy, suites, build_file),
        build_file: "\n".join(_build(anatomy, declared, suites, placed)) + "\n",
        ".gitignore": f"/{_OUTPUT}/\n",
    }
    return Workspace(texts, {placed[path]: entry for path, entry in declared.files.items()})


def write(workspace: Workspace, folder: Path, anatomy: Anatomy) -> None:
    """Write a workspace to a folder that is not there, or empty.

    Raises:
        RequestError: if there is something already, or it cannot be written.
    """
    doing = f'write a workspace to "{folder}"'
    try:
        if folder.exists() and any(folder.iterdir()):
            raise RequestError(doing, "there is something already", hint="name a folder that is not there")
        folder.mkdir(parents=True, exist_ok=True)
        for path, entry in workspace.files.items():
            at = folder / path
            at.parent.mkdir(parents=True, exist_ok=True)
            with at.open("xb") as file:
                for piece in anatomy.layers.pieces_of(entry):
                    file.write(piece)
            os.chmod(at, 0o755 if entry.mode & 0o111 else 0o644)
        for name, text in workspace.texts.items():
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        raise RequestError(doing, error.strerror or str(error)) from error


def _is_odd(path: str, build_file: str) -> bool:
    """Tell whether a file cannot lie below ``rootfs`` under its own name."""
    if set(path.split("/")) & {build_file, _CONFIG, _OUTPUT}:
        return True
    try:
        Label.parse(f"//:rootfs/{path}")
    except LabelError:
        return True
    return not path.isprintable()


def _config(anatomy: Anatomy, suites: Suites, build_file: str) -> str:
    name = re.sub(
        r"[^A-Za-z0-9._-]+", "-", Path(anatomy.image.name.partition("@")[0].rstrip("/")).name.partition(":")[0]
    )
    lines = ["[workspace]", f"name = {json.dumps(name.strip('-.') or 'image')}"]
    if build_file != "BUILD":
        lines.append(f"build_file = {json.dumps(build_file)}   # the application has files that are called BUILD")
    try:
        architecture = anatomy.image.config.platform.deb
    except KeyError as error:
        raise RequestError("write a workspace", f"no debs are for {anatomy.image.config.platform}") from error
    lines += ["", f"[archive.{suites.name}]", 'type = "deb"']
    lines.append(f"suites = {json.dumps(list(suites.suites))}")
    lines.append(f"components = {json.dumps(list(suites.components))}")
    lines.append(f'architectures = ["{architecture}"]')
    lines.append("# uris and keyring are left out: they are taken from this machine's apt sources")
    lines += [f"# not taken over, as it is no suite of {suites.name}: {other}" for other in suites.others]
    return "\n".join(lines) + "\n"


def _build(anatomy: Anatomy, declared: Declared, suites: Suites, placed: Mapping[str, str]) -> Iterator[str]:
    rules = ["distroless_image"]
    plain = [path for path in declared.files if placed[path].startswith("rootfs/")]
    odd = [path for path in declared.files if path not in set(plain)]
    has_app = bool(plain or declared.links or declared.folders)
    rules += ["files"] * bool(has_app or odd) + ["group"] * bool(declared.groups) + ["user"] * bool(declared.accounts)
    shown = f"{Path(anatomy.image.name).name} {anatomy.image.digest}".strip()
    yield f"# Made by `distroless analyze` from {_comment(shown)}."
    yield f"load({', '.join(_quoted(each) for each in ('@distroless_rules//rules:defs.bzl', *sorted(rules)))})"
    if has_app:
        yield from _files(declared, plain)
    if odd:
        yield from _odd(declared, odd, placed)
    for user in declared.accounts:
        home = [("home", _quoted(user.home))] if user.home.startswith("/") else []
        fields = [("username", _quoted(user.name)), ("uid", str(user.uid)), ("gid", str(user.gid)), *home]
        yield from _rule("user", f"user_{user.name}", fields)
    for each in declared.groups:
        fields = [("groupname", _quoted(each.name)), ("gid", str(each.gid))]
        yield from _rule("group", f"group_{each.name}", fields)
    contents = [":app"] * has_app + [":odd"] * bool(odd)
    contents += [f":user_{each.name}" for each in declared.accounts]
    contents += [f":group_{each.name}" for each in declared.groups]
    contents.sort()
    yield from _image(anatomy, declared, suites, contents)


def _files(declared: Declared, plain: list[str]) -> Iterator[str]:
    owners = Counter(_owner(declared.files[path]) for path in plain)
    owner = owners.most_common(1)[0][0] if owners else "0:0"
    modes = {f"/{path}": f"{e.mode:04o}" for path in plain if (e := declared.files[path]).mode != _MODE}
    modes |= {f"/{path}": f"{entry.mode:04o}" for path, entry in declared.folders.items() if entry.mode != 0o755}
    others = {f"/{path}": _owner(declared.files[path]) for path in plain}
    others |= {f"/{path}": _owner(entry) for path, entry in declared.folders.items()}
    others |= {f"/{path}": "0:0" for path in declared.links}
    fields = []
    if plain:
        fields += [("srcs", 'glob(["rootfs/**"])'), ("strip_prefix", '"rootfs"')]
    fields += [("directories", _list(f"/{path}" for path in sorted(declared.folders)))] if declared.folders else []
    links = {f"/{path}": target for path, target in declared.links.items()}
    fields += [("symlinks", _dict(links))] if links else []
    fields += [("modes", _dict(modes))] if modes else []
    fields += [("owner", _quoted(owner))] if owner != "0:0" else []
    differing = {path: each for path, each in others.items() if each != owner}
    fields += [("owners", _dict(differing))] if differing else []
    yield from _rule("files", "app", fields)


def _odd(declared: Declared, odd: list[str], placed: Mapping[str, str]) -> Iterator[str]:
    entries = {f"/{path}": declared.files[path] for path in odd}
    fields = [("srcs", _dict({f"/{path}": placed[path] for path in odd}))]
    fields.append(("modes", _dict({path: f"{entry.mode:04o}" for path, entry in entries.items()})))
    fields.append(("owners", _dict({path: _owner(entry) for path, entry in entries.items()})))
    yield ""
    yield "# Files whose names no label can have, or that would mean something to the loader."
    yield from list(_rule("files", "odd", fields))[1:]


def _owner(entry: Entry) -> str:
    return f"{entry.uid}:{entry.gid}"


def _image(anatomy: Anatomy, declared: Declared, suites: Suites, contents: list[str]) -> Iterator[str]:
    start = anatomy.begun.start
    debs = [f"@{suites.name}//{name}" for name in declared.debs]
    fields: list[tuple[str, str]] = [("contents", _list([*contents, *debs]))]
    fields += [("entrypoint", _list(start.entrypoint))] if start.entrypoint else []
    fields += [("cmd", _list(start.cmd))] if start.cmd else []
    env = {name: value for name, value in start.env.items() if (name, value) != ("PATH", _PATH)}
    fields += [("env", _dict(env))] if env else []
    fields.append(("user", _quoted(start.user or "root")))
    fields += [("workdir", _quoted(start.workdir))] if start.workdir not in ("", "/") else []
    fields += [("labels", _dict(start.labels))] if start.labels else []
    fields += [("exposed_ports", _list(start.ports))] if start.ports else []
    fields += [("volumes", _list(start.volumes))] if start.volumes else []
    fields += [("stop_signal", _quoted(start.stop_signal))] if start.stop_signal else []
    fields += [("timezone", _quoted(declared.timezone))] if declared.timezone else []
    fields += [("exclude", _list(f"/{path}" for path in declared.changed))] if declared.changed else []
    fields += [("allow_missing", _list(declared.waived))] if declared.waived else []
    waived = waivers(anatomy, declared)
    fields += [("waive", _dict(waived))] if waived else []
    lines = list(_rule("distroless_image", "image", fields))
    yield lines[0]
    yield from (f"# {_comment(note)}" for note in notes(anatomy, declared))
    yield from lines[1:]


def notes(anatomy: Anatomy, declared: Declared) -> Iterator[str]:
    """Give what a person should know of the declaration, a sentence each."""
    for name in declared.debs:
        why = anatomy.why.get(name)
        if why:
            yield f"{name}: {why}."
    yield from (f"{note}." for note in anatomy.begun.notes)
    user = anatomy.image.config.start.user.partition(":")[0]
    if user in ("", "0", "root"):
        yield 'The image ran as root, and so does this one; user = "nonroot" is safer, where the program allows it.'
    if anatomy.changed:
        yield "Files of debs that were changed are the application's; exclude takes those of the debs out of the way."
    if declared.waived:
        yield "allow_missing names what files want and the image did not have either, or that nothing starts."
    if waivers(anatomy, declared):
        yield "waive names checks of the hardening policy that the image does not pass, or may not; mend what you can."
    for name in anatomy.idle:
        yield f"{name} was installed by name, and nothing leads to it; name it in contents if the program needs it."
    for name in declared.foreign:
        yield f"{name} is of a second architecture, which an image here cannot have."
    for path, why in declared.skipped.items():
        yield f"/{path} is left out: {why}."


def _comment(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _rule(rule: str, name: str, fields: list[tuple[str, str]]) -> Iterator[str]:
    yield ""
    yield f"{rule}("
    yield f"    name = {_quoted(name)},"
    for key, value in sorted(fields, key=lambda field: (field[0] != "srcs", field[0])):  # as buildifier has them
        indented = value.replace("\n", "\n    ")
        yield f"    {key} = {indented},"
    yield ")"


def _list(values: Iterable[str]) -> str:
    rows = [_quoted(value) for value in values]
    return f"[{rows[0]}]" if len(rows) == 1 else "[\n" + "".join(f"    {row},\n" for row in rows) + "]"


def _dict(values: Mapping[str, str]) -> str:
    rows = [f"{_quoted(key)}: {_quoted(value)}" for key, value in sorted(values.items())]
    return f"{{{rows[0]}}}" if len(rows) == 1 else "{\n" + "".join(f"    {row},\n" for row in rows) + "}"


def _quoted(text: str) -> str:
    """Write a string of Starlark."""
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )
    return '"' + "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in escaped) + '"'
