"""Signatures of results: Ed25519 (RFC 8032) over everything that is taken from a result, and what it is a result of.

What is signed is a canonical form of our own and not the message that travels: servers read messages and write them
anew. It begins with what it is, so that a signature of anything else does not count, and names the digest of the
action, so that a result counts for that action alone. Which cache it lies in is not signed: an action's digest stands
for all that decides what it makes, and so does its result, wherever it is kept.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from distroless_rules.errors import FormatError
from distroless_rules.storage.store import ActionResult
from distroless_rules.values.canonical import form
from distroless_rules.values.digest import Digest
from distroless_rules.values.signing_key import NAME, PublicKey, SecretKey, decoded

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = ["MOST", "Signer", "Verifier", "generate", "statement"]

MOST = 8
"""How many signatures of one result are looked at: whoever may write could add any number."""

_WHAT = "the result of an action of distroless-rules, 1"
_SIGNATURE = 64  # bytes


def statement(key: Digest, result: ActionResult) -> bytes:
    """Give what is signed.

    Args:
        key: the digest of the action.
        result: what it made, having ended with exit status 0: others are kept nowhere.
    """
    lines = [("statement", _WHAT), ("action", str(key)), ("exit status", "0")]
    lines += [(f"output/{name}", str(result.outputs[name])) for name in sorted(result.outputs)]
    lines.append(("printed", str(result.printed or "")))
    lines += [("milliseconds", str(result.milliseconds)), ("code", result.code)]
    return form(lines)


class Signer:
    """Signs results; safe for many threads.

    Args:
        key: with which.
        doing: what cannot be done with a key that is wrong.

    Attributes:
        public: what checks the signatures.

    Raises:
        FormatError: if the public key that stands in it is another one's.
    """

    def __init__(self, key: SecretKey, doing: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._key = Ed25519PrivateKey.from_private_bytes(key.seed)
        self.public = key.public
        if self._key.public_key().public_bytes_raw() != key.public.data:
            raise FormatError(doing, "its two halves do not belong together")

    def sign(self, key: Digest, result: ActionResult) -> str:
        """Give the signature of a result: the name of the key, ``:``, and the 64 bytes in base64."""
        signature = self._key.sign(statement(key, result))
        return f"{self.public.name}:{base64.b64encode(signature).decode()}"


class Verifier:
    """Checks signatures by keys that are trusted; safe for many threads.

    Args:
        keys: which; each has a name of its own.
    """

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        self._keys = {key.name: key for key in keys}
        self._loaded: Mapping[str, Ed25519PublicKey] | None = None

    def signer(self, key: Digest, result: ActionResult, signatures: Iterable[str]) -> tuple[PublicKey | None, str]:
        """Give the first key that signed a result, or None and what is wrong with the signatures.

        Args:
            key: the digest of the action.
            result: what it is said to have made.
            signatures: as they were found; each may be anything.
        """
        from cryptography.exceptions import InvalidSignature

        cause, said = "not signed", None
        for text in list(signatures)[:MOST]:
            name, _, rest = text.partition(":")
            if name not in self._keys:
                cause = f'signed by "{name}"' if NAME.fullmatch(name) else "signed by a name that none can have"
                continue
            said = said or statement(key, result)
            signature = decoded(rest)
            try:
                if signature is not None and len(signature) == _SIGNATURE:
                    self._load()[name].verify(signature, said)
                    return self._keys[name], ""
            except InvalidSignature:
                pass  # what it is the signature of, nobody can tell
            cause = f'not what "{name}" signed'
        return None, cause

    def _load(self) -> Mapping[str, Ed25519PublicKey]:
        if self._loaded is None:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

            self._loaded = {name: Ed25519PublicKey.from_public_bytes(key.data) for name, key in self._keys.items()}
        return self._loaded


def generate(name: str) -> SecretKey:
    """Make a key.

    Raises:
        FormatError: if that cannot be its name.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not NAME.fullmatch(name):
        hint = "letters, digits and _.@+/- are what it can have, up to 100"
        raise FormatError(f'make a key "{name[:100]}"', "that is not a name that a key can have", hint=hint)
    made = Ed25519PrivateKey.generate()
    return SecretKey(PublicKey(name, made.public_key().public_bytes_raw()), made.private_bytes_raw())
