"""Tests of the database constraints of calendars and reminders."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError

from models.calendar import calendar_secrets
from models.catalog import listings
from models.sessions import sessions
from tests.factories import make_listing, make_session, make_user, start_session
from tests.integration.harness import without_guards
from workflows.calendar.feed import digest_of
from workflows.constraints import constraint_of


def refused(db: Connection, statement: Any) -> str | None:
    """The name of the constraint that refuses the statement."""
    with pytest.raises(IntegrityError) as error, db.begin_nested():
        db.execute(statement)
    return constraint_of(error.value)


@pytest.mark.parametrize("minutes", [[0], [-1], [43_201], [60, 0], [1, 2, 3, 4, 5, 6], [60, None]])
def test_invalid_reminder_minutes_are_refused(db: Connection, minutes: list[int | None]) -> None:
    listing = make_listing(db)
    change = update(listings).where(listings.c.id == listing.id).values(reminder_minutes=minutes)
    assert refused(db, change) == "ck_listings_reminder_minutes"


@pytest.mark.parametrize("minutes", [None, [], [1], [43_200], [5, 4, 3, 2, 1]])
def test_valid_reminder_minutes_are_stored(db: Connection, minutes: list[int] | None) -> None:
    listing = make_listing(db, reminder_minutes=minutes)
    assert listing.reminder_minutes == minutes


def test_cancelling_raises_the_calendar_sequence(db: Connection) -> None:
    session, other = make_session(db), make_session(db)
    cancel = update(sessions).where(sessions.c.id == session.id)
    db.execute(cancel.values(status="cancelled", cancelled_at=session.created_at))
    sequence = select(sessions.c.calendar_sequence)
    assert db.scalar(sequence.where(sessions.c.id == session.id)) == 1
    db.execute(cancel.values(notes="Changed afterwards."))
    assert db.scalar(sequence.where(sessions.c.id == session.id)) == 1
    start_session(db, other)
    assert db.scalar(sequence.where(sessions.c.id == other.id)) == 0


def test_a_sequence_is_never_negative(db: Connection) -> None:
    session = make_session(db)
    with without_guards(db):
        change = update(sessions).where(sessions.c.id == session.id).values(calendar_sequence=-1)
        assert refused(db, change) == "ck_sessions_calendar_sequence"


def test_secrets_are_unique_and_one_a_user(db: Connection) -> None:
    one, other = make_user(db), make_user(db)
    kept = calendar_secrets.insert()
    db.execute(kept.values(user_id=one.id, digest=digest_of("a")))
    assert refused(db, kept.values(user_id=one.id, digest=digest_of("b"))) == "pk_calendar_secrets"
    assert refused(db, kept.values(user_id=other.id, digest=digest_of("a"))) == "uq_calendar_secrets_digest"


def test_an_unhashed_secret_is_refused(db: Connection) -> None:
    written = calendar_secrets.insert().values(user_id=make_user(db).id, digest=b"pK7bT0yq3mVhO2c9XwZ5sLr8dNfEaGu1iJ")
    assert refused(db, written) == "ck_calendar_secrets_digest"
