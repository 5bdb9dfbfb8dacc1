"""One request to one registry, with what HTTP leaves to the client: logging in when asked, and going on elsewhere.

Registries keep blobs where others serve them: a GET or HEAD that is redirected is followed, without anything that says
who asks, and never from TLS to where others can read along. Source: OCI distribution-spec 1.1; RFC 9110, 15.4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

from distroless_rules.storage.endpoint import Endpoint
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.http_call import HttpServer
from distroless_rules.storage.registry_login import RegistryLogin
from distroless_rules.storage.web import Answer

__all__ = ["Registry"]

_HOPS = 4
_LOGINS = 2  # times that a request is made anew for being refused
_REDIRECTED = (301, 302, 303, 307, 308)
_READS = ("GET", "HEAD")
_SHOWN = 4096  # bytes of an answer that are looked at for what it says
_ERROR = re.compile(r"[A-Z][A-Z_]{1,40}")


class Registry:
    """A repository of a registry; safe for many threads.

    Args:
        endpoint: the registry; its path is the repository.
        seconds: how long it may say nothing.

    Attributes:
        traffic: how many bytes of bodies went each way.

    Raises:
        ConfigError: if a token or a certificate cannot be read.
    """

    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        self._endpoint = endpoint
        self._login = RegistryLogin(endpoint)
        self._server = HttpServer(endpoint, seconds, self._login, f"v2/{endpoint.path}")
        self.traffic = self._server.traffic
        self._is_one: bool | None = None  # None: nobody has asked

    def close(self) -> None:
        """End what is under way."""
        self._server.close()

    @contextmanager
    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: BinaryIO | None = None,
        *,
        work: int = 0,
    ) -> Iterator[Answer]:
        """Ask once, and again where the registry wants to know who asks, or leads elsewhere (see ``HttpServer.ask``).

        Raises:
            RemoteError: if there is no answer; also while pieces are taken.
        """
        url, hops, logins = self._server.url(path), 0, 0
        while True:
            used = self._login.authorization
            with self._server.ask(method, url, headers, body, work=work) as (status, said, pieces):
                refused = status == 401 and logins < _LOGINS and not hops
                led = status in _REDIRECTED and method in _READS and hops < _HOPS and "Location" in said
                if not (led or (refused and self._answers(method, said, used))):
                    yield status, said, pieces
                    return
            if led:
                url, hops = self.place(url, said["Location"]), hops + 1
            else:
                logins += 1
                if body is not None:
                    body.seek(0)

    def place(self, url: str, location: str) -> str:
        """Give the URL that an answer leads to.

        Args:
            url: or path, of what was asked.
            location: of the answer's header.

        Raises:
            RemoteError: if it leads where others can read along, or nowhere.
        """
        base = self._server.url(url)
        try:
            found = urljoin(base, location)
            parts = urlsplit(found)
        except ValueError:
            found, parts = "", urlsplit("")
        if parts.scheme == "http" and self._endpoint.secure and parts.hostname == self._endpoint.host:
            # A registry behind a proxy that ends TLS may not know how it is spoken to.
            return parts._replace(scheme="https", netloc=self._endpoint.target).geturl()
        if parts.scheme not in ("https", self._endpoint.web) or not parts.hostname:
            cause = "it leads to where no one should be led, from TLS to plain HTTP or out of it"
            raise RemoteError(f"use {self._endpoint.shown}", cause, Code.FAILED_PRECONDITION)
        return found

    def refused(self, status: int, doing: str, pieces: Iterator[bytes] | None = None) -> RemoteError:
        """Give the error that a status means, with the registry's own word for it if it gives one.

        Args:
            status: of HTTP.
            doing: what cannot be done.
            pieces: of the answer.
        """
        error = self._server.refused(status, doing)
        word = _word(pieces) if pieces is not None else ""
        hint = error.hint
        if error.code in (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED) and status != 405:
            host = self._endpoint.shown.partition("://")[2].partition("/")[0]
            hint = f'log in with "docker login {host}", or see "token_file" in [cache]'
            hint += "; without the right to write set upload = false" if error.code is Code.PERMISSION_DENIED else ""
        return RemoteError(doing, f"{error.cause} ({word})" if word else error.cause, error.code, hint=hint)

    def lacks(self, doing: str, pieces: Iterator[bytes]) -> None:
        """Take its word that something is not there; the first time see whether it is a registry at all.

        Args:
            doing: what was to be read.
            pieces: of the answer.

        Raises:
            RemoteError: if it is none, or does not say. Source: distribution-spec 1.1, "Determining Support".
        """
        if self._is_one is None and _word(pieces):
            self._is_one = True
        if self._is_one is None:
            with self.ask("GET", f"{self._endpoint.web}://{self._endpoint.target}/v2/") as (status, _, said):
                if status == 429 or status >= 500:  # which says nothing of what it is
                    raise self.refused(status, doing, said)
                self._is_one = status in (200, 401, 403)
        if not self._is_one:
            hint = 'see "remote" in [cache]; a plain web server is named as http:// or https://'
            raise RemoteError(doing, "it is no registry", Code.FAILED_PRECONDITION, hint=hint)

    def _answers(self, method: str, said: Mapping[str, str], used: str) -> bool:
        challenge = said.get("WWW-Authenticate", "")
        return self._login.answer(challenge, used, method not in _READS, self._server.ask)


def _word(pieces: Iterator[bytes]) -> str:
    """Give the first error code of an answer that refuses (distribution-spec 1.1, "Error Codes")."""
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) > _SHOWN:
            return ""
    try:
        word = json.loads(bytes(data))["errors"][0]["code"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return word if isinstance(word, str) and _ERROR.fullmatch(word) else ""
