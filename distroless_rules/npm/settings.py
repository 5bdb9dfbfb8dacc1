"""npm's own settings: ``.npmrc`` of the user and the environment in, where archives are and who asks for them out.

A lock that omits addresses means the registry that npm would take; where no file sets one, npm itself is asked, if it
is installed. Source: npm's "npmrc" and "config"; keys of the environment begin with ``npm_config_``.
"""

from __future__ import annotations

import base64
import functools
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from distroless_rules.npm.lockfile import Locked

__all__ = ["Settings", "read"]

_VARIABLE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True)
class Settings:
    """What npm is told on this machine: key -> value."""

    values: Mapping[str, str]

    def address(self, package: Locked) -> str:
        """Give the address of a package's archive, ``""`` if nothing tells it.

        A registry that is set for the package's scope, or for all, is taken in place of the one in the lock, as npm
        does with its usual one: the digest says that it is the same archive.
        """
        scope = package.name.partition("/")[0] if package.name.startswith("@") else ""
        registry = self.values.get(f"{scope}:registry", "") if scope else ""
        registry = registry or self.values.get("registry", "") or ("" if package.resolved else _usual_registry())
        registry = registry.rstrip("/")
        usual = f"/{package.name}/-/{package.name.rpartition('/')[2]}-{package.version}.tgz"
        if registry and (not package.resolved or urlsplit(package.resolved).path.endswith(usual)):
            return registry + usual
        return package.resolved

    def login(self, address: str) -> str:
        """Give the Authorization header's value for an address: that of the longest place that is set."""
        parts = urlsplit(address)
        place = f"//{parts.netloc}{parts.path}"
        while "/" in place.removeprefix("//"):
            place = place.rpartition("/")[0]
            for key, scheme in (("_authToken", "Bearer"), ("_auth", "Basic")):
                value = self.values.get(f"{place}/:{key}") or self.values.get(f"{place}:{key}")
                if value:
                    return f"{scheme} {value}"
            name, password = self.values.get(f"{place}/:username"), self.values.get(f"{place}/:_password")
            if name and password:
                plain = base64.b64decode(password).decode("utf-8", "replace")
                return f"Basic {base64.b64encode(f'{name}:{plain}'.encode()).decode()}"
        return ""


@functools.cache
def _usual_registry() -> str:
    """Ask npm for the registry that it takes where nothing is set, ``""`` if there is no npm."""
    npm = shutil.which("npm")
    if npm is None:
        return ""
    words = [npm, "config", "get", "registry"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    address = done.stdout.strip()
    return address if address.startswith(("https://", "http://")) else ""


def read(environment: Mapping[str, str]) -> Settings:
    """Read the user's file and the environment, which goes first."""
    told = {
        key.lower().removeprefix("npm_config_"): value
        for key, value in environment.items()
        if key.lower().startswith("npm_config_")
    }
    home = environment.get("HOME") or os.path.expanduser("~")
    file = Path(told.get("userconfig") or f"{home}/.npmrc")
    values: dict[str, str] = {}
    if file.is_file() and os.access(file, os.R_OK):
        for line in file.read_text("utf-8", "replace").splitlines():
            key, equals, value = line.strip().partition("=")
            if equals and not key.startswith(("#", ";")):
                plain = value.strip().strip("\"'")
                values[key.strip()] = _VARIABLE.sub(lambda found: environment.get(found[1], found[0]), plain)
    return Settings({**values, **told})
