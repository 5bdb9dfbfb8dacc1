"""Where commands run: by target, kind and strategy; what falls back to this machine; who wins a race."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from distroless_rules.actions.action import Action
from distroless_rules.errors import ActionError, DistrolessError, FormatError, Interrupted, SandboxError, StorageError
from distroless_rules.execution.cancelling import Cancels
from distroless_rules.execution.choosing import Choosing
from distroless_rules.execution.fallback import Fallback
from distroless_rules.execution.racing import Racing
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.store import ActionResult
from distroless_rules.values.digest import Digest
from distroless_rules.values.remote_execution import Strategy
from tests.support.workshop import action

ACTION = replace(action("x", "CcCompile"), run=True)


class Scripted:
    """Does what a function says, and notes who asked."""

    def __init__(self, name: str, perform: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self.perform = perform
        self.asked: list[str] = []

    def version(self, action: Action) -> str:
        return "1"

    def prepare(self, action: Action) -> None:
        pass

    def lookup(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult | None:
        return None

    def execute(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult:
        self.asked.append(action.owner)
        self.perform()
        return ActionResult({}, code=self.name)


def raising(error: Exception) -> Callable[[], None]:
    def perform() -> None:
        raise error

    return perform


def away(code: Code = Code.UNAVAILABLE) -> RemoteError:
    return RemoteError("have it run", "it cannot be reached", code)


# Choosing


@pytest.mark.parametrize(
    ("what", "where"),
    [
        (ACTION, "remote"),
        (replace(ACTION, local=True), "local"),
        (replace(ACTION, mnemonic="GoLink"), "local"),
        (replace(ACTION, mnemonic="JavaCompile"), "dynamic"),
    ],
)
def test_what_is_said_last_is_what_is_said_nearest(what: Action, where: str) -> None:
    executors = {strategy: Scripted(strategy.value) for strategy in Strategy}
    kinds = {"GoLink": Strategy.LOCAL, "JavaCompile": Strategy.DYNAMIC}
    assert Choosing(executors, Strategy.REMOTE, kinds).execute(what, {}).code == where


# Falling back


@pytest.mark.parametrize("error", [away(), away(Code.INTERNAL), FormatError("say it", "it is not Unicode")], ids=str)
def test_what_an_engine_does_not_do_is_done_here(error: DistrolessError) -> None:
    said: list[str] = []
    both = Fallback(Scripted("there", raising(error)), Scripted("here"), said.append)
    assert [both.execute(ACTION, {}).code for _ in range(3)] == ["here"] * 3
    assert said == [f"warning: {error}; commands run on this machine instead"]


@pytest.mark.parametrize(
    "error",
    [ActionError("run it", "exit status 1"), StorageError("write", "full"), Interrupted("go on", "no")],
    ids=str,
)
def test_what_is_not_an_engines_fault_is_not_tried_again(error: DistrolessError) -> None:
    here = Scripted("here")
    with pytest.raises(type(error)) as caught:
        Fallback(Scripted("there", raising(error)), here, lambda _: None).execute(ACTION, {})
    assert caught.value is error
    assert not here.asked


# Racing


class Race:
    """Two executors that wait for events, under one pair of tokens."""

    def __init__(self, delay: float = 0.05) -> None:
        self.given_up: list[str] = []
        self.stopped = threading.Event()
        self.cancels = Cancels(self._check)
        self.there, self.here = Scripted("there"), Scripted("here")
        self.racing = Racing(self.there, self.here, delay, self.cancels)

    def _check(self) -> None:
        if self.stopped.is_set():
            raise Interrupted("go on", "the build was interrupted")

    def slowly(self, name: str) -> Callable[[], None]:
        def perform() -> None:
            end = time.monotonic() + 20
            try:
                while time.monotonic() < end:
                    self.cancels.check()
                    time.sleep(0.005)
            except Interrupted:
                self.given_up.append(name)
                raise

        return perform


def test_the_first_has_a_start() -> None:
    race = Race(delay=10)
    assert race.racing.execute(ACTION, {}).code == "there"
    assert not race.here.asked


def test_the_second_wins_where_the_first_is_slow_and_the_first_is_ended() -> None:
    race = Race()
    race.there.perform = race.slowly("there")
    assert race.racing.execute(ACTION, {}).code == "here"
    end = time.monotonic() + 10
    while not race.given_up and time.monotonic() < end:
        time.sleep(0.01)
    assert race.given_up == ["there"]


def test_the_second_is_gone_when_the_first_has_won() -> None:
    race = Race(delay=0.01)
    race.there.perform = lambda: time.sleep(0.3)
    race.here.perform = race.slowly("here")
    assert race.racing.execute(ACTION, {}).code == "there"
    assert race.given_up == ["here"], "it was waited for"


def test_where_the_engine_fails_the_second_begins_at_once() -> None:
    race = Race(delay=60)
    race.there.perform = raising(away())
    begun = time.monotonic()
    assert race.racing.execute(ACTION, {}).code == "here"
    assert time.monotonic() - begun < 30


def test_a_command_that_fails_has_failed() -> None:
    race = Race(delay=60)
    race.there.perform = raising(ActionError("run it", "exit status 1"))
    with pytest.raises(ActionError, match="exit status 1"):
        race.racing.execute(ACTION, {})
    assert not race.here.asked


def test_where_both_fail_the_second_says_why() -> None:
    race = Race()
    race.there.perform = raising(away())
    race.here.perform = raising(SandboxError("make a sandbox", "none works"))
    with pytest.raises(SandboxError):
        race.racing.execute(ACTION, {})


def test_an_interruption_ends_both() -> None:
    race = Race(delay=0.01)
    race.there.perform, race.here.perform = race.slowly("there"), race.slowly("here")
    timer = threading.Timer(0.2, race.stopped.set)
    timer.start()
    with pytest.raises(Interrupted):
        race.racing.execute(ACTION, {})
    assert "here" in race.given_up
