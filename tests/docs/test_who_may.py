"""Tests of the table of who may do what: every route, requested by every role."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine

from models.engine import create
from tests import factories, servers
from tests.application import World, as_mentor, as_operator, as_user
from tests.docs.pages import DOCS, table
from workflows.availability.dates import (
    CalendarDay,
    CalendarOwner,
    calendar_day_query,
    calendar_owner_query,
    set_date_hours,
)
from workflows.availability.time_off import take_time_off
from workflows.bookings.holds import hold
from workflows.catalog.listings import Listing
from workflows.identity.people import Mentor, User

NEEDS_A_BODY = (
    "POST /bookings",
    "POST /sessions/book",
    "POST /bookings/individual",
    "PATCH /sessions/{id}/cancel",
    "POST /sessions/{id}/no-show",
    "POST /sessions/{id}/void",
    "POST /sessions/{id}/waive-fee",
    "POST /courses",
    "POST /courses/{id}/products",
    "POST /sessions/{id}/review",
    "POST /sessions/{id}/review/answer",
    "PATCH /reviews/{id}",
    "PUT /mentors/{id}/hours",
    "PUT /mentors/{id}/dates/{date}",
    "POST /mentors/{id}/time-off",
    # And these a query.
    "GET /mentors/{id}/slots",
    "GET /courses/{id}/slots",
    "POST /mentors/{id}/holds",
    "POST /mentors/{id}/calendar-feeds",
)
PAGES = ("sessions.md", "reviews.md", "availability.md", "streams.md")
DAY, NOW = date(2030, 5, 4), datetime.now(UTC)
ASKING = ("mentee", "mentor", "operator", "other users")


def _cases() -> Iterator[tuple[str, str, bool]]:
    for page in PAGES:
        for route, *cells in table(DOCS / page, "route", *ASKING):
            for who, cell in zip(ASKING, cells, strict=True):
                if cell:
                    yield route, who, cell != "no"


@pytest.fixture(scope="module")
def engine(worker_id: str, template_database: str) -> Iterator[Engine]:
    """An engine on one database for all cases: each is about people and things of its own."""
    with servers.temporary_database(f"tutelage_who_may_{worker_id}", template_database) as address:
        engine = create(address)
        yield engine
        engine.dispose()


@pytest.mark.parametrize(("route", "who", "may"), list(_cases()))
def test_the_table_is_true(engine: Engine, route: str, who: str, may: bool) -> None:
    method, path = route.split()
    with engine.begin() as db:
        named, headers = _scene(db, path, who)
    world = World.on(engine, streams_url="http://127.0.0.1:1")
    answer = world.client.open(path.format(**named), method=method, headers=headers)
    if may:
        # An authorised request without its required body is a 400, and one for live updates is sent on.
        assert answer.status_code in ((400,) if route in NEEDS_A_BODY else (200, 202, 204, 307)), answer.json
    else:
        assert answer.status_code == 403


def _scene(db: Connection, path: str, who: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What the path names, in the state that the route needs, and the caller's headers."""
    mentor, mentee = factories.make_mentor(db), factories.make_user(db)
    listing = factories.make_listing(db, mentor, early_start_minutes=None)
    asking = {
        "mentee": as_user(mentee),
        "mentor": as_mentor(mentor),
        "operator": as_operator(),
        "other users": as_user(factories.make_user(db)),
    }
    return {"id": _subject(db, path, listing, mentee)} | _of_calendar(db, mentor, path), asking[who]


def _subject(db: Connection, path: str, listing: Listing, mentee: User) -> UUID:
    if path.startswith("/bookings"):
        return factories.make_booking(db, listing=listing, mentee=mentee).id
    if path.startswith(("/mentors", "/streams")):
        return listing.mentor_profile_id
    if path.startswith("/courses"):
        return factories.make_course(db).id
    if path.startswith("/holds"):
        kept = hold(
            db,
            actor=factories.acting_user(mentee),
            mentor_profile_id=listing.mentor_profile_id,
            start_time=factories.next_slot(),
            duration_minutes=listing.duration_minutes,
            now=NOW,
            minutes=5,
            max_holds=3,
        )
        return kept.id
    if path.startswith("/reviews"):
        permit = factories.make_permit(db, listing=listing, mentee=mentee)
        return factories.make_review(db, permit).id
    session = factories.make_session(db, listing=listing, mentee=mentee)
    return (factories.start_session(db, session) if path.endswith("complete") else session).id


def _of_calendar(db: Connection, mentor: Mentor, path: str) -> dict[str, Any]:
    """What a path names of a mentor's calendar."""
    actor = factories.acting_mentor(mentor)
    if "{date}" in path:
        seen = CalendarDay.of(db.execute(calendar_day_query(mentor.id, DAY)).one())
        set_date_hours(db, actor=actor, seen=seen, spans=[], now=NOW)
        return {"date": DAY}
    if "{calendarFeedId}" in path:
        return {"calendarFeedId": factories.make_calendar_feed(db, mentor).id}
    if "{timeOffId}" not in path:
        return {}
    owner = CalendarOwner.of(db.execute(calendar_owner_query(mentor.id)).one())
    period = {"start_time": NOW, "end_time": NOW + timedelta(days=1)}
    taken = take_time_off(db, actor=actor, mentor=owner, **period, reason=None, cancel_sessions=False, now=NOW)
    return {"timeOffId": taken.id}
