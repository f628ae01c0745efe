"""Tests of how much is asked of the database: statements a step, one query a page, and pages that miss nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg._queries import MAX_CACHED_STATEMENT_LENGTH
from sqlalchemy import Connection

from models.bookings import BookingStatus
from tests.factories import accept_booking, make_booking, make_listing, make_mentor, make_session, make_user, mentor_of
from tests.integration.harness import counted_statements
from workflows.bookings.actions import BOOKING_MACHINE, accept, cancel, decline
from workflows.bookings.insert import ACCEPTED, DRAFT, DRAFT_WITHIN_LIMITS
from workflows.bookings.records import BOOKINGS, Booking, ListedBooking
from workflows.catalog.listings import BOOKABLE, LISTINGS
from workflows.catalog.mentors import MENTORS
from workflows.events.record import recording
from workflows.identity.actor import Actor
from workflows.kernel.paging import Page, PagedList
from workflows.sessions.actions import SESSION_MACHINE, create, start
from workflows.sessions.records import SESSIONS
from workflows.webhooks.deliveries import FAN_OUT_ROWS

NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("make", "step", "count"),
    [
        (make_booking, lambda db, it: accept(db, actor=mentor_of(it), booking=it, now=NOW), 2),
        (make_booking, lambda db, it: decline(db, actor=mentor_of(it), booking=it, reason=None, now=NOW), 2),
        (make_booking, lambda db, it: cancel(db, actor=mentee_of(it), booking=it, reason=None, now=NOW), 2),
        # The acceptance and the session itself; its event is the effect's.
        (make_booking, lambda db, it: create(db, booking_id=accept_booking(db, it).id), 3),
        (make_session, lambda db, it: start(db, actor=mentor_of(it), session=it, early_start_minutes=None, now=NOW), 2),
    ],
)
def test_a_step_takes_few_statements(
    db: Connection, make: Callable[[Connection], Any], step: Callable[[Connection, Any], object], count: int
) -> None:
    made = make(db)
    with counted_statements(db) as statements:
        step(db, made)
    assert len(statements) == count, statements


def mentee_of(booking: Booking) -> Actor:
    assert booking.mentee_user_id is not None
    return Actor.person(booking.mentee_user_id, None)


def all_pages(db: Connection, limit: int, paged: PagedList[Any], **filters: Any) -> list[Any]:
    """Everything that a list holds, page by page; each page is one statement and no longer than asked."""
    items: list[Any] = []
    page = Page(limit)
    while True:
        with counted_statements(db) as statements:
            found = paged.page(db, page, **filters)
        assert len(statements) == 1
        assert len(found.items) <= limit
        items += found.items
        if found.next is None:
            return items
        page = Page(limit, found.next)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_bookings_are_listed_latest_start_first_without_gap_or_repeat(db: Connection, limit: int) -> None:
    mentee = make_user(db)
    same = NOW.replace(microsecond=0) + timedelta(days=3)
    # Some begin at the same time, so that only their ids tell them apart.
    made = [make_booking(db, mentee=mentee, start_time=same) for _ in range(3)]
    made += [make_booking(db, mentee=mentee) for _ in range(4)]
    make_booking(db)
    found = all_pages(db, limit, BOOKINGS, mentee_user_id=mentee.id)
    made.sort(key=lambda booking: (-booking.start_time.timestamp(), booking.id))
    assert found == [ListedBooking(**vars(booking), seat_counts=None) for booking in made]


def test_bookings_are_listed_by_role_and_status(db: Connection) -> None:
    mentor, person = make_mentor(db), make_user(db)
    listing = make_listing(db, mentor)
    asked = make_booking(db, listing=listing, mentee=person)
    yes = accept_booking(db, make_booking(db, listing=listing))
    own = make_booking(db, mentee=person)

    def ids(**narrowed: Any) -> set[Any]:
        return {booking.id for booking in BOOKINGS.page(db, Page(), **narrowed).items}

    assert ids(mentee_user_id=person.id) == {asked.id, own.id}
    assert ids(mentor_profile_id=mentor.id) == {asked.id, yes.id}
    assert ids(mentor_profile_id=mentor.id, mentee_user_id=person.id) == {asked.id, yes.id, own.id}
    assert ids(mentor_profile_id=mentor.id, status=BookingStatus.ACCEPTED) == {yes.id}


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_sessions_are_listed_for_both_parties_latest_start_first(db: Connection, limit: int) -> None:
    mentor, mentee = make_mentor(db), make_user(db)
    listing = make_listing(db, mentor)
    made = [make_session(db, listing=listing, mentee=mentee) for _ in range(5)]
    make_session(db)
    for party in ({"mentee_user_id": mentee.id}, {"mentor_profile_id": mentor.id}):
        listed = all_pages(db, limit, SESSIONS, **party)
        assert [session.id for session in listed] == [session.id for session in reversed(made)]


def test_sessions_are_listed_from_a_time_to_before_another(db: Connection) -> None:
    mentee = make_user(db)
    first, second, third = (make_session(db, mentee=mentee) for _ in range(3))
    within = {"from_time": first.start_time, "to_time": third.start_time, "status": first.status}
    listed = SESSIONS.page(db, Page(), mentee_user_id=mentee.id, **within).items
    assert [session.id for session in listed] == [second.id, first.id]


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_listings_and_mentors_are_listed_newest_first(db: Connection, limit: int) -> None:
    mentor = make_mentor(db, skills=["paging"])
    made = [make_listing(db, mentor) for _ in range(3)]
    assert all_pages(db, limit, LISTINGS, mentor_profile_id=mentor.id) == list(reversed(made))
    others = [make_mentor(db, skills=["paging"]) for _ in range(2)]
    assert all_pages(db, limit, MENTORS, skills=["paging"]) == [others[1], others[0], mentor]


def test_hot_statements_are_no_longer_than_the_driver_keeps() -> None:
    # Psycopg takes a longer one apart at each execution, in Python.
    known: dict[str, Any] = {"mentee_user_id": uuid4(), "mentor_profile_id": uuid4(), "status": BookingStatus.DRAFT}
    prepared = [BOOKINGS.statement(known, later_page=True), SESSIONS.statement({"mentee_user_id": uuid4()})]
    prepared += [DRAFT, DRAFT_WITHIN_LIMITS, ACCEPTED, BOOKABLE, recording(FAN_OUT_ROWS)]
    prepared += [*BOOKING_MACHINE.statements.values(), *SESSION_MACHINE.statements.values()]
    assert max(len(each.text) for each in prepared) <= MAX_CACHED_STATEMENT_LENGTH


def test_a_statement_is_built_once_for_each_combination_of_filters(db: Connection) -> None:
    mentee, other = make_user(db), make_user(db)
    first = BOOKINGS.statement({"mentee_user_id": mentee.id, "status": BookingStatus.DRAFT})
    assert BOOKINGS.statement({"mentee_user_id": other.id, "status": BookingStatus.DRAFT}) is first
    assert BOOKINGS.statement({"mentee_user_id": other.id, "status": BookingStatus.ACCEPTED}) is not first
    assert BOOKINGS.statement({"mentee_user_id": other.id}) is not first
    assert BOOKINGS.statement({"mentee_user_id": other.id, "status": BookingStatus.DRAFT}, later_page=True) is not first
