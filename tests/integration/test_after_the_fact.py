"""Tests of what maintain does about sessions that were never started, or never completed."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import IntegrityError

from models.bundles import bundle_entries
from models.calendar import person_busy
from models.events import deliveries, events
from models.sessions import SessionStatus, sessions
from tests import factories
from tests.integration.harness import without_guards
from workflows.sessions.outcomes import cancel_not_held, remind_to_complete
from workflows.sessions.records import Session, session_query

NOW = datetime.now(UTC)


def ended(db: Connection, session: Session, ago: timedelta) -> Session:
    """The session as if it had ended that long ago."""
    with without_guards(db):
        values = {"id": session.id, "booking": session.booking_id, "end": NOW - ago}
        times = "start_time = CAST(:end AS timestamptz) - interval '1 hour', end_time = :end"
        db.execute(text(f"UPDATE bookings SET {times} WHERE id = :booking"), values)
        db.execute(text(f"UPDATE sessions SET {times} WHERE id = :id"), values)
    return read(db, session)


def read(db: Connection, session: Session) -> Session:
    return Session.of(db.execute(session_query(session.id)).one())


def happened(db: Connection, session: Session) -> list[str]:
    return list(db.scalars(select(events.c.type).where(events.c.subject_id == session.id).order_by(events.c.id)))


def test_what_was_never_started_is_cancelled_by_the_system(db: Connection) -> None:
    session = ended(db, factories.make_session(db), timedelta(hours=24, seconds=1))
    assert cancel_not_held(db, now=NOW) is False
    found = read(db, session)
    assert (found.status, found.cancelled_at) == (SessionStatus.CANCELLED, NOW)
    assert found.cancellation is not None
    assert (found.cancellation["cancelledBy"], found.cancellation["type"]) == ("system", "not_held")
    assert (found.cancellation["fee"]["amount"], found.cancellation["refund"]["amount"]) == (0, 4000)
    assert happened(db, session) == ["session.cancelled"]
    assert db.execute(select(person_busy).where(person_busy.c.booking_id == session.booking_id)).all() == []


@pytest.mark.parametrize("state", ["fresh", "in_progress", "completed"])
def test_all_others_are_left_alone(db: Connection, state: str) -> None:
    session = factories.make_session(db)
    if state != "fresh":
        session = factories.start_session(db, session)
    if state == "completed":
        session = factories.complete_session(db, session)
    session = ended(db, session, timedelta(hours=23, minutes=59) if state == "fresh" else timedelta(days=9))
    cancel_not_held(db, now=NOW)
    assert read(db, session).status == session.status


def test_they_are_cancelled_in_batches(db: Connection) -> None:
    found = [ended(db, factories.make_session(db), timedelta(days=2)) for _ in range(3)]
    assert cancel_not_held(db, now=NOW, limit=2) is True
    assert cancel_not_held(db, now=NOW, limit=2) is False
    assert {read(db, session).status for session in found} == {SessionStatus.CANCELLED}


def test_a_mentor_is_reminded_once_to_complete(db: Connection) -> None:
    session = factories.start_session(db, factories.make_session(db))
    early = ended(db, session, timedelta(hours=23, minutes=59))
    remind_to_complete(db, now=NOW)
    assert "session.overdue" not in happened(db, early)
    ended(db, session, timedelta(hours=24, seconds=1))
    for _round in range(2):
        assert remind_to_complete(db, now=NOW) is False
    assert happened(db, session).count("session.overdue") == 1
    effect = select(deliveries.c.effect).join(events, events.c.id == deliveries.c.event_id)
    assert list(db.scalars(effect.where(events.c.type == "session.overdue"))) == ["notifications.session_overdue"]


def test_reminders_are_recorded_in_batches(db: Connection) -> None:
    for _ in range(3):
        ended(db, factories.start_session(db, factories.make_session(db)), timedelta(days=2))
    assert [remind_to_complete(db, now=NOW, limit=2) for _ in range(2)] == [True, False]


def test_what_has_begun_is_cancelled_by_operators_alone(db: Connection) -> None:
    session = factories.start_session(db, factories.make_session(db))
    values = {"status": "cancelled", "cancelled_at": NOW}
    for canceller, allowed in (("mentor", False), (None, False), ("operator", True)):
        step = sessions.update().where(sessions.c.id == session.id)
        step = step.values(**values, cancellation={"cancelledBy": canceller} if canceller else None)
        if allowed:
            assert db.execute(step).rowcount == 1
        else:
            with pytest.raises(IntegrityError, match="ck_sessions_begun_and_cancelled"), db.begin_nested():
                db.execute(step)


def test_no_credit_is_needed_to_cancel(db: Connection) -> None:
    ended(db, factories.make_session(db), timedelta(days=2))
    cancel_not_held(db, now=NOW)
    assert db.execute(select(bundle_entries)).all() == []
