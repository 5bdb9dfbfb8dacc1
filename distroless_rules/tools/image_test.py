"""ImageTest: an image's files and config, and documents of container-structure-test, in; a report out, or a failure.

Inputs: ``tree``, ``config``, ``suite/<n>``. Parameters: ``files`` (the paths of the documents), ``image`` (its label),
``seconds`` (that all commands may take). Output: ``log``. Commands run in sandboxes whose ``/`` is the tree, as the
user that the config names; folders in which that user may write are copies, which the next test does not see.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from distroless_rules.errors import TestError
from distroless_rules.oci.config import Config
from distroless_rules.structure import schema, suite
from distroless_rules.structure.picture import Picture
from distroless_rules.structure.suite import Container, Output, Result
from distroless_rules.tools.tool import Tool, Workbench

__all__ = ["TOOL"]

_MEMORY = 8 << 30  # bytes that a command may use
_PROCESSES = 1024
_OUTPUT = 16 << 20  # bytes that it may print
_FILE = 4 << 30  # bytes of the largest file that it may write
_SPECIAL = ("dev", "proc", "sys", "tmp")  # what a sandbox has of its own


def _perform(bench: Workbench) -> None:
    told = bench.parameters
    image = Picture(bench.inputs["tree"].path, Config.loads(bench.inputs["config"].path.read_bytes()).start)
    files = {name: file for name, file in bench.inputs.items() if name.startswith("suite/")}
    begun = time.monotonic()
    containers = partial(_container, bench, image, begun + told["seconds"])
    results: list[Result] = []
    for number, path in enumerate(told["files"]):
        tests = schema.load(files[f"suite/{number}"].path.read_bytes(), path)
        results += suite.run(tests, image, containers)
    report = "".join(_lines(results))
    failed = sum(bool(result.faults) for result in results)
    if failed:
        error = TestError(f"test {told['image']}", f"{failed} of {len(results)} tests fail")
        error.printed, error.milliseconds = report, int((time.monotonic() - begun) * 1000)
        raise error
    with bench.output("log") as sink:
        sink.write(report.encode())


def _lines(results: list[Result]) -> Iterator[str]:
    for result in results:
        yield f"{'FAIL' if result.faults else 'ok':<5} {result.name}\n"
        yield from (f"      {fault}\n" for fault in result.faults)
        if result.faults and result.printed:
            yield "".join(f"      | {line}\n" for line in result.printed.splitlines())


@contextmanager
def _container(bench: Workbench, image: Picture, end: float) -> Iterator[Container]:
    """Give what runs commands in the image's files, with folders that they may write in."""
    root = bench.lay_out("tree")
    uid, gid = image.owner()
    with tempfile.TemporaryDirectory(prefix="distroless-test-") as name:
        own: dict[str, Path] = {}
        for number, path in enumerate(image.writable(uid, gid)):
            if path.partition("/")[0] not in _SPECIAL:
                own[f"/{path}"] = copy = Path(name) / f"own{number}"
                shutil.copytree(root / path, copy, symlinks=True)
                _open_up(copy)
        yield partial(_run, bench, image, root, Path(name), own, (uid, gid), end)


def _open_up(folder: Path) -> None:
    for at, _, files in os.walk(folder):
        os.chmod(at, 0o700)
        for name in files:
            if not os.path.islink(f"{at}/{name}"):
                os.chmod(f"{at}/{name}", os.stat(f"{at}/{name}").st_mode | 0o200)


def _run(
    bench: Workbench,
    image: Picture,
    root: Path,
    folder: Path,
    own: Mapping[str, Path],
    user: tuple[int, int],
    end: float,
    words: tuple[str, ...],
    environment: Mapping[str, str],
) -> Output:
    from distroless_rules.sandbox.request import Limits, Request
    from distroless_rules.sandbox.sandbox import sandbox

    seconds = max(end - time.monotonic(), 0.01)
    streams = [folder / "out", folder / "err"]
    for stream in streams:
        stream.unlink(missing_ok=True)
    request = Request(
        root=root,
        inputs=None,
        mounts={},
        writable={},
        arguments=words,
        environment=environment,
        output=streams[0],
        errors=streams[1],
        limits=Limits(seconds, _MEMORY, _PROCESSES, _OUTPUT, _FILE),
        folder=image.start.workdir or "/",
        own=own,
        user=user,
    )
    ended = sandbox().run(request, bench.check)
    if ended.limit:
        error = TestError(
            f"test {bench.parameters['image']}", f'"{words[0]}" was ended: it passed its limit of {ended.limit}'
        )
        error.timeout = ended.limit == "time"
        error.milliseconds = int(bench.parameters["seconds"] * 1000) if error.timeout else 0
        error.printed = "".join(stream.read_text("utf-8", "replace") for stream in streams)
        raise error
    return Output(ended.status, *(stream.read_text("utf-8", "replace") for stream in streams))


TOOL = Tool("ImageTest", "1", _perform)
