"""Wheels: a requirements file with hashes in; a folder that Python imports from out.

Inputs ``requirements`` and, if it is to be seen that it fits what it was made from, ``source``. Parameters ``path`` and
``source_path`` (of the files, for messages), ``python``, ``libc`` and ``platform``
(``pypi.target.Target``). Output ``tree``. The wheels are fetched by pip with this machine's settings; which they are is
fixed by the hashes, so that nothing but the file decides what comes out.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from distroless_rules.errors import FormatError
from distroless_rules.pypi import requirements, wheel
from distroless_rules.pypi.download import download
from distroless_rules.pypi.target import Target
from distroless_rules.tools.tool import Tool, Workbench

__all__ = ["TOOL"]


def _perform(bench: Workbench) -> None:
    told = bench.parameters
    target = Target(told["python"], told["libc"], told["platform"])
    lines = requirements.read(_text(bench, "requirements", told["path"]), told["path"], target)
    if "source" in bench.inputs:
        source = _text(bench, "source", told["source_path"])
        requirements.check(lines, told["path"], source, told["source_path"], target)
    with tempfile.TemporaryDirectory(prefix="distroless-wheels-") as folder:
        wheels = download(lines, told["path"], target, Path(folder))
        with bench.output("tree") as sink:
            wheel.install(wheels, sink.write)


def _text(bench: Workbench, name: str, path: str) -> str:
    try:
        return bench.inputs[name].path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"read {path}", "it is not UTF-8") from error


TOOL = Tool("Wheels", "1", _perform)
