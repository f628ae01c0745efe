"""Changes of hours raced by the timer that announces those that are held back: the last one is always announced."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert, select
from uuid_utils.compat import uuid7

from models.availability import availability_announcements
from models.events import deliveries, events
from models.webhooks import EndpointState, webhook_endpoints
from tests import factories
from tests.concurrency.racing import ROUNDS, Race, codes
from workflows.accounts.records import Mentor
from workflows.availability.changes import announce_held_back
from workflows.availability.hours import Span, WeeklyHours, set_hours, weekly_hours_query
from workflows.identity.actor import Actor


def change_to(mentor: Mentor, minute: int) -> Callable[[Connection], Any]:
    """A change of the mentor's hours."""

    def change(db: Connection) -> WeeklyHours:
        seen = WeeklyHours.of(db.execute(weekly_hours_query(mentor.id)).one())
        actor = Actor.person(mentor.user_id, mentor.id)
        spans = [Span(0, minute, 720)]
        now = datetime.now(UTC)
        return set_hours(db, actor=actor, seen=seen, spans=spans, time_zone="UTC", now=now, any_version=True)

    return change


def test_the_last_change_is_announced_in_any_order(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        mentor = factories.make_mentor(db)
        values = {"mentor_profile_id": mentor.id, "url": "https://partner.example", "event_types": ["*"]}
        db.execute(insert(webhook_endpoints).values(id=uuid7(), state=EndpointState.ACTIVE, **values))
    of_mentor = events.c.subject_id == mentor.id, events.c.type == "availability.changed"
    for number in range(ROUNDS):
        outcomes = race.transact(
            [
                change_to(mentor, 3 * number + 1),
                lambda db: announce_held_back(db, mentor.id),
                change_to(mentor, 3 * number + 2),
                lambda db: announce_held_back(db, mentor.id),
            ]
        )
        assert not codes(outcomes)
        with engine.connect() as db:
            (last,) = db.scalars(select(events.c.id).where(*of_mentor).order_by(events.c.sequence.desc()).limit(1))
            held = db.execute(select(availability_announcements)).one()
            announced = db.scalars(select(deliveries.c.event_id).where(deliveries.c.event_id == last)).all()
            # Held back for a timer, or sent: never neither, and never both.
            assert (held.event_id == last) != bool(announced)
    with engine.begin() as db:
        announce_held_back(db, mentor.id)
