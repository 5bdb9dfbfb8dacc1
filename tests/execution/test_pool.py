"""Threads: order, bounds, errors, deadlocks, and the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from distroless_rules.errors import Interrupted
from distroless_rules.execution.pool import Job, Pool


def test_more_urgent_jobs_go_first() -> None:
    order: list[str] = []
    begun, go = threading.Event(), threading.Event()
    with Pool(1) as pool:
        pool.submit(lambda: begun.set() or go.wait(20))
        assert begun.wait(20)
        jobs = [pool.submit(lambda name=name: order.append(name), at) for name, at in [("c", 1), ("a", 9), ("b", 5)]]  # type: ignore[misc]
        again = pool.submit(lambda: order.append("same as c, later"), 1)
        go.set()
        while len(order) < 4:
            time.sleep(0.001)
        assert [job.run() for job in [*jobs, again]] == [False] * 4
    assert order == ["a", "b", "c", "same as c, later"]


def test_threads_are_started_when_they_are_needed() -> None:
    before = threading.active_count()
    with Pool(4) as pool:
        assert threading.active_count() == before
        for _ in range(3):
            pool.submit(int).result()
        assert threading.active_count() <= before + 3
        list(pool.map(str, range(100)))
        assert threading.active_count() <= before + 4
    assert threading.active_count() == before


def test_threads_join_while_those_there_only_wait() -> None:
    together = threading.Barrier(8)
    with Pool(8, first=2) as pool:
        for _ in range(30):
            pool.submit(lambda: time.sleep(0.02))
        meetings = [pool.submit(lambda: together.wait(60)) for _ in range(8)]
        while not all(meeting.done for meeting in meetings):
            time.sleep(0.01)
        assert sorted(meeting.result() for meeting in meetings) == list(range(8))


def test_threads_that_wait_in_a_busy_process_are_joined_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "process_time", time.monotonic)  # as if others kept it busy
    together = threading.Barrier(3)
    with Pool(8, first=2) as pool:
        jobs = [pool.submit(lambda: time.sleep(0.02)) for _ in range(20)]
        meetings = [pool.submit(lambda: together.wait(60)) for _ in range(3)]
        while not all(job.done for job in [*jobs, *meetings]):
            time.sleep(0.01)
        assert sorted(meeting.result() for meeting in meetings) == [0, 1, 2]


def test_no_thread_joins_those_that_keep_a_processor_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "process_time", time.monotonic)  # as if nothing ever waited
    monkeypatch.setattr(time, "thread_time", time.monotonic)
    before = threading.active_count()
    with Pool(8, first=2) as pool:
        jobs = [pool.submit(lambda: time.sleep(0.02)) for _ in range(20)]
        while not all(job.done for job in jobs):
            time.sleep(0.01)
        assert threading.active_count() <= before + 2


def test_a_job_runs_once_and_keeps_its_result() -> None:
    calls: list[int] = []
    job = Job(lambda: calls.append(1) or len(calls))  # type: ignore[func-returns-value]
    assert job.run()
    assert not job.run()
    assert [job.result(), job.result()] == [1, 1]


def test_a_dropped_job_is_never_begun() -> None:
    calls: list[int] = []
    job = Job(lambda: calls.append(1))
    job.drop()
    assert not job.run()
    assert calls == []


def test_errors_come_out_where_the_result_is_asked_for() -> None:
    with Pool(2) as pool:
        with pytest.raises(ZeroDivisionError):
            pool.submit(lambda: 1 // 0).result()
        results = pool.map(lambda number: 6 // number, [1, 2, 0, 3])
        assert [next(results), next(results)] == [6, 3]
        with pytest.raises(ZeroDivisionError):
            next(results)
        assert pool.submit(lambda: "still alive").result() == "still alive"


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_map_keeps_order_and_takes_little_ahead(jobs: int) -> None:
    taken = 0

    def source() -> Iterator[int]:
        nonlocal taken
        for number in range(200):
            taken += 1
            yield number

    with Pool(jobs) as pool:
        for wanted, result in enumerate(pool.map(lambda number: number * 2, source())):
            assert result == wanted * 2
            assert taken - wanted <= 2 * jobs
    assert taken == 200


def test_map_reads_nothing_until_it_is_asked() -> None:
    with Pool(2) as pool:
        assert list(pool.map(str, ())) == []
        unread = iter([1, 2])
        pool.map(str, unread)
        assert next(unread) == 1


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_maps_within_maps_on_every_thread_do_not_block(jobs: int) -> None:
    def deep(depth: int) -> int:
        return 1 if not depth else sum(pool.map(deep, [depth - 1] * 3))

    with Pool(jobs) as pool:
        outer = [pool.submit(lambda: deep(4)) for _ in range(2 * jobs)]
        finished = threading.Event()

        def wait() -> None:
            for job in outer:
                assert job.result() == 81
            finished.set()

        threading.Thread(target=wait, daemon=True).start()
        assert finished.wait(20)


def test_map_uses_all_threads() -> None:
    together = threading.Barrier(3, timeout=20)
    with Pool(3) as pool:
        assert sorted(pool.map(lambda _: together.wait(), range(3))) == [0, 1, 2]


def test_a_map_that_is_left_waits_for_what_it_began() -> None:
    ended: list[int] = []

    def slowly(number: int) -> int:
        time.sleep(0.02)
        ended.append(number)
        return number

    with Pool(2) as pool:
        results = pool.map(slowly, range(50))
        assert next(results) == 0
        results.close()  # type: ignore[attr-defined]
        count = len(ended)
        time.sleep(0.06)
        assert len(ended) == count < 10


def test_cancelling() -> None:
    calls: list[int] = []
    begun, go = threading.Event(), threading.Event()

    def running() -> None:
        begun.set()
        go.wait(20)
        pool.check()

    with Pool(1) as pool:
        job = pool.submit(running)
        pool.submit(lambda: calls.append(1))
        assert begun.wait(20)
        pool.cancel()
        go.set()
        with pytest.raises(Interrupted):
            job.result()
        with pytest.raises(Interrupted):
            next(pool.map(int, [1]))
        pool.submit(lambda: calls.append(2))
    assert calls == []
    assert job.run() is False
