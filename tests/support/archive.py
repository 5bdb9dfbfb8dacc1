"""A small Debian archive of a test's own: debs or stanzas in, a signed folder (and a server for it) out.

    archive = SmallArchive(tmp_path / "archive")
    archive.add(deb_bytes)                                   # a real deb: fields are read from it
    archive.add_stanza("Package: a\nVersion: 1\nDepends: b") # or metadata, with any bytes as the deb
    archive.publish("trixie", date=time.time())              # dists/trixie: Packages, .xz .gz .zst, by-hash, InRelease
    archive.table("trixie", suites=["trixie"])               # the [archive.trixie] text for distroless.toml
    archive.declare(suites=("trixie",))                      # or the value, for calling deb.archive directly

``uri`` is a ``file:`` URI. For HTTP, ``with Server(archive.folder) as server`` gives ``server.uri``; faults are planted
with ``server.plant``. The key is made anew for each archive (under a millisecond); ``archive.keyring`` is its file.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
import time
from collections.abc import Iterable, Mapping, Sequence
from email.utils import formatdate
from pathlib import Path

import zstandard
from pysequoia import SignatureMode, Tsk, sign

from distroless_rules.deb import control
from distroless_rules.values.archive import Archive

__all__ = ["SmallArchive", "control_of", "signed"]

_PACKERS = {"": bytes, ".xz": lzma.compress, ".gz": gzip.compress, ".zst": zstandard.compress}


class SmallArchive:
    """An archive under ``folder``, with a key of its own."""

    def __init__(self, folder: Path, key: Tsk | None = None) -> None:
        """Start an empty archive; ``key`` signs it, a new one when None."""
        self.folder = folder
        self.secret = key or Tsk.generate(user_id="Small Archive <archive@example.com>")
        self.key: bytes = bytes(self.secret.extract_certificate())
        folder.mkdir(parents=True, exist_ok=True)
        self.keyring = folder.parent / f"{folder.name}-keyring.gpg"
        self.keyring.write_bytes(self.key)
        self._stanzas: list[tuple[str, dict[str, str]]] = []

    @property
    def uri(self) -> str:
        """The archive's URI without a server."""
        return self.folder.absolute().as_uri()

    def add(self, deb: bytes, component: str = "main", **fields: str) -> str:
        """Add a real deb; ``fields`` (``_`` for ``-``) replace what its control file says. Gives its path."""
        stanza = control_of(deb) | {name.replace("_", "-"): value for name, value in fields.items()}
        return self._add(stanza, deb, component)

    def add_stanza(self, text: str, deb: bytes | None = None, component: str = "main") -> str:
        """Add a package by its fields; Architecture is ``amd64`` unless given. Gives the path of ``deb``.

        Without ``deb`` some bytes that are no deb stand for it, which is enough to resolve, lock and fetch.
        """
        stanza = {"Architecture": "amd64"} | control.parse(text, "test stanza")
        return self._add(stanza, deb or f"{stanza['Package']} {stanza['Version']}".encode(), component)

    def _add(self, stanza: dict[str, str], deb: bytes, component: str) -> str:
        version = stanza["Version"].rpartition(":")[2]
        name = f"{stanza['Package']}_{version}_{stanza['Architecture']}.deb"
        path = f"pool/{component}/{stanza['Package'][0]}/{name}"
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(deb)
        stanza = {"Package": stanza["Package"]} | stanza
        known = {"Filename": path, "Size": str(len(deb)), "SHA256": hashlib.sha256(deb).hexdigest()}
        self._stanzas.append((component, stanza | {k: v for k, v in known.items() if k not in stanza}))
        return path

    def clear(self) -> None:
        """Forget the packages added so far; what is published stays until the next ``publish`` of its suite."""
        self._stanzas.clear()

    def publish(
        self,
        suite: str,
        *,
        codename: str = "",
        date: float | None = None,
        valid_until: float | None = None,
        architectures: Sequence[str] = ("amd64",),
        components: Sequence[str] = ("main",),
        suffixes: Iterable[str] = ("", ".xz", ".gz", ".zst"),
        by_hash: bool = True,
        keys: Sequence[Tsk] = (),
        fields: Mapping[str, str] | None = None,
        further: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """Write ``dists/<suite>`` with all packages added so far, and give the InRelease file.

        Args:
            suite: the folder's name and the release file's Suite.
            codename: the release file's Codename; the suite's name when empty.
            date: the release file's Date, seconds since 1970; now when None.
            valid_until: its Valid-Until; none when None.
            architectures: what Packages files are made for; ``all`` gives a ``binary-all`` of its own.
            components: likewise.
            suffixes: compressions of the Packages files; ``""`` is always told of, but written only if named.
            by_hash: whether files are also there by their digest.
            keys: sign with these, not with the archive's key; each adds a signature.
            fields: further or other fields of the release file.
            further: path -> bytes of other files that the suite has and the release file lists.
        """
        dists = self.folder / "dists" / suite
        listed: dict[str, bytes] = dict(further or {})
        for path, data in listed.items():
            _write(dists / path, data)
        for component in components:
            for architecture in architectures:
                path = f"{component}/binary-{architecture}/Packages"
                plain = self._packages(component, architecture, "all" in architectures)
                listed[path] = plain
                for suffix in suffixes:
                    listed[path + suffix] = _PACKERS[suffix](plain)
                    _write(dists / (path + suffix), listed[path + suffix])
                if by_hash:
                    for suffix in suffixes:
                        data = listed[path + suffix]
                        digest = hashlib.sha256(data).hexdigest()
                        _write((dists / path).parent / "by-hash" / "SHA256" / digest, data)
        head = {
            "Origin": "Small",
            "Label": "Small",
            "Suite": suite,
            "Codename": codename or suite,
            "Date": formatdate(time.time() if date is None else date, usegmt=True).replace("GMT", "UTC"),
            "Acquire-By-Hash": "yes" if by_hash else "no",
            "Architectures": " ".join(architectures),
            "Components": " ".join(components),
        }
        if valid_until is not None:
            head["Valid-Until"] = formatdate(valid_until, usegmt=True).replace("GMT", "UTC")
        head |= {"SHA256": "".join(f"\n {hashlib.sha256(d).hexdigest()} {len(d)} {p}" for p, d in listed.items())}
        head |= fields or {}
        body = "".join(f"{name}:{'' if value[:1] == chr(10) else ' '}{value}\n" for name, value in head.items())
        inrelease = signed(body.encode(), *(keys or [self.secret]))
        _write(dists / "InRelease", inrelease)
        return inrelease

    def _packages(self, component: str, architecture: str, split_all: bool) -> bytes:
        wanted = [architecture] if split_all else [architecture, "all"]
        return "\n".join(
            "".join(f"{name}: {value}\n" for name, value in stanza.items())
            for where, stanza in self._stanzas
            if where == component and stanza["Architecture"] in wanted
        ).encode()

    def declare(
        self,
        name: str = "trixie",
        suites: Sequence[str] = ("trixie",),
        components: Sequence[str] = ("main",),
        uris: Sequence[str] = (),
        architectures: Sequence[str] = ("amd64",),
    ) -> Archive:
        """Give the archive as ``distroless.toml`` would declare it; ``uris`` are the folder's when empty."""
        return Archive(
            name, tuple(suites), tuple(components), tuple(architectures), tuple(uris) or (self.uri,), str(self.keyring)
        )

    def table(self, name: str = "trixie", suites: Sequence[str] = ("trixie",), uris: Sequence[str] = ()) -> str:
        """Give the archive's table for ``distroless.toml``."""

        def listed(words: Sequence[str]) -> str:
            return ", ".join(f'"{word}"' for word in words)

        return (
            f'[archive.{name}]\ntype = "deb"\nsuites = [{listed(suites)}]\ncomponents = ["main"]\n'
            f'architectures = ["amd64"]\nuris = [{listed(uris or [self.uri])}]\nkeyring = "{self.keyring}"\n'
        )


def signed(body: bytes, *keys: Tsk) -> bytes:
    """Sign a text with each of the keys, as one cleartext-signed message."""
    import base64
    import re

    messages = [sign(key.signer(), body, mode=SignatureMode.CLEAR) for key in keys]
    head = messages[0][: messages[0].index(b"-----BEGIN PGP SIGNATURE-----")]
    packets = b""
    for message in messages:
        lines = message[message.index(b"-----BEGIN PGP SIGNATURE-----") :].split(b"\n")
        packets += base64.b64decode(b"".join(line for line in lines if re.fullmatch(rb"[A-Za-z0-9+/]+={0,2}", line)))
    armor = base64.encodebytes(packets)
    return head + b"-----BEGIN PGP SIGNATURE-----\n\n" + armor + b"-----END PGP SIGNATURE-----\n"


def control_of(deb: bytes) -> dict[str, str]:
    """Read the control file of a deb (deb(5)): an ar archive whose second member holds it."""
    at, members = 8, {}
    while at < len(deb):
        name, size = deb[at : at + 16].decode().strip().rstrip("/"), int(deb[at + 48 : at + 58])
        members[name] = deb[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    name = next(name for name in members if name.startswith("control.tar"))
    data = members[name]
    if name.endswith(".zst"):
        data = zstandard.ZstdDecompressor().stream_reader(data).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        member = next(m for m in tar.getmembers() if m.name.lstrip("./") == "control")
        file = tar.extractfile(member)
        assert file
        return control.parse(file.read(), "test deb")


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
