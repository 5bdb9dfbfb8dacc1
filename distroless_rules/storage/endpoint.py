"""Where a server is, and what proves to it who asks: an address, headers, a token, certificates.

Going in: an address as a person writes it. Going out: a checked ``Endpoint`` whose ``shown`` form holds no secret, and
the headers for a request. Sources: RFC 3986 (URIs), RFC 7617 (Basic), RFC 6750 (Bearer), netrc(5), and for programs
that give credentials the EngFlow Credential Helper Protocol, which Bazel's ``--credential_helper`` speaks.
"""

from __future__ import annotations

import base64
import json
import netrc
import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from distroless_rules.errors import ConfigError, did_you_mean

__all__ = ["SCHEMES", "Endpoint", "Identity", "Login", "parse"]

SCHEMES = ("grpc", "grpcs", "http", "https", "oci", "oci+http", "oci+https", "file")
_PORTS = {"http": 80, "https": 443, "oci": 443, "oci+http": 80, "oci+https": 443}
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")  # distribution-spec 1.1, "Pulling manifests": a part
_LONGEST = 255  # letters of a repository's name, in all registries
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2: token
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
_SECRET = 6  # letters of a header's value that may be a secret
_HELPER_SECONDS = 10
_TOKEN_SECONDS = 300  # after which a token file is read, or a helper asked, again


@dataclass(frozen=True)
class Identity:
    """What the settings say about who asks; secrets are not shown.

    Attributes:
        headers: names and values that go with each request.
        token: a bearer token.
        token_file: a file that holds one, read again every few minutes.
        helper: a program that gives headers.
        ca: a file of certificates in place of the system's.
        certificate: the client's certificate.
        key: its private key.
    """

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    helper: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Endpoint:
    """A server.

    Attributes:
        scheme: one of ``SCHEMES``.
        host: its name or address.
        port: its port.
        path: what follows: of gRPC the instance name, of HTTP what is before ``/ac`` and ``/cas``, of a registry the
            repository, of file a folder.
        login: ``user:password`` of the address.
        identity: who asks.
        table: of ``distroless.toml`` where all this is said, for messages.
    """

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""
    login: str = field(default="", repr=False)
    identity: Identity = Identity()
    table: str = "cache"

    @property
    def secure(self) -> bool:
        """Whether it is spoken to over TLS."""
        return self.scheme in ("grpcs", "https", "oci+https") or (self.scheme == "oci" and not self.local)

    @property
    def web(self) -> str:
        """The scheme of its URLs, where it is a web server."""
        return "https" if self.secure else "http"

    @property
    def target(self) -> str:
        """Host and port, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def shown(self) -> str:
        """The address for messages."""
        if self.scheme == "file":
            return self.path
        target = self.target
        if self.scheme.startswith("oci") and self.port == _PORTS["https" if self.secure else "http"]:
            target = target.rpartition(":")[0]
        return f"{self.scheme}://{target}{'/' if self.path else ''}{self.path}"

    @property
    def local(self) -> bool:
        """Whether it is this machine."""
        return self.host in _LOOPBACK


def parse(
    address: str, identity: Identity, doing: str = "read the remote cache's address", table: str = "cache"
) -> Endpoint:
    """Read an address of a server, a registry or a folder.

    ``grpc[s]://host:port[/instance]``, ``http[s]://host[:port][/path]``, ``file:///path``, or
    ``oci://host[:port]/repository``: a registry is asked over TLS, unless it is on this machine or ``oci+http``.

    Args:
        address: as it was written.
        identity: who asks; its header names and values are checked here.
        doing: what cannot be done if it is wrong.
        table: where it was written.

    Raises:
        ConfigError: if it is wrong; the message does not repeat a password in it.
    """
    if address.startswith("/"):
        return Endpoint("file", path=address.rstrip("/") or "/")
    shown = re.sub(r"//[^/@]*@", "//", address)

    def refused(cause: str, hint: str = "") -> ConfigError:
        return ConfigError(f'{doing} "{shown}"', cause, hint=hint)

    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise refused("its port is not a number from 1 to 65535") from error
    if parts.scheme not in SCHEMES or "://" not in address:
        hint = did_you_mean(parts.scheme, SCHEMES) or (
            "write grpc[s]://host:port/instance, http[s]://host/path, oci://host/repository or a folder"
        )
        raise refused(
            f'"{parts.scheme}" is not a scheme that is known' if "://" in address else "it has no scheme", hint
        )
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise refused("a folder of another machine", "mount it, and write file:///path")
        return Endpoint("file", path=unquote(parts.path).rstrip("/") or "/")
    if not parts.hostname or parts.query or parts.fragment:
        raise refused("it names no host" if not parts.hostname else "it has a query or a fragment")
    if port is None and parts.scheme not in _PORTS:
        raise refused("it names no port", f"write {parts.scheme}://{parts.hostname}:PORT")
    if port == 0:
        raise refused("its port is not a number from 1 to 65535")
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    _check_headers(identity.headers)
    path = unquote(parts.path).strip("/")
    if parts.scheme.startswith("oci"):
        if cause := _not_repository(path):
            raise refused(cause, f"write {parts.scheme}://{parts.netloc.rpartition('@')[2]}/team/cache")
        return _registry(parts.scheme, parts.hostname, port, path, login, identity, table)
    return Endpoint(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], path, login, identity, table)


def _registry(
    scheme: str, host: str, port: int | None, path: str, login: str, identity: Identity, table: str
) -> Endpoint:
    """Give a registry, where it is when its address does not say so."""
    plain = scheme == "oci" and host in _LOOPBACK
    return Endpoint(scheme, host, port or (80 if plain else _PORTS[scheme]), path, login, identity, table)


def _not_repository(path: str) -> str:
    """Say why a path names no repository, ``""``: it does."""
    if not path:
        return "it names no repository"
    if len(path) > _LONGEST or not all(_REPOSITORY.fullmatch(part) for part in path.split("/")):
        return "a repository's name is of small letters, digits, and . _ - between them, and it has no tag"
    return ""


class Login:
    """Gives the headers that prove who asks, read again when they may have changed; safe for many threads.

    Args:
        endpoint: the server.
        environment: where ``NETRC`` and ``HOME`` are looked up.
    """

    def __init__(self, endpoint: Endpoint, environment: Mapping[str, str] = os.environ) -> None:
        self._endpoint = endpoint
        self._environment = environment
        self._lock = threading.Lock()
        self._headers: tuple[tuple[str, str], ...] = ()
        self._until = 0.0  # in the time of time.monotonic

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Give names, in lower case, and values.

        Raises:
            ConfigError: if a token file cannot be read or the helper fails; the message holds nothing that they hold.
        """
        with self._lock:
            if time.monotonic() >= self._until:
                self._headers, seconds = self._read()
                self._until = time.monotonic() + seconds
            return self._headers

    def redact(self, text: str) -> str:
        """Give ``text``, which a server wrote, without anything secret that it was sent."""
        for _, value in self._headers:
            for secret in (value, value.rpartition(" ")[2]):
                text = text.replace(secret, "...") if len(secret) >= _SECRET else text
        return text

    def forget(self) -> None:
        """Have the headers read anew when they are next needed, as a server has refused them."""
        self._until = 0.0

    def _read(self) -> tuple[tuple[tuple[str, str], ...], float]:
        identity = self._endpoint.identity
        given = {name.lower(): value for name, value in identity.headers}
        seconds = float(_TOKEN_SECONDS)
        if "authorization" not in given:
            found: dict[str, str] = {}
            if identity.token or identity.token_file:
                found = {"authorization": f"Bearer {identity.token or _token(identity.token_file)}"}
            elif identity.helper:
                found, seconds = _ask(identity.helper, self._endpoint)
            elif login := self._endpoint.login or self._netrc():
                found = {"authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
            given = {**found, **given}
        _check_headers(tuple(given.items()))
        return tuple(given.items()), seconds

    def _netrc(self) -> str:
        """Give the host's user and password in ``$NETRC`` or ``~/.netrc``; not where others can read the connection."""
        home = self._environment.get("HOME", "")
        file = self._environment.get("NETRC", "") or (f"{home}/.netrc" if home else "")
        if not file or not (self._endpoint.secure or self._endpoint.local):
            return ""
        try:
            found = netrc.netrc(file).authenticators(self._endpoint.host)
        except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
            return ""  # not there, not ours to read, or for other programs
        return f"{found[0]}:{found[2]}" if found and found[0] else ""


def _check_headers(headers: tuple[tuple[str, str], ...]) -> None:
    for name, value in headers:
        if not _NAME.fullmatch(name) or name.lower().endswith("-bin") or name.lower().startswith("grpc-"):
            raise ConfigError(f'send header "{name[:80]}"', "that is not a name that a header can have")
        if not _VALUE.fullmatch(value):
            raise ConfigError(f'send header "{name}"', "its value is empty or holds characters that no header can")


def _token(file: Path | None) -> str:
    assert file is not None
    try:
        return file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror or str(error) if isinstance(error, OSError) else "it is not ASCII text"
        raise ConfigError(f'read the token in "{file}"', cause.lower(), hint='see "token_file" in [cache]') from error


def _ask(helper: Path, endpoint: Endpoint) -> tuple[dict[str, str], float]:
    """Ask a credential helper; give headers and for how many seconds they hold."""
    doing = f'ask the credential helper "{helper}"'
    uri = f"https://{endpoint.target}/{endpoint.path}"
    try:
        ran = subprocess.run(
            [str(helper), "get"],
            input=json.dumps({"uri": uri}).encode(),
            capture_output=True,
            timeout=_HELPER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(doing, f"it took more than {_HELPER_SECONDS} seconds") from error
    except OSError as error:
        raise ConfigError(doing, (error.strerror or str(error)).lower()) from error
    if ran.returncode:
        raise ConfigError(doing, f"it ended with exit status {ran.returncode}")
    try:
        answer: Any = json.loads(ran.stdout)
        found = {name.lower(): ", ".join(values) for name, values in answer.get("headers", {}).items()}
        expires = answer.get("expires", "")
        seconds = _until(expires) if expires else float(_TOKEN_SECONDS)
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(doing, "its answer is not what the protocol says") from error
    return found, seconds


def _until(expires: str) -> float:
    """Give the seconds from now until an RFC 3339 time, less some for the way."""
    from datetime import datetime

    return max(0.0, datetime.fromisoformat(expires.replace("Z", "+00:00")).timestamp() - time.time() - 10)
