"""User names and passwords for mirrors: a URI in, an Authorization header out; and URIs fit to be shown.

Source: apt_auth.conf(5), netrc(5), RFC 7617 (Basic authentication).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

__all__ = ["authorization", "shown"]


@dataclass(frozen=True, slots=True)
class _Login:
    machine: str
    user: str
    password: str


def shown(uri: str) -> str:
    """Give a URI without the user and password it may hold, for messages."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else uri


def authorization(uri: str, etc: Path = Path("/etc/apt")) -> str:
    """Give the value of the Authorization header for a URI, ``""`` for none.

    Its own ``user:password@`` counts first, then apt's ``auth.conf`` and ``auth.conf.d/*.conf``, then ``~/.netrc``
    (``$NETRC`` where set). As in apt, a machine written without a scheme is for ``https`` only.

    Args:
        uri: where the request goes.
        etc: the folder of apt's configuration.
    """
    parts = urlsplit(uri)
    if parts.username:
        return _basic(unquote(parts.username), unquote(parts.password or ""))
    for login in _logins(etc, os.environ.get("NETRC", "")):
        if login.user and _matches(login.machine, parts):
            return _basic(login.user, login.password)
    return ""


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _matches(machine: str, parts: SplitResult) -> bool:
    scheme, separator, rest = machine.rpartition("://")
    if parts.scheme != (scheme if separator else "https"):
        return False
    host, slash, path = rest.partition("/")
    name, _, port = host.partition(":")
    if name.lower() != (parts.hostname or "") or (port and port != str(parts.port or "")):
        return False
    return not slash or parts.path == f"/{path}" or parts.path.startswith(f"/{path.rstrip('/')}/")


@lru_cache(maxsize=8)
def _logins(etc: Path, netrc: str) -> tuple[_Login, ...]:
    files = [etc / "auth.conf", *sorted((etc / "auth.conf.d").glob("*.conf"))]
    files.append(Path(netrc or os.path.expanduser("~/.netrc")))
    return tuple(login for path in files for login in _read(path))


def _read(path: Path) -> Iterator[_Login]:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return  # not there, or for root's eyes only: then it holds nothing for this user
    words = iter(word for line in lines if not line.lstrip().startswith("#") for word in line.split())
    fields: dict[str, str] = {}
    for word in words:
        if word == "machine" and fields:
            yield _login(fields)
            fields = {}
        if word in ("machine", "login", "password"):
            fields[word] = next(words, "")
        elif word in ("default", "macdef"):
            break
    if fields:
        yield _login(fields)


def _login(fields: dict[str, str]) -> _Login:
    return _Login(*(fields.get(key, "") for key in ("machine", "login", "password")))
