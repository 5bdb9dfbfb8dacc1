"""Archives of packages, downloaded with npm's settings and checked against the lock's integrity."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from distroless_rules.deb.transport import NotThere, Refused, Unreachable, open_uri
from distroless_rules.errors import FetchError, TrustError
from distroless_rules.npm.lockfile import Locked
from distroless_rules.npm.settings import Settings

__all__ = ["download"]

_TRIES = 3
_PAUSE = 0.5  # seconds, doubled each time
_LARGEST = 1 << 30  # bytes of an archive


def download(package: Locked, settings: Settings, path: Path) -> None:
    """Download the archive of a package.

    Args:
        package: what the lock says.
        settings: where it is.
        path: where it goes.

    Raises:
        FetchError: if the registry does not give it.
        TrustError: if it has another digest.
    """
    doing = f"fetch {package}"
    address = settings.address(package)
    if not address:
        raise FetchError(doing, "the lock does not say where it is", hint="set registry in .npmrc, or install npm")
    for attempt in range(_TRIES):
        try:
            digest = _fetch(address, settings.login(address), package.algorithm, path)
            break
        except Unreachable as error:
            if attempt == _TRIES - 1:
                raise FetchError(doing, str(error)) from error
            time.sleep(_PAUSE * 2**attempt)
        except NotThere as error:
            raise FetchError(doing, "the registry does not have it") from error
        except Refused as error:
            raise FetchError(doing, str(error), hint="is a login missing in .npmrc?") from error
    if digest != package.digest:
        is_, said = digest.hex()[:16], package.digest.hex()[:16]
        cause = f"its {package.algorithm} is {is_}..., and package-lock.json says {said}..."
        raise TrustError(doing, cause, hint="the archive is not the one that was locked: find out why")


def _fetch(address: str, login: str, algorithm: str, path: Path) -> bytes:
    answer = open_uri(address, {}, login=login)
    digest, size = hashlib.new(algorithm), 0
    try:
        with path.open("wb") as file:
            for chunk in answer.chunks:
                digest.update(chunk)
                size += len(chunk)
                if size > _LARGEST:
                    raise Refused("it sends more than a package has")
                file.write(chunk)
    finally:
        answer.close()
    return digest.digest()
