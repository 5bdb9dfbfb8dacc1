"""Questions of many threads: each gets its own answer, and what comes meanwhile is asked in one go."""

from __future__ import annotations

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

import pytest

from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.together import Together
from distroless_rules.values.digest import Digest

MANY = [Digest.of(b"%d" % number) for number in range(200)]
ODD = {digest for digest in MANY if int(digest.hash[-1], 16) % 2}


def sizes(digests: Collection[Digest]) -> dict[Digest, int]:
    return {digest: digest.size for digest in digests}


class Server:
    """Finds odd digests, once it is let go on."""

    def __init__(self) -> None:
        self.asked: list[set[Digest]] = []
        self.lock = threading.Lock()
        self.goes = threading.Event()

    def ask(self, digests: Collection[Digest]) -> dict[Digest, int]:
        with self.lock:
            self.asked.append(set(digests))
        assert self.goes.wait(60)
        return sizes(ODD.intersection(digests))


def test_each_gets_an_answer_to_what_it_asked_in_few_questions() -> None:
    server = Server()
    together = Together(server.ask)
    with ThreadPoolExecutor(len(MANY)) as pool:
        answers = [pool.submit(together.ask, MANY[at : at + 2]) for at in range(len(MANY))]
        while len(together._next.digests if together._next else ()) < len(MANY) - 4:
            assert not any(answer.done() for answer in answers)
        server.goes.set()
        for at, answer in enumerate(answers):
            assert answer.result(60) == sizes(ODD.intersection(MANY[at : at + 2]))
    assert len(server.asked) <= 4
    assert set().union(*server.asked) == set(MANY)


def test_one_that_comes_alone_waits_for_nobody() -> None:
    server = Server()
    server.goes.set()
    together = Together(server.ask)
    for digest in MANY[:5]:
        assert together.ask([digest]) == sizes(ODD.intersection([digest]))
    assert server.asked == [{digest} for digest in MANY[:5]]


def test_an_error_is_told_to_all_who_asked_and_to_nobody_after() -> None:
    goes = threading.Event()
    asked: list[Collection[Digest]] = []

    def ask(digests: Collection[Digest]) -> dict[Digest, int]:
        asked.append(digests)
        assert goes.wait(60)
        if len(asked) < 4:
            raise RemoteError("ask", "it is away", Code.UNAVAILABLE)
        return sizes(digests)

    together = Together(ask)
    with ThreadPoolExecutor(10) as pool:
        answers = [pool.submit(together.ask, [digest]) for digest in MANY[:10]]
        while len(together._next.digests if together._next else ()) < 8:
            assert not any(answer.done() for answer in answers)
        goes.set()
        for answer in answers:
            with pytest.raises(RemoteError, match="it is away"):
                answer.result(60)
    assert len(asked) == 3
    assert together.ask(MANY[:3]) == sizes(MANY[:3])
