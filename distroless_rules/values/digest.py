"""SHA-256 digests with the size of what they name: the one name for bytes everywhere.

The digest of a layer blob in the content-addressed store is its OCI digest (OCI image
specification 1.1, "Digests") and its Remote Execution API ``Digest``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from distroless_rules.errors import FormatError

__all__ = ["EMPTY", "Digest"]

_HEX = re.compile(r"[0-9a-f]{64}")
_SIZE = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The SHA-256 of some bytes, and how many bytes they are.

    Attributes:
        hash: 64 lower-case hexadecimal digits.
        size: the number of bytes.
    """

    hash: str
    size: int

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hash):
            raise FormatError(f'read digest "{self.hash[:80]}"', "not 64 lower-case hexadecimal digits")
        if self.size < 0:
            raise FormatError(f'read digest "{self.hash}"', f"negative size {self.size}")

    @staticmethod
    def of(data: bytes | memoryview) -> Digest:
        """Give the digest of ``data``."""
        return Digest(hashlib.sha256(data).hexdigest(), len(data))

    @property
    def oci(self) -> str:
        """The digest as OCI documents write it: ``sha256:<hex>``."""
        return f"sha256:{self.hash}"

    def __str__(self) -> str:
        return f"{self.hash}/{self.size}"

    @staticmethod
    def parse(text: str) -> Digest:
        """Read what ``str`` gives: ``<hex>/<size>``.

        Raises:
            FormatError: if ``text`` is anything else.
        """
        value, slash, size = text.partition("/")
        if not slash or not _SIZE.fullmatch(size):
            raise FormatError(f'read digest "{text[:100]}"', "expected <sha-256>/<size>")
        return Digest(value, int(size))


EMPTY = Digest.of(b"")
