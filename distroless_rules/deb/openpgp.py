"""Signed release files: an InRelease file and a keyring in, the signed text out.

A verifier's "good signature" says nothing about bytes outside the signed frame, so the frame is checked strictly
before, each signature is verified by itself, and only the text that the verifier returns is handed on.
Source: RFC 9580 section 7 (cleartext signature framework) and section 4 (packet syntax).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from distroless_rules.errors import ConfigError, TrustError

if TYPE_CHECKING:
    from pysequoia import Cert, Sig
    from pysequoia.packet import Packet

__all__ = ["merge", "restrict", "verify"]

MAX_SIZE = 10 << 20
_MAX_SIGNATURES = 16
_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----\n"
_BEGIN_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n"
_END_SIGNATURE = b"-----END PGP SIGNATURE-----\n"
_HASH_HEADERS = re.compile(rb"(?:Hash: SHA(?:256|384|512)(?:, ?SHA(?:256|384|512))*\n)*\n")
_ARMOR_HEADERS = re.compile(rb"(?:(?:Version|Comment|Charset): [^\n]*\n)*\n")
_ARMOR_BODY = re.compile(rb"((?:[A-Za-z0-9+/]{1,76}={0,2}\n)+)(?:=[A-Za-z0-9+/]{4}\n)?")
_CONTROL_BYTES = re.compile(rb"[\0-\x08\x0b-\x1f\x7f]")
_STRONG_HASHES = frozenset({"SHA256", "SHA384", "SHA512", "SHA3_256", "SHA3_512"})


def verify(inrelease: bytes, keyring: bytes, what: str, now: float) -> tuple[bytes, tuple[str, ...]]:
    """Check an InRelease file against a keyring.

    One valid signature by a key of the keyring is enough; signatures by other keys are left aside, as apt does. A
    signature does not count if its hash is weak, or if its key is revoked or has expired by ``now``.

    Args:
        inrelease: the whole file.
        keyring: OpenPGP certificates, binary or armored.
        what: what is checked, for the message: ``release file of suite trixie``.
        now: seconds since 1970.

    Returns:
        The signed text, and the fingerprints of the certificates whose signatures count, sorted, upper case.

    Raises:
        TrustError: if the frame is not exactly one signed message, or no signature counts.
        ConfigError: if the keyring cannot be read.
    """
    head, packets = _frame(inrelease, what)
    certificates = _certificates(keyring, f"the keyring for {what}")
    body: bytes | None = None
    signers: set[str] = set()
    failures: list[str] = []
    for packet in packets:
        outcome = _check(head, packet, certificates, now)
        if isinstance(outcome, str):
            failures.append(outcome)
        elif body is not None and outcome.body != body:
            raise _refusal(what, "its signatures are over different texts")
        else:
            body = outcome.body
            signers.add(outcome.fingerprint.upper())
    if body is None:
        raise _refusal(what, f"no signature counts: {', '.join(dict.fromkeys(failures))}")
    return body, tuple(sorted(signers))


def merge(keyrings: Iterable[bytes], what: str) -> bytes:
    """Join keyrings, binary or armored, into one binary keyring in which no certificate stands twice.

    Raises:
        ConfigError: if one of them cannot be read.
    """
    merged: dict[str, Cert] = {}
    for keyring in keyrings:
        for certificate in _certificates(keyring, what):
            known = merged.get(certificate.fingerprint)
            merged[certificate.fingerprint] = known.merge(certificate) if known else certificate
    return b"".join(bytes(certificate) for certificate in merged.values())


def restrict(keyring: bytes, fingerprints: Iterable[str], what: str) -> bytes:
    """Give the keyring with only the certificates that have a key with one of these fingerprints.

    Raises:
        ConfigError: if the keyring cannot be read.
    """
    wanted = {fingerprint.lower() for fingerprint in fingerprints}
    return b"".join(bytes(c) for c in _certificates(keyring, what) if not wanted.isdisjoint(_key_fingerprints(c)))


def _refusal(what: str, cause: str) -> TrustError:
    return TrustError(f"trust {what}", cause)


def _frame(data: bytes, what: str) -> tuple[bytes, list[bytes]]:
    """Split the file into the part up to its signature block, and the signature packets of that block."""
    if len(data) > MAX_SIZE:
        raise _refusal(what, f"it is larger than {MAX_SIZE >> 20} MiB")
    if not data.startswith(_BEGIN):
        raise _refusal(what, "it does not begin with an OpenPGP cleartext signature")
    if _CONTROL_BYTES.search(data):
        raise _refusal(what, "it holds control characters")
    headers = _HASH_HEADERS.match(data, len(_BEGIN))
    if not headers:
        raise _refusal(what, "its header is not an empty line after Hash lines that name SHA-2")
    start = data.find(b"\n" + _BEGIN_SIGNATURE, headers.end() - 1) + 1
    if start == 0:
        raise _refusal(what, "it has no signature")
    if re.search(rb"^-(?! )", data[headers.end() : start], re.MULTILINE):
        raise _refusal(what, "a line of the signed text begins with an unescaped dash")
    end = data.find(_END_SIGNATURE, start)
    if end == -1:
        raise _refusal(what, "its signature block has no end")
    if data[end + len(_END_SIGNATURE) :].strip():
        raise _refusal(what, "there is text after its signature block")
    try:
        return data[:start], list(_packets(data[start + len(_BEGIN_SIGNATURE) : end]))
    except ValueError as error:
        raise _refusal(what, f"its signature block is malformed: {error}") from error


def _packets(armored: bytes) -> Iterator[bytes]:
    """Give the packets in the lines of an armor, all of which must be signatures (so none can be a bomb)."""
    headers = _ARMOR_HEADERS.match(armored)
    body = _ARMOR_BODY.fullmatch(armored, headers.end()) if headers else None
    if not body:
        raise ValueError("it is not armored base64")
    try:
        data = base64.b64decode(body[1].replace(b"\n", b""), validate=True)
    except binascii.Error as error:
        raise ValueError("it is not base64") from error
    at = count = 0
    while at < len(data):
        start, length = _packet_span(data, at)
        count += 1
        if count > _MAX_SIGNATURES:
            raise ValueError(f"it holds more than {_MAX_SIGNATURES} signatures")
        if start + length > len(data):
            raise ValueError("it is cut off")
        yield data[at : start + length]
        at = start + length


def _packet_span(data: bytes, at: int) -> tuple[int, int]:
    """Give where the body of the packet at ``at`` starts and its length (RFC 9580 section 4.2)."""
    head = data[at]
    octets = data[at + 1 : at + 6].ljust(5, b"\0")
    if head & 0xFC == 0x88 and head & 3 != 3:  # legacy format, signature
        size = 1 << (head & 3)
        return at + 1 + size, int.from_bytes(octets[:size], "big")
    if head == 0xC2:  # current format, signature
        if octets[0] < 192:
            return at + 2, octets[0]
        if octets[0] < 224:
            return at + 3, ((octets[0] - 192) << 8) + octets[1] + 192
        if octets[0] == 255:
            return at + 6, int.from_bytes(octets[1:5], "big")
    raise ValueError("it holds something else than signatures")


def _certificates(keyring: bytes, what: str) -> list[Cert]:
    from pysequoia import Cert

    if keyring[8:12] == b"KBXf":
        hint = 'write it anew with "gpg --export"'
        raise ConfigError(f"read {what}", "it is a GnuPG keybox", hint=hint)
    try:
        return Cert.split_bytes(keyring) if keyring else []
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"read {what}", f"it is not OpenPGP: {_first_line(error)}") from error


@dataclass(frozen=True, slots=True)
class _Valid:
    body: bytes
    fingerprint: str


def _check(head: bytes, packet: bytes, certificates: list[Cert], now: float) -> _Valid | str:
    """Verify one signature over the text in ``head``; give why it does not count as a word to the user."""
    from pysequoia import ArmorKind, Sig, armor
    from pysequoia import verify as sequoia_verify

    try:
        signature = Sig.from_bytes(packet)
    except (RuntimeError, ValueError):
        return "one is of an unknown kind"
    hash_name = str(signature.hash_algorithm).rpartition(".")[2]
    if hash_name not in _STRONG_HASHES:
        return f"the one by {_issuer(signature)} uses the weak hash {hash_name}"
    message = head + armor(packet, ArmorKind.Signature).encode()
    try:
        verified = sequoia_verify(message, lambda _: certificates)
    except (RuntimeError, ValueError):
        return _why_bad(signature, certificates, now)
    by = verified.valid_sigs[0]
    certificate = next(c for c in certificates if c.fingerprint == by.certificate)
    return _unusable(certificate, by.signing_key, now) or _Valid(verified.bytes or b"", by.certificate)


def _issuer(signature: Sig) -> str:
    return (signature.issuer_fingerprint or signature.issuer_key_id or "an unnamed key").upper()


def _why_bad(signature: Sig, certificates: list[Cert], now: float) -> str:
    issuer = _issuer(signature)
    for certificate in certificates:
        for fingerprint in _key_fingerprints(certificate):
            if fingerprint.endswith(issuer.lower()):
                unusable = _unusable(certificate, fingerprint, now)
                return unusable or f"the one by {issuer} does not match the text, or that key may not sign"
    return f"the keyring has no key {issuer}"


def _key_fingerprints(certificate: Cert) -> set[str]:
    from pysequoia.packet import PacketPile

    return {packet.fingerprint for packet in PacketPile.from_bytes(bytes(certificate)) if packet.fingerprint}


def _unusable(certificate: Cert, signing_key: str, now: float) -> str:
    """Give why no signature by this key counts, or ``""``.

    Sequoia asks whether a key was valid when the signature says it was made; whoever steals a key that has expired
    can write any date, so the key must be valid now too.
    """
    moment = datetime.fromtimestamp(now, timezone.utc)
    name = signing_key.upper()
    try:
        expires = [certificate.expiration, _subkey_expiration(certificate, signing_key)]
        revoked = certificate.is_revoked
    except RuntimeError as error:
        return f"key {name} is not usable: {_first_line(error)}"
    if revoked or _is_subkey_revoked(certificate, signing_key):
        return f"key {name} is revoked"
    passed = [date for date in expires if date and date <= moment]
    return f"key {name} expired on {min(passed):%Y-%m-%d}" if passed else ""


def _subkey_signatures(certificate: Cert, fingerprint: str, kind: str) -> Iterator[tuple[Packet, Packet]]:
    from pysequoia.packet import PacketPile

    key = None
    for packet in PacketPile.from_bytes(bytes(certificate)):
        if packet.fingerprint:
            key = packet
        elif key and key.fingerprint == fingerprint and str(packet.signature_type).endswith(f".{kind}"):
            yield key, packet


def _subkey_expiration(certificate: Cert, fingerprint: str) -> datetime | None:
    bindings = list(_subkey_signatures(certificate, fingerprint, "SubkeyBinding"))
    if not bindings:
        return None
    epoch = datetime.fromtimestamp(0, timezone.utc)
    key, latest = max(bindings, key=lambda pair: pair[1].signature_created or epoch)
    return (key.key_created or epoch) + latest.key_validity_period if latest.key_validity_period else None


def _is_subkey_revoked(certificate: Cert, fingerprint: str) -> bool:
    return any(True for _ in _subkey_signatures(certificate, fingerprint, "SubkeyRevocation"))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
