"""Run actions on engines that speak the Remote Execution API: an action in, its outputs in our store out.

An engine is given what it lacks, and told what to run; whatever it then says is held to the same rules as a sandbox of
this machine, and fails in the same words. Tool actions are never sent. What an engine cannot do is a ``RemoteError``;
whoever wraps this decides what is done then.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Root
from distroless_rules.actions.command import Command
from distroless_rules.errors import ActionError, FormatError, TrustError
from distroless_rules.execution import events, failing
from distroless_rules.execution.gathering import Source, gather
from distroless_rules.execution.key import key
from distroless_rules.execution.remote_action import RemoteAction, compose
from distroless_rules.execution.roots import Roots
from distroless_rules.execution.run import VERSION
from distroless_rules.execution.supply import Supply
from distroless_rules.execution.uploads import Uploads
from distroless_rules.storage import folder
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.messages import ActionResult as Result
from distroless_rules.storage.operations import ExecuteResponse
from distroless_rules.storage.store import HERE, NOBODY, ActionResult, LocalStore, Origin, copy_in
from distroless_rules.values.digest import EMPTY, Digest

__all__ = ["Engine", "RemoteExecutor"]

_LACKING = frozenset({Code.NOT_FOUND, Code.FAILED_PRECONDITION, Code.INTERNAL})
"""What engines say of inputs that they have lost, of which only the second is what the API says."""


class Engine(Source, Protocol):
    """A server that runs actions, and the store that it takes inputs from and leaves outputs in."""

    @property
    def name(self) -> str:
        """What messages call it."""

    def ready(self) -> None:
        """See that it is there, and runs actions.

        Raises:
            RemoteError: if it does not.
        """

    def find(self, action: Digest) -> Result | None:
        """Give the result that it remembers of an action, None if there is none.

        Raises:
            RemoteError: if it cannot be asked.
        """

    def execute(self, action: Digest, skip_cache: bool, check: Callable[[], None]) -> ExecuteResponse:
        """Have an action executed, and give how that ended.

        Args:
            action: the digest of the ``Action`` message, which the engine has.
            skip_cache: whether a result that it remembers counts for nothing.
            check: called at least ten times a second; what it raises cancels the execution.

        Raises:
            RemoteError: if it cannot be reached, refuses, or loses the execution.
        """


class RemoteExecutor:
    """Has commands run by an engine.

    Args:
        engine: runs them.
        uploads: gives the engine what it lacks.
        supply: gives the inputs.
        store: takes the outputs.
        roots: knows trees by their folders.
        check: raises ``Interrupted`` when the build is.
        listener: is told what commands print.
        properties: what a worker must be.
        again: actions of which a result that the engine remembers counts for nothing.
        remembering: whether any such result counts.
    """

    def __init__(
        self,
        engine: Engine,
        uploads: Uploads,
        supply: Supply,
        store: LocalStore,
        roots: Roots,
        check: Callable[[], None],
        listener: events.Listener = events.ignore,
        properties: Sequence[tuple[str, str]] = (),
        again: Container[Action] = frozenset(),
        remembering: bool = True,
    ) -> None:
        self._engine = engine
        self._uploads = uploads
        self._supply = supply
        self._store = store
        self._roots = roots
        self._check = check
        self._listener = listener
        self._properties = tuple(properties)
        self._again = again
        self._remembering = remembering

    def version(self, action: Action) -> str:
        """Give the version of what a command sees and what is taken from it, which is the same here and there."""
        return VERSION

    def prepare(self, action: Action) -> None:
        """Need nothing more."""

    def lookup(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult | None:
        """Know nothing without work."""
        return None

    def execute(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult:
        """Have the action's command run (see ``Executor.execute``).

        Raises:
            ActionError: if the command fails or leaves anything but its outputs; if a source file changed meanwhile.
            MissingBlobError: if an input vanished from the store.
            RemoteError: if the engine does not do it, or what it says cannot be.
            FormatError: if the action cannot be said in the API.
        """
        skip = action in self._again or not self._remembering
        try:
            self._engine.ready()
            name = key(action, inputs, VERSION)
            named = compose(action, name, inputs, self._files(action, inputs), self._roots, self._properties)
            remembered = None if skip else self._remembered(action, inputs, named)
            return remembered or self._finished(action, inputs, named, self._run(action, named, skip))
        except (OSError, TrustError, RemoteError) as error:
            self._recheck(action, inputs)  # an input that is gone or other now is what was stumbled over
            if isinstance(error, OSError):
                raise folder.refused(f"read an input of {action.mnemonic} for {action.owner}", error) from error
            raise

    def _remembered(self, action: Action, inputs: Mapping[str, Digest], named: RemoteAction) -> ActionResult | None:
        """Take a result that the engine remembers; one that does not hold counts for nothing."""
        result = self._engine.find(named.digest)
        if result is None or result.exit_code:
            return None
        try:
            return self._finished(action, inputs, named, ExecuteResponse(result, cached_result=True))
        except (RemoteError, ActionError):
            self._recheck(action, inputs)
            return None

    def _finished(
        self, action: Action, inputs: Mapping[str, Digest], named: RemoteAction, response: ExecuteResponse
    ) -> ActionResult:
        """Take what became of an action."""
        self._recheck(action, inputs)
        command, result = Command.load(action.parameters), response.result or Result()
        spent = _spent(result)
        timed_out = response.status is not None and response.status.code == Code.DEADLINE_EXCEEDED
        size = _size(result)
        if timed_out or size > failing.OUTPUT or result.exit_code:
            limit = "time" if timed_out else "output" if size > failing.OUTPUT else ""
            printed = self._printed(result)
            raise failing.error(
                action, command, failing.Ending(result.exit_code, limit, (printed, max(size, len(printed))), spent)
            )
        origin = Origin.REMEMBERED if response.cached_result else Origin.ENGINE
        voucher = NOBODY if response.cached_result else HERE
        return replace(self._take(action, named, command.log, result, spent), origin=origin, voucher=voucher)

    def _recheck(self, action: Action, inputs: Mapping[str, Digest]) -> None:
        for each in action.inputs:
            if not each.artifact.tree:  # of which the engine has been given what it lacked, each blob by its digest
                self._supply.recheck(each.artifact, inputs[each.name])

    def _files(self, action: Action, inputs: Mapping[str, Digest]) -> dict[str, Path]:
        supply = self._supply
        files = [named for named in action.inputs if not named.artifact.tree]
        self._store.bring([inputs[named.name] for named in files if named.artifact.root is not Root.SOURCE])
        return {named.name: supply.open(named.artifact, inputs[named.name]).path for named in files}

    def _run(self, action: Action, named: RemoteAction, skip_cache: bool) -> ExecuteResponse:
        """Have it executed; what the engine has lost meanwhile is given to it again, once.

        A failure that it remembers is none.
        """
        for last in (False, True):
            self._uploads.provide(named, self._check, again=last)
            try:
                response = self._engine.execute(named.digest, skip_cache, self._check)
            except RemoteError as error:
                if last or error.code not in _LACKING:
                    raise
                continue
            code = response.status.code if response.status else Code.OK
            if code in _LACKING and not last:
                continue
            if response.cached_result and skip_cache:
                cause = "it gives a result that it remembers, and was asked to run the action"
                raise RemoteError(self._doing(action), cause, Code.FAILED_PRECONDITION)
            if code in (Code.OK, Code.DEADLINE_EXCEEDED) and response.result is not None:
                if response.cached_result and response.result.exit_code:
                    return self._run(action, named, skip_cache=True)
                return response
            break
        said = response.status.message if response.status else ""
        cause = said or response.message or "it says no more"
        raise RemoteError(self._doing(action), f"{Code(code).name}: {cause[:300]}", Code(code))

    def _take(self, action: Action, named: RemoteAction, log: str, result: Result, spent: int) -> ActionResult:
        """Take what a command left that succeeded: its outputs, and what it printed."""
        try:
            outputs = gather(action, named.layout, result, self._engine, self._store, self._check, log)
        except FormatError as error:
            cause = f"what it says that was made cannot be so: {error.cause}"
            raise RemoteError(self._doing(action), cause, Code.DATA_LOSS) from error
        text = self._printed(result)
        printed = copy_in(self._store, text) if text else None
        if log:
            outputs[log] = printed or copy_in(self._store, b"")
        elif text:
            self._listener(events.ActionPrinted(action, failing.tail(text, len(text))))
        return ActionResult(outputs, spent, VERSION, printed)

    def _printed(self, result: Result) -> bytes:
        """Give what a command printed: standard output, then standard error; of too much nothing."""
        if _size(result) > failing.OUTPUT:
            return b""
        parts = ((result.stdout_raw, result.stdout_digest), (result.stderr_raw, result.stderr_digest))
        wanted = [digest for raw, digest in parts if not raw and digest and digest != EMPTY]
        found = self._engine.read(wanted) if wanted else {}
        return b"".join(raw or (found.get(digest, b"") if digest else b"") for raw, digest in parts)

    def _doing(self, action: Action) -> str:
        return f"have {self._engine.name} perform {action.mnemonic} for {action.owner}"


def _size(result: Result) -> int:
    """Give how many bytes a command printed."""
    parts = ((result.stdout_raw, result.stdout_digest), (result.stderr_raw, result.stderr_digest))
    return sum(len(raw) or (digest.size if digest else 0) for raw, digest in parts)


def _spent(result: Result) -> int:
    """Give how many milliseconds the command took, 0 if the engine does not say."""
    told = result.execution_metadata
    if told is None or told.execution_start_timestamp is None or told.execution_completed_timestamp is None:
        return 0
    start, end = told.execution_start_timestamp, told.execution_completed_timestamp
    return max(0, (end.seconds - start.seconds) * 1000 + (end.nanos - start.nanos) // 1_000_000)
