"""Five copies of every task, at once and one after another: what follows from an event follows once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from models.events import DeliveryState
from tests import factories
from tests.concurrency.deliveries import (
    OF_COURSES,
    OF_MOVES,
    OF_PAYMENTS,
    CountingTransport,
    Harness,
    answer,
    await_payments,
    begin,
    decide,
    end_groups,
    fare_badly,
    hold,
    join_and_leave,
    leave_group,
    listen,
    pay,
    propose,
    refund,
    schedule,
    teach,
)
from tests.concurrency.racing import Race
from tests.eventually import eventually
from workers.transports import Renew, no_lease
from workflows.events.delivery import DeliveryKey, SendResult
from workflows.events.subscriptions import load
from workflows.invariants import check_all

COPIES = 5

# What one life leaves behind, however often each task runs.
LEFT_BEHIND = {
    # two sessions, of the two bookings that were accepted
    "SELECT count(*) FROM sessions": 2,
    "SELECT count(*) FROM events WHERE type = 'session.created'": 2,
    # one permit, of the one mentee
    "SELECT count(*) FROM review_permits": 1,
    # the undecided request expired once
    "SELECT count(*) FROM events WHERE type = 'booking.cancelled' AND actor = 'system'": 1,
    # five requests, a refusal, a cancellation and an expiry for both; two sessions created, one completed, one called
    # off, each for both; a seat joined and left, each for both, and a bundle used up; two reminders of each session,
    # each for both, and one of a request: thirty-one notifications, each by both channels
    "SELECT count(*) FROM notifications WHERE channel = 'email'": 31,
    # and in the application alone of two acceptances, a start, and a review that may be written
    "SELECT count(*) FROM notifications WHERE channel = 'in_app'": 35,
    # of which the mentee's browser shows their own: a refusal, an expiry, two acceptances, two sessions created, one
    # started, completed, to be reviewed, one called off, a seat joined and left, a bundle used up, and four reminders
    "SELECT count(*) FROM notifications WHERE channel = 'push'": 17,
    "SELECT count(*) FROM deliveries WHERE effect = 'push.send'": 17,
    # the operators' one channel gets two sessions booked, one of them cancelled, and an endpoint disabled
    "SELECT count(*) FROM deliveries WHERE effect = 'channels.send'": 4,
    # and the operators three times, about their endpoint, by mail alone
    "SELECT count(*) FROM deliveries WHERE effect = 'mail.send'": 34,
    # the measures of the session that was completed
    "SELECT sum(booked_minutes) FROM session_metrics": 60,
    # the ping and every event but two about its health, five about reminders and three about seats and bundles are
    # announced to the one endpoint
    "SELECT count(*) FROM deliveries WHERE effect = 'webhooks.send'": 22,
    "SELECT count(*) FROM events": 29,
    "SELECT count(*) FROM deliveries WHERE state <> 'done'": 0,
}
Deliver = Callable[[Harness, Race, DeliveryKey], None]


def _at_once(harness: Harness, race: Race, key: DeliveryKey) -> None:
    race.run([partial(harness.deliverer.deliver, key)] * COPIES)


def _one_after_another(harness: Harness, _race: Race, key: DeliveryKey) -> None:
    for _ in range(COPIES):
        harness.deliverer.deliver(key)


@dataclass
class Copies:
    """Works off all that is due, in five copies of each task."""

    harness: Harness
    race: Race
    deliver: Deliver
    called_again: bool  # whether the sweep had to call for each

    @property
    def delivered(self) -> list[DeliveryKey]:
        """All that there is, whether a copy was called for it or ran it besides."""
        return self.harness.keys()

    def work_off(self) -> None:
        while due := self.harness.due():
            if self.called_again:
                self.harness.call_again()
            for key in due:
                self.deliver(self.harness, self.race, key)
                row = self.harness.row(key)
                assert (row.state, row.attempts) == (DeliveryState.DONE, 1), key

    def require_once(self, left_behind: dict[str, int]) -> None:
        """Deliver everything again, after which nothing is done or sent twice."""
        for key in self.delivered:
            _at_once(self.harness, self.race, key)
        with self.harness.transactions() as db:
            assert {query: db.scalar(text(query)) for query in left_behind} == left_behind
            assert not [finding for finding in check_all(db) if finding.violations]
        # Each mail under its own name, each event under its own.
        assert set(self.harness.transport.sent.values()) == {1}


# Reads of outside calendars need a calendar: tests/integration/test_calendar_feeds.py plays them; and announcements of
# hours are raced in test_announcements.py.
OF_CALENDARS = {"calendars.start", "calendars.read", "webhooks.availability"}

# The rows that the life of a course leaves behind.
LEFT_BY_COURSE = {
    "SELECT count(*) FROM sessions": 3,
    "SELECT count(*) FROM waitlist_entries": 0,
    "SELECT sum(seats_taken + seats_offered) FROM group_sessions": 3,
    # the first offer lapsed, and the second ended with the session; two waited for the other group in vain
    "SELECT count(*) FROM events WHERE type = 'waitlist.offered'": 2,
    "SELECT count(*) FROM events WHERE type = 'waitlist.dropped'": 4,
    # of Lin, who had not left, and of Ada's fee
    "SELECT count(*) FROM events WHERE type = 'seat.refunded'": 2,
    "SELECT count(*) FROM events WHERE type = 'bundle.expired'": 1,
    "SELECT remaining_sessions FROM bundle_purchases": 0,
    "SELECT count(*) FROM bundle_entries WHERE kind = 'expire'": 1,
    # the bundle bought, expiring and expired
    "SELECT count(*) FROM notifications WHERE channel = 'email' AND kind LIKE 'bundle%'": 3,
    "SELECT count(*) FROM notifications WHERE channel = 'email' AND kind LIKE 'waitlist%'": 6,
    # one of each party: of the group, without Ada who had left, and of the session
    "SELECT count(*) FROM notifications WHERE channel = 'email' AND kind = 'session_cancelled'": 4,
    "SELECT count(*) FROM notifications WHERE channel = 'email' AND kind = 'seat_refunded'": 1,
    "SELECT count(*) FROM notifications WHERE channel = 'email' AND kind = 'session_fee_waived'": 2,
    "SELECT count(*) FROM notifications WHERE channel = 'email' AND kind = 'session_overdue'": 1,
    "SELECT count(*) FROM email_changes": 1,
    # The mails of reminders that were outdated when they were to be written, which no attempt was made to send.
    "SELECT count(*) FROM deliveries WHERE state = 'cancelled' AND effect = 'mail.send' AND attempts = 0": 10,
    "SELECT count(*) FROM deliveries WHERE state <> 'done'": 10,
}


# The rows that the life of two prepaid bookings leaves behind: one paid and refunded, the other lapsed.
LEFT_BY_PAYMENTS = {
    "SELECT count(*) FROM sessions": 1,
    "SELECT count(*) FROM person_busy": 0,
    "SELECT refunded FROM payments WHERE status = 'paid' AND refund_due = 0 AND refunded = charged": 4000,
    "SELECT count(*) FROM payments WHERE status = 'lapsed' AND charged = 0": 1,
    # the charge, the refund that was due, and the refund done
    "SELECT count(*) FROM payment_entries": 3,
    "SELECT count(*) FROM bookings WHERE status = 'cancelled' AND cancel_reason = 'unpaid'": 1,
    "SELECT count(*) FROM events WHERE type = 'payment.awaiting'": 2,
    "SELECT count(*) FROM events WHERE type = 'payment.paid'": 1,
    "SELECT count(*) FROM deliveries WHERE effect IN ('payments.close_page', 'payments.refund')": 2,
    "SELECT count(*) FROM events WHERE type = 'payment.lapsed'": 1,
    "SELECT count(*) FROM events WHERE type = 'payment.refund_due'": 1,
    "SELECT count(*) FROM events WHERE type = 'payment.refunded'": 1,
    "SELECT count(*) FROM notifications WHERE channel = 'email' AND kind = 'payment_due'": 2,
    "SELECT count(*) FROM notifications WHERE channel = 'email' AND kind = 'payment_received'": 1,
    "SELECT count(*) FROM notifications WHERE channel = 'email' AND kind = 'payment_lapsed'": 1,
    "SELECT count(*) FROM notifications WHERE channel = 'email' AND kind = 'refund_sent'": 1,
    "SELECT count(*) FROM deliveries WHERE effect = 'payments.lapse'": 2,
    # The mails of the two reminders to both parties, whose session was cancelled before them.
    "SELECT count(*) FROM deliveries WHERE state = 'cancelled' AND effect = 'mail.send' AND attempts = 0"
    " AND last_error = 'The session was cancelled before this reminder.'": 4,
    "SELECT count(*) FROM deliveries WHERE state <> 'done'": 4,
}


LEFT_BY_MOVES = {
    "SELECT count(*) FROM events WHERE type = 'session.reschedule_proposed'": 2,
    "SELECT count(*) FROM events WHERE type = 'session.rescheduled'": 1,
    "SELECT count(*) FROM events WHERE type = 'session.reschedule_ended'": 1,
    "SELECT count(*) FROM notifications WHERE channel = 'email' AND kind = 'reschedule_proposed'": 2,
    "SELECT count(*) FROM sessions WHERE reschedule_count = 1": 1,
}


# By its first step: the life's other steps, with the effects whose timers are due before each, and the rows it leaves.
LIVES: dict[Callable[..., Any], tuple[list[tuple[Callable[..., object] | None, str | None]], set[str], dict[str, int]]]
LIVES = {
    teach: (
        [(leave_group, None), (None, "waitlist.expire"), (end_groups, None), (None, "notifications.bundle_expiring")],
        OF_COURSES,
        LEFT_BY_COURSE,
    ),
    await_payments: ([(pay, None), (None, "payments.lapse"), (refund, None)], OF_PAYMENTS, LEFT_BY_PAYMENTS),
    schedule: ([(propose, None), (answer, None), (None, "sessions.expire_proposal")], OF_MOVES, LEFT_BY_MOVES),
}


@pytest.mark.parametrize("called_again", [False, True], ids=["fresh", "called for again"])
@pytest.mark.parametrize("deliver", [_at_once, _one_after_another])
@pytest.mark.parametrize("begin", LIVES)
def test_five_copies_of_a_lifes_tasks_do_what_one_does(
    engine: Engine, race: Race, begin: Callable[..., Any], deliver: Deliver, called_again: bool
) -> None:
    steps, effects, left_behind = LIVES[begin]
    harness = Harness(engine)
    copies = Copies(harness, race, deliver, called_again)
    with harness.transactions() as db:
        life = begin(db)
    copies.work_off()
    for step, timer in steps:
        if step is None:
            harness.let_time_pass(timer)
        else:
            with harness.transactions() as db:
                step(db, life)
        copies.work_off()
    harness.let_time_pass()
    copies.work_off()
    assert {key.effect for key in copies.delivered} >= effects
    copies.require_once(left_behind)


@pytest.mark.parametrize("called_again", [False, True], ids=["fresh", "called for again"])
@pytest.mark.parametrize("deliver", [_at_once, _one_after_another])
def test_five_copies_of_every_task_do_what_one_does(
    engine: Engine, race: Race, deliver: Deliver, called_again: bool
) -> None:
    harness = Harness(engine)
    copies = Copies(harness, race, deliver, called_again)
    work_off = copies.work_off
    with harness.transactions() as db:
        listen(db)
    work_off()
    with harness.transactions() as db:
        life = begin(db)
    work_off()
    with harness.transactions() as db:
        decide(db, life)
    work_off()
    harness.let_time_pass("notifications.session_reminder")
    work_off()
    with harness.transactions() as db:
        hold(db, life)
    work_off()
    with harness.transactions() as db:
        join_and_leave(db, life)
    work_off()
    with harness.transactions() as db:
        fare_badly(db)
    work_off()
    harness.let_time_pass("bookings.remind")
    work_off()
    harness.let_time_pass()
    work_off()

    effects: list[Any] = [*load().database_effects(), *load().outbound_effects()]
    delivered, expected = {key.effect for key in copies.delivered}, {effect.name for effect in effects}
    # Every effect there is, with the other lives, and with the tests of imports and moved groups.
    elsewhere = {"imports.run", "waitlist.close_moved"}
    assert delivered == expected - OF_COURSES - OF_PAYMENTS - OF_MOVES - OF_CALENDARS - elsewhere, (
        "Record a new effect's event in one of these lives."
    )
    copies.require_once(LEFT_BEHIND)
    assert len(harness.transport.sent) == 34 + 22 + 17 + 4


def test_deliveries_not_due_are_left_alone(engine: Engine, race: Race) -> None:
    harness = Harness(engine)
    with harness.transactions() as db:
        life = begin(db)
    with harness.transactions() as db:
        timer = DeliveryKey(
            event_id=db.scalar(text("SELECT event_id FROM deliveries WHERE effect = 'bookings.expire' LIMIT 1")),
            effect="bookings.expire",
        )
    _at_once(harness, race, timer)
    row = harness.row(timer)
    assert (row.state, row.attempts) == (DeliveryState.PENDING, 0)
    with harness.transactions() as db:
        drafts = db.scalar(text("SELECT count(*) FROM bookings WHERE status = 'draft'"))
    assert drafts == len(vars(life))


WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()"
)


@dataclass
class Onlooker(CountingTransport):
    """A transport during which the delivery's row is locked, still so when the message has been sent."""

    db: Connection | None = None

    def send(self, message: Any, _renew: Renew = no_lease) -> SendResult:
        assert self.db is not None
        self.db.execute(text("SELECT FROM deliveries WHERE effect = 'mail.send' FOR UPDATE"))
        return super().send(message)


@pytest.fixture
def key(engine: Engine) -> DeliveryKey:
    harness = Harness(engine)
    with harness.transactions() as db:
        factories.make_booking(db)
    for due in harness.due():
        harness.deliverer.deliver(due)
    return next(due for due in harness.due() if due.effect == "mail.send")


def test_an_outcome_waits_for_a_locked_row(engine: Engine, race: Race, key: DeliveryKey) -> None:
    with engine.connect() as onlooker:
        harness = Harness(engine, Onlooker(db=onlooker))

        def look_until_the_outcome_waits() -> None:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
                eventually(lambda: db.scalar(WAITING), "an outcome that waits for the row")
            onlooker.rollback()

        race.run([lambda: harness.deliverer.deliver(key), look_until_the_outcome_waits])
    row = harness.row(key)
    assert (row.state, row.attempts, row.lease_until) == (DeliveryState.DONE, 1, None)
    assert set(harness.transport.sent.values()) == {1}
