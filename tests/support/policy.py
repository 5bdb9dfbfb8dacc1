"""An image for the policy's checks as text: a line for each path and each part of the config in, findings out.

    0755 /usr/bin/tool elf         a file: mode, owner (0:0 where it is left out), path, content
    deb=dash: 0755 /usr/bin/dash elf       who brings it: deb=, tree=, file= (//:app where nothing is said), image
    0644 /etc/x = one\\nanother    text; `elf` and the words after it are of _ELFS; `bytes <hex>`; `capable`; `device`
    /bin/sh -> dash                a link
    0777 /srv/                     a folder
    user 0                         a part of the config: env A=B, label a=b, entrypoint, cmd, ...
    asked dash                     what else is known of the image: debs, asked, accepted, allow, foreign

What a case does not say is as in an image that passes. A `~` in it is left out: no text here looks like a secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
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

__all__ = ["found", "found_text", "subject_of", "verdict_of"]

_LOADER = "/lib64/ld-linux-x86-64.so.2"
_hard = partial(make_elf, needed=["libc.so.6"], symbols=["__stack_chk_fail"])
_ELFS = {
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
_BASE = """
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
    entries: dict[str, Entry] = {}
    data: dict[str, bytes] = {}
    owners: dict[str, Owner] = {}
    told: dict[str, list[str]] = {}
    for line in f"{_BASE}{text}".replace("~", "").strip().splitlines():
        owner, path, entry, content = _line(line.strip(), told)
        if entry is not None:
            entries[path] = entry
            owners[path] = owner
            data[entry.sha256] = content
            for parent in parents(path):
                entries.setdefault(parent, Entry.directory(parent))
    view = View(entries, scan.scan(entries.values(), lambda e, size: data[e.sha256][:size], lambda e: data[e.sha256]))
    return Subject(
        view=view,
        marks=screen.screen(entries.values(), lambda entry, size: _part(data[entry.sha256], entry, size)),
        config=_config(told),
        owners={path: owner for path, owner in owners.items() if owner.kind != "image"},
        debs=("libc6", *_words(told, "debs")),
        asked=frozenset(_words(told, "asked")),
        allow=tuple(_words(told, "allow")),
        accepted=tuple(told.get("accepted", ())),
        is_built="foreign" not in told,
    )


def _part(data: bytes, entry: Entry, size: int) -> bytes:
    return data[entry.offset : entry.offset + min(size, entry.size)]


def _line(line: str, told: dict[str, list[str]]) -> tuple[Owner, str, Entry | None, bytes]:
    owner = Owner("file", "//:app")
    head, colon, rest = line.partition(": ")
    if colon and (head == "image" or head.startswith(("deb=", "tree=", "file="))):
        kind, _, name = head.partition("=")
        owner, line = Owner(kind, name or "the image"), rest
    first, _, rest = line.partition(" ")
    if first.startswith("/"):
        return owner, first[1:], Entry.symlink(first[1:], rest.removeprefix("-> ")), b""
    if not first.isdigit():
        told.setdefault(first, []).append(rest)
        return owner, "", None, b""
    second, _, more = rest.partition(" ")
    uid, gid = 0, 0
    if ":" in second and not second.startswith("/"):
        uid, gid = (int(number) for number in second.split(":"))
        second, _, more = more.partition(" ")
    path, mode = second.strip("/"), int(first, 8)
    if second.endswith("/"):
        return owner, path, Entry.directory(path, mode, uid, gid), b""
    if more in ("device", "fifo"):
        kind = Kind.FIFO if more == "fifo" else Kind.BLOCK_DEVICE
        return owner, path, Entry(path, kind, mode, uid, gid), b""
    content, attributes = _content(more)
    sha256 = hashlib.sha256(content + path.encode()).hexdigest()
    return owner, path, Entry(path, Kind.FILE, mode, uid, gid, len(content), sha256=sha256, xattrs=attributes), content


def _content(text: str) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    kind, _, rest = text.partition(" ")
    if kind == "elf":
        return b"".join(_elf(rest.split())), ()
    if kind == "capable":
        return _ELFS[""], (("security.capability", "0100000200200000"),)
    if kind == "bytes":
        return bytes.fromhex(rest), ()
    return rest.encode().decode("unicode_escape").encode("latin-1"), ()


def _elf(words: list[str]) -> Iterator[bytes]:
    name, *more = words or [""]
    folder = name.partition("=")[2]
    if name.startswith(("runpath=", "rpath=")):
        yield _hard(runpath=folder) if name.startswith("run") else _hard(rpath=folder)
    else:
        yield _ELFS["" if name in ("go", "rust", "busybox") else name]
    for word in (name, *more):
        yield {"go": _GO, "rust": _RUST, "busybox": b"BusyBox is copyrighted by many authors"}.get(word, b"")


def _words(told: dict[str, list[str]], name: str) -> list[str]:
    return [word for line in told.get(name, ()) for word in line.split()]


def _config(told: dict[str, list[str]]) -> Config:
    def pairs(name: str) -> dict[str, str]:
        return {
            key: value.encode().decode("unicode_escape")
            for key, _, value in (row.partition("=") for row in told.get(name, ()))
        }

    start = Start(
        entrypoint=tuple(_words(told, "entrypoint")) or ("/app/server",),
        cmd=tuple(_words(told, "cmd")),
        env=pairs("env"),
        user=told.get("user", ["65532"])[0],
        workdir=told.get("workdir", ["/"])[0],
        labels=pairs("label"),
        ports=tuple(_words(told, "port")),
        volumes=tuple(_words(told, "volume")),
    )
    history = tuple(History(row) for row in told.get("history", ()))
    return replace(Config(Platform.parse("linux/amd64"), start), history=history)
