"""When a server counts as silent: sooner than a slow answer, later where it is far away, and not while it speaks."""

from __future__ import annotations

import math
import threading
import time

from distroless_rules.storage.traffic import Watch


def test_a_server_that_says_nothing_has_half_the_time_and_then_all_of_it() -> None:
    watch = Watch(10)
    assert watch.limit == 5
    assert watch.silent(since=time.monotonic(), limit=5)
    assert watch.limit == 10, "when it is asked again it may be far away"
    assert watch.silent(since=time.monotonic(), limit=5), "what was under way as well ends with the old limit"
    assert watch.silent(since=time.monotonic(), limit=10)
    assert watch.limit == 10


def test_an_answer_sets_the_limit() -> None:
    watch = Watch(10)
    for waited, limit in ((0.1, 5), (3, 6), (4, 8), (9, 10), (0.1, 5)):
        watch.hears(waited)
        assert watch.limit == limit


def test_a_server_that_speaks_elsewhere_is_not_silent() -> None:
    watch, since = Watch(10), time.monotonic()
    with watch.over(lambda: None, 10) as other:
        other.waits()
        other.came(1)
    assert not watch.silent(since, limit=5)
    assert watch.limit == 5
    assert watch.silent(time.monotonic(), limit=5)


def test_what_is_sent_is_no_sign_of_life() -> None:
    watch, since = Watch(10), time.monotonic()
    with watch.over(lambda: None, 10) as other:
        other.waits()
        other.passed(1_000_000)
    assert watch.silent(since, limit=5)


def test_who_waits_quickly_is_cancelled_and_others_are_not() -> None:
    watch, ended = Watch(0.4), threading.Event()
    with watch.over(lambda: None, math.inf) as patient, watch.over(ended.set, 600, quick=True) as quick:
        patient.waits()
        quick.waits()
        assert ended.wait(60)
        assert quick.why() == "it gave no answer in time"
        assert not patient.why()
    watch.close()
