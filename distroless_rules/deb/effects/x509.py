"""The little of X.509 that a trust store needs: certificates in PEM in, DER and the name's hash out.

Source: RFC 7468 (PEM), X.690 (DER), RFC 5280 section 4.1; ``X509_NAME_hash`` and the canonical form of names in
OpenSSL's manual (x509_hash in openssl-x509(1)).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from distroless_rules.errors import FormatError

__all__ = ["certificates", "subject_hash"]

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _SET = 0x30, 0x31
_VERSION = 0xA0
# Kinds of text, and how each is encoded; OpenSSL compares them all as UTF-8.
_TEXTS = {12: "utf-8", 19: "ascii", 20: "latin-1", 22: "ascii", 26: "ascii", 28: "utf-32-be", 30: "utf-16-be"}


def certificates(pem: bytes, what: str) -> list[bytes]:
    """Give the certificates of a PEM file as DER.

    Raises:
        FormatError: if there is none, or one is malformed.
    """
    try:
        found = [base64.b64decode(b"".join(match[1].split()), validate=True) for match in _PEM.finditer(pem)]
    except binascii.Error as error:
        raise FormatError(f"read {what}", f"a certificate is malformed: {error}") from error
    if not found:
        raise FormatError(f"read {what}", "it has no certificate", hint="expected PEM: -----BEGIN CERTIFICATE-----")
    for der in found:
        subject_hash(der, what)
    return found


def subject_hash(der: bytes, what: str) -> str:
    """Give the eight digits under which OpenSSL looks for a certificate by its subject.

    Raises:
        FormatError: if the certificate is malformed.
    """
    try:
        name = _canonical(_subject(der))
    except (IndexError, ValueError) as error:
        raise FormatError(f"read {what}", "a certificate is malformed") from error
    return f"{int.from_bytes(hashlib.sha1(name, usedforsecurity=False).digest()[:4], 'little'):08x}"


def _subject(der: bytes) -> bytes:
    _, body = _one(der)
    tag, signed = _one(body)
    if tag != _SEQUENCE:
        raise ValueError
    fields = list(_parts(signed))
    at = 5 if fields[0][0] == _VERSION else 4  # version, serial number, algorithm, issuer, validity, subject
    tag, name = fields[at]
    if tag != _SEQUENCE:
        raise ValueError
    return name


def _canonical(name: bytes) -> bytes:
    out = []
    for tag, relative in _parts(name):
        if tag != _SET:
            raise ValueError
        attributes = []
        for _, attribute in _parts(relative):
            (_, kind), (text_tag, text) = _parts(attribute)
            if text_tag in _TEXTS:
                words = text.decode(_TEXTS[text_tag]).encode().strip(b" \t\n\v\f\r").split()
                text_tag, text = 12, b" ".join(words).lower()
            attributes.append(_der(_SEQUENCE, _der(6, kind) + _der(text_tag, text)))
        out.append(_der(_SET, b"".join(sorted(attributes))))
    return b"".join(out)


def _one(data: bytes) -> tuple[int, bytes]:
    return next(_parts(data))


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Give tag and content of each value."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + length > len(data):
            raise IndexError
        yield tag, data[at : at + length]
        at += length


def _der(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
