"""What is performed, in what order, how often, and what is left alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from distroless_rules.actions.action import Action
from distroless_rules.execution import events
from distroless_rules.storage.store import MissingBlobError
from distroless_rules.tools.tool import Workbench
from tests.support.workshop import Workshop, action, locked, out, source, tools_with, write_out

DEB = b"the bytes of a deb"


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, mirror={"a.deb": DEB})


# Order


def test_the_longest_path_goes_first(shop: Workshop) -> None:
    shop.jobs = 1
    first = action("first", weight=1)
    last = action("last", inputs={"in": out("first")}, weight=100)
    others = [action(f"other{weight}", parameters={"text": str(weight)}, weight=weight) for weight in (7, 50, 3)]
    built = shop.build([*others, first, last], *(out(a.owner) for a in [*others, last]))
    assert built.ran[0] == "first"
    assert [owner for owner in built.ran if owner.startswith("other")] == ["other50", "other7", "other3"]
    assert built.outcome.counts == events.Counts(5, cached=0, ran=5, failed=0, skipped=0, fetched=0, fetched_bytes=0)


def test_what_becomes_ready_overtakes_what_is_less_urgent(shop: Workshop) -> None:
    first_is_over = threading.Event()

    def perform(bench: Workbench) -> None:
        if bench.parameters:
            first_is_over.wait(20)
            time.sleep(0.05)  # until what follows it is in the queue
        write_out(bench, b"")

    def listen(event: events.Event, /) -> None:
        if isinstance(event, events.ActionFinished) and event.action.owner == "first":
            first_is_over.set()

    shop.jobs, shop.tools = 1, tools_with(perform)
    actions = [
        action("first", weight=9),
        action("urgent", inputs={"in": out("first")}, weight=90),
        *(action(str(number), "Tool", parameters={"number": number}) for number in range(3)),
    ]
    built = shop.build(actions, *(out(each.owner) for each in actions), listener=listen)
    assert built.ran.index("urgent") <= 2, "after at most the one that was begun meanwhile"


def test_as_many_at_once_as_there_are_threads(shop: Workshop) -> None:
    together = threading.Barrier(3, timeout=20)

    def meet(bench: Workbench) -> None:
        together.wait()
        write_out(bench, b"met")

    shop.tools, shop.jobs = tools_with(meet), 3
    actions = [action(str(number), "Tool", parameters={"number": number}) for number in range(3)]
    assert shop.build(actions, *(out(each.owner) for each in actions)).outcome.counts.ran == 3


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_never_more_at_once_than_there_are_threads(shop: Workshop, jobs: int) -> None:
    now, most, guard = 0, 0, threading.Lock()

    def count(bench: Workbench) -> None:
        nonlocal now, most
        with guard:
            now += 1
            most = max(most, now)
        time.sleep(0.002)
        with guard:
            now -= 1
        write_out(bench, b"")

    shop.tools, shop.jobs = tools_with(count), jobs
    actions = [action(str(number), "Tool", parameters={"number": number}) for number in range(20)]
    shop.build(actions, *(out(each.owner) for each in actions))
    assert most <= jobs


def test_only_what_is_needed(shop: Workshop) -> None:
    actions = [action("a"), action("unneeded", inputs={"in": out("a")}), action("b", inputs={"in": out("a")})]
    built = shop.build(actions, out("b"))
    assert built.ran == ["a", "b"]
    assert built.outcome.digests.keys() == {out("b")}


def test_one_producer_for_many_and_one_file_under_many_names(shop: Workshop) -> None:
    two = action("two", outputs=("x", "y"), parameters={"outputs": ["x", "y"], "text": "!"})
    use = action("use", inputs={"1": out("two", "x"), "2": out("two", "y"), "3": out("two", "x")})
    built = shop.build([two, use], out("use"), out("two", "y"))
    assert built.ran == ["two", "use"]
    assert shop.read(built, out("use")) == b"!!!"


def test_wanted_files_that_no_action_makes(shop: Workshop) -> None:
    shop.write("file", b"source")
    deb = locked("a.deb", DEB)
    built = shop.build([], source("file"), deb)
    assert {artifact.path: digest.size for artifact, digest in built.outcome.digests.items()} == {
        "file": 6,
        "a.deb": len(DEB),
    }
    assert shop.read(built, deb) == DEB
    assert built.outcome.counts.fetched_bytes == len(DEB)
    assert shop.build([], deb).fetched == []


# What is known is not done


def test_nothing_is_done_twice(shop: Workshop) -> None:
    shop.write("file", b"1")
    actions = [action("a", inputs={"in": source("file")}), action("b", inputs={"in": out("a")})]
    shop.build(actions, out("b"))
    built = shop.build(actions, out("b"))
    assert built.ran == []
    assert built.endings == {"a": "cached", "b": "cached"}


def test_an_early_cut_off(shop: Workshop) -> None:
    def first_letter(bench: Workbench) -> None:
        write_out(bench, bench.inputs["in"].path.read_bytes()[:1])

    shop.tools = tools_with(first_letter)
    actions = [action("a", "Tool", {"in": source("file")}), action("b", inputs={"in": out("a")})]
    shop.write("file", b"xyz")
    shop.build(actions, out("b"))
    shop.write("file", b"x, and more")
    assert shop.build(actions, out("b")).endings == {"a": "ran", "b": "cached"}
    shop.write("file", b"y")
    assert shop.build(actions, out("b")).endings == {"a": "ran", "b": "ran"}


def _unpack_and_use(text: str = "") -> list[Action]:
    return [
        action("unpack", inputs={"deb": locked("a.deb", DEB)}),
        action("compose", inputs={"in": out("unpack")}, parameters={"text": "+"}),
        action("layer", inputs={"in": out("compose")}, parameters={"text": text}),
    ]


def test_what_is_known_needs_no_bytes(shop: Workshop) -> None:
    built = shop.build(_unpack_and_use(), out("layer"), out("compose"))
    assert built.fetched == ["a.deb"]
    keep = shop.blob(built.outcome.digests[out("layer")])
    for blob in (shop.cache / "cas").rglob("*"):
        if blob.is_file() and blob != keep:
            blob.unlink()
    shop.mirror.clear()
    built = shop.build(_unpack_and_use(), out("layer"))
    assert (built.ran, built.fetched) == ([], [])
    assert shop.read(built, out("layer")) == DEB + b"+"


def test_what_many_need_is_fetched_once(shop: Workshop) -> None:
    actions = [
        action(str(number), inputs={"deb": locked("a.deb", DEB)}, parameters={"text": str(number)})
        for number in range(4)
    ]

    def listen(event: events.Event, /) -> None:
        if isinstance(event, events.FetchStarted):
            time.sleep(0.05)  # until all have asked

    built = shop.build(actions, *(out(each.owner) for each in actions), listener=listen)
    assert built.fetched == ["a.deb"]
    assert built.outcome.counts.ran == 4


def test_only_what_is_gone_and_needed_is_made_again(shop: Workshop) -> None:
    built = shop.build(_unpack_and_use(), out("layer"), out("compose"), out("unpack"))
    shop.blob(built.outcome.digests[out("compose")]).unlink()
    built = shop.build(_unpack_and_use("new"), out("layer"))
    assert (built.ran, built.fetched) == (["compose", "layer"], [])
    shop.blob(built.outcome.digests[out("layer")]).unlink()
    assert shop.build(_unpack_and_use("new"), out("layer")).ran == ["layer"]


def test_everything_is_made_again_when_all_blobs_are_gone(shop: Workshop) -> None:
    first = shop.build(_unpack_and_use(), out("layer"))
    for blob in (shop.cache / "cas").rglob("*"):
        if blob.is_file():
            blob.unlink()
    built = shop.build(_unpack_and_use(), out("layer"))
    assert (built.ran, built.fetched) == (["unpack", "compose", "layer"], ["a.deb"])
    assert built.outcome.digests == first.outcome.digests
    assert set(built.endings.values()) == {"ran"}


# Blobs that are damaged or vanish


def _damage(path: Path) -> None:
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


@pytest.mark.parametrize("when", ["before the build", "just before it is used"])
@pytest.mark.parametrize("harm", [_damage, Path.unlink])
def test_a_blob_that_is_bad_is_made_again(shop: Workshop, when: str, harm: Callable[[Path], None]) -> None:
    first = shop.build(_unpack_and_use(), out("layer"), out("compose"))
    bad = shop.blob(first.outcome.digests[out("compose")])
    turns = 0

    def listen(event: events.Event, /) -> None:
        nonlocal turns
        if isinstance(event, events.ActionStarted) and event.action.owner == "layer":
            turns += 1
            if turns == 1 and when != "before the build":
                harm(bad)

    if when == "before the build":
        harm(bad)
    built = shop.build(_unpack_and_use("!"), out("layer"), listener=listen)
    assert built.errors == []
    assert shop.read(built, out("layer")) == DEB + b"+!"
    assert built.endings == {"unpack": "cached", "compose": "ran", "layer": "ran"}
    assert built.corrupt == (1 if harm is _damage else 0)
    assert turns == (1 if when == "before the build" else 2)


def test_a_deb_that_is_damaged_is_fetched_again(shop: Workshop) -> None:
    deb = locked("a.deb", DEB)
    built = shop.build([], deb)
    _damage(shop.blob(built.outcome.digests[deb]))
    built = shop.build(_unpack_and_use(), out("layer"))
    assert (built.fetched, built.errors) == (["a.deb"], [])


def test_a_damaged_result_is_made_again(shop: Workshop) -> None:
    shop.build(_unpack_and_use(), out("layer"))
    for result in (shop.cache / "ac").rglob("*"):
        if result.is_file():
            _damage(result)
    built = shop.build(_unpack_and_use(), out("layer"))
    assert built.ran == ["unpack", "compose", "layer"]
    assert built.corrupt == 3


def test_a_blob_that_vanishes_again_and_again_is_an_error(shop: Workshop) -> None:
    def listen(event: events.Event, /) -> None:
        if isinstance(event, events.ActionStarted) and event.action.owner == "layer":
            for path in (shop.cache / "cas").rglob("*"):
                if path.is_file():
                    path.unlink()

    built = shop.build(_unpack_and_use(), out("layer"), listener=listen)
    assert built.ran.count("layer") == 4
    assert isinstance(built.outcome.failures[0].error, MissingBlobError)


def test_after_other_bytes_for_the_same_inputs_all_is_made_of_the_new_ones(shop: Workshop) -> None:
    numbers = iter(range(9))
    shop.tools = tools_with(lambda bench: write_out(bench, b"%d" % next(numbers)))
    actions = [
        action("a", "Tool"),
        action("b", inputs={"in": out("a")}),
        action("c", inputs={"in": out("a")}, parameters={"text": "c"}),
    ]
    built = shop.build(actions, out("a"), out("b"))
    shop.blob(built.outcome.digests[out("a")]).unlink()
    again = shop.build(actions, out("a"), out("b"), out("c"))
    made = shop.read(again, out("a"))
    assert again.outcome.digests[out("a")] != built.outcome.digests[out("a")]
    assert shop.read(again, out("b")) == made
    assert shop.read(again, out("c")).startswith(made)
