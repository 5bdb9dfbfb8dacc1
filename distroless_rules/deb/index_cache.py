"""Release files and indexes kept between runs: bytes by digest in, the same bytes or nothing out.

Nothing in here is trusted: an index is checked against the digest it is asked for by, a release file is verified anew
by its reader. Files are written aside and renamed, so several processes may share the folder.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from distroless_rules.deb import packed
from distroless_rules.deb.mirror import Text
from distroless_rules.errors import FormatError, StorageError
from distroless_rules.values.digest import Digest

__all__ = ["IndexCache"]

_KEEP_SECONDS = 30 * 24 * 3600
_LEVEL = 1  # of zstd: 40 ms for the 57 MB of a distribution's index, and a fifth of its size

_SHA256 = 64  # hexadecimal digits
_MAX_EXTRACT = 256 << 20


class IndexCache:
    """A folder of release files and indexes."""

    def __init__(self, folder: Path) -> None:
        """Use ``folder``, which is made when first written to."""
        self._folder = folder

    def index(self, digest: Digest) -> bytes | None:
        """Give the index with this digest, or None if it is not here whole."""
        path = self._folder / f"{digest.hash}.zst"
        try:
            content = packed.unpack(path.read_bytes(), ".zst", digest.size, "a cached index")
            os.utime(path)
        except (OSError, FormatError):
            return None
        return content if Digest.of(content) == digest else None

    def keep_index(self, digest: Digest, content: bytes) -> None:
        """Keep an index.

        Raises:
            StorageError: if it cannot be written.
        """
        import zstandard

        self._write(f"{digest.hash}.zst", zstandard.compress(content, _LEVEL))

    def extract(self, name: str) -> bytes | None:
        """Give what was kept under a name, or None if it is not here whole."""
        path = self._folder / f"{name}.zst"
        try:
            data = path.read_bytes()
            content = packed.unpack(data[_SHA256:], ".zst", _MAX_EXTRACT, "a cached extract")
            os.utime(path)
        except (OSError, FormatError):
            return None
        return content if Digest.of(content).hash.encode() == data[:_SHA256] else None

    def keep_extract(self, name: str, content: bytes) -> None:
        """Keep something that was made of an index, under a name that holds the index's digest.

        Raises:
            StorageError: if it cannot be written.
        """
        import zstandard

        packed_ = zstandard.compress(content, _LEVEL)
        self._write(f"{name}.zst", Digest.of(content).hash.encode("ascii") + packed_)

    def release(self, name: str) -> tuple[bytes, Mapping[str, str]]:
        """Give the release file kept under ``name`` and its validators; empty if it is not here."""
        try:
            head, _, data = (self._folder / f"{name}.release").read_bytes().partition(b"\n")
            sha256, validators = json.loads(head)
        except (OSError, ValueError, TypeError):
            return b"", {}
        is_whole = sha256 == Digest.of(data).hash and isinstance(validators, dict)
        return (data, {str(key): str(value) for key, value in validators.items()}) if is_whole else (b"", {})

    def keep_release(self, name: str, text: Text) -> None:
        """Keep a release file under a name.

        Raises:
            StorageError: if it cannot be written.
        """
        head = json.dumps([Digest.of(text.data).hash, dict(text.validators)]).encode("ascii")
        self._write(f"{name}.release", head + b"\n" + text.data)

    def prune(self) -> None:
        """Remove what was not used for a month."""
        try:
            old = [path for path in self._folder.iterdir() if path.stat().st_mtime < time.time() - _KEEP_SECONDS]
            for path in old:
                path.unlink(missing_ok=True)
        except OSError:
            return  # another process prunes too, or the folder is read-only: nothing depends on it

    def _write(self, name: str, data: bytes) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, aside = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                os.replace(aside, self._folder / name)
            except BaseException:
                os.unlink(aside)
                raise
        except OSError as error:
            raise StorageError(f'write "{self._folder / name}"', error.strerror or str(error)) from error
