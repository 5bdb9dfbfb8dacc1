"""What compiled programs say of their parts: a program's bytes in, the modules or artifacts that are in it out.

Source: ``debug/buildinfo`` and ``runtime/debug`` of Go; pom.properties as Maven's archiver writes it; the ZIP format.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib

__all__ = ["go_modules", "jar_artifacts"]

_MAGIC = b"\xff Go buildinf:"
_ALIGN = 16
_INLINE = 2  # the flag that strings follow, Go 1.18
_HEAD = 32
_MAX_TEXT = 16 << 20
_POM = re.compile(r"META-INF/maven/[^/]+/[^/]+/pom\.properties")
_MAX_PROPERTIES = 1 << 20
_MAX_ARTIFACTS = 10_000


def go_modules(program: bytes) -> list[tuple[str, str]]:
    """Give (module, version) of those that a Go program is made of, its own first; none of any other program."""
    at = program.find(_MAGIC)
    while at != -1 and at % _ALIGN:
        at = program.find(_MAGIC, at + 1)
    if at == -1 or len(program) < at + _HEAD or not program[at + 15] & _INLINE:
        return []
    version, after = _string(program, at + _HEAD)
    text, _ = _string(program, after)
    if not version or len(text) < 33 or text[-17:-16] != b"\n":
        return []
    rows: list[tuple[str, str]] = []
    for line in text[16:-16].decode("utf-8", "replace").split("\n"):
        kind, *fields = line.split("\t")
        if kind in ("mod", "dep") and len(fields) >= 2:
            rows.append((fields[0], fields[1]))
        elif kind == "=>" and len(fields) >= 2 and rows:
            rows[-1] = (fields[0], fields[1])
    release = version.decode("utf-8", "replace").partition(" ")[0].removeprefix("go")
    return [*rows, ("stdlib", release)] if rows else []


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    """Read a string with its length before it, as a varint of base 128."""
    length = shift = 0
    while at < len(data) and shift < 35:
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return (data[at : at + length], at + length) if length <= _MAX_TEXT else (b"", at)
    return b"", at


def jar_artifacts(jar: bytes) -> list[tuple[str, str]]:
    """Give (``group:artifact``, version) of the artifacts of Maven that a jar says are in it."""
    found: list[tuple[str, str]] = []
    try:
        with zipfile.ZipFile(io.BytesIO(jar)) as archive:
            for info in archive.infolist():
                if _POM.fullmatch(info.filename) and len(found) < _MAX_ARTIFACTS:
                    with archive.open(info) as file:
                        found.extend(_artifact(file.read(_MAX_PROPERTIES)))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError):
        return []
    return sorted(set(found))


def _artifact(data: bytes) -> list[tuple[str, str]]:
    lines = (line.partition("=") for line in data.decode("latin-1").splitlines() if not line.startswith(("#", "!")))
    said = {name.strip(): value.strip() for name, sign, value in lines if sign}
    group, artifact, version = (said.get(name, "") for name in ("groupId", "artifactId", "version"))
    return [(f"{group}:{artifact}", version)] if group and artifact and version else []
