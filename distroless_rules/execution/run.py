"""The executor of run actions: a command, in a sandbox that holds its declared inputs and nothing else.

Each action works in a folder of its own below the cache folder, which is gone when the action has ended. Nothing is
run outside a sandbox; where none works, an error says what to install or allow.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from distroless_rules.actions.action import Action
from distroless_rules.actions.command import ROOT, Command
from distroless_rules.execution import events, failing
from distroless_rules.execution.collecting import collect
from distroless_rules.execution.staging import Stage, stage
from distroless_rules.execution.supply import Supply
from distroless_rules.execution.trees import Trees
from distroless_rules.storage import folder
from distroless_rules.storage.store import ActionResult, LocalStore, copy_in
from distroless_rules.values.digest import Digest

if TYPE_CHECKING:
    from distroless_rules.sandbox.request import Request

__all__ = ["VERSION", "RunExecutor"]

VERSION = "run 1"
"""Of what a sandbox is and what is taken from it; changed when the same command may leave other outputs."""


class RunExecutor:
    """Runs commands in sandboxes.

    Args:
        cache: the cache folder.
        supply: gives the inputs.
        store: takes the outputs.
        check: raises ``Interrupted`` when what runs is not wanted any more.
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
        check: Callable[[], None],
        trees: Trees,
        jobs: int = 1,
        listener: events.Listener = events.ignore,
        *,
        keep: bool = False,
    ) -> None:
        self._work = cache / folder.SANDBOXES
        self._supply = supply
        self._store = store
        self._check = check
        self._slots = threading.Semaphore(jobs)
        self._listener = listener
        self._keep = keep
        self._trees = trees
        self._guard = threading.Lock()
        self._count = 0

    def version(self, action: Action) -> str:
        """Give the version of what a sandbox is and what is taken from it."""
        return VERSION

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
            self._supply.bring(action, inputs)
            staged = self._stage(action, inputs, work, command.log)
            request = self._request(command, inputs, work, staged)
            with self._slots:
                begun = time.monotonic_ns()
                ended = sandbox().run(request, self._check)
                spent = (time.monotonic_ns() - begun) // 1_000_000
            for named in action.inputs:
                self._supply.recheck(named.artifact, inputs[named.name])
            if ended.status or ended.limit:
                kept = self._keep
                enter = sandbox().command(request) if kept else None
                ending = failing.Ending(ended.status, ended.limit, failing.tail_of(request.output), spent, enter)
                raise failing.error(action, command, ending)
            return self._take(action, staged, request, spent, command.log)
        except OSError as error:
            raise folder.refused(f"prepare {action.mnemonic} for {action.owner}", error) from error
        finally:
            if not kept:
                folder.remove_tree(str(work))

    def _take(self, action: Action, staged: Stage, request: Request, spent: int, log: str) -> ActionResult:
        """Take what a command left that succeeded: its outputs, and what it printed."""
        outputs = collect(action, staged, self._store, self._check, log)
        printed = copy_in(self._store, request.output) if _size(request.output) else None
        if log:
            outputs[log] = printed or copy_in(self._store, b"")
        elif printed:
            self._listener(events.ActionPrinted(action, failing.tail(*failing.tail_of(request.output))))
        return ActionResult(outputs, spent, VERSION, printed)

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
            limits=Limits(command.seconds, failing.MEMORY, failing.PROCESSES, failing.OUTPUT, failing.FILE),
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
