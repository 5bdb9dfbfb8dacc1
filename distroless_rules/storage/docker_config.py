"""What a person is known by to registries, where ``docker login`` and its like keep it: a host in, a login out.

Looked at in turn: ``$REGISTRY_AUTH_FILE``, ``$DOCKER_CONFIG/config.json`` (``~/.docker``), and podman's
``$XDG_RUNTIME_DIR/containers/auth.json`` and ``~/.config/containers/auth.json``; in each a helper program of the host's
own, then what is written there, then the helper program for all. Sources: docker-config-json(5), "Credential helpers"
of docker login; containers-auth.json(5).
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["NOBODY", "Known", "known"]

_LARGEST = 4 << 20  # bytes
_SECONDS = 10
_PROGRAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TOKEN = "<token>"  # noqa: S105 - the user's name where the secret is an identity token
_HUB = ("registry-1.docker.io", "docker.io", "index.docker.io")


@dataclass(frozen=True)
class Known:
    """A login; secrets are not shown.

    Attributes:
        user: a name.
        password: or a token that counts as one.
        identity: a token that others are given for (OAuth2's refresh token); ``""``: none.
    """

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header (RFC 7617); ``""``: there is nothing to say."""
        if not self.user and not self.password:
            return ""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


NOBODY = Known()


def known(host: str, repository: str, environment: Mapping[str, str]) -> Known:
    """Give what a registry's user is known by; nothing that cannot be read is an error: it is for other programs.

    Args:
        host: of the registry, with its port unless that is the usual one.
        repository: what is asked for there; podman's logins may be for a part of a registry.
        environment: where folders and programs are looked up.
    """
    for file in _files(environment):
        config = _read(file)
        for name in _names(host, repository):
            if helper := _text(config.get("credHelpers"), name):
                return _ask(helper, name, environment)
            if found := _written(config.get("auths"), name):
                return found
        if helper := _text(config, "credsStore"):
            name = f"https://{_HUB[-1]}/v1/" if host in _HUB else host
            if found := _ask(helper, name, environment):
                return found
    return NOBODY


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    home = environment.get("HOME", "")
    if file := environment.get("REGISTRY_AUTH_FILE", ""):
        yield Path(file)
    if folder := environment.get("DOCKER_CONFIG", "") or (f"{home}/.docker" if home else ""):
        yield Path(folder) / "config.json"
    if folder := environment.get("XDG_RUNTIME_DIR", ""):
        yield Path(folder) / "containers/auth.json"
    if home:
        yield Path(home) / ".config/containers/auth.json"


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            value = json.loads(opened.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _names(host: str, repository: str) -> Iterator[str]:
    """Give the names under which a login may be written, the closest first."""
    parts = repository.split("/")
    yield from ("/".join((host, *parts[:count])) for count in range(len(parts), 0, -1))
    for each in _HUB if host in _HUB else (host,):
        yield each
        yield from (f"{scheme}://{each}{end}" for scheme in ("https", "http") for end in ("", "/", "/v1/", "/v2/"))


def _text(table: object, name: str) -> str:
    found = table.get(name, "") if isinstance(table, dict) else ""
    return found if isinstance(found, str) else ""


def _written(auths: object, name: str) -> Known | None:
    entry = auths.get(name) if isinstance(auths, dict) else None
    if not isinstance(entry, dict):
        return None
    user, password = _text(entry, "username"), _text(entry, "password")
    try:
        decoded = base64.b64decode(_text(entry, "auth"), validate=True).decode().rstrip("\0")
    except ValueError:
        decoded = ""
    if ":" in decoded:
        user, _, password = decoded.partition(":")
    found = Known(user, password, _text(entry, "identitytoken"))
    return found if found != NOBODY else None  # an empty entry says that a program knows


def _ask(helper: str, name: str, environment: Mapping[str, str]) -> Known:
    """Ask ``docker-credential-HELPER``; what it does not know, nobody knows."""
    if not _PROGRAM.fullmatch(helper):
        return NOBODY
    command = [f"docker-credential-{helper}", "get"]
    try:
        ran = subprocess.run(
            command, input=name.encode(), capture_output=True, timeout=_SECONDS, check=True, env=dict(environment)
        )
        answer = json.loads(ran.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return NOBODY
    user, secret = _text(answer, "Username"), _text(answer, "Secret")
    return Known(identity=secret) if user == _TOKEN else Known(user, secret)
