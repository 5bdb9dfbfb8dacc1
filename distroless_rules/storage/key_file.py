"""Files that hold the secret key by which results are signed: reading one, and writing a new one."""

from __future__ import annotations

import os
from pathlib import Path

from distroless_rules.errors import ConfigError, FormatError
from distroless_rules.storage.signatures import Signer
from distroless_rules.values.signing_key import SecretKey

__all__ = ["LARGEST", "read", "signer", "write"]

LARGEST = 4096
"""Bytes of a file with a key, at most."""


def read(file: Path, hint: str = "") -> str:
    """Give the text of a file with a key, which may come from a pipe.

    Raises:
        ConfigError: if it cannot be read, or holds anything but a line of ASCII; what it holds is not repeated.
    """
    doing = f'read the key in "{file}"'
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(doing, (error.strerror or str(error)).lower(), hint=hint) from error
    if len(data) > LARGEST:
        raise ConfigError(doing, f"it has more than {LARGEST} bytes", hint=hint)
    if not data.strip():
        raise ConfigError(doing, "it is empty", hint=hint)
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise ConfigError(doing, "it is not ASCII text", hint=hint) from error


def signer(text: str, doing: str) -> Signer:
    """Give what signs with the key that a text holds.

    Args:
        text: a secret.
        doing: what cannot be done if it is no key.

    Raises:
        ConfigError: if it is not; nothing of it is repeated.
    """
    try:
        return Signer(SecretKey.parse(text, doing), doing)
    except FormatError as error:
        raise ConfigError(error.doing, error.cause, hint=error.hint) from error


def write(file: Path, key: SecretKey) -> None:
    """Write a secret key into a new file, which only its owner can read.

    Raises:
        ConfigError: if there is such a file, or it cannot be written.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="ascii") as stream:
            stream.write(f"{key.text()}\n")
    except FileExistsError as error:
        raise ConfigError(
            f'write the key "{file}"', "the file exists", hint="a key that is used is lost with it"
        ) from error
    except OSError as error:
        raise ConfigError(f'write the key "{file}"', (error.strerror or str(error)).lower()) from error
