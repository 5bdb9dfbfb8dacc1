"""What proves to a registry who asks: its challenge in, the header that it wants out.

A registry says what it wants when it is first asked: a password, or a token that a server of its own gives, to
anybody or to those who have a password. What the settings say to send is sent as it is. A password reaches the
registry itself and, over TLS, the token server of its own domain; one elsewhere is sent what is kept for its own host.
What a token is asked for is decided here, and not by the registry. Sources: RFC 9110, 11; distribution's "Token
Authentication Specification" and "OAuth2 Token Authentication"; RFC 6750.
"""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from distroless_rules.storage.docker_config import NOBODY, Known, known
from distroless_rules.storage.endpoint import Endpoint, Login
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.remote import InMemory
from distroless_rules.storage.web import Answer

__all__ = ["Asks", "RegistryLogin", "challenges"]

_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_PARAMETER = re.compile(rf'\s*({_NAME})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))\s*(?:,|$)')
_SCHEME = re.compile(rf"\s*({_NAME})(?:\s+|\s*,|$)")
_LONGEST = 8192  # letters of a challenge
_LARGEST = 1 << 20  # bytes of an answer of a token server
_TOKEN = re.compile(r"[\x21-\x7e]{1,65536}")


class Asks(Protocol):
    """What a token server is asked by (see ``HttpServer.ask``)."""

    def __call__(
        self, method: str, path: str, headers: Mapping[str, str], body: InMemory | None, *, known: bool
    ) -> AbstractContextManager[Answer]:
        """Ask once."""


class RegistryLogin:
    """Gives the headers that prove who asks; safe for many threads.

    Args:
        endpoint: the registry.
        environment: where logins are looked up.
    """

    def __init__(self, endpoint: Endpoint, environment: Mapping[str, str] = os.environ) -> None:
        self._endpoint = endpoint
        self._environment = environment
        self._given = Login(endpoint, environment)
        self._lock = threading.Lock()
        self._authorization = ""
        self._writes = False

    @property
    def authorization(self) -> str:
        """What a request proves by now who asks with; ``""``: nothing."""
        return self._authorization

    @property
    def overlooked(self) -> str:
        """What could have proved who asks and could not be read (see ``Login``)."""
        return self._given.overlooked

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Give names, in lower case, and values (see ``Login.headers``); a password only where it was asked for."""
        given = dict(self._given.headers())
        if given.get("authorization", "").startswith("Basic "):
            del given["authorization"]
        if self._authorization:
            given.setdefault("authorization", self._authorization)
        return tuple(given.items())

    def forget(self) -> None:
        """Have what the settings say read anew (see ``Login.forget``)."""
        self._given.forget()

    def answer(self, challenge: str, used: str, writes: bool, ask: Asks) -> bool:
        """Find out what a registry wants that has refused a request; tell whether asking again may help.

        Args:
            challenge: its ``WWW-Authenticate`` header.
            used: ``authorization`` when the request was made.
            writes: whether it was one that writes.
            ask: asks a token server.

        Raises:
            RemoteError: if a token server does not answer.
        """
        if "authorization" in dict(self.headers()) and not self._authorization:
            return False  # the settings say what to send
        with self._lock:
            if self._authorization != used:
                return True  # somebody else has found out
            wanted = {scheme.lower(): parameters for scheme, parameters in challenges(challenge)}
            found = ""
            if "bearer" in wanted:
                found = self._token(wanted["bearer"], writes or self._writes, ask)
                self._writes = self._writes or (writes and bool(found))
            elif "basic" in wanted:
                found = self._login(self._endpoint.web, self._endpoint.host, self._endpoint.port).basic
            if not found or found == used:
                return False
            self._authorization = found
            return True

    def _token(self, wanted: Mapping[str, str], writes: bool, ask: Asks) -> str:
        """Have the token server that a challenge names give a token; ``""``: it gives none."""
        realm, doing = wanted.get("realm", ""), f"log in to {self._endpoint.shown}"
        try:
            where = urlsplit(realm)
            port = where.port or (443 if where.scheme == "https" else 80)
        except ValueError as error:
            raise RemoteError(doing, "its token server has no address", Code.UNAUTHENTICATED) from error
        if where.scheme not in ("https", self._endpoint.web) or not where.hostname or "@" in where.netloc:
            raise RemoteError(doing, "its token server has no address that can be trusted", Code.UNAUTHENTICATED)
        who = self._login(where.scheme, where.hostname, port)
        about = {"scope": f"repository:{self._endpoint.path}:{'pull,push' if writes else 'pull'}"}
        if "service" in wanted:
            about["service"] = wanted["service"]
        if who.identity:
            form = {"grant_type": "refresh_token", "refresh_token": who.identity, "client_id": "distroless-rules"}
            data = urlencode(about | form).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(data))}
            asked = ask("POST", realm, headers, InMemory(data), known=False)
        else:
            mark = "&" if where.query else "?"
            headers = {"Authorization": who.basic} if who.basic else {}
            asked = ask("GET", f"{realm}{mark}{urlencode(about)}", headers, None, known=False)
        with asked as (status, _, pieces):
            if status in (400, 401, 403, 404):
                return ""
            if status != 200:
                code = Code.UNAVAILABLE if status >= 500 or status == 429 else Code.UNAUTHENTICATED
                raise RemoteError(doing, f"its token server answers {status}", code)
            return _bearer(pieces, doing)

    def _login(self, scheme: str, host: str, port: int) -> Known:
        """Give the login for a server: the registry itself, or the one that gives its tokens."""
        ours = self._endpoint
        own = (scheme, host, port) == (ours.web, ours.host, ours.port)
        if not own and not (scheme == "https" and ours.secure and _one_domain(host, ours.host)):
            return known(_at(host, port, scheme), "", self._environment) if scheme == "https" else NOBODY
        for name, value in self._given.headers():
            if name == "authorization" and value.startswith("Basic "):
                user, _, password = base64.b64decode(value.removeprefix("Basic ")).decode().partition(":")
                return Known(user, password)
        if not (ours.secure or ours.local):
            return NOBODY  # others can read the connection
        return known(_at(ours.host, ours.port, ours.web), ours.path, self._environment)


def challenges(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Read a ``WWW-Authenticate`` header: schemes, and the parameters of each by their names in small letters."""
    header, at = header[:_LONGEST], 0
    scheme, found = "", dict[str, str]()
    while at < len(header):
        if match := _PARAMETER.match(header, at):
            quoted, plain = match[2], match[3]
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            found.setdefault(match[1].lower(), value)
        elif match := _SCHEME.match(header, at):
            if scheme:
                yield scheme, found
            scheme, found = match[1], {}
        else:
            break  # what follows cannot be understood
        at = match.end()
    if scheme:
        yield scheme, found


def _bearer(pieces: Iterator[bytes], doing: str) -> str:
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) > _LARGEST:
            break
    try:
        answer = json.loads(bytes(data[:_LARGEST]))
        token = answer.get("token") or answer.get("access_token") or ""
    except (ValueError, AttributeError, RecursionError) as error:
        raise RemoteError(doing, "its token server's answer is no JSON object", Code.UNAUTHENTICATED) from error
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise RemoteError(doing, "its token server's answer holds no token", Code.UNAUTHENTICATED)
    return f"Bearer {token}"


def _at(host: str, port: int, scheme: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == (443 if scheme == "https" else 80) else f"{name}:{port}"


def _one_domain(one: str, other: str) -> bool:
    """Tell whether two hosts are of one domain, as ``auth.hub.example`` and ``registry.hub.example`` are.

    A domain has a name and a top level, and one more where the second is one like ``co.uk``'s.
    """
    if one == other:
        return True
    if one.replace(".", "").isdigit() or ":" in one + other:
        return False  # addresses have no domain
    common = []
    for left, right in zip(reversed(one.split(".")), reversed(other.split(".")), strict=False):
        if left != right:
            break
        common.append(left)
    return len(common) > 2 or (len(common) == 2 and not (len(common[0]) == 2 and len(common[1]) <= 3))
