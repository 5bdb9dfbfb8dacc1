from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.deb.parallel import each
from distroless_rules.errors import FetchError


@given(st.lists(st.integers(), max_size=20), st.integers(1, 5))
def test_results_in_the_order_of_items(items: list[int], threads: int) -> None:
    assert each(lambda item: item * 2, items, threads) == [item * 2 for item in items]


def test_no_more_threads_than_asked_for_and_all_of_them_at_once() -> None:
    together = threading.Barrier(3)
    assert each(lambda _: together.wait(10), range(6), 3)
    names = set()

    def note(_: int) -> None:
        names.add(threading.get_ident())

    each(note, range(50), 3)
    assert len(names) <= 3


def test_the_error_of_the_first_item_that_has_one() -> None:
    second_failed = threading.Event()

    def fail(item: int) -> None:
        if item == 1:
            second_failed.wait(10)
            raise FetchError("fetch 1", "it is gone")
        if item == 2:
            second_failed.set()
            raise FetchError("fetch 2", "it is gone")

    with pytest.raises(FetchError, match="cannot fetch 1: it is gone"):
        each(fail, range(4), 4)
