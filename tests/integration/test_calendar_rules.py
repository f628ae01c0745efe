"""Tests of what the database itself holds about calendars and reminders, whatever code comes by."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError

from models.calendar_secrets import calendar_secrets
from models.catalog import listings
from models.sessions import sessions
from tests.factories import make_listing, make_session, make_user, start_session
from tests.integration.harness import without_guards
from workflows.calendar.secret import digest_of
from workflows.constraints import constraint_of


def refused(db: Connection, statement: Any) -> str | None:
    """The name of the rule by which a statement is refused."""
    with pytest.raises(IntegrityError) as error, db.begin_nested():
        db.execute(statement)
    return constraint_of(error.value)


@pytest.mark.parametrize("minutes", [[0], [-1], [43_201], [60, 0], [1, 2, 3, 4, 5, 6], [60, None]])
def test_a_listings_reminders_come_before_the_start_and_are_few(db: Connection, minutes: list[int | None]) -> None:
    listing = make_listing(db)
    change = update(listings).where(listings.c.id == listing.id).values(reminder_minutes=minutes)
    assert refused(db, change) == "ck_listings_reminder_minutes"


@pytest.mark.parametrize("minutes", [None, [], [1], [43_200], [5, 4, 3, 2, 1]])
def test_a_listings_reminders_may_be_any_others_none_included(db: Connection, minutes: list[int] | None) -> None:
    listing = make_listing(db, reminder_minutes=minutes)
    assert listing.reminder_minutes == minutes


def test_whoever_cancels_raises_the_sequence_of_the_invitation(db: Connection) -> None:
    session, other = make_session(db), make_session(db)
    # By hand, past all code.
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


def test_a_user_has_one_secret_and_a_secret_one_user(db: Connection) -> None:
    one, other = make_user(db), make_user(db)
    kept = calendar_secrets.insert()
    db.execute(kept.values(user_id=one.id, digest=digest_of("a")))
    assert refused(db, kept.values(user_id=one.id, digest=digest_of("b"))) == "pk_calendar_secrets"
    assert refused(db, kept.values(user_id=other.id, digest=digest_of("a"))) == "uq_calendar_secrets_digest"


def test_a_secret_itself_is_never_kept(db: Connection) -> None:
    written = calendar_secrets.insert().values(user_id=make_user(db).id, digest=b"pK7bT0yq3mVhO2c9XwZ5sLr8dNfEaGu1iJ")
    assert refused(db, written) == "ck_calendar_secrets_digest"
