"""Tests of the senders: so many messages at a time and never more, by threads that were there beforehand."""

import threading
from concurrent.futures import Future
from threading import Event, Semaphore, Thread
from time import monotonic

import pytest

from tests.eventually import eventually
from workers.outbound import MAX_LEASED_TOGETHER, SenderPool

SECONDS = 20.0


def acquiring(pool: SenderPool, named: int) -> Future[int]:
    """One who waits for slots, in a thread of their own."""
    acquired: Future[int] = Future()
    Thread(target=lambda: acquired.set_result(pool.acquire(named))).start()
    return acquired


def test_slots_are_taken_up_to_a_batch_and_given_back() -> None:
    pool = SenderPool(MAX_LEASED_TOGETHER + 3, acquire_seconds=0.0)
    assert [pool.acquire(1) for _ in range(3)] == [MAX_LEASED_TOGETHER, 3, 0]
    pool.release(2)
    assert pool.acquire(9) == 2


def test_acquire_waits_for_the_first_free_slot() -> None:
    pool = SenderPool(3, acquire_seconds=SECONDS)
    assert pool.acquire(5) == 3
    acquired = acquiring(pool, 2)
    assert not acquired.done()
    pool.release(1)
    assert acquired.result(SECONDS) == 1


def test_when_all_wait_for_receivers_for_long_nothing_is_acquired() -> None:
    pool = SenderPool(1, acquire_seconds=0.05)
    assert pool.acquire(1) == 1
    assert pool.acquire(1) == 0


def test_acquire_does_not_wait_for_unnamed_deliveries() -> None:
    pool = SenderPool(1, acquire_seconds=SECONDS)
    assert pool.acquire(1) == 1
    began = monotonic()
    assert pool.acquire(0) == 0
    assert monotonic() - began < SECONDS / 2


def test_one_more_thread_runs_than_there_are_slots() -> None:
    pool, green, running = SenderPool(3), Semaphore(0), Semaphore(0)

    def send() -> None:
        running.release()
        assert green.acquire(timeout=SECONDS)

    for _ in range(4):
        pool.submit(send)
    for _ in range(4):
        assert running.acquire(timeout=SECONDS)
    green.release(4)


def test_a_machine_without_threads_sends_by_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, sent = SenderPool(2), [Event() for _ in range(3)]

    def no_thread(_thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    for each in sent:
        pool.submit(each.set)
    assert all(each.wait(SECONDS) for each in sent)


def test_those_that_acquire_are_many_and_all_are_served() -> None:
    pool = SenderPool(4, acquire_seconds=SECONDS)
    served = Semaphore(0)

    def use() -> None:
        for _ in range(10):
            count = pool.acquire(1)
            assert 0 < count <= 4
            pool.release(count)
            served.release()

    for _ in range(20):
        Thread(target=use).start()
    eventually(lambda: all(served.acquire(timeout=SECONDS) for _ in range(200)), "all served")
    assert pool.acquire(9) == 4


def test_those_that_find_no_slot_wait_beside_each_other() -> None:
    pool = SenderPool(1, acquire_seconds=0.5)
    assert pool.acquire(1) == 1
    began = monotonic()
    waiting = [acquiring(pool, 1) for _ in range(8)]
    assert [each.result(SECONDS) for each in waiting] == [0] * 8
    assert monotonic() - began < 8 * 0.5 / 2, "one after another, they would take four seconds"
