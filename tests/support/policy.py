"""An image for the policy's checks as text: a line for each path and each part of the config in, findings out.

    0755 /usr/bin/tool elf         a file: mode, owner (0:0 where it is left out), path, content
    deb=dash: 0755 /usr/bin/dash elf       who brings it: deb=, tree=, file= (//:app where nothing is said), image
    0644 /etc/x = one\\nanother    text; `elf` and the words after it are of ELFS; `bytes <hex>`; `capable`; `device`
    /bin/sh -> dash                a link
    0777 /srv/                     a folder
    user 0                         a part of the config: env A=B, label a=b, entrypoint, cmd, ...
    asked dash                     what else is known of the image: debs, asked, accepted, allow, foreign

What a case does not say is as in an image that passes. A `~` in it is left out: no text here looks like a secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from distroless_rules.closure import scan
from distroless_rules.closure.owner import Owner
from distroless_rules.closure.view import View
from distroless_rules.oci.config import Config, History, Start
from distroless_rules.policy import screen
from distroless_rules.policy.examine import examine
from distroless_rules.policy.rules import Policy
from distroless_rules.policy.subject import Subject
from distroless_rules.policy.verdict import Verdict, hold
from distroless_rules.policy.violation import Findings
from distroless_rules.values.path import parents
from distroless_rules.values.platform import Platform
from distroless_rules.values.tree import Entry, Kind
from tests.support.elf import make_elf

__all__ = ["BASE", "ELFS", "Row", "config_of", "found", "found_text", "rows", "subject_of", "verdict_of", "words"]

_LOADER = "/lib64/ld-linux-x86-64.so.2"
_hard = partial(make_elf, needed=["libc.so.6"], symbols=["__stack_chk_fail"])
ELFS = {
    "": _hard(interpreter=_LOADER),
    "lib": _hard(soname="libx.so.1"),
    "no-pie": _hard(kind="exec", interpreter=_LOADER),
    "no-relro": _hard(relro=False),
    "partial-relro": _hard(flags=0, flags_1=0),
    "executable-stack": _hard(stack=7),
    "no-stack": _hard(stack=None),
    "writable-code": _hard(load=7),
    "text-relocations": _hard(flags=12),
    "text-relocations-tag": _hard(tags=[(22, 0)]),
    "no-canary": make_elf(needed=["libc.so.6"]),
    "no-needs": make_elf(),
    "object": make_elf(kind="rel"),
    "static": make_elf(static=True, kind="exec"),
}
_GO = b"\xff Go buildinf:\x08\x02"
_RUST = b"\0/usr/src/rustc-1.85.1/library/std/src/io/mod.rs\0"
BASE = """
image: /bin -> usr/bin
image: 0755 /usr/bin/
image: /lib64 -> usr/lib64
deb=libc6: 0755 /usr/lib64/ld-linux-x86-64.so.2 elf lib
deb=libc6: 0644 /usr/share/doc/libc6/copyright = free
image: 0644 /etc/passwd = root:*:0:0::/root:/usr/sbin/nologin\\nnonroot:x:65532:65532::/home/nonroot:/x\\n
image: 0700 65532:65532 /home/nonroot/
image: 1777 /tmp/
image: 0755 /proc/
0755 /app/server elf
"""


def found(text: str) -> Findings:
    """Give everything that is found in an image."""
    return examine(subject_of(text))


def found_text(text: str) -> str:
    """Give what is found and counts for more than a note, a line each: level, check, subject."""
    held = hold("//:image", found(text), Policy()).held
    return "".join(
        f"{each.level} {each.violation.check} {each.violation.subject}\n" for each in held if each.level != "note"
    )


def verdict_of(text: str, policy: Policy) -> Verdict:
    """Hold an image to a policy."""
    return hold("//:image", found(text), policy)


def subject_of(text: str) -> Subject:
    """Give an image as the checks see it."""
    told, made = rows(f"{BASE}{text}")
    entries = {row.entry.path: row.entry for row in made}
    owners = {row.entry.path: row.owner for row in made}
    data = {row.entry.sha256: row.content for row in made}
    for path in [*entries]:
        for parent in parents(path):
            entries.setdefault(parent, Entry.directory(parent))
    view = View(entries, scan.scan(entries.values(), lambda e, size: data[e.sha256][:size], lambda e: data[e.sha256]))
    return Subject(
        view=view,
        marks=screen.screen(entries.values(), lambda entry, size: _part(data[entry.sha256], entry, size)),
        config=config_of(told),
        owners={path: owner for path, owner in owners.items() if owner.kind != "image"},
        debs=("libc6", *words(told, "debs")),
        asked=frozenset(words(told, "asked")),
        allow=tuple(words(told, "allow")),
        accepted=tuple(told.get("accepted", ())),
        is_built="foreign" not in told,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A path of an image, who brings it, and what is in it."""

    owner: Owner
    entry: Entry
    content: bytes


def rows(text: str) -> tuple[dict[str, list[str]], list[Row]]:
    """Read a case: what it says of the config and of what is known besides, by its first word; and its paths."""
    told: dict[str, list[str]] = {}
    lines = text.replace("~", "").strip().splitlines()
    return told, [row for line in lines if (row := _row(line.strip(), told))]


def _part(data: bytes, entry: Entry, size: int) -> bytes:
    return data[entry.offset : entry.offset + min(size, entry.size)]


def _row(line: str, told: dict[str, list[str]]) -> Row | None:
    owner = Owner("file", "//:app")
    head, colon, rest = line.partition(": ")
    if colon and (head == "image" or head.startswith(("deb=", "tree=", "file="))):
        kind, _, name = head.partition("=")
        owner, line = Owner(kind, name or "the image"), rest
    first, _, rest = line.partition(" ")
    if first.startswith("/"):
        return Row(owner, Entry.symlink(first[1:], rest.removeprefix("-> ")), b"")
    if not first.isdigit():
        told.setdefault(first, []).append(rest)
        return None
    second, _, more = rest.partition(" ")
    uid, gid = 0, 0
    if ":" in second and not second.startswith("/"):
        uid, gid = (int(number) for number in second.split(":"))
        second, _, more = more.partition(" ")
    path, mode = second.strip("/"), int(first, 8)
    if second.endswith("/"):
        return Row(owner, Entry.directory(path, mode, uid, gid), b"")
    if more in ("device", "fifo"):
        kind = Kind.FIFO if more == "fifo" else Kind.BLOCK_DEVICE
        return Row(owner, Entry(path, kind, mode, uid, gid), b"")
    content, attributes = _content(more)
    sha256 = hashlib.sha256(content + path.encode()).hexdigest()
    entry = Entry(path, Kind.FILE, mode, uid, gid, len(content), sha256=sha256, xattrs=attributes)
    return Row(owner, entry, content)


def _content(text: str) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    kind, _, rest = text.partition(" ")
    if kind == "elf":
        return b"".join(_elf(rest.split())), ()
    if kind == "capable":
        return ELFS[""], (("security.capability", "0100000200200000"),)
    if kind == "bytes":
        return bytes.fromhex(rest), ()
    return rest.encode().decode("unicode_escape").encode("latin-1"), ()


def _elf(words: list[str]) -> Iterator[bytes]:
    name, *more = words or [""]
    folder = name.partition("=")[2]
    if name.startswith(("runpath=", "rpath=")):
        yield _hard(runpath=folder) if name.startswith("run") else _hard(rpath=folder)
    else:
        yield ELFS["" if name in ("go", "rust", "busybox") else name]
    for word in (name, *more):
        yield {"go": _GO, "rust": _RUST, "busybox": b"BusyBox is copyrighted by many authors"}.get(word, b"")


def words(told: Mapping[str, list[str]], name: str) -> list[str]:
    """Give the words of all lines that begin with a name."""
    return [word for line in told.get(name, ()) for word in line.split()]


def config_of(told: Mapping[str, list[str]]) -> Config:
    """Give the config that a case has."""

    def pairs(name: str) -> dict[str, str]:
        return {
            key: value.encode().decode("unicode_escape")
            for key, _, value in (row.partition("=") for row in told.get(name, ()))
        }

    start = Start(
        entrypoint=tuple(words(told, "entrypoint")) or ("/app/server",),
        cmd=tuple(words(told, "cmd")),
        env=pairs("env"),
        user=told.get("user", ["65532"])[0],
        workdir=told.get("workdir", ["/"])[0],
        labels=pairs("label"),
        ports=tuple(words(told, "port")),
        volumes=tuple(words(told, "volume")),
    )
    history = tuple(History(row) for row in told.get("history", ()))
    return replace(Config(Platform.parse("linux/amd64"), start), history=history)
