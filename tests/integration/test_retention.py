"""Tests of retention: years pass under a moved clock, what is old goes, and what is promised of the past stays."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from models.events import DELIVERY_ID, FORMER_DELIVERY_ID, deliveries, delivery_attempts, events
from models.notifications import notifications
from models.webhooks import webhook_secrets
from tests.history import make_history
from tests.integration.endpoints import listening
from tests.integration.harness import Harness
from tests.queries import broken_invariants, execute, scalar
from workers.maintain import CHORES, maintain
from workflows.events.backfill import fill_gaps, introduce
from workflows.events.event_types import SessionCompleted
from workflows.events.retention import Retention, delete_deliveries, delete_events
from workflows.events.status import statuses_of_subjects
from workflows.events.subscriptions import Effect, Subscriptions, load
from workflows.invariants import check_all
from workflows.notifications.deliveries import delete_notifications

YEARS, LIVES_A_MONTH = 3, 4
MONTH = timedelta(days=30)
PERIODS = {delete_deliveries: 90, delete_notifications: 365, delete_events: 730}
TABLES = {delete_deliveries: deliveries, delete_notifications: notifications, delete_events: events}


def retain(harness: Harness, now: datetime, periods: dict[Retention, int] | None = None, page: int = 7) -> None:
    """What maintain's rounds do by then."""
    for retention, days in (periods or PERIODS).items():
        more = True
        while more:
            with harness.transactions() as db:
                more = retention(db, now=now, keep_days=days, page=page)


def lived(harness: Harness, ago: timedelta, lives: int = LIVES_A_MONTH, length: timedelta = MONTH) -> None:
    with harness.engine.begin() as db:
        make_history(db, lives, since=ago, until=ago - length, tag=f"{ago} {lives} ")


def counts(harness: Harness) -> dict[str, int]:
    with harness.engine.connect() as db:
        return {each.name: db.scalar(select(func.count()).select_from(each)) or 0 for each in TABLES.values()}


def outcomes(harness: Harness, session_id: UUID) -> list[tuple[Any, ...]]:
    with harness.engine.connect() as db:
        found = statuses_of_subjects(db, [session_id], everything=True, mentor_profile_id=None)
    return sorted((each.event_type, each.effect, each.target, each.state, each.attempts, each.id) for each in found)


def test_three_years_leave_what_their_periods_keep(harness: Harness) -> None:
    """The rows of a month stay so many; what is pending or dead, and what tells of the past, stays for ever."""
    end = datetime.now(UTC)
    months = YEARS * 365 // MONTH.days
    lived(harness, months * MONTH + timedelta(hours=1), 1, timedelta(minutes=30))
    first_event = scalar(harness.engine, text("SELECT id FROM events WHERE type = 'session.completed'"))
    of_first = (deliveries.c.event_id == first_event, deliveries.c.effect == "reviews.unlock")
    with harness.engine.begin() as db:
        db.execute(text("SET LOCAL session_replication_role = replica"))
        db.execute(update(deliveries).where(*of_first).values(state="dead", done_at=None))
    held: list[dict[str, int]] = []
    for month in reversed(range(months)):
        lived(harness, (month + 1) * MONTH)
        retain(harness, end - month * MONTH)
        held.append(counts(harness))
        assert [row.state for row in execute(harness.engine, select(deliveries).where(*of_first))] == ["dead"]
    life = {"deliveries": 7, "notifications": 8, "events": 5}
    # A period, and the month that is being lived; and the first life's event with its dead delivery.
    bound = {"deliveries": 4, "notifications": 14, "events": 26}
    for name, each in life.items():
        assert max(row[name] for row in held) <= bound[name] * LIVES_A_MONTH * each + 8, name
    assert held[-1]["events"] > 24 * LIVES_A_MONTH * 5, "what is young enough is there"
    with harness.engine.connect() as db:
        assert {each.name: each.violations for each in check_all(db) if each.violations} == {"dead_delivery": 1}
        assert db.scalar(text("SELECT count(*) FROM sessions")) == months * LIVES_A_MONTH + 1


def test_a_sessions_effects_are_shown_after_their_deliveries_are_gone(harness: Harness) -> None:
    lived(harness, timedelta(days=200), 1)
    session_id = scalar(harness.engine, text("SELECT id FROM sessions"))
    with harness.engine.begin() as db:
        db.execute(text("SET LOCAL session_replication_role = replica"))
        for delivery_id, of_reviews in ((DELIVERY_ID, "<>"), (FORMER_DELIVERY_ID, "=")):
            values = f"SET id = {delivery_id.format(of='d')} WHERE d.effect {of_reviews} 'reviews.unlock'"
            db.execute(text(f"UPDATE deliveries d {values}"))
    before = outcomes(harness, session_id)
    assert before
    retain(harness, datetime.now(UTC))
    assert counts(harness)["deliveries"] == 0
    assert outcomes(harness, session_id) == before
    retain(harness, datetime.now(UTC) + timedelta(days=700))
    assert outcomes(harness, session_id) == []
    assert counts(harness) == {"deliveries": 0, "notifications": 0, "events": 0}


def test_a_mail_goes_with_its_notification_and_the_one_in_the_application_stays(harness: Harness) -> None:
    lived(harness, timedelta(days=200), 1)
    mailed = "channel = 'email' AND kind = 'session_completed'"
    with harness.engine.begin() as db:
        db.execute(
            text(
                "INSERT INTO deliveries (event_id, effect, target, id, queue, state, due_at, nudge_at, done_at)"
                " SELECT event_id, 'mail.send', user_id, gen_random_uuid(), 'notifications', 'done', created_at,"
                f" created_at, created_at FROM notifications WHERE {mailed}"
            )
        )
    retain(harness, datetime.now(UTC))
    kept = execute(harness.engine, select(notifications.c.channel, notifications.c.kind))
    assert sorted(kept) == sorted(
        [("in_app", "session_created"), ("email", "session_created"), ("in_app", "session_completed")] * 2
    )
    assert not broken_invariants(harness.engine)


def test_what_ends_late_goes_with_a_later_walk(harness: Harness) -> None:
    lived(harness, timedelta(days=200), 1)
    now = datetime.now(UTC)
    pending = deliveries.c.effect == "bookings.expire"
    with harness.engine.begin() as db:
        db.execute(text("SET LOCAL session_replication_role = replica"))
        db.execute(update(deliveries).where(pending).values(state="pending", done_at=None))
    retain(harness, now)
    assert [row.effect for row in execute(harness.engine, select(deliveries))] == ["bookings.expire"]
    with harness.engine.begin() as db:
        db.execute(update(deliveries).where(pending).values(state="done", done_at=now, attempts=1))
    retain(harness, now + timedelta(hours=2))
    assert counts(harness)["deliveries"] == 1, "it ended a moment ago"
    retain(harness, now + timedelta(days=91))
    assert counts(harness)["deliveries"] == 0
    of_request = "event_id = (SELECT id FROM events WHERE type = 'booking.requested')"
    kept = scalar(harness.engine, text(f"SELECT outcomes FROM event_outcomes WHERE {of_request}"))
    assert sorted(outcome[0] for outcome in kept) == ["bookings.expire", "notifications.booking_requested"]


def test_attempts_go_with_their_delivery(harness: Harness) -> None:
    lived(harness, timedelta(days=200), 1)
    with harness.engine.begin() as db:
        rows = db.execute(select(deliveries.c.event_id, deliveries.c.effect, deliveries.c.target)).mappings().all()
        made = [{**row, "attempt": 1, "outcome": "done", "duration_ms": 1} for row in rows]
        db.execute(insert(delivery_attempts), made)
    retain(harness, datetime.now(UTC))
    assert scalar(harness.engine, text("SELECT count(*) FROM delivery_attempts")) == 0


def test_the_notification_of_a_dead_mail_stays(harness: Harness) -> None:
    lived(harness, timedelta(days=500), 1)
    with harness.engine.begin() as db:
        db.execute(text("SET LOCAL session_replication_role = replica"))
        of_event = text("event_id = (SELECT id FROM events WHERE type = 'session.created')")
        db.execute(update(deliveries).where(of_event).values(effect="mail.send", state="dead", done_at=None))
    retain(harness, datetime.now(UTC))
    assert counts(harness)["notifications"] == 4, "of the session's creation, for two people on two channels"


def test_zero_days_keep_everything(harness: Harness) -> None:
    lived(harness, timedelta(days=1000), 1)
    before = counts(harness)
    retain(harness, datetime.now(UTC), dict.fromkeys(PERIODS, 0))
    assert counts(harness) == before


def test_a_longer_period_stops_what_a_shorter_one_began(harness: Harness) -> None:
    lived(harness, timedelta(days=200), 3)
    now = datetime.now(UTC)
    with harness.transactions() as db:
        assert not delete_deliveries(db, now=now - timedelta(days=120), keep_days=90, page=5), "none is old by then"
    with harness.transactions() as db:
        assert delete_deliveries(db, now=now, keep_days=90, page=5)
    left = counts(harness)["deliveries"]
    with harness.transactions() as db:
        assert not delete_deliveries(db, now=now, keep_days=365, page=5)
    assert 0 < counts(harness)["deliveries"] == left


@pytest.mark.parametrize("statement", ["DELETE FROM events", "UPDATE events SET actor = 'me'"])
def test_events_are_not_deleted_before_their_time(harness: Harness, statement: str) -> None:
    lived(harness, timedelta(days=10), 1)
    lived(harness, timedelta(days=900), 1)
    retain(harness, datetime.now(UTC))
    with pytest.raises(DBAPIError, match="never changed, and not deleted"), harness.engine.begin() as db:
        db.execute(text(statement))


def test_the_backfill_does_not_repeat_what_was_deleted(harness: Harness) -> None:
    lived(harness, timedelta(days=200), 1)
    lived(harness, timedelta(days=30), 1)
    known = Subscriptions()
    known.add(Effect(name="reviews.unlock", queue="reviews", event=SessionCompleted, run=_nothing))
    retain(harness, datetime.now(UTC))
    with harness.transactions() as db:
        introduce(db, known)
        assert fill_gaps(db, known, now=datetime.now(UTC), since=datetime.now(UTC) - timedelta(days=999)) == 0


def test_nothing_is_deleted_while_the_backfill_looks(harness: Harness) -> None:
    """The backfill would take a delivery that goes between two of its looks for missing, and run its effect again."""

    class Interrupted(Subscriptions):
        def pairs(self) -> list[tuple[Effect, str]]:
            retain(harness, now)
            return super().pairs()

    now = datetime.now(UTC)
    lived(harness, timedelta(days=200), 1)
    retain(harness, now - timedelta(days=150))
    before, known = counts(harness), Interrupted()
    known.add(Effect(name="reviews.unlock", queue="reviews", event=SessionCompleted, run=_nothing))
    with harness.transactions() as db:
        assert fill_gaps(db, known, now=now, since=now - timedelta(days=999)) == 0
    assert counts(harness)["deliveries"] == before["deliveries"] > 0
    retain(harness, now)
    assert counts(harness)["deliveries"] == 0


def _nothing(db: Connection, event: SessionCompleted, *, now: datetime) -> None:
    """An effect that does nothing."""


def test_former_secrets_of_webhooks_are_deleted(harness: Harness) -> None:
    kept, other = listening(harness), listening(harness, "https://other.example")
    with harness.transactions() as db:
        ended = func.now() - timedelta(days=2)
        db.execute(update(webhook_secrets).where(webhook_secrets.c.endpoint_id == other).values(expires_at=ended))
    assert maintain(harness.transactions, {"forget former secrets": CHORES["forget former secrets"]})
    assert scalar(harness.engine, text("SELECT endpoint_id FROM webhook_secrets")) == kept


def test_maintain_deletes_by_the_settings(harness: Harness) -> None:
    lived(harness, timedelta(days=1000), 2)
    chores = {name: chore for name, chore in CHORES.items() if name.startswith("delete old ")}
    assert maintain(harness.transactions, chores)
    assert counts(harness) == {"deliveries": 0, "notifications": 0, "events": 0}
    assert load() is not None
