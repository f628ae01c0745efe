"""Tests of reminders: each once, in time, on the reader's own clock, and never of what has begun or is off."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from models.events import deliveries, events
from models.notifications import notifications
from tests.factories import make_booking, make_listing, make_mentor, make_user, mentor_of
from tests.integration.harness import Harness, counted_statements, prepared_message
from workflows.accounts.records import User
from workflows.bookings.actions import accept, decline
from workflows.bookings.records import Booking
from workflows.events.delivery import Cancel, Delivery, DeliveryKey
from workflows.events.event import Event
from workflows.events.event_types import (
    BookingAccepted,
    BookingUndecided,
    SessionCreated,
    SessionReminderSet,
    event_types,
)
from workflows.events.record import flush_deferred
from workflows.events.subscriptions import Effect, load
from workflows.kernel.operator_policy import OperatorPolicy
from workflows.notifications.mails import SEND_MAIL, Mail
from workflows.sessions.actions import start
from workflows.sessions.cancel import cancel
from workflows.sessions.records import Session, SessionWithTerms, session_query, session_with_terms_query

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class Pair:
    """A mentor and a mentee, each with a clock of their own, and a session between them.

    Args:
        ahead: how long before its start the session is made.
        start_time: when it starts; a while from now unless it matters.
    """

    def __init__(
        self,
        harness: Harness,
        *,
        ahead: timedelta = timedelta(days=3),
        start_time: datetime | None = None,
        zones: tuple[str, str] = ("Europe/Berlin", "America/New_York"),
        **offer: Any,
    ) -> None:
        self.harness = harness
        with harness.transactions() as db:
            self.mentor_user: User = make_user(db, name="Grace", time_zone=zones[0])
            self.mentee: User = make_user(db, name="Ada", time_zone=zones[1])
            mentor = make_mentor(db, self.mentor_user)
            listing = make_listing(db, mentor, early_start_minutes=None, **offer)
            starts = start_time or datetime.now(UTC) + timedelta(days=3)
            self.booking: Booking = make_booking(
                db, listing=listing, mentee=self.mentee, title="Compilers", start_time=starts
            )
        self.start = self.booking.start_time
        self.made = self.start - ahead

    def accept(self, *, policy: OperatorPolicy | None = None) -> None:
        """Accept the booking when it is made, and set its session's reminders."""
        with self.harness.transactions() as db:
            accept(db, actor=mentor_of(self.booking), booking=self.booking, now=datetime.now(UTC))
        self.run(
            "sessions.create",
            self.event(BookingAccepted),
            now=self.made,
            **({"policy": policy} if policy else {}),
        )

    def run(self, effect: str, event: Event, *, now: datetime, **arguments: Any) -> list[str]:
        """Run an effect as if it were then, and return the statements that it made."""
        found = load().named(effect)
        assert isinstance(found, Effect)
        with self.harness.transactions() as db, counted_statements(db) as statements:
            found.run(db, event, now=now, **arguments)
            flush_deferred(db)
        return statements

    def event(self, kind: type[Event]) -> Any:
        (found,) = self.events(kind)
        return found

    def events(self, kind: type[Event]) -> list[Any]:
        with self.harness.engine.connect() as db:
            rows = db.execute(select(events).where(events.c.type == kind.type).order_by(events.c.sequence)).all()
        return [
            event_types()[row.type].read(
                id=row.id, actor=row.actor, occurred_at=row.occurred_at, sequence=row.sequence, data=row.data
            )
            for row in rows
        ]

    def remind(self, minutes: int, *, late: timedelta = timedelta(0)) -> list[str]:
        (event,) = [each for each in self.events(SessionReminderSet) if each.minutes_before == minutes]
        return self.run("notifications.session_reminder", event, now=event.remind_at + late)

    def notified(self, kind: str = "session_reminder") -> list[Any]:
        with self.harness.engine.connect() as db:
            return list(db.execute(select(notifications).where(notifications.c.kind == kind)))

    def unsent(self) -> list[str]:
        """Why mails of reminders are not sent, one for each reader and reminder."""
        query = select(deliveries.c.last_error).join(events, events.c.id == deliveries.c.event_id)
        of_reminders = (events.c.type == SessionReminderSet.type, deliveries.c.state == "cancelled")
        with self.harness.engine.connect() as db:
            return list(db.scalars(query.where(*of_reminders)))

    def session(self) -> Session:
        with self.harness.engine.connect() as db:
            return Session.of(db.execute(session_query(self.event(SessionCreated).session_id)).one())

    def begin(self) -> None:
        with self.harness.transactions() as db:
            start(db, actor=mentor_of(self.booking), session=self.session(), early_start_minutes=None, now=self.made)

    def cancel(self) -> None:
        with self.harness.transactions() as db:
            session = SessionWithTerms.of(db.execute(session_with_terms_query(self.session().id)).one())
            cancel(db, actor=mentor_of(self.booking), session=session, reason="I am ill.", now=self.made)

    def mail(self, event: Event, reader: User, *, now: datetime) -> Mail:
        """The mail of an event as it would leave at that moment."""
        key = DeliveryKey(event_id=event.id, effect="mail.send", target=str(reader.id))
        delivery = Delivery(
            key=key, id=self.harness.row(key).id, event=event, now=now, nudges=0, attempt=1, fence=0, attempts_reset=0
        )
        with self.harness.engine.connect() as db:
            mail = prepared_message(SEND_MAIL, db, delivery)
        assert isinstance(mail, Mail)
        return mail


def ahead_of(pair: Pair) -> list[tuple[int, timedelta]]:
    """The reminders that are set: minutes, and how long before the start they are due."""
    with pair.harness.engine.connect() as db:
        rows = db.execute(
            select(events.c.data["minutes_before"].as_integer(), deliveries.c.due_at, deliveries.c.nudge_at)
            .join_from(deliveries, events, events.c.id == deliveries.c.event_id)
            .where(deliveries.c.effect == "notifications.session_reminder")
        ).all()
    # Only the sweep wakes up timers, so it looks on time.
    assert all(due == wakeup for _minutes, due, wakeup in rows)
    return sorted(((minutes, pair.start - due) for minutes, due, _nudge in rows), reverse=True)


def test_both_are_reminded_a_day_and_an_hour_before(harness: Harness) -> None:
    pair = Pair(harness)
    pair.accept()
    assert ahead_of(pair) == [(1440, DAY), (60, HOUR)]
    pair.remind(1440)
    pair.remind(60)
    readers = (pair.mentor_user.id, pair.mentee.id)
    found = [(row.user_id, str(row.channel)) for row in pair.notified()]
    assert sorted(found) == sorted([(who, by) for who in readers for by in ("in_app", "email")] * 2)
    assert {row.session_id for row in pair.notified()} == {pair.session().id}
    assert {row.title for row in pair.notified() if row.user_id == pair.mentee.id} == {
        "Your session with Grace starts in 24 hours",
        "Your session with Grace starts in 1 hour",
    }


@pytest.mark.parametrize(
    ("offer", "policy", "wanted"),
    [
        # The operator's, for a listing without its own.
        ({}, OperatorPolicy(reminder_minutes=(30,)), [30]),
        ({}, OperatorPolicy(reminder_minutes=()), []),
        # The listing's own, whatever the operator's are.
        ({"reminder_minutes": [10, 2880]}, OperatorPolicy(reminder_minutes=(30,)), [2880, 10]),
        ({"reminder_minutes": []}, OperatorPolicy(reminder_minutes=(30,)), []),
    ],
)
def test_reminder_times_are_the_listings_or_else_the_operators(
    harness: Harness, offer: dict[str, Any], policy: OperatorPolicy, wanted: list[int]
) -> None:
    pair = Pair(harness, **offer)
    pair.accept(policy=policy)
    assert [minutes for minutes, _ahead in ahead_of(pair)] == wanted


@pytest.mark.parametrize(
    ("ahead", "wanted"), [(DAY + HOUR, [1440, 60]), (DAY, [60]), (2 * HOUR, [60]), (HOUR, []), (HOUR / 2, [])]
)
def test_a_session_made_late_skips_what_has_passed(harness: Harness, ahead: timedelta, wanted: list[int]) -> None:
    pair = Pair(harness, ahead=ahead)
    pair.accept()
    assert [minutes for minutes, _ahead in ahead_of(pair)] == wanted


def test_a_session_and_its_reminders_are_written_in_two_statements(harness: Harness) -> None:
    pair = Pair(harness)
    with harness.transactions() as db:
        accept(db, actor=mentor_of(pair.booking), booking=pair.booking, now=datetime.now(UTC))
    assert len(pair.run("sessions.create", pair.event(BookingAccepted), now=pair.made)) == 2
    assert len(ahead_of(pair)) == 2


def test_a_cancelled_session_sends_no_reminder(harness: Harness) -> None:
    pair = Pair(harness)
    pair.accept()
    pair.cancel()
    # One look, and why neither is mailed.
    assert len(pair.remind(1440)) == 2
    pair.remind(60)
    assert pair.notified() == []
    assert pair.unsent() == ["The session was cancelled before this reminder."] * 4


def test_a_started_session_sends_no_reminder(harness: Harness) -> None:
    pair = Pair(harness)
    pair.accept()
    pair.begin()
    pair.remind(60)
    assert pair.notified() == []
    assert pair.unsent() == ["The session has begun."] * 2


@pytest.mark.parametrize(
    ("minutes", "late", "words", "reason"),
    [
        # After an outage it counts from now.
        (1440, timedelta(hours=3), "starts in 21 hours", None),
        (1440, timedelta(hours=22), "starts in 2 hours", None),
        (60, timedelta(minutes=15), "starts in 45 minutes", None),
        (60, timedelta(minutes=59), "starts in 1 minute", None),
        (1440, timedelta(hours=23), None, "The next reminder of the session is due."),
        # It should have begun, at least.
        (60, HOUR, None, "The session has begun."),
        (60, timedelta(days=2), None, "The session has begun."),
        (1440, timedelta(days=2), None, "The session has begun."),
    ],
)
def test_a_late_reminder_is_sent_while_it_is_of_use(
    harness: Harness, minutes: int, late: timedelta, words: str | None, reason: str | None
) -> None:
    pair = Pair(harness)
    pair.accept()
    pair.remind(minutes, late=late)
    assert len(pair.notified()) == (4 if words else 0)
    assert all(words in row.title for row in pair.notified() if words)
    assert pair.unsent() == ([reason] * 2 if reason else [])


def test_a_reminder_makes_few_statements(harness: Harness) -> None:
    pair = Pair(harness)
    pair.accept()
    # Both sides with how the session stands, the rows, and the mails' deliveries.
    assert len(pair.remind(60)) == 3


def test_a_reminder_mail_counts_from_the_time_of_sending(harness: Harness) -> None:
    pair = Pair(harness)
    pair.accept()
    pair.remind(60)
    event = pair.events(SessionReminderSet)[1]
    mail = pair.mail(event, pair.mentee, now=pair.start - timedelta(minutes=20))
    assert mail.subject == "Your session with Grace starts in 20 minutes"
    assert "which is in 20 minutes" in mail.text
    assert mail.invitation is None


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("late", "The session has begun."),
        ("cancelled", "The session was cancelled before this reminder."),
        ("started", "The session has begun."),
    ],
)
def test_a_reminder_mail_of_no_use_is_cancelled(harness: Harness, what: str, reason: str) -> None:
    pair = Pair(harness)
    pair.accept()
    pair.remind(60)
    event, now = pair.events(SessionReminderSet)[1], pair.start - HOUR / 2
    if what == "late":
        now = pair.start
    elif what == "cancelled":
        pair.cancel()
    else:
        pair.begin()
    with pytest.raises(Cancel, match=reason):
        pair.mail(event, pair.mentee, now=now)


def in_english(moment: datetime, zone: str) -> str:
    """The moment by the clocks of a zone, as English mails have it."""
    shown = moment.astimezone(ZoneInfo(zone))
    return f"{shown:%A, %B %-d, %Y, %-I:%M}\u202f{shown:%p} ({zone})"


def next_year(month: int, day: int, hour: int, zone: str) -> datetime:
    """The Sunday on or after that day next year, at that hour on that zone's clock."""
    first = datetime(datetime.now(UTC).year + 1, month, day, hour, tzinfo=ZoneInfo(zone))
    return first + timedelta(days=(7 - first.isoweekday()) % 7)


@pytest.mark.parametrize(
    ("zones", "clock", "month", "first"),
    [
        # The last Sundays of March and October, in the mentor's zone; the mentee's has no changes.
        (("Europe/Berlin", "Asia/Tokyo"), "Europe/Berlin", 3, 25),
        (("Europe/Berlin", "Asia/Tokyo"), "Europe/Berlin", 10, 25),
        # The second Sunday of March and the first of November, in the mentee's; the mentor's are weeks apart from them.
        (("Europe/Berlin", "America/New_York"), "America/New_York", 3, 8),
        (("Europe/Berlin", "America/New_York"), "America/New_York", 11, 1),
        # The first Sundays of April and October, by half an hour.
        (("Australia/Lord_Howe", "Europe/London"), "Australia/Lord_Howe", 4, 1),
        (("Australia/Lord_Howe", "Europe/London"), "Australia/Lord_Howe", 10, 1),
    ],
)
def test_reminders_are_exact_across_changes_of_the_clocks(
    harness: Harness, zones: tuple[str, str], clock: str, month: int, first: int
) -> None:
    starts = next_year(month, first, 9, clock).astimezone(UTC)
    before = (starts - DAY).astimezone(ZoneInfo(clock))
    assert before.utcoffset() != starts.astimezone(ZoneInfo(clock)).utcoffset(), "the clocks change in between"
    pair = Pair(harness, start_time=starts, zones=zones)
    pair.accept()
    assert ahead_of(pair) == [(1440, DAY), (60, HOUR)]
    pair.remind(1440)
    for reader, zone in zip((pair.mentor_user, pair.mentee), zones, strict=True):
        bodies = {row.body for row in pair.notified() if row.user_id == reader.id}
        (body,) = bodies
        assert f"{in_english(starts, zone)}, which is in 24 hours." in body


def test_raced_reminders_are_sent_once_per_person_and_channel(harness: Harness) -> None:
    pair = Pair(harness)
    pair.accept()
    for event in pair.events(SessionReminderSet):
        key = harness.key("notifications.session_reminder", event.id)
        assert harness.delivered(key).state == "pending", "its time has not come"
        harness.make_due(key)
        for _ in range(5):
            two = [Thread(target=harness.deliverer.deliver, args=(key,)) for _worker in range(2)]
            for worker in two:
                worker.start()
            for worker in two:
                worker.join()
        assert (harness.row(key).state, harness.row(key).attempts) == ("done", 1)
        # And once more, as after a restored backup.
        harness.change(key, state="pending", done_at=None)
        harness.deliverer.deliver(key)
    with harness.engine.connect() as db:
        mails = select(func.count()).where(deliveries.c.effect == "mail.send", deliveries.c.event_id.in_(_ids(pair)))
        assert db.scalar(mails) == 4
    assert len(pair.notified()) == 8
    harness.run_all()
    reminded = [mail.to_address for mail in harness.mail.received if "starts in" in mail.subject]
    assert sorted(reminded) == sorted([pair.mentor_user.email, pair.mentee.email] * 2)


def _ids(pair: Pair) -> Sequence[UUID]:
    return [event.id for event in pair.events(SessionReminderSet)]


# Reminders of undecided requests.


def undecided(pair: Pair, *, after: timedelta = DAY) -> None:
    requested = pair.event(event_types()["booking.requested"])
    pair.run("bookings.remind", requested, now=requested.occurred_at + after)


def remind_mentor(pair: Pair, *, after: timedelta = DAY) -> None:
    """Notify the mentor, if there is a reminder."""
    for event in pair.events(BookingUndecided):
        pair.run("notifications.booking_reminder", event, now=event.occurred_at + (after - DAY))


def test_a_mentor_is_reminded_once_of_an_undecided_request(harness: Harness) -> None:
    pair = Pair(harness, start_time=datetime.now(UTC) + timedelta(days=9))
    key = harness.key("bookings.remind")
    row = harness.row(key)
    assert row.due_at == pair.event(event_types()["booking.requested"]).occurred_at + DAY
    for _ in range(3):
        undecided(pair)
        remind_mentor(pair)
    found = pair.notified("booking_reminder")
    assert [(row.user_id, str(row.channel)) for row in found] == [
        (pair.mentor_user.id, str(row.channel)) for row in found
    ]
    assert {str(row.channel) for row in found} == {"in_app", "email"}
    assert len(found) == 2
    assert found[0].title == "Ada is waiting for your answer"
    expires = pair.events(BookingUndecided)[0].occurred_at + 2 * DAY
    assert f"It expires on {in_english(expires, 'Europe/Berlin')}" in found[0].body


@pytest.mark.parametrize(
    ("starts_after", "runs_after", "reminds"),
    [
        (timedelta(hours=25, minutes=1), DAY, True),
        # Within the hour it is over, by its start or by the 72 hours.
        (timedelta(hours=24, minutes=59), DAY, False),
        (timedelta(hours=20), DAY, False),
        (timedelta(days=9), timedelta(hours=70), True),
        (timedelta(days=9), timedelta(hours=71, minutes=30), False),
        (timedelta(days=9), timedelta(days=5), False),
    ],
)
def test_a_mentor_is_reminded_while_there_is_time_left(
    harness: Harness, starts_after: timedelta, runs_after: timedelta, reminds: bool
) -> None:
    pair = Pair(harness, start_time=datetime.now(UTC) + starts_after)
    undecided(pair, after=runs_after)
    assert bool(pair.events(BookingUndecided)) == reminds


def test_a_decided_request_sends_no_reminder(harness: Harness) -> None:
    pair = Pair(harness, start_time=datetime.now(UTC) + timedelta(days=9))
    with harness.transactions() as db:
        decline(db, actor=mentor_of(pair.booking), booking=pair.booking, reason=None, now=datetime.now(UTC))
    undecided(pair)
    assert pair.events(BookingUndecided) == []


def test_a_decision_before_the_mail_cancels_the_reminder(harness: Harness) -> None:
    pair = Pair(harness, start_time=datetime.now(UTC) + timedelta(days=9))
    undecided(pair)
    remind_mentor(pair)
    event = pair.event(BookingUndecided)
    assert pair.mail(event, pair.mentor_user, now=event.occurred_at).subject == "Ada is waiting for your answer"
    with pytest.raises(Cancel, match="decided or has expired"):
        pair.mail(event, pair.mentor_user, now=event.expires_at)
    with harness.transactions() as db:
        decline(db, actor=mentor_of(pair.booking), booking=pair.booking, reason=None, now=datetime.now(UTC))
    with pytest.raises(Cancel, match="decided or has expired"):
        pair.mail(event, pair.mentor_user, now=event.occurred_at)
