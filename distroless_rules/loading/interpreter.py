"""The one place that touches starlark-pyo3: source text in, a frozen module or an error with its place out.

Python functions that Starlark calls may raise ``DistrolessError``; the interpreter would turn it into text, so the
original is kept and raised again, with the place of the call when it had none.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import starlark

from distroless_rules.errors import DistrolessError, InternalError, LoadError, Location
from distroless_rules.loading import place, report
from distroless_rules.loading.report import BUILTIN_PREFIX

__all__ = [
    "BUILTIN_PREFIX",
    "CALL_DEPTH",
    "CPU_SECONDS",
    "Finding",
    "Interface",
    "Interpreter",
    "Module",
    "check",
    "loads",
]

Module = starlark.FrozenModule
Interface = starlark.Interface

CPU_SECONDS = 10.0
CALL_DEPTH = 150

_UNKNOWN = re.compile(r'^"(\w+)" is not defined$')
_E = starlark.LibraryExtension
_GLOBALS = starlark.Globals.extended_by([_E.StructType, _E.CallStack, _E.Json])


@dataclass(frozen=True)
class Finding:
    """Something in a file to be changed: where, how bad (``error``, ``warning``), what, and a short name for it."""

    at: Location
    severity: str
    message: str
    name: str


def _dialect() -> starlark.Dialect:
    dialect = starlark.Dialect.extended()
    dialect.enable_load_reexport = False
    return dialect


def loads(filename: str, text: str) -> list[str]:
    """Give the files that a file loads, as it writes them; none if it does not parse."""
    try:
        return [load.module_id for load in starlark.parse(filename, text, _dialect()).loads()]
    except starlark.StarlarkError:
        return []


def check(
    filename: str, text: str, known: Iterable[str], interfaces: Mapping[str, Interface]
) -> tuple[list[Finding], Interface | None]:
    """Lint a file and check its types, those of functions only, without evaluating it.

    Args:
        filename: as findings shall name it.
        text: its text.
        known: the names that it knows without a load.
        interfaces: of files that it loads, by how it writes them; what others give is of any type.

    Returns:
        The findings, and the file's own interface; None if it does not parse.
    """
    # What a file knows without a load is of any type: as json.decode gives it, after the file's own lines.
    stubs = "".join(f'{name} = json.decode("0")\n' for name in sorted(known))
    try:
        tree = starlark.parse(filename, text, _dialect())
        whole = starlark.parse(filename, f"{text}\n{stubs}", _dialect())
        errors, interface, _ = whole.typecheck(_GLOBALS, dict(interfaces))
    except starlark.StarlarkError as error:
        found = report.read(str(error))
        at, cause = place.of_syntax_error(text, found.span or Location(filename), found.cause)
        return [Finding(at, "error", cause, "syntax")], None
    findings = []
    for each in errors:
        begin = each.span.span.begin if each.span else None
        at = Location(filename, begin.line + 1, begin.column + 1) if begin else Location(filename)
        message = str(each).partition("\n")[0].removeprefix("error: ")
        if "unresolved ident" in message:  # how it says that at the top level
            message = "A name is not defined"
        findings.append(Finding(at, "error", message, "type"))
    for lint in tree.lint():
        if lint.severity in (starlark.EvalSeverity.Error, starlark.EvalSeverity.Warning):
            begin = lint.resolved_location.span.begin
            severity = "error" if lint.severity == starlark.EvalSeverity.Error else "warning"
            at = Location(filename, begin.line + 1, begin.column + 1)
            findings.append(Finding(at, severity, lint.problem.rstrip("."), lint.short_name))
    return findings, interface


class Interpreter:
    """Evaluates Starlark files and calls, and turns what goes wrong into errors of ours.

    Args:
        callables: Python functions by the name under which built-in modules see them.
        enter: told the name of each file before it is evaluated, so that a crash can be blamed on it.
        hint: gives what would be right for a name that is not defined in a file, or ``""``.
    """

    def __init__(
        self,
        callables: Mapping[str, Callable[..., Any]],
        enter: Callable[[str], None],
        hint: Callable[[str, str], str] = lambda file, name: "",
    ) -> None:
        self._callables = {name: self._guarded(function) for name, function in callables.items()}
        self._enter = enter
        self._hint = hint
        self._raised: BaseException | None = None
        self._deadline = 0.0
        self._sources: dict[str, str] = {}
        self._dialect = _dialect()

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except BaseException as error:
                self._raised = self._raised or error
                raise

        return call

    def evaluate(
        self,
        filename: str,
        source: str,
        loader: Callable[[str], Module],
        builtins: Mapping[str, Module],
        *,
        before: str = "",
        after: str = "",
        privileged: bool = False,
    ) -> Module:
        """Evaluate a file.

        Args:
            filename: as errors shall name it.
            source: its text.
            loader: gives the module that a ``load`` names.
            builtins: what ``before`` and ``after`` load.
            before: statements of ours, evaluated before it in the same module.
            after: likewise, after it.
            privileged: whether the file sees the Python functions.

        Raises:
            LoadError: if it does not parse or fails.
            DistrolessError: what a Python function or ``loader`` raised.
        """
        self._sources[filename] = source
        self.enter(filename)
        module = starlark.Module()
        if privileged:
            for name, function in self._callables.items():
                module.add_callable(name, function)
        own, ours = starlark.FileLoader(self._guarded(loader)), starlark.FileLoader(builtins.__getitem__)
        parts = [(self._parse(filename, source), own)]
        if before:
            parts.insert(0, (self._parse(f"{BUILTIN_PREFIX}before", before), ours))
        if after:
            parts.append((self._parse(f"{BUILTIN_PREFIX}after", after), ours))
        options = self._options()
        try:
            for part, files in parts:
                starlark.eval_with(options, module, part, _GLOBALS, file_loader=files)
        except starlark.StarlarkError as error:
            raise self._translated(error, f"evaluate {filename}", filename) from error
        return module.freeze()

    def enter(self, name: str) -> None:
        """Say what is evaluated next, and give it its time; loops and calls stop after ``CPU_SECONDS`` more."""
        self._enter(name)
        self._deadline = time.process_time() + CPU_SECONDS

    def place(self, stack: str) -> Location:
        """Give the outermost place of a ``call_stack()`` in a file that a user wrote."""
        return next((frame.at for frame in report.frames(stack) if not frame.builtin), Location("?"))

    def source(self, filename: str) -> str:
        """Give the text of a file evaluated before, ``""`` if there was none."""
        return self._sources.get(filename, "")

    def _parse(self, filename: str, text: str) -> starlark.AstModule:
        try:
            return starlark.parse(filename, text, self._dialect)
        except starlark.StarlarkError as error:
            found = report.read(str(error))
            at, cause = place.of_syntax_error(text, found.span or Location(filename), found.cause)
            raise LoadError(f"parse {filename}", cause, at=at) from error

    def _options(self) -> starlark.EvalOptions:
        return starlark.EvalOptions(
            check_cancelled=lambda: time.process_time() > self._deadline, max_callstack_size=CALL_DEPTH
        )

    def _translated(self, error: starlark.StarlarkError, doing: str, filename: str) -> BaseException:
        found = report.read(str(error))
        raised, self._raised = self._raised, None
        at = found.span or self._innermost(found)
        if isinstance(raised, DistrolessError):
            if raised.at is None:
                raised.at = at
            return raised
        if isinstance(raised, KeyboardInterrupt | SystemExit):
            return raised
        if raised is not None:
            return InternalError(doing, f"{type(raised).__name__}: {raised}", at=at)
        unknown = _UNKNOWN.match(found.cause)
        hint = self._hint(filename, unknown[1]) if unknown else ""
        return LoadError(doing, _limit(found.cause) or found.cause + _caller(found, at, filename), at=at, hint=hint)

    def _innermost(self, found: report.Report) -> Location | None:
        """Give the last call in a file that a user wrote, with its column if the function called stands there once."""
        inner = [number for number, frame in enumerate(found.frames) if not frame.builtin]
        if not inner:
            return None
        at = found.frames[inner[-1]].at
        called = found.frames[inner[-1] + 1].inside if inner[-1] + 1 < len(found.frames) else ""
        return place.of_call(self.source(at.file), at, called)


def _caller(found: report.Report, at: Location | None, filename: str) -> str:
    """Say which line of a file led to an error in another one."""
    outer = next((frame.at for frame in found.frames if frame.at.file == filename and not frame.builtin), None)
    return f" (called from {outer})" if outer and at and outer.file != at.file else ""


def _limit(cause: str) -> str:
    """Give the words for a limit that was reached, ``""`` if none was."""
    if cause == "Evaluation cancelled":
        return f"it runs for more than {CPU_SECONDS:g} seconds of processor time; is there an endless loop?"
    if "call stack" in cause.lower() and "overflow" in cause.lower():
        return f"calls are nested more than {CALL_DEPTH} deep; is there an endless recursion?"
    return ""
