"""Tests of the table of who may do what: every route, requested by every role."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine

from models.engine import create
from tests import factories, servers
from tests.application import World, as_mentor, as_operator, as_user
from tests.docs.pages import DOCS, table

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
    "POST /mentors/{id}/time-off",
    "POST /mentors/{id}/holds",
)
PAGES = ("sessions.md", "reviews.md", "availability.md")
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
        subject, headers = _scene(db, path, who)
    answer = World.on(engine).client.open(path.replace("{id}", str(subject)), method=method, headers=headers)
    if may:
        # An authorised request without its required body is a 400.
        assert answer.status_code in ((400,) if route in NEEDS_A_BODY else (200, 202)), answer.json
    else:
        assert answer.status_code == 403


def _scene(db: Connection, path: str, who: str) -> tuple[UUID, dict[str, str]]:
    """What the route is about, in the state that it needs, and the caller's headers."""
    mentor, mentee = factories.make_mentor(db), factories.make_user(db)
    listing = factories.make_listing(db, mentor, early_start_minutes=None)
    asking = {
        "mentee": as_user(mentee),
        "mentor": as_mentor(mentor),
        "operator": as_operator(),
        "other users": as_user(factories.make_user(db)),
    }
    if path.startswith("/bookings"):
        return factories.make_booking(db, listing=listing, mentee=mentee).id, asking[who]
    if path.startswith("/mentors"):
        return mentor.id, asking[who]
    if path.startswith("/courses"):
        return factories.make_course(db).id, asking[who]
    if path.startswith("/reviews"):
        permit = factories.make_permit(db, listing=listing, mentee=mentee)
        return factories.make_review(db, permit).id, asking[who]
    session = factories.make_session(db, listing=listing, mentee=mentee)
    return (factories.start_session(db, session) if path.endswith("complete") else session).id, asking[who]
