"""What is said about a shared cache: in ``distroless.toml``, in the environment, on the command line; later ones win.

Nothing is read or asked here: an address is checked where it is used (``storage.endpoint``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from distroless_rules.errors import ConfigError
from distroless_rules.values.signing_key import PublicKey

__all__ = ["NO_OPTIONS", "NO_REMOTE", "RemoteCache", "RemoteOptions", "chosen", "same_server", "with_address"]

_ON = ("1", "true", "yes", "on")
_OFF = ("0", "false", "no", "off", "")
_PREFIX = "DISTROLESS_REMOTE_"
_SIGNING_KEY = "DISTROLESS_SIGNING_KEY"


@dataclass(frozen=True)
class RemoteCache:
    """A shared cache, and what is to be done with it.

    Attributes:
        address: where it is, as it was written; ``""``: there is none.
        source: where that was written, for messages.
        upload: whether what this machine makes is sent there.
        accept: whether what it holds is used.
        required: whether an error of it is an error, and not a warning.
        seconds: how long a small call may take.
        headers: names and values that go with each request.
        token: a bearer token.
        token_file: a file that holds one.
        helper: a program that gives credentials.
        ca: a file of certificates in place of the system's.
        certificate: the client's certificate.
        key: its private key.
        trusted: the keys one of which must have signed a result for it to be used; None: no signature is asked for.
        signing_key: the key that signs what is sent, as text.
        signing_key_file: a file that holds it.
    """

    address: str = ""
    source: str = '"remote" in [cache]'
    upload: bool = False
    accept: bool = True
    required: bool = False
    seconds: float = 3.0
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    helper: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    trusted: tuple[PublicKey, ...] | None = None
    signing_key: str = field(default="", repr=False)
    signing_key_file: Path | None = None


@dataclass(frozen=True)
class RemoteOptions:
    """What the command line says; None: nothing."""

    address: str | None = None
    upload: bool | None = None
    accept: bool | None = None
    required: bool | None = None
    headers: tuple[str, ...] = field(default=(), repr=False)
    signing_key_file: Path | None = None


NO_REMOTE = RemoteCache()
NO_OPTIONS = RemoteOptions()


def chosen(file: RemoteCache, environment: Mapping[str, str], options: RemoteOptions) -> RemoteCache:
    """Join what the file, the environment and the command line say.

    What the file says about who asks - headers, tokens, certificates - is for the server that the file names: with
    another one it does not count.

    Raises:
        ConfigError: if a variable or a header is not well formed; its value is not repeated.
    """
    found = with_address(file, environment.get(f"{_PREFIX}CACHE"), f"{_PREFIX}CACHE")
    found = replace(
        found,
        upload=_switch(environment, "UPLOAD", found.upload),
        required=_switch(environment, "REQUIRED", found.required),
        token=environment.get(f"{_PREFIX}TOKEN", "") or found.token,
    )
    found = _signing(found, environment, options)
    found = with_address(found, options.address, "--remote-cache")
    headers = dict(found.headers)
    for text in options.headers:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise ConfigError("read --remote-header", "expected NAME=VALUE")
        headers[name] = value
    return replace(
        found,
        upload=found.upload if options.upload is None else options.upload,
        accept=found.accept if options.accept is None else options.accept,
        required=found.required if options.required is None else options.required,
        headers=tuple(headers.items()),
    )


def _signing(found: RemoteCache, environment: Mapping[str, str], options: RemoteOptions) -> RemoteCache:
    """Take the key from where it is said last: the option, the environment, the file."""
    file, text = environment.get(f"{_SIGNING_KEY}_FILE", ""), environment.get(_SIGNING_KEY, "")
    if options.signing_key_file is not None:
        return replace(found, signing_key="", signing_key_file=options.signing_key_file)
    if text and file:
        raise ConfigError(f"read {_SIGNING_KEY}", f"{_SIGNING_KEY}_FILE is set too", hint="set one of the two")
    if text:
        return replace(found, signing_key=text, signing_key_file=None)
    return replace(found, signing_key_file=Path(file).absolute()) if file else found


def with_address(before: RemoteCache, address: str | None, source: str) -> RemoteCache:
    """Give the same with another address, without what is for the server before if that is another one.

    Args:
        before: what was said so far.
        address: what is said now; None: nothing.
        source: where that is said.
    """
    if address is None:
        return before
    if same_server(address, before.address):
        return replace(before, address=address, source=source)
    return replace(
        before,
        address=address,
        source=source,
        headers=(),
        token_file=None,
        helper=None,
        certificate=None,
        key=None,
    )


def same_server(one: str, other: str) -> bool:
    """Tell whether two addresses are of the same server."""
    return _origin(one) == _origin(other) != ("", "")


def _origin(address: str) -> tuple[str, str]:
    try:
        parts = urlsplit(address)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc.rpartition("@")[2]


def _switch(environment: Mapping[str, str], name: str, otherwise: bool) -> bool:
    value = environment.get(f"{_PREFIX}{name}")
    if value is None:
        return otherwise
    if value.lower() not in (*_ON, *_OFF):
        raise ConfigError(f"read {_PREFIX}{name}", "it is neither 1 nor 0")
    return value.lower() in _ON
