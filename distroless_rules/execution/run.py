"""The executor of run actions: a command, in a sandbox that holds its declared inputs and nothing else.

Each action works in a folder of its own below the cache folder, which is gone when the action has ended. Nothing is
run outside a sandbox; where none works, an error says what to install or allow.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from distroless_rules.actions.action import Action
from distroless_rules.actions.command import ROOT, Command
from distroless_rules.errors import ActionError, TestError
from distroless_rules.execution import events
from distroless_rules.execution.collecting import collect
from distroless_rules.execution.pool import Pool
from distroless_rules.execution.staging import Stage, stage
from distroless_rules.execution.supply import Supply
from distroless_rules.execution.trees import Trees
from distroless_rules.storage import folder
from distroless_rules.storage.store import ActionResult, LocalStore, copy_in
from distroless_rules.values.digest import Digest

if TYPE_CHECKING:
    from distroless_rules.sandbox.request import Ended, Request

__all__ = ["RunExecutor"]

_VERSION = "run 1"  # changed when the same command may leave other outputs
_MEMORY = 8 << 30  # bytes that all processes of an action may use together
_PROCESSES = 1024
_OUTPUT = 64 << 20  # bytes that an action may print
_FILE = 16 << 30  # bytes of the largest file that it may write
_SHOWN = 1 << 14  # bytes of what it printed that are shown, at most
_LINES = 100  # lines of that
_SHELL = ("/bin/sh", "-e", "-c")  # how actions.run_shell starts a script
_LOGGED = 1 << 20  # bytes that are kept of what a test printed that failed


class RunExecutor:
    """Runs commands in sandboxes.

    Args:
        cache: the cache folder.
        supply: gives the inputs.
        store: takes the outputs.
        pool: ends what runs when the build is interrupted.
        trees: lays trees out.
        jobs: how many commands may run at once.
        listener: is told what commands print.
        keep: whether the folder of an action that fails stays, and how to enter it is said.
    """

    def __init__(
        self,
        cache: Path,
        supply: Supply,
        store: LocalStore,
        pool: Pool,
        trees: Trees,
        jobs: int = 1,
        listener: events.Listener = events.ignore,
        *,
        keep: bool = False,
    ) -> None:
        self._work = cache / folder.SANDBOXES
        self._supply = supply
        self._store = store
        self._pool = pool
        self._slots = threading.Semaphore(jobs)
        self._listener = listener
        self._keep = keep
        self._trees = trees
        self._guard = threading.Lock()
        self._count = 0

    def version(self, action: Action) -> str:
        """Give the version of what a sandbox is and what is taken from it."""
        return _VERSION

    def prepare(self, action: Action) -> None:
        """Import what makes sandboxes."""
        import distroless_rules.sandbox.sandbox  # noqa: F401 - as ``execute`` does it

    def lookup(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult | None:
        """Know nothing without work."""
        return None

    def execute(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult:
        """Run the action's command (see ``Executor.execute``).

        Raises:
            ActionError: if the command fails, is ended at a limit, or leaves anything but its outputs; if a source
                file changed meanwhile.
            MissingBlobError: if an input vanished from the store.
            SandboxError: if no sandbox works on this machine.
        """
        from distroless_rules.sandbox.sandbox import sandbox

        work = self._folder()
        command = Command.load(action.parameters)
        kept = False
        try:
            staged = self._stage(action, inputs, work, command.log)
            request = self._request(command, inputs, work, staged)
            with self._slots:
                begun = time.monotonic_ns()
                ended = sandbox().run(request, self._pool.check)
                spent = (time.monotonic_ns() - begun) // 1_000_000
            for named in action.inputs:
                self._supply.recheck(named.artifact, inputs[named.name])
            if ended.status or ended.limit:
                kept = self._keep
                error = _failed_test if command.log else _failed
                raise error(action, ended, request, spent, sandbox().command(request) if kept else None)
            return self._take(action, staged, request, spent, command.log)
        except OSError as error:
            raise folder.refused(f"prepare {action.mnemonic} for {action.owner}", error) from error
        finally:
            if not kept:
                folder.remove_tree(str(work))

    def _take(self, action: Action, staged: Stage, request: Request, spent: int, log: str) -> ActionResult:
        """Take what a command left that succeeded: its outputs, and what it printed."""
        outputs = collect(action, staged, self._store, self._pool.check, log)
        printed = copy_in(self._store, request.output) if _size(request.output) else None
        if log:
            outputs[log] = printed or copy_in(self._store, b"")
        elif printed:
            self._listener(events.ActionPrinted(action, _printed(request.output, _SHOWN)))
        return ActionResult(outputs, spent, _VERSION, printed)

    def _folder(self) -> Path:
        with self._guard:
            self._count += 1
            name = f"{folder.KEPT if self._keep else ''}{os.getpid()}-{os.urandom(4).hex()}-{self._count}"
        work = self._work / name
        try:
            os.mkdir(work)
        except FileNotFoundError:
            os.makedirs(work)
        return work

    def _stage(self, action: Action, inputs: Mapping[str, Digest], work: Path, log: str) -> Stage:
        files: dict[str, Path] = {}
        trees: dict[str, Path] = {}
        for named in action.inputs:
            if named.name == ROOT:
                continue
            if named.artifact.tree:
                trees[named.name] = self._trees.path(inputs[named.name])
            else:
                files[named.name] = self._supply.open(named.artifact, inputs[named.name]).path
        return stage(work, files, trees, [named.name for named in action.outputs if named.name != log])

    def _request(self, command: Command, inputs: Mapping[str, Digest], work: Path, staged: Stage) -> Request:
        from distroless_rules.sandbox.request import Limits, Request

        return Request(
            root=self._trees.path(inputs[ROOT]),
            inputs=staged.inputs,
            mounts=staged.mounts,
            writable=staged.writable,
            arguments=command.arguments,
            environment=command.environment,
            output=work / "output",
            limits=Limits(command.seconds, _MEMORY, _PROCESSES, _OUTPUT, _FILE),
        )


def _failed(action: Action, ended: Ended, request: Request, spent: int, enter: list[str] | None) -> ActionError:
    """Say how a command ended, what it printed, and how to run it again."""
    parts = [_cause(ended, request)]
    if printed := _printed(request.output, _SHOWN):
        parts.append(f"  it printed:\n{printed}")
    parts.append(f"  command: {_shown_command(request.arguments)}")
    return ActionError(f"perform {action.mnemonic} for {action.owner}", "\n".join([*parts, *_again(enter)]))


def _shown_command(arguments: Sequence[str]) -> str:
    """Write a command for people: of a script of many lines, which ``--sandbox-debug`` shows, the arguments only."""
    import shlex

    if tuple(arguments[:3]) == _SHELL and "\n" in arguments[3]:
        return shlex.join([*_SHELL, "...", *arguments[4:]]) + "; --sandbox-debug shows all of it"
    return shlex.join(arguments)


def _failed_test(action: Action, ended: Ended, request: Request, spent: int, enter: list[str] | None) -> TestError:
    """Say how a test ended; what it printed is its own part of the error."""
    failed = TestError(
        f"perform {action.mnemonic} for {action.owner}", "\n".join([_cause(ended, request), *_again(enter)])
    )
    failed.printed, failed.milliseconds = _printed(request.output, _LOGGED), spent
    failed.timeout = ended.limit == "time"
    return failed


def _cause(ended: Ended, request: Request) -> str:
    causes = {
        "time": f"it was ended after {request.limits.seconds:g} seconds",
        "memory": f"it was ended: it used more than {request.limits.memory >> 20} MiB of memory",
        "processes": f"it was ended: it had more than {request.limits.processes} processes",
        "output": f"it was ended: it printed more than {request.limits.output >> 20} MiB",
    }
    signal = ended.status - 128
    return causes.get(ended.limit) or (f"signal {signal} ended it" if signal > 0 else f"exit status {ended.status}")


def _again(enter: list[str] | None) -> list[str]:
    import shlex

    return [] if enter is None else [f"  to run it again in its sandbox: {shlex.join(enter)}"]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _printed(path: Path, most: int) -> str:
    """Give the end of what a command printed, fit to be shown on a terminal: ``most`` bytes, or some lines less."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            data = file.read(most)
    except FileNotFoundError:
        return ""
    text = "".join(
        letter if letter.isprintable() or letter in "\n\t" else "�" for letter in data.decode("utf-8", "replace")
    )
    lines = text.strip("\n").split("\n")
    lines_shown = len(lines) if most > _SHOWN else _LINES
    if size <= most and len(lines) <= lines_shown:
        return "\n".join(lines)
    return "\n".join(["[... the beginning is left out]", *lines[-lines_shown:]])
