"""Tests of the senders: so many at a time and never more, waited for together, and free as soon as they have sent."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Semaphore, Thread
from time import monotonic

import pytest

from tests.eventually import eventually
from workers.senders import InThisThread, Job, Jobs, Pool, Send, Senders

SECONDS = 20.0


class Street:
    """Messages on their way, each until it is let through."""

    def __init__(self) -> None:
        self.on_their_way = 0
        self.most = 0
        self.arrived = 0
        self.settled = 0
        self.green = Semaphore(0)
        self.settling = Event()
        self._lock = Lock()

    def send(self) -> Job:
        """Be on one's way until the light is green; then something is left to be done."""
        with self._lock:
            self.on_their_way += 1
            self.most = max(self.most, self.on_their_way)
        assert self.green.acquire(timeout=SECONDS)
        with self._lock:
            self.on_their_way -= 1
            self.arrived += 1
        return self.settle

    def settle(self) -> None:
        """Do what is left, when that is allowed."""
        assert self.settling.wait(SECONDS)
        with self._lock:
            self.settled += 1


def give(senders: Senders, sends: list[Send]) -> Jobs:
    """Give all of them to as many as can be hired, one round after the other."""
    jobs = Jobs(senders)
    while sends:
        hired = senders.hire(len(sends))
        for send in sends[:hired]:
            jobs.send(send)
        sends = sends[hired:]
    return jobs


def test_no_more_are_on_their_way_than_can_be_hired() -> None:
    street, pool = Street(), Pool(3)
    street.settling.set()
    giving = Thread(target=lambda: give(pool, [street.send] * 10).wait())
    giving.start()
    eventually(lambda: street.on_their_way == 3, "all senders, busy")
    street.green.release(10)
    giving.join(SECONDS)
    assert (street.arrived, street.settled, street.most) == (10, 10, 3)


def test_whoever_has_sent_is_free_while_what_follows_is_still_done() -> None:
    street, pool = Street(), Pool(2)
    jobs = give(pool, [street.send] * 2)
    street.green.release(2)
    eventually(lambda: street.arrived == 2, "the first two")
    more = give(pool, [street.send] * 2)
    street.green.release(2)
    eventually(lambda: street.arrived == 4, "the next two")
    assert street.settled == 0
    street.settling.set()
    jobs.wait()
    more.wait()
    assert street.settled == 4


def test_one_who_hires_gets_those_who_are_free_and_waits_for_the_first_when_none_is() -> None:
    pool = Pool(3)
    assert pool.hire(2) == 2
    assert pool.hire(5) == 1
    hired: list[int] = []
    waiting = Thread(target=lambda: hired.append(pool.hire(2)))
    waiting.start()
    assert not hired
    pool.let_go(1)
    waiting.join(SECONDS)
    assert hired == [1]


def test_several_who_become_free_at_nearly_the_same_time_are_hired_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.senders.PATIENCE", SECONDS)
    pool = Pool(3)
    assert pool.hire(3) == 3
    hired: list[int] = []
    waiting = Thread(target=lambda: hired.append(pool.hire(10)))
    waiting.start()
    for _ in range(3):
        pool.let_go(1)
    waiting.join(SECONDS)
    assert hired == [3]


def test_those_who_hire_are_many_and_all_are_served() -> None:
    street, pool = Street(), Pool(4)
    street.settling.set()
    street.green.release(200)
    givers = [Thread(target=lambda: give(pool, [street.send] * 10).wait()) for _ in range(20)]
    for giver in givers:
        giver.start()
    for giver in givers:
        giver.join(SECONDS)
    assert street.settled == 200
    assert street.most <= 4
    assert pool.hire(10) == 4, "all are free again"


@pytest.mark.parametrize("make", [InThisThread, lambda: Pool(2)], ids=["in this thread", "pool"])
@pytest.mark.parametrize("when", ["sending", "settling"])
def test_who_waits_is_told_what_went_wrong_when_all_are_done(make: Callable[[], Senders], when: str) -> None:
    senders, done = make(), list[int]()

    def fail() -> None:
        raise KeyError("a defect")

    def fail_at_once() -> Job:
        fail()
        return fail

    def fail_later() -> Job:
        return fail

    def succeed() -> Job:
        return lambda: done.append(1)

    jobs = give(senders, [fail_at_once if when == "sending" else fail_later, succeed, succeed])
    with pytest.raises(KeyError, match="a defect"):
        jobs.wait()
    assert done == [1, 1]
    assert senders.hire(2) == 2, "a defect costs no sender"


def test_nothing_to_send_is_not_waited_for() -> None:
    began = monotonic()
    Jobs(Pool(1)).wait()
    assert monotonic() - began < SECONDS
