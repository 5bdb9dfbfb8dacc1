"""When a server counts as silent: sooner than a slow answer, later where it is far away, and not while bytes move."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

from distroless_rules.storage.channel import _Calls
from distroless_rules.storage.meter import Meter, connections
from distroless_rules.storage.traffic import Watch


def test_a_server_that_says_nothing_has_half_the_time_and_then_all_of_it() -> None:
    watch = Watch(10)
    assert watch.limit == 5
    watch.backs_off(5)
    assert watch.limit == 10, "when it is asked again it may be far away"
    watch.backs_off(5)
    assert watch.limit == 10, "what was under way as well ends with the old limit"


def test_an_answer_sets_the_limit() -> None:
    watch = Watch(10)
    for waited, limit in ((0.1, 5), (3, 6), (4, 8), (9, 10), (0.1, 5)):
        watch.answered(waited)
        assert watch.limit == limit


class Moving(Meter):
    """Says that so many bytes have moved, each time that it is asked."""

    def __init__(self, count: int) -> None:
        super().__init__(list)
        self.count = count

    def moved(self) -> int:
        return self.count


def ended(watch: Watch, seconds: float, *, meter: Meter | None = None, moves: Callable[[], object] = int) -> str:
    """Wait for an answer that never comes; say why that was given up, "": it was not."""
    given_up = threading.Event()
    with watch.over(given_up.set, meter=meter) as watched:
        watched.waits()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not given_up.wait(0.01):
            moves()
        return watched.why()


def test_who_waits_for_ever_is_not_cancelled() -> None:
    watch, stopped = Watch(0.4), threading.Event()
    with watch.over(stopped.set, seconds=math.inf) as patient:
        patient.waits()
        assert ended(watch, 60) == "it gave no answer in time"
        assert not stopped.is_set()
        assert not patient.why()
    watch.close()


def test_what_moves_is_waited_for() -> None:
    watch = Watch(0.4)
    assert ended(watch, 1.5, meter=Moving(50_000)) == ""
    watch.close()


def test_what_crawls_is_given_up() -> None:
    watch = Watch(0.8)
    assert ended(watch, 60, meter=Moving(1)) == "it gave no answer in time"
    assert ended(watch, 60, meter=Moving(4_100)) == "it is slower than 50 kB a second"
    watch.close()


def test_a_server_that_answers_others_is_waited_for_in_full() -> None:
    watch = Watch(0.8)

    def other() -> None:
        with watch.over(lambda: None) as transfer:
            transfer.waits()
            transfer.came(1)

    begun = time.monotonic()
    assert ended(watch, 60, moves=other)
    assert time.monotonic() - begun >= 0.8
    watch.close()


def test_who_keeps_much_may_take_longer_to_answer() -> None:
    watch, stopped = Watch(0.4), threading.Event()
    with watch.over(stopped.set) as transfer:
        transfer.waits()
        transfer.sent(size=1 << 40)
        assert ended(watch, 60)
        assert not stopped.is_set()
    watch.close()


def test_the_kernel_says_what_has_moved() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        meter = Meter(partial(connections, {port}))
        assert meter.moved() is None
        with socket.create_connection(("127.0.0.1", port)) as near, listener.accept()[0] as far:
            assert meter.moved() == 0, "what was before is not counted"
            near.sendall(bytes(1000))
            assert far.recv(1000, socket.MSG_WAITALL) == bytes(1000)
            assert meter.moved() == 1000
            far.sendall(bytes(77))
            assert near.recv(77, socket.MSG_WAITALL) == bytes(77)
            assert meter.moved() == 77
            assert meter.moved() == 0
        assert meter.moved() is None


def test_what_is_only_handed_over_has_not_moved() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as near, listener.accept()[0]:
            meter = Meter(partial(connections, {port}))
            meter.moved()
            near.setblocking(False)
            handed = 0
            try:
                while True:
                    handed += near.send(bytes(65536))
            except BlockingIOError:
                pass
            time.sleep(0.1)
            moved = meter.moved()
            assert moved is not None
            assert moved < handed


def test_a_call_that_is_given_up_before_it_is_known_is_cancelled() -> None:
    cancelled: list[str] = []

    class Call:
        def cancel(self) -> None:
            cancelled.append("it")

    calls = _Calls()
    calls.cancel()
    calls.begun(Call())
    assert cancelled == ["it"]
