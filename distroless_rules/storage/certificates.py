"""Certificates and keys that settings name, looked at before a server is: a wrong one is an error with its setting.

What speaks TLS here takes files that it cannot use for a server that cannot be reached, or asks for a password.
Source: RFC 7468 (PEM).
"""

from __future__ import annotations

import re
from pathlib import Path

from distroless_rules.errors import ConfigError
from distroless_rules.storage.endpoint import Endpoint

__all__ = ["read"]

_CERTIFICATE = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")
_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")
_ENCRYPTED = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.MULTILINE)


def read(endpoint: Endpoint) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Give the bytes of the authorities, of the client's certificate and of its key; None for what is not named.

    Raises:
        ConfigError: if one cannot be read or used; the message holds nothing of it.
    """
    identity = endpoint.identity
    named = {"ca": identity.ca, "certificate": identity.certificate, "key": identity.key}
    found = {name: _bytes(file, name, endpoint) for name, file in named.items() if file is not None}
    for name, data in found.items():
        if name == "key" and _ENCRYPTED.search(data):
            raise _refused(named[name], name, endpoint, "it is encrypted, and its password is not asked for")
        if not (_KEY if name == "key" else _CERTIFICATE).search(data):
            what = "private key" if name == "key" else "certificate"
            raise _refused(named[name], name, endpoint, f"it holds no {what} in PEM")
    if found:
        _load(endpoint)
    return found.get("ca"), found.get("certificate"), found.get("key")


def _load(endpoint: Endpoint) -> None:
    """Have OpenSSL take the files."""
    import ssl

    identity = endpoint.identity
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    name, file = "ca", identity.ca
    try:
        if identity.ca is not None:
            context.load_verify_locations(identity.ca)
        name, file = "key", identity.key
        if identity.certificate is not None:
            context.load_cert_chain(identity.certificate, identity.key)
    except (ssl.SSLError, OSError) as error:
        reason = (getattr(error, "reason", "") or error.strerror or str(error)).lower().replace("_", " ")
        fits = reason != "key values mismatch"
        cause = f"OpenSSL cannot use it: {reason}" if fits else f'it is not the key of "{identity.certificate}"'
        raise _refused(file, name, endpoint, cause) from error


def _bytes(file: Path, name: str, endpoint: Endpoint) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _refused(file, name, endpoint, (error.strerror or str(error)).lower()) from error


def _refused(file: Path | None, name: str, endpoint: Endpoint, cause: str) -> ConfigError:
    return ConfigError(f'read "{file}"', cause, hint=f'see "{name}" in [{endpoint.table}]')
