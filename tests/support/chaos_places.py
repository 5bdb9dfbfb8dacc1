"""Shared caches with random faults (see ``tests.support.chaos``): a folder, a web server, a registry, a gRPC server."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from distroless_rules.errors import FormatError
from distroless_rules.storage import services, wire
from distroless_rules.storage.faults import Code
from distroless_rules.storage.messages import ActionResult
from distroless_rules.values.digest import EMPTY, Digest
from tests.support.chaos import CHAIN, EXPECTED, FAILING, SECONDS, Chance, Held, damaged, spoiled
from tests.support.liar import METHODS, Liar, Refusal, encoded
from tests.support.web_caches import Handler, Registry, Web, serving
from tests.support.workshop import Workshop, out

__all__ = ["FolderPlace", "GrpcPlace", "WebPlace", "folder", "grpc", "registry", "web"]

STATUSES = (400, 401, 403, 404, 405, 408, 409, 413, 416, 429, 500, 501, 502, 503, 504, 507)
BYTES = ("bit flip", "truncation", "growth", "zeros", "swap")
STORED = ("eviction", "rot")
SLOW = ("silence", "1 byte a second")
ANSWERS = (*BYTES * 3, *STORED * 2, *("status", "reset", "broken off", "garbage") * 3, *SLOW)


def _fill(folder: Path, address: str) -> None:
    built = Workshop(folder / "first", remote=address, upload=True).build(CHAIN, *map(out, EXPECTED))
    assert len(built.ran) == len(CHAIN)


def _outputs(data: bytes) -> dict[str, Digest]:
    """Give the outputs of a result; none of one that is damaged."""
    try:
        files = wire.decode(ActionResult, data).output_files
    except FormatError:
        return {}
    return {file.path: file.digest for file in files if file.digest is not None}


def _embedded(manifest: bytes) -> bytes:
    """Give the result that a manifest holds; no bytes of one that is damaged."""
    try:
        return base64.b64decode(json.loads(manifest)["layers"][0]["data"])
    except (ValueError, LookupError, TypeError):
        return b""


def _wrong(results: Held, truth: Held) -> list[str]:
    return [f"the shared result {key}" for key, outputs in results.items() if truth.get(key) != outputs]


class FolderPlace:
    """A folder whose files are damaged, and whose disk fails."""

    name = "folder"

    def __init__(self, folder: Path) -> None:
        """Fill a folder below ``folder``."""
        self._root, self._good = folder / "shared", folder / "good"
        self._root.mkdir()
        self.address = str(self._root)
        _fill(folder, self.address)
        self._root.rename(self._good)
        self.truth = self._results(self._good)
        self._spoiled: set[str] = set()
        self._entered = False

    def begin(self, chance: Chance) -> None:
        """See ``Place.begin``."""
        shutil.rmtree(self._root, ignore_errors=True)
        shutil.copytree(self._good, self._root)
        for file in sorted(file for file in self._root.rglob("*") if file.is_file()):
            if chance.draw(("spoil",)):
                spoiled(file, chance)
                self._spoiled.add(file.name)
        FAILING.beneath(self._root, chance).__enter__()

    def end(self) -> None:
        """See ``Place.end``."""
        FAILING.__exit__()

    def forget(self) -> None:
        """Hold nothing."""
        for part in ("cas", "ac"):
            shutil.rmtree(self._root / part)

    def poisoned(self) -> list[str]:
        """See ``Place.poisoned``."""
        spoiled, self._spoiled = self._spoiled, set()
        blobs = [file for file in (self._root / "cas").rglob("*") if len(file.name) == 64]
        wrong = [f"the shared blob {b.name}" for b in blobs if Digest.of(b.read_bytes()).hash != b.name]
        return [what for what in wrong + _wrong(self._results(self._root), self.truth) if what[-64:] not in spoiled]

    def _results(self, root: Path) -> Held:
        found: dict[str, dict[str, Digest]] = {}
        for file in (root / "ac").rglob("*"):
            if len(file.name) == 64:
                found[file.name] = _outputs(file.read_bytes())
        return found


class WebPlace:
    """A server that is asked in HTTP, whose answers and whose disk have faults."""

    def __init__(self, server: Web, folder: Path) -> None:
        """Fill the server."""
        self.name = type(server).__name__.lower()
        self.address = server.address
        self._server = server
        _fill(folder, self.address)
        self._good = dict(server.kept)
        self.truth = self._results()
        self._spoiled: set[str] = set()

    def begin(self, chance: Chance) -> None:
        """See ``Place.begin``."""
        self._server.kept = dict(self._good)
        self._spoiled = set()
        self._server.lie = partial(self._lie, chance)

    def end(self) -> None:
        """See ``Place.end``."""
        self._server.lie = None

    def poisoned(self) -> list[str]:
        """See ``Place.poisoned``."""
        blobs = {path: data for path, data in self._server.kept.items() if "/cas/" in path or "/blobs/" in path}
        wrong = [f"the shared blob {path}" for path, data in blobs.items() if not path.endswith(Digest.of(data).hash)]
        wrong += _wrong(self._results(), self.truth)
        return [what for what in wrong if not any(what[-64:] in path for path in self._spoiled)]

    def _results(self) -> Held:
        found: dict[str, dict[str, Digest]] = {}
        for path, data in self._server.kept.items():
            if "/ac/" in path:
                found[path[-64:]] = _outputs(data)
            elif "/manifests/" in path:
                found[path[-64:]] = _outputs(_embedded(data))
        return found

    def _lie(self, chance: Chance, handler: Handler, truth: bytes | None) -> bool:
        kind = chance.draw(ANSWERS)
        if kind in STORED:
            if (path := chance.one(sorted(self._server.kept) or [""])) in self._server.kept:
                self._spoiled.add(path)
                with suppress(KeyError):
                    data = self._server.kept.pop(path)
                    if kind == "rot":
                        self._server.kept[path] = damaged(data, "bit flip", chance)
                chance.met(kind)
            return False
        if not kind or (kind in (*BYTES, "broken off", "1 byte a second") and not truth):
            return False
        chance.met(kind)
        if kind in BYTES:
            other = chance.one(sorted(self._server.kept.values()) or [b""])
            handler.give(other if kind == "swap" else damaged(truth or b"", kind, chance))
        elif kind == "status":
            handler.give(b"words", chance.one(STATUSES))
        else:
            self._hang_up(kind, handler, truth or b"", chance)
        return True

    def _hang_up(self, kind: str, handler: Handler, truth: bytes, chance: Chance) -> None:
        handler.close_connection = True
        if kind == "garbage":
            handler.wfile.write(b"\xff\xfe no HTTP at all\r\n\r\n")
        elif kind == "silence":
            handler.owner.closing.wait(2 * SECONDS)
        elif kind == "broken off":
            handler.give(truth[: chance.number(len(truth))], headers={"Content-Length": str(len(truth))})
        elif kind == "1 byte a second":
            handler.give(truth[:1], headers={"Content-Length": str(len(truth))})
            handler.owner.closing.wait(1)
            handler.wfile.write(truth[1:2])


class GrpcPlace:
    """A server of the Remote Execution API, whose answers and whose disk have faults."""

    name = "grpc"

    def __init__(self, server: Liar, folder: Path) -> None:
        """Fill the server."""
        self.address = server.address
        self._server = server
        _fill(folder, self.address)
        self._good = dict(server.blobs), dict(server.results)
        self.truth = self._results()
        self._spoiled: set[Digest] = set()

    def begin(self, chance: Chance) -> None:
        """See ``Place.begin``."""
        self._server.blobs, self._server.results = map(dict, self._good)  # type: ignore[assignment]
        self._spoiled = set()
        for method in METHODS:
            name = method.path.rpartition("/")[2]
            self._server.lies[name] = partial(self._lie, chance, name)

    def end(self) -> None:
        """See ``Place.end``."""
        self._server.lies.clear()

    def poisoned(self) -> list[str]:
        """See ``Place.poisoned``."""
        blobs = {digest: data for digest, data in self._server.blobs.items() if digest not in self._spoiled}
        wrong = [f"the shared blob {digest}" for digest, data in blobs.items() if Digest.of(data) != digest]
        return wrong + _wrong(self._results(), self.truth)

    def _results(self) -> Held:
        return {key.hash: _outputs(wire.encode(result)) for key, result in self._server.results.items()}

    def _lie(self, chance: Chance, name: str, truth: Callable[[], Any]) -> Any:
        kind = chance.draw(ANSWERS)
        if kind in STORED:
            self._spoil(kind, chance)
        if not kind or kind in STORED:
            return truth()
        if kind in BYTES:
            return self._changed(kind, chance, name, truth)
        chance.met(kind)
        if kind == "silence":
            self._server.closing.wait(2 * SECONDS)
        if kind == "1 byte a second" and name == "Read":
            return self._drip()
        if kind == "broken off" and name == "Read":
            return self._broken(truth)
        if kind == "garbage":
            return b"\xff\xfe\xff\xff"
        raise Refusal(chance.one([code for code in Code if code is not Code.OK]), "as the dice say")

    def _spoil(self, kind: str, chance: Chance) -> None:
        digest = chance.one(sorted(self._server.blobs))
        if digest != EMPTY:
            chance.met(kind)
            self._spoiled.add(digest)
            data = self._server.blobs.pop(digest, b"")
            if kind == "rot":
                self._server.blobs[digest] = damaged(data, "bit flip", chance)

    def _changed(self, kind: str, chance: Chance, name: str, truth: Callable[[], Any]) -> Any:
        answers = list(encoded(truth()))
        chance.met(kind)
        if kind != "swap":
            at = chance.number(len(answers))
            return [*answers[:at], damaged(answers[at], kind, chance), *answers[at + 1 :]] if answers else answers
        if name == "GetActionResult":
            return chance.one(list(self._server.results.values()))
        if name == "Read":
            return [services.ReadResponse(chance.one(sorted(self._server.blobs.values())))]
        return b""

    def _drip(self) -> Iterator[services.ReadResponse]:
        for _ in range(3):
            yield services.ReadResponse(b"x")
            self._server.closing.wait(1)

    def _broken(self, truth: Callable[[], Any]) -> Iterator[Any]:
        yield next(iter(truth()))
        raise Refusal(Code.UNAVAILABLE, "it broke off")


@contextmanager
def folder(below: Path) -> Iterator[FolderPlace]:
    """Give a folder with faults."""
    yield FolderPlace(below)


@contextmanager
def web(below: Path) -> Iterator[WebPlace]:
    """Give a web server with faults."""
    with serving(Web()) as server:
        yield WebPlace(server, below)


@contextmanager
def registry(below: Path) -> Iterator[WebPlace]:
    """Give a registry with faults."""
    with serving(Registry()) as server:
        yield WebPlace(server, below)


@contextmanager
def grpc(below: Path) -> Iterator[GrpcPlace]:
    """Give a gRPC server with faults."""
    with Liar() as server:
        yield GrpcPlace(server, below)
