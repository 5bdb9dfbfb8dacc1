"""The one place that touches starlark-pyo3: source text in, a frozen module or an error with its place out.

Python functions that Starlark calls may raise ``DistrolessError``; the interpreter would turn it into text, so the
original is kept and raised again, with the place of the call when it had none.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import starlark

from distroless_rules.errors import DistrolessError, InternalError, LoadError, Location

__all__ = ["BUILTIN_PREFIX", "CALL_DEPTH", "CPU_SECONDS", "Interpreter", "Module"]

Module = starlark.FrozenModule

BUILTIN_PREFIX = "@builtin/"
CPU_SECONDS = 10.0
CALL_DEPTH = 150

_SPAN = re.compile(r"^ *--> (?P<file>.+?):(?P<line>\d+):(?P<column>\d+)", re.MULTILINE)
_FRAME = re.compile(r"^  \* (?P<file>.+?):(?P<line>\d+), in ", re.MULTILINE)
_E = starlark.LibraryExtension
_GLOBALS = starlark.Globals.extended_by([_E.StructType, _E.CallStack, _E.Json])


class Interpreter:
    """Evaluates Starlark files and calls, and turns what goes wrong into errors of ours.

    Args:
        callables: Python functions by the name under which built-in modules see them.
        enter: told the name of each file before it is evaluated, so that a crash can be blamed on it.
    """

    def __init__(self, callables: Mapping[str, Callable[..., Any]], enter: Callable[[str], None]) -> None:
        self._callables = {name: self._guarded(function) for name, function in callables.items()}
        self._enter = enter
        self._raised: BaseException | None = None
        self._sources: dict[str, tuple[str, int]] = {}
        self._dialect = starlark.Dialect.extended()

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except BaseException as error:
                self._raised = self._raised or error
                raise

        return call

    def loads(self, filename: str, source: str) -> list[str]:
        """Give what a file loads, as written, in order.

        Raises:
            LoadError: if the file does not parse.
        """
        return [load.module_id for load in self._parse(filename, source).loads()]

    def evaluate(
        self,
        filename: str,
        source: str,
        loader: Callable[[str], Module],
        *,
        preamble: str = "",
        postamble: str = "",
        privileged: bool = False,
    ) -> Module:
        """Evaluate a file.

        Args:
            filename: as errors shall name it.
            source: its text.
            loader: gives the module that a ``load`` names.
            preamble: text put before the first line, without a line break.
            postamble: lines put after the last one.
            privileged: whether the file sees the Python functions.

        Raises:
            LoadError: if it does not parse or fails.
            DistrolessError: what a Python function or ``loader`` raised.
        """
        self._sources[filename] = (source, len(preamble))
        self._enter(filename)
        module = starlark.Module()
        if privileged:
            for name, function in self._callables.items():
                module.add_callable(name, function)
        text = f"{preamble}{source}\n{postamble}" if postamble else preamble + source
        ast = self._parse(filename, text)
        try:
            starlark.eval_with(
                self._options(), module, ast, _GLOBALS, file_loader=starlark.FileLoader(self._guarded(loader))
            )
        except starlark.StarlarkError as error:
            raise self._translated(error, f"evaluate {filename}") from error
        return module.freeze()

    def call(self, module: Module, name: str, *args: Any) -> Any:
        """Call a function of a frozen module.

        Raises:
            DistrolessError: as for ``evaluate``.
        """
        try:
            return module.call_with(self._options(), name, *args).value
        except starlark.StarlarkError as error:
            raise self._translated(error, f"call {name}") from error

    def place(self, stack: str) -> Location:
        """Give the outermost place of a ``call_stack()`` in a file that a user wrote."""
        frame = next((f for f in _FRAME.finditer(stack) if not f["file"].startswith(BUILTIN_PREFIX)), None)
        return Location(frame["file"], int(frame["line"])) if frame else Location("?")

    def source(self, filename: str) -> str:
        """Give the text of a file evaluated before, ``""`` if there was none."""
        return self._sources.get(filename, ("", 0))[0]

    def _parse(self, filename: str, text: str) -> starlark.AstModule:
        try:
            return starlark.parse(filename, text, self._dialect)
        except starlark.StarlarkError as error:
            raise self._translated(error, f"parse {filename}") from error

    def _options(self) -> starlark.EvalOptions:
        deadline = time.process_time() + CPU_SECONDS
        return starlark.EvalOptions(
            check_cancelled=lambda: time.process_time() > deadline, max_callstack_size=CALL_DEPTH
        )

    def _translated(self, error: starlark.StarlarkError, doing: str) -> BaseException:
        text = str(error)
        raised, self._raised = self._raised, None
        at = self._innermost(text)
        if isinstance(raised, DistrolessError):
            if raised.at is None:
                raised.at = at
            return raised
        if isinstance(raised, KeyboardInterrupt | SystemExit):
            return raised
        if raised is not None:
            return InternalError(doing, f"{type(raised).__name__}: {raised}", at=at)
        return LoadError(doing, _cause(text), at=at)

    def _innermost(self, text: str) -> Location | None:
        """Give the last place in a file that a user wrote; the engine's own files do not help anybody."""
        span = _SPAN.search(text)
        if span and not span["file"].startswith(BUILTIN_PREFIX):
            line, column = int(span["line"]), int(span["column"])
            shift = self._sources.get(span["file"], ("", 0))[1] if line == 1 else 0
            return Location(span["file"], line, max(1, column - shift))
        frames = [frame for frame in _FRAME.finditer(text) if not frame["file"].startswith(BUILTIN_PREFIX)]
        if not frames:
            return None
        file, line = frames[-1]["file"], int(frames[-1]["line"])
        lines = self.source(file).splitlines()
        written = lines[line - 1] if line <= len(lines) else ""
        return Location(file, line, len(written) - len(written.lstrip()) + 1)


def _cause(text: str) -> str:
    """Cut the reason out of the interpreter's report."""
    start = text.rfind("\nerror: ")
    body = text[start + 8 :] if start != -1 else text.removeprefix("error: ")
    cause = re.split(r"\n *-->", body, maxsplit=1)[0].strip()
    if cause == "Evaluation cancelled":
        return f"it runs for more than {CPU_SECONDS:.0f} seconds of processor time; is there an endless loop?"
    if "call stack" in cause.lower() and "overflow" in cause.lower():
        return f"calls are nested more than {CALL_DEPTH} deep; is there an endless recursion?"
    cause = re.sub(r"^(fail|Parse error): ", "", cause)
    return re.sub(r"`([^`\n]*)`", r'"\1"', cause)
