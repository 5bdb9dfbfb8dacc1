"""Whom an image trusts: the CA bundle, OpenSSL's hash links, and Java's trust store.

Source: update-ca-certificates(8), openssl-rehash(1); ca-certificates-java's postinst; the JKS format as
``java.security.KeyStore`` reads it (version 2).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

from distroless_rules.deb.effects.effect import Change, Effect, Scene, file, link
from distroless_rules.deb.effects.x509 import certificates, subject_hash
from distroless_rules.values.tree import Kind

__all__ = ["CA_CERTIFICATES", "JAVA_CACERTS"]

_SHIPPED = "usr/share/ca-certificates"
_LOCAL = "usr/local/share/ca-certificates"
_STORE = "etc/ssl/certs"
_OPENSSL = "usr/lib/ssl"  # OPENSSLDIR, as Debian compiles it
_JKS_PASSWORD = "changeit"  # noqa: S105 - what every Java expects of its trust store, which holds no secret
_JKS_MAGIC = 0xFEEDFEED


def _trusted(scene: Scene) -> list[tuple[str, bytes]]:
    """Give (path, PEM text) of each certificate, in the order of the bundle."""
    found: list[tuple[str, bytes]] = []
    if "ca-certificates" in scene.debs:
        shipped = [e for e in scene.tree.below(_SHIPPED) if e.kind is Kind.FILE and e.path.endswith(".crt")]
        found.extend((entry.path, scene.read(entry)) for entry in shipped)
    for name, pem in scene.extra_certificates:
        ended = pem if pem.endswith(b"\n") else pem + b"\n"
        found.append((f"{_LOCAL}/{name}", ended))
    return found


def _bundle(scene: Scene) -> Iterator[Change]:
    trusted = _trusted(scene)
    if not trusted:
        return
    if f"{_STORE}/ca-certificates.crt" not in scene.tree:
        yield file(f"{_STORE}/ca-certificates.crt", b"".join(pem for _, pem in trusted))
    for path, pem in trusted:
        if path.startswith(_LOCAL):
            yield file(path, pem)
    yield from _of_openssl(scene)
    taken: dict[str, int] = {}
    for path, pem in sorted(trusted, key=lambda row: _pem_name(row[0])):
        name = _pem_name(path)
        if f"{_STORE}/{name}" in scene.tree:
            continue
        yield link(f"{_STORE}/{name}", f"/{path}")
        digits = subject_hash(certificates(pem, f'"/{path}"')[0], f'"/{path}"')
        number = taken[digits] = taken.get(digits, -1) + 1
        yield link(f"{_STORE}/{digits}.{number}", name)


def _of_openssl(scene: Scene) -> Iterator[Change]:
    """Make the links by which OpenSSL's library finds the store; since Debian 13 its command's deb has them."""
    if not any(name.startswith("libssl") for name in scene.debs):
        return
    for name, target in (("cert.pem", f"/{_STORE}/ca-certificates.crt"), ("certs", f"/{_STORE}")):
        if f"{_OPENSSL}/{name}" not in scene.tree:
            yield link(f"{_OPENSSL}/{name}", target)


def _pem_name(path: str) -> str:
    """Give the name that update-ca-certificates gives a certificate's link."""
    name = path.rpartition("/")[2].removesuffix(".crt").removesuffix(".pem")
    return name.translate(str.maketrans(" ,()", "__==")) + ".pem"


def _java(scene: Scene) -> Iterator[Change]:
    if "ca-certificates-java" not in scene.debs or f"{_STORE}/java/cacerts" in scene.tree:
        return
    yield file(f"{_STORE}/java/cacerts", _key_store(_trusted(scene)))


def _key_store(trusted: list[tuple[str, bytes]]) -> bytes:
    """Write a JKS of trusted certificates; every date in it is 1970-01-01."""
    entries = {}
    for path, pem in trusted:
        for number, der in enumerate(certificates(pem, f'"/{path}"')):
            alias = f"debian:{_pem_name(path)}".lower()
            entries[f"{alias}-{number}" if number else alias] = der
    out = [struct.pack(">III", _JKS_MAGIC, 2, len(entries))]
    for alias in sorted(entries):
        der = entries[alias]
        out.append(struct.pack(">I", 2) + _text(alias) + bytes(8) + _text("X.509") + struct.pack(">I", len(der)) + der)
    data = b"".join(out)
    seal = hashlib.sha1(_JKS_PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + data, usedforsecurity=False)
    return data + seal.digest()


def _text(text: str) -> bytes:
    """Write a string as ``java.io.DataOutput.writeUTF`` does; the names have no character that differs from UTF-8."""
    data = text.encode("utf-8", "replace")
    return struct.pack(">H", len(data)) + data


CA_CERTIFICATES = Effect(
    "ca-certificates",
    "/etc/ssl/certs/ca-certificates.crt holds the certificates of the deb ca-certificates, byte for byte as its script "
    "makes it, and those that the image adds; OpenSSL's links by hash are there too, and "
    "/usr/lib/ssl/cert.pem and certs, where its library looks for them.",
    _bundle,
)
JAVA_CACERTS = Effect(
    "java-cacerts",
    "/etc/ssl/certs/java/cacerts holds the same certificates for Java, with fixed dates.",
    _java,
)
