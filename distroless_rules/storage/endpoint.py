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
from urllib.parse import SplitResult, unquote, urlsplit

from distroless_rules.errors import ConfigError, did_you_mean

__all__ = ["SCHEMES", "Endpoint", "Identity", "Login", "parse"]

SCHEMES = ("grpc", "grpcs", "http", "https", "oci", "oci+http", "oci+https", "file")
_PORTS = {"http": 80, "https": 443, "oci": 443, "oci+http": 80, "oci+https": 443}
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")  # distribution-spec 1.1, "Pulling manifests": a part
_LONGEST = 255  # letters of a repository's name, in all registries
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"[^\s/\\\"'<>^`{|}]+")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2: token
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
_TOKENS = {"cache": "TOKEN", "execution": "EXECUTOR_TOKEN"}  # where a token is in the environment
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
    shown = re.sub(r"//.*@", "//", address)  # a password that is not encoded may hold anything

    def refused(cause: str, hint: str = "") -> ConfigError:
        return ConfigError(f'{doing} "{shown}"', cause, hint=hint)

    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise refused("its port is not a number from 1 to 65535") from error
    if parts.scheme not in SCHEMES or "://" not in address:
        raise refused(*_not_scheme(address, parts.scheme))
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise refused("it is not a folder of this machine", "mount it, and write file:///path")
        return Endpoint("file", path=unquote(parts.path).rstrip("/") or "/")
    if cause := _not_place(parts):
        raise refused(cause)
    host = parts.hostname or ""
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
        return _registry(parts.scheme, host, port, path, login, identity, table)
    return Endpoint(parts.scheme, host, port or _PORTS[parts.scheme], path, login, identity, table)


def _not_scheme(address: str, scheme: str) -> tuple[str, str]:
    """Say why an address has no scheme that is known, and what would be right."""
    if "://" in address:
        cause = f'"{scheme}" is not a scheme that is known'
    elif scheme in SCHEMES:
        return f'no "//" follows its scheme "{scheme}:"', f"write {scheme}://..."
    else:
        cause = "it has no scheme"
    examples = "write grpc[s]://host:port/instance, http[s]://host/path, oci://host/repository or the path of a folder"
    return cause, did_you_mean(scheme, SCHEMES) or examples


def _not_place(parts: SplitResult) -> str:
    """Say why there can be no server at an address, ``""``: there can."""
    if not parts.hostname:
        return "it names no host"
    if not _HOST.fullmatch(parts.hostname):
        return "its host is neither a name nor an address"
    return "it has a query or a fragment" if parts.query or parts.fragment else ""


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

    Attributes:
        overlooked: what could have proved who asks and could not be read, for a server that refuses; ``""``: nothing.
    """

    def __init__(self, endpoint: Endpoint, environment: Mapping[str, str] = os.environ) -> None:
        self.overlooked = ""
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
                found = {"authorization": f"Bearer {_token(self._endpoint)}"}
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
        except FileNotFoundError:
            return ""
        except (OSError, netrc.NetrcParseError, UnicodeDecodeError) as error:  # it may be for other programs
            cause = (error.strerror or "").lower() if isinstance(error, OSError) else "it is not well formed"
            self.overlooked = f'nothing of "{file}" was used, as {cause}'
            return ""
        return f"{found[0]}:{found[2]}" if found and found[0] else ""


def _check_headers(headers: tuple[tuple[str, str], ...]) -> None:
    for name, value in headers:
        if not _NAME.fullmatch(name) or name.lower().endswith("-bin") or name.lower().startswith("grpc-"):
            raise ConfigError(f'send header "{name[:80]}"', "that is not a name that a header can have")
        if not _VALUE.fullmatch(value):
            raise ConfigError(f'send header "{name}"', "its value is empty or holds characters that no header can")


def _token(endpoint: Endpoint) -> str:
    file, hint = endpoint.identity.token_file, f'see "token_file" in [{endpoint.table}]'
    doing, found = f'read the token in "{file}"', endpoint.identity.token.strip()
    if found:
        doing, hint = "read the token in the environment", f"see DISTROLESS_REMOTE_{_TOKENS[endpoint.table]}"
    elif file is not None:
        try:
            found = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            cause = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is not text"
            raise ConfigError(doing, cause, hint=hint) from error
    if not _VALUE.fullmatch(found):
        cause = "it is more than one line, or holds characters that no token can" if found else "it is empty"
        raise ConfigError(doing, cause, hint=hint)
    return found


def _ask(helper: Path, endpoint: Endpoint) -> tuple[dict[str, str], float]:
    """Ask a credential helper; give headers and for how many seconds they hold."""
    doing, hint = f'ask the credential helper "{helper}"', f'see "credential_helper" in [{endpoint.table}]'
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
        raise ConfigError(doing, f"it took more than {_HELPER_SECONDS} seconds", hint=hint) from error
    except OSError as error:
        raise ConfigError(doing, (error.strerror or str(error)).lower(), hint=hint) from error
    if ran.returncode:
        raise ConfigError(doing, f"it ended with exit status {ran.returncode}", hint=hint)
    try:
        return _answered(json.loads(ran.stdout))
    except (ValueError, TypeError, AttributeError, ConfigError) as error:
        wanted = '{"headers": {"Authorization": ["Bearer ..."]}}'
        raise ConfigError(doing, f"its answer is not {wanted}, as the protocol has it", hint=hint) from error


def _answered(answer: Any) -> tuple[dict[str, str], float]:
    """Read what a helper answers; whatever is wrong with it is an error of some kind."""
    headers = answer.get("headers", {})
    if not all(isinstance(values, list) for values in headers.values()):
        raise TypeError
    found = {name.lower(): ", ".join(values) for name, values in headers.items()}
    _check_headers(tuple(found.items()))
    expires = answer.get("expires", "")
    return found, _until(expires) if expires else float(_TOKEN_SECONDS)


def _until(expires: str) -> float:
    """Give the seconds from now until an RFC 3339 time, less some for the way."""
    from datetime import datetime

    return max(0.0, datetime.fromisoformat(expires.replace("Z", "+00:00")).timestamp() - time.time() - 10)
