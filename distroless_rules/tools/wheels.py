"""Wheels: a requirements file with hashes in; a folder that Python imports from out.

Input ``requirements``. Parameters ``path`` (of the file, for messages), ``python``, ``libc`` and ``platform``
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
    try:
        text = bench.inputs["requirements"].path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"read {told['path']}", "it is not UTF-8") from error
    lines = requirements.read(text, told["path"], target)
    with tempfile.TemporaryDirectory(prefix="distroless-wheels-") as folder:
        wheels = download(lines, told["path"], target, Path(folder))
        with bench.output("tree") as sink:
            wheel.install(wheels, sink.write)


TOOL = Tool("Wheels", "1", _perform)
