"""What a build does when something fails, is wrong, or is interrupted."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from distroless_rules.actions.action import Action
from distroless_rules.cli.interruption import interruptible
from distroless_rules.errors import FetchError, FormatError, InternalError, Interrupted, StorageError, TrustError
from distroless_rules.execution import events
from distroless_rules.tools.tool import Workbench
from tests.support.workshop import Workshop, action, locked, out, source, tools_with, write_out

DEB = b"the bytes of a deb"


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, mirror={"a.deb": DEB})


def _failing(bench: Workbench) -> None:
    if "error" in bench.parameters:
        raise FormatError(f"read {bench.parameters['error']}", "it is broken")
    write_out(bench, b"fine")


def _forked() -> list[Action]:
    """Give a graph: bad -> after, and a chain good1 -> good2."""
    return [
        action("good1", "Tool", weight=1),
        action("bad", "Tool", parameters={"error": "bad"}, weight=50),
        action("after", "Tool", {"in": out("bad"), "other": out("good1")}),
        action("good2", "Tool", {"in": out("good1")}, parameters={"n": 2}),
        action("worse", "Tool", {"in": out("good2")}, parameters={"error": "worse"}),
    ]


def test_a_failure_stops_what_has_not_begun(shop: Workshop) -> None:
    shop.tools, shop.jobs = tools_with(_failing), 1
    built = shop.build(_forked(), out("after"), out("worse"))
    assert built.errors == ["cannot read bad: it is broken"]
    assert built.ran[0] == "bad"
    assert set(built.ran[1:]) <= {"good1"}, "only what the thread took before the failure was noticed"
    assert (built.outcome.counts.failed, built.outcome.counts.skipped) == (1, 5 - len(built.ran))
    assert built.outcome.digests == {}


def test_keep_going_does_all_that_can_be_done(shop: Workshop) -> None:
    shop.tools = tools_with(_failing)
    built = shop.build(_forked(), out("after"), out("worse"), out("good2"), keep_going=True)
    assert built.errors == ["cannot read bad: it is broken", "cannot read worse: it is broken"]
    assert [f.action.owner for f in built.outcome.failures if f.action] == ["bad", "worse"]
    assert built.endings == {"good1": "ran", "bad": "failed", "good2": "ran", "worse": "failed"}
    assert built.outcome.counts.skipped == 1
    assert built.outcome.digests.keys() == {out("good2")}


def test_what_runs_when_another_fails_is_ended_and_kept(shop: Workshop) -> None:
    slow_runs, bad_failed = threading.Event(), threading.Event()

    def perform(bench: Workbench) -> None:
        if "error" in bench.parameters:
            slow_runs.wait(20)
            raise FormatError("read bad", "it is broken")
        slow_runs.set()
        bad_failed.wait(20)
        write_out(bench, b"slow")

    def listen(event: events.Event, /) -> None:
        if isinstance(event, events.ActionFinished) and event.ending is events.Ending.FAILED:
            bad_failed.set()

    shop.tools = tools_with(perform)
    actions = [
        action("slow", "Tool"),
        action("bad", "Tool", parameters={"error": 1}),
        action("next", inputs={"in": out("slow")}),
    ]
    built = shop.build(actions, out("next"), out("bad"), listener=listen)
    assert built.endings == {"slow": "ran", "bad": "failed"}
    shop.tools = tools_with(_failing)
    assert shop.build(actions, out("next")).endings == {"slow": "cached", "next": "ran"}


def test_a_failed_download_fails_those_who_need_it(shop: Workshop) -> None:
    shop.mirror["b.deb"] = TrustError('fetch "b.deb"', "its digest is another")
    actions = [
        action("a", inputs={"deb": locked("a.deb", DEB)}),
        action("b1", inputs={"deb": locked("b.deb", b"b")}),
        action("b2", inputs={"deb": locked("b.deb", b"b")}, parameters={"text": "2"}),
    ]
    wanted = [*(out(each.owner) for each in actions), locked("c.deb", b"c")]
    built = shop.build(actions, *wanted, keep_going=True)
    assert built.endings == {"a": "ran", "b1": "failed", "b2": "failed"}
    assert built.errors == [
        'cannot fetch "b.deb": its digest is another',
        'cannot fetch "b.deb": its digest is another',
        'cannot fetch "c.deb": the mirror does not have it',
    ]
    assert built.outcome.counts.fetched == 1
    assert isinstance(built.outcome.failures[-1].error, FetchError)
    assert shop.build(actions, out("b1")).outcome.counts.skipped == 0


def test_an_action_fails_once_however_many_of_its_inputs_do(shop: Workshop) -> None:
    debs = {path: locked(path, path.encode()) for path in ("x.deb", "y.deb", "z.deb")}
    built = shop.build([action("a", inputs=debs)], out("a"), keep_going=True)
    assert len(built.errors) == 1
    assert sum(isinstance(event, events.ActionFinished) for event in built.log) == 1


def test_a_download_that_is_not_what_it_must_be(shop: Workshop) -> None:
    shop.mirror["a.deb"] = b"another deb"
    built = shop.build([action("unpack", inputs={"deb": locked("a.deb", DEB)})], out("unpack"))
    assert "its bytes have the digest sha256:" in built.errors[0]
    assert built.ran == []
    assert [path for path in (shop.cache / "cas").rglob("*") if path.is_file()] == []


def test_a_source_file_that_is_missing(shop: Workshop) -> None:
    actions = [action("a", inputs={"in": source("none")}), action("b")]
    built = shop.build(actions, out("a"), out("b"), source("none"), keep_going=True)
    assert built.errors == ['cannot read source file "none": no such file or directory'] * 2
    assert built.endings == {"a": "failed", "b": "ran"}


def test_a_source_file_that_changes_during_the_build(shop: Workshop) -> None:
    shop.write("file", b"before")

    def perform(bench: Workbench) -> None:
        write_out(bench, bench.inputs["in"].path.read_bytes())
        shop.write("file", b"after!")

    shop.tools = tools_with(perform)
    actions = [action("a", "Tool", {"in": source("file")})]
    built = shop.build(actions, out("a"))
    assert built.errors == [
        'cannot use source file "file": it changed while it was used; build again when it is at rest'
    ]
    shop.tools = tools_with(lambda bench: write_out(bench, bench.inputs["in"].path.read_bytes()))
    assert shop.read(shop.build(actions, out("a")), out("a")) == b"after!"


def test_a_fault_of_ours_names_the_action(shop: Workshop) -> None:
    shop.tools = tools_with(lambda bench: write_out(bench, b"%d" % (1 // len(bench.inputs))))
    with pytest.raises(InternalError) as caught:
        shop.build([action("//app:x", "Tool")], out("//app:x"), keep_going=True)
    assert str(caught.value) == (
        "internal error: cannot perform Tool for //app:x: ZeroDivisionError: integer division or modulo by zero"
    )
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_store_that_cannot_be_used_ends_the_build(shop: Workshop) -> None:
    def perform(bench: Workbench) -> None:
        raise StorageError("write a blob to the cache", "no space left on device")

    shop.tools = tools_with(perform)
    with pytest.raises(StorageError, match="no space left on device"):
        shop.build([action("a", "Tool"), action("b")], out("a"), out("b"), keep_going=True)


@pytest.mark.parametrize(
    ("actions", "cause"),
    [
        ([action("a"), action("a", parameters={"text": "2"})], 'cannot plan "a/out": two actions make it'),
        ([action("a", inputs={"in": out("none")})], 'cannot plan "none/out": no action makes it'),
        (
            [action("a", inputs={"in": out("b")}), action("b", inputs={"in": out("a")})],
            "cannot plan Join for a: it needs itself",
        ),
    ],
)
def test_graphs_that_are_not_sound(shop: Workshop, actions: list[Action], cause: str) -> None:
    with pytest.raises(InternalError, match=cause):
        shop.build(actions, out("a"))


# Interruption


def test_an_interrupted_build_ends_soon_and_leaves_nothing_half_done(shop: Workshop) -> None:
    def perform(bench: Workbench) -> None:
        with bench.output("out") as sink:
            sink.write(b"half of it")
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                time.sleep(0.001)
                sink.write(b"more")

    shop.tools = tools_with(perform)
    actions = [action("a"), action("b", "Tool", {"in": out("a")}), action("c", inputs={"in": out("b")})]
    before = set(threading.enumerate())
    with pytest.raises(Interrupted, match="cannot finish the build: it was interrupted"), interruptible():
        shop.build(actions, out("c"))
    assert os.listdir(shop.cache / "tmp") == []
    assert set(threading.enumerate()) <= before
    shop.tools = tools_with(lambda bench: write_out(bench, b"whole"))
    assert shop.build(actions, out("c")).endings == {"a": "cached", "b": "ran", "c": "ran"}
