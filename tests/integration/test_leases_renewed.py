"""Tests of leases that are renewed: as long as their senders live and no longer, and of nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import func
from sqlalchemy.exc import OperationalError

from tests.eventually import eventually
from tests.factories import make_booking
from tests.integration.house import House
from tests.statements import statements_of
from workers import leases
from workers.leases import LEASE, Leases
from workers.ledger import Ledger
from workers.transactions import Transactions
from workers.transports.watchdog import Watchdog
from workflows.events import store
from workflows.events.delivery import Delivery, Key
from workflows.events.store import Success

SOME = timedelta(seconds=5)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases are renewed many times a second."""
    monkeypatch.setattr(leases, "EVERY", 0.03)
    monkeypatch.setattr(leases, "AGAIN", 0.01)


@pytest.fixture
def mails(house: House) -> list[Delivery]:
    """Three mails in a sender's hands, whose leases are nearly over."""
    with house.transactions() as db:
        for _ in range(3):
            make_booking(db)
    due = house._due()
    for key in due:
        house.deliverer.deliver(key)
    keys = [key for key in house._due() if key.effect == "mail.send"]
    with house.engine.begin() as db:
        return store.claim_leased(db, "mail.send", keys, SOME)


def left(house: House, key: Key) -> timedelta:
    """How long its lease lasts."""
    row = house.row(key)
    assert row.nudge_at == row.lease_until
    return timedelta() if row.lease_until is None else row.lease_until - row.now


def is_renewed(house: House, delivery: Delivery) -> Callable[[], bool]:
    """Whether it has its full length again."""
    return lambda: left(house, delivery.key) > LEASE - SOME


def test_what_is_on_its_way_is_renewed_until_it_has_arrived(house: House, mails: list[Delivery]) -> None:
    keeping, one = Leases(house.transactions), mails[0]
    for _ in range(2):
        with keeping.kept(one):
            eventually(is_renewed(house, one), "a lease that was renewed")
            house.change(one.key, lease_until=func.now() + SOME, nudge_at=func.now() + SOME)
            eventually(is_renewed(house, one), "a lease that was renewed again")
        # Whoever has stopped sending keeps nobody from it.
        eventually(lambda: not keeping._renewing, "the end of the thread")
        house.change(one.key, lease_until=func.now() + SOME, nudge_at=func.now() + SOME)
    assert left(house, one.key) <= SOME
    assert {left(house, each.key) <= SOME for each in mails[1:]} == {True}


def test_what_arrives_soon_is_never_renewed(
    house: House, mails: list[Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    watchdog, held, past = Watchdog(), Event(), Event()
    monkeypatch.setattr(leases, "WATCHDOG", watchdog)
    keeping = Leases(house.transactions)
    # However slow this machine is, nothing rings before the mail has arrived.
    watchdog.after(0, partial(held.wait, 30))  # type: ignore[arg-type]
    with statements_of(house.engine) as made:
        with keeping.kept(mails[0]):
            pass
        held.set()
        watchdog.after(leases.EVERY, past.set)
        assert past.wait(30)
        assert not keeping._renewing
    assert made.statements == []


def test_what_has_arrived_is_renewed_until_its_outcome_is_written(
    house: House, mails: list[Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = mails[0]
    house.change(mail.key, attempts=0, lease_until=None)
    write, refused = Ledger.done, list[int]()

    def wait(self: Ledger, success: Success) -> bool:
        """The database is away at first, and its answer takes longer than what is left of the lease."""
        if not refused:
            refused.append(1)
            raise OperationalError("UPDATE", {}, Exception("the server closed the connection"))
        house.change(mail.key, lease_until=func.now() + SOME, nudge_at=func.now() + SOME)
        eventually(is_renewed(house, mail), "a lease that was renewed")
        return write(self, success)

    monkeypatch.setattr(Ledger, "done", wait)
    house.deliverer.deliver(mail.key)
    assert (house.row(mail.key).state, len(house.mail.received)) == ("done", 1)
    keeping = house.deliverer._outbound._leases
    eventually(lambda: not keeping._renewing, "the end of the thread")


def test_whoever_comes_to_an_end_leaves_a_second_sender_of_the_same_row_its_lease(
    house: House, mails: list[Delivery]
) -> None:
    keeping, first = Leases(house.transactions), mails[0]
    second = replace(first, fence=first.fence + 1)
    with ExitStack() as others:
        with keeping.kept(first):
            eventually(is_renewed(house, first), "a lease that was renewed")
            # It was lost all the same, and taken in the same process.
            house.change(first.key, attempts=second.fence, lease_until=func.now() + SOME, nudge_at=func.now() + SOME)
            others.enter_context(keeping.kept(second))
            eventually(is_renewed(house, second), "the other's lease, renewed")
        for _ in range(2):
            house.change(first.key, lease_until=func.now() + SOME, nudge_at=func.now() + SOME)
            eventually(is_renewed(house, second), "the other's lease, renewed again")


def test_all_are_renewed_by_one_statement(house: House, mails: list[Delivery]) -> None:
    with house.transactions.each_by_itself() as db, statements_of(house.engine) as made:
        store.renew(db, mails, LEASE)
    assert len(made.statements) == 1
    assert all(is_renewed(house, each)() for each in mails)


def test_what_is_no_longer_ours_is_left_as_it_is(house: House, mails: list[Delivery]) -> None:
    taken, over, ours = mails
    house.change(taken.key, attempts=taken.fence + 1)
    house.change(over.key, state="cancelled", lease_until=None)
    with house.transactions.each_by_itself() as db:
        store.renew(db, mails, LEASE)
    assert left(house, taken.key) <= SOME
    assert house.row(over.key).lease_until is None
    assert is_renewed(house, ours)()


def test_what_waits_for_its_next_attempt_is_leased_to_nobody(house: House, mails: list[Delivery]) -> None:
    failed = mails[0]
    house.change(failed.key, lease_until=None, due_at=func.now() + SOME, nudge_at=func.now() + SOME)
    before = house.row(failed.key)
    with house.transactions.each_by_itself() as db:
        store.renew(db, [failed], LEASE)
    row = house.row(failed.key)
    assert (row.state, row.attempts) == ("pending", failed.fence), "only the lease says that nobody has it"
    assert (row.lease_until, row.nudge_at) == (None, before.nudge_at)


def test_a_row_that_somebody_holds_keeps_no_other_from_being_renewed(house: House, mails: list[Delivery]) -> None:
    held, other, _third = mails
    with house.engine.begin() as onlooker:
        onlooker.exec_driver_sql("SELECT FROM deliveries WHERE event_id = %s FOR UPDATE", (held.key.event_id,))
        with house.transactions.each_by_itself() as db:
            store.renew(db, mails, LEASE)
    assert is_renewed(house, other)()
    assert left(house, held.key) <= SOME


def test_while_the_database_is_away_it_is_asked_again_soon(
    house: House, mails: list[Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        Event().wait(seconds)

    monkeypatch.setattr(leases, "sleep", pause)

    class Away(Transactions):
        @contextmanager
        def each_by_itself(self) -> Any:
            """Not at first."""
            asked.append(1)
            if len(asked) < 3:
                raise OperationalError("UPDATE", {}, Exception("the server closed the connection"))
            with super().each_by_itself() as db:
                yield db

    with Leases(Away(house.engine, house.nudger)).kept(mails[0]):
        eventually(is_renewed(house, mails[0]), "a lease that was renewed")
        eventually(lambda: len(pauses) >= 3, "the pause after it")
    assert len(asked) >= 3
    assert pauses[:3] == [leases.AGAIN, leases.AGAIN, leases.EVERY]


def test_a_machine_without_threads_renews_again_when_it_has_some(
    house: House, mails: list[Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping, refused = Leases(house.transactions), Event()

    def no_thread(**_how: object) -> Thread:
        refused.set()
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as poor, keeping.kept(mails[0]):
        poor.setattr(leases, "Thread", no_thread)
        assert refused.wait(30)
    with keeping.kept(mails[1]):
        eventually(is_renewed(house, mails[1]), "a lease that was renewed")


def test_whoever_hangs_for_ever_loses_the_lease(house: House, mails: list[Delivery]) -> None:
    now = [0.0]
    keeping = Leases(house.transactions, clock=lambda: now[0])
    over = Event()

    def hang() -> None:
        with keeping.kept(mails[0]):
            over.wait(30)

    hanging = Thread(target=hang)
    hanging.start()
    eventually(is_renewed(house, mails[0]), "a lease that was renewed")
    now[0] = leases.LONGEST
    eventually(lambda: not keeping._renewing, "the end of the thread")
    assert hanging.is_alive()
    over.set()
    hanging.join()
