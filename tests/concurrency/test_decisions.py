"""Two concurrent decisions about one booking: one is made, the other refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import Connection, Engine, func, select

from models.bookings import BookingStatus
from models.calendar import mentor_busy
from models.events import deliveries, events
from tests import factories
from tests.concurrency.racing import ROUNDS, Race, codes, winners
from workflows.bookings.booking import Booking, booking_query
from workflows.bookings.decisions import accept, cancel, decline
from workflows.identity.actor import Actor

Decision = Callable[..., Booking]


def _accepts(db: Connection, booking: Booking) -> Booking:
    return accept(db, actor=factories.mentor_of(booking), booking=booking, now=datetime.now(UTC))


def _declines(db: Connection, booking: Booking) -> Booking:
    return decline(db, actor=factories.mentor_of(booking), booking=booking, reason=None, now=datetime.now(UTC))


def _cancels(db: Connection, booking: Booking) -> Booking:
    assert booking.mentee_user_id is not None
    mentee = Actor.person(booking.mentee_user_id, None)
    return cancel(db, actor=mentee, booking=booking, reason=None, now=datetime.now(UTC))


DECISIONS: Mapping[str, Decision] = {"accept": _accepts, "decline": _declines, "cancel": _cancels}
MADE = (BookingStatus.ACCEPTED, BookingStatus.DECLINED, BookingStatus.CANCELLED)


@pytest.mark.parametrize(
    ("one", "other"),
    [("accept", "accept"), ("accept", "decline"), ("accept", "cancel"), ("decline", "cancel"), ("cancel", "cancel")],
)
def test_of_two_decisions_at_once_one_is_made(engine: Engine, race: Race, one: str, other: str) -> None:
    with engine.begin() as db:
        listing, mentee = factories.make_listing(db), factories.make_user(db)
        drafts = [factories.make_booking(db, listing=listing, mentee=mentee) for _ in range(ROUNDS)]
    for draft in drafts:
        outcomes = race.transact([partial(DECISIONS[one], booking=draft), partial(DECISIONS[other], booking=draft)])
        assert codes(outcomes) == ["invalid_transition"]
        with engine.begin() as db:
            _assert_decided_once(db, draft, winners(outcomes)[0])


def _assert_decided_once(db: Connection, draft: Booking, decided: Booking) -> None:
    """The row is as the winner got it, with one event, that event's effects, and its block of time if accepted."""
    assert Booking.of(db.execute(booking_query(draft.id)).one()) == decided
    made = db.execute(
        select(events.c.id, events.c.type).where(
            events.c.subject_id == draft.id, events.c.type.in_([f"booking.{status}" for status in MADE])
        )
    ).all()
    assert [event.type for event in made] == [f"booking.{decided.status}"]
    assert db.scalars(select(deliveries.c.effect).where(deliveries.c.event_id == made[0].id)).all()
    blocks = db.scalar(select(func.count()).where(mentor_busy.c.booking_id == draft.id))
    assert blocks == (decided.status is BookingStatus.ACCEPTED)
