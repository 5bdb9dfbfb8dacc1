"""Keys that sign results of actions, as a line of text: ``<name>:<base64>``, which is what Nix has for its caches.

The name is chosen by whoever makes the key, and says with which one a result was signed. Of a public key the base64
part holds the 32 bytes of RFC 8032, section 5.1.5; of a secret one the 32 bytes that it is made of and then its public
key, 64 together. No message repeats a text that may be secret.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from distroless_rules.errors import FormatError

__all__ = ["NAME", "PublicKey", "SecretKey", "decoded"]

NAME = re.compile(r"[A-Za-z0-9_.@+/-]{1,100}")
"""What the name of a key may be."""

_PUBLIC = 32  # bytes
_SECRET = 64
_FOREIGN = {
    "-----BEGIN ": "it is a PEM file",
    "ssh-": "it is a key of SSH",
    "untrusted comment:": "it is a key of minisign or signify",
}
_HINT = "`distroless key generate FILE` makes one"
_PRIME = 2**255 - 19
_ORDER_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_SMALL_ORDER = frozenset({0, 1, _ORDER_8, _PRIME - _ORDER_8, _PRIME - 1, _PRIME, _PRIME + 1})
"""The y of all points whose order divides 8. Signatures of such a "key" can be made by everybody: of one that is all
zeros, as a placeholder may be, half of all messages are signed by a signature that is the same for all."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What checks signatures.

    Attributes:
        name: what the signatures call it.
        data: 32 bytes.
    """

    name: str
    data: bytes

    def __str__(self) -> str:
        return f"{self.name}:{base64.b64encode(self.data).decode()}"

    @staticmethod
    def parse(text: str, doing: str) -> PublicKey:
        """Read a public key.

        Args:
            text: ``ci-1:`` and 44 letters.
            doing: what cannot be done if it is wrong.

        Raises:
            FormatError: if it is anything else; what it is, as far as that can be told, is said.
        """
        name, data = _split(text, doing)
        if len(data) == _SECRET:
            raise FormatError(doing, "it is a secret key", hint="write what `distroless key public FILE` prints")
        if len(data) != _PUBLIC:
            raise FormatError(doing, f"it has {len(data)} bytes, and a public key has {_PUBLIC}", hint=_HINT)
        if int.from_bytes(data, "little") % 2**255 in _SMALL_ORDER:
            raise FormatError(doing, "everybody can sign for such a key", hint=_HINT)
        return PublicKey(name, data)


@dataclass(frozen=True, slots=True)
class SecretKey:
    """What makes signatures; it is not shown.

    Attributes:
        public: what checks them.
        seed: 32 bytes.
    """

    public: PublicKey
    seed: bytes = field(repr=False)

    def text(self) -> str:
        """Give the key as ``parse`` reads it: a secret."""
        return f"{self.public.name}:{base64.b64encode(self.seed + self.public.data).decode()}"

    @staticmethod
    def parse(text: str, doing: str) -> SecretKey:
        """Read a secret key; that its public key belongs to it is seen by ``storage.signatures``.

        Args:
            text: ``ci-1:`` and 88 letters, and nothing but blanks around them.
            doing: what cannot be done if it is wrong.

        Raises:
            FormatError: if it is anything else; nothing of it is repeated.
        """
        name, data = _split(text.strip(), doing)
        if len(data) == _PUBLIC:
            raise FormatError(doing, "it is a public key, and results are signed with the secret one", hint=_HINT)
        if len(data) != _SECRET:
            raise FormatError(doing, f"it has {len(data)} bytes, and a secret key has {_SECRET}", hint=_HINT)
        return SecretKey(PublicKey(name, data[_PUBLIC:]), data[:_PUBLIC])


def decoded(text: str) -> bytes | None:
    """Give the bytes that base64 text (RFC 4648, section 4) holds; None if it is not written as it must be."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None


def _split(text: str, doing: str) -> tuple[str, bytes]:
    for beginning, what in _FOREIGN.items():
        if text.startswith(beginning):
            raise FormatError(doing, what, hint=_HINT)
    name, colon, rest = text.partition(":")
    if not colon:
        raise FormatError(doing, "it has no name: a key is NAME:BASE64", hint=_HINT)
    if not NAME.fullmatch(name):
        raise FormatError(doing, "its name has characters that a name cannot have, or is too long", hint=_HINT)
    data = decoded(rest)
    if data is None:
        raise FormatError(doing, "what follows its name is not base64", hint=_HINT)
    return name, data
