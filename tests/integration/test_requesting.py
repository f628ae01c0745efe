"""Tests of asking for a mentor's time: who, for what, when, and what is then in the books."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, insert, select, text, update

from models.bookings import booking_participants, bookings
from models.calendar import person_busy
from models.catalog import listings
from models.events import events
from models.people import mentor_profiles
from tests.factories import (
    OPERATOR,
    accept_booking,
    acting_mentor,
    acting_user,
    make_booking,
    make_listing,
    make_mentor,
    make_user,
)
from workflows.bookings.records import Booking
from workflows.bookings.request import request
from workflows.catalog.listings import Listing
from workflows.kernel.errors import Conflict, DomainError, Forbidden, Invalid, NotFound

NOW = datetime(2030, 5, 4, 9, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def ask(db: Connection, listing: Listing, **asked: Any) -> Booking:
    values = {"actor": acting_user(make_user(db)), "start_time": NOW + 3 * timedelta(hours=1), "now": NOW, **asked}
    return request(db, listing_id=listing.id, **values)


def test_a_request_is_a_draft_with_the_listings_terms(db: Connection) -> None:
    listing = make_listing(db, buffer_minutes=10, duration_minutes=45, price_amount=1234, price_currency="EUR")
    mentee = make_user(db)
    booking = ask(db, listing, actor=acting_user(mentee), title="T", notes="N", metadata={"a": [1]})
    assert (booking.status, booking.kind, booking.session_id) == ("draft", "individual", None)
    assert (booking.mentor_profile_id, booking.mentee_user_id) == (listing.mentor_profile_id, mentee.id)
    assert (booking.price_amount, booking.price_currency, booking.buffer_minutes) == (1234, "EUR", 10)
    assert (booking.end_time - booking.start_time, booking.duration_minutes) == (45 * MINUTE, 45)
    assert (booking.title, booking.notes, booking.metadata) == ("T", "N", {"a": [1]})
    joined = db.execute(select(booking_participants).where(booking_participants.c.booking_id == booking.id)).one()
    assert joined.user_id == mentee.id
    assert db.scalars(select(events.c.type).where(events.c.subject_id == booking.id)).all() == ["booking.requested"]


def test_a_request_without_metadata_stores_null_and_not_json_null(db: Connection) -> None:
    booking = ask(db, make_listing(db))
    assert db.scalar(select(bookings.c.metadata.is_(None)).where(bookings.c.id == booking.id)) is True
    assert db.scalar(text("SELECT metadata IS NULL FROM bookings WHERE id = :id"), {"id": booking.id}) is True


def test_a_later_change_of_the_listing_leaves_the_booking_alone(db: Connection) -> None:
    listing = make_listing(db)
    booking = ask(db, listing)
    db.execute(update(listings).where(listings.c.id == listing.id).values(price_amount=1, buffer_minutes=60))
    assert db.scalar(select(bookings.c.price_amount).where(bookings.c.id == booking.id)) == 4000


@pytest.mark.parametrize(
    ("start", "code"),
    [
        # In the future, even by a second.
        (NOW + timedelta(seconds=1), None),
        (NOW, "invalid_request"),
        (NOW - MINUTE, "invalid_request"),
        # Within five years.
        (NOW + 5 * 366 * DAY, None),
        (NOW + 5 * 366 * DAY + timedelta(seconds=1), "beyond_horizon"),
        (datetime(9999, 12, 31, 23, 59, tzinfo=UTC), "beyond_horizon"),
        # A time without a zone is ambiguous.
        (datetime(2030, 5, 5, 9), "invalid_request"),  # noqa: DTZ001
    ],
)
def test_a_booking_starts_in_the_future_within_five_years(db: Connection, start: datetime, code: str | None) -> None:
    listing = make_listing(db)
    if code is None:
        assert ask(db, listing, start_time=start).start_time == start
        return
    with pytest.raises(DomainError) as refused:
        ask(db, listing, start_time=start)
    assert refused.value.code == code
    assert db.execute(select(bookings)).all() == []


@pytest.mark.parametrize(
    ("notice", "ahead", "granted"),
    [
        # Exactly the notice is enough; a second less is too soon.
        (60, 60 * MINUTE, True),
        (60, 60 * MINUTE - timedelta(seconds=1), False),
        # No notice asked for.
        (0, timedelta(seconds=1), True),
        # A week's notice.
        (7 * 24 * 60, 7 * DAY, True),
        (7 * 24 * 60, 7 * DAY - MINUTE, False),
    ],
)
def test_a_booking_keeps_the_listings_notice(db: Connection, notice: int, ahead: timedelta, granted: bool) -> None:
    listing = make_listing(db, min_notice_minutes=notice)
    if granted:
        assert ask(db, listing, start_time=NOW + ahead).status == "draft"
    else:
        with pytest.raises(Conflict) as refused:
            ask(db, listing, start_time=NOW + ahead)
        assert refused.value.code == "too_soon"


@pytest.mark.parametrize(
    ("end", "granted"),
    [
        # The listing's own end.
        (NOW + 4 * timedelta(hours=1), True),
        # In whichever zone.
        ((NOW + 4 * timedelta(hours=1)).astimezone(ZoneInfo("Asia/Tokyo")), True),
        # A minute more or less is another offer; so is an end before the start.
        (NOW + 4 * timedelta(hours=1) + MINUTE, False),
        (NOW + 4 * timedelta(hours=1) - MINUTE, False),
        (NOW + 2 * timedelta(hours=1), False),
    ],
)
def test_a_given_end_must_be_the_listings(db: Connection, end: datetime, granted: bool) -> None:
    listing = make_listing(db)
    if granted:
        assert ask(db, listing, end_time=end).end_time == end
    else:
        with pytest.raises(Invalid) as refused:
            ask(db, listing, end_time=end)
        assert refused.value.details == {"endTime": ["must be 60 minutes after startTime"]}


@pytest.mark.parametrize(
    ("wall", "fold", "utc"),
    [
        # The hour that summer time skips: what a client makes of it is still one moment, an hour long.
        (datetime(2031, 3, 30, 2, 30), 0, datetime(2031, 3, 30, 1, 30, tzinfo=UTC)),  # noqa: DTZ001
        # The hour that exists twice, its first and its second time.
        (datetime(2030, 10, 27, 2, 30), 0, datetime(2030, 10, 27, 0, 30, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2030, 10, 27, 2, 30), 1, datetime(2030, 10, 27, 1, 30, tzinfo=UTC)),  # noqa: DTZ001
    ],
)
def test_an_hour_lasts_an_hour_across_daylight_saving_changes(
    db: Connection, wall: datetime, fold: int, utc: datetime
) -> None:
    booking = ask(db, make_listing(db), start_time=wall.replace(tzinfo=ZoneInfo("Europe/Berlin"), fold=fold))
    assert (booking.start_time, booking.end_time) == (utc, utc + timedelta(hours=1))


def test_an_inactive_listing_or_mentor_is_not_found(db: Connection) -> None:
    unlisted, of_an_inactive_mentor = make_listing(db), make_listing(db)
    db.execute(update(listings).where(listings.c.id == unlisted.id).values(active=False))
    of = mentor_profiles.c.id == of_an_inactive_mentor.mentor_profile_id
    db.execute(update(mentor_profiles).where(of).values(active=False))
    for listing_id in (unlisted.id, of_an_inactive_mentor.id, uuid4()):
        with pytest.raises(NotFound):
            request(db, actor=acting_user(make_user(db)), listing_id=listing_id, start_time=NOW + DAY, now=NOW)


def test_a_mentor_cannot_book_an_own_listing_in_either_role(db: Connection) -> None:
    user = make_user(db)
    mentor = make_mentor(db, user)
    for actor in (acting_user(user), acting_mentor(mentor)):
        with pytest.raises(Invalid):
            ask(db, make_listing(db, mentor), actor=actor)


def test_an_operator_books_nothing(db: Connection) -> None:
    with pytest.raises(Forbidden):
        ask(db, make_listing(db), actor=OPERATOR)


def test_a_mentor_books_another_mentor_as_a_user(db: Connection) -> None:
    mentor = make_mentor(db)
    assert ask(db, make_listing(db), actor=acting_mentor(mentor)).mentee_user_id == mentor.user_id


def test_an_instant_listing_accepts_at_once_and_blocks_the_time(db: Connection) -> None:
    booking = ask(db, make_listing(db, booking_mode="instant", buffer_minutes=5))
    assert (booking.status, booking.session_id is not None) == ("accepted", True)
    block = db.execute(select(person_busy).where(person_busy.c.mentor_profile_id.is_not(None))).one()
    assert (block.booking_id, block.busy.upper) == (booking.id, booking.end_time + 5 * MINUTE)
    assert db.scalars(select(events.c.type)).all() == ["booking.accepted"]


def test_an_instant_booking_of_a_taken_time_leaves_nothing(db: Connection) -> None:
    listing = make_listing(db, booking_mode="instant")
    ask(db, listing)
    with pytest.raises(Conflict) as refused, db.begin_nested():
        ask(db, listing)
    assert refused.value.code == "slot_taken"
    assert len(db.execute(select(bookings)).all()) == 1


@pytest.mark.parametrize(
    ("buffer", "gap", "free"),
    [
        # Without a buffer the next may begin as the one before ends.
        (0, 0, True),
        (0, -1, False),
        # A buffer belongs to the booking before it.
        (15, 15, True),
        (15, 14, False),
        (15, 0, False),
    ],
)
def test_a_booking_blocks_its_mentors_time_and_buffer(db: Connection, buffer: int, gap: int, free: bool) -> None:
    listing = make_listing(db, booking_mode="instant", buffer_minutes=buffer)
    first = ask(db, listing)
    following = first.end_time + gap * MINUTE
    if free:
        assert ask(db, listing, start_time=following).status == "accepted"
    else:
        with pytest.raises(Conflict), db.begin_nested():
            ask(db, listing, start_time=following)


def test_the_buffer_must_end_before_the_next_booking(db: Connection) -> None:
    listing = make_listing(db, booking_mode="instant", buffer_minutes=15)
    later = ask(db, listing)
    with pytest.raises(Conflict), db.begin_nested():
        ask(db, listing, start_time=later.start_time - 74 * MINUTE)
    assert ask(db, listing, start_time=later.start_time - 75 * MINUTE).status == "accepted"


def test_another_mentors_time_is_another_time(db: Connection) -> None:
    for _ in range(2):
        assert ask(db, make_listing(db, booking_mode="instant")).status == "accepted"


def hold(db: Connection, listing: Listing, start: datetime, expires: str) -> None:
    """A hold of that mentor's hour, which expires at that time by the database's clock."""
    profile = mentor_profiles.c
    owner = select(profile.user_id).where(profile.id == listing.mentor_profile_id)
    db.execute(
        insert(person_busy).values(
            id=uuid4(),
            mentor_profile_id=listing.mentor_profile_id,
            user_id=owner.scalar_subquery(),
            busy=text(f"tstzrange('{start.isoformat()}', '{(start + timedelta(hours=1)).isoformat()}')"),
            hold_id=uuid4(),
            expires_at=text(f"now() + interval '{expires}'"),
            held_by_user_id=make_user(db).id,
            held_start=start,
            held_end=start + timedelta(hours=1),
        )
    )


@pytest.mark.parametrize("mode", ["instant", "request"])
def test_an_expired_hold_gives_way_to_the_next_taker(db: Connection, mode: str) -> None:
    listing = make_listing(db, booking_mode=mode)
    start = datetime.now(UTC).replace(microsecond=0) + DAY
    # Two of them, and one at another time.
    hold(db, listing, start - 30 * MINUTE, "-1 second")
    hold(db, listing, start + 30 * MINUTE, "0 seconds")
    hold(db, listing, start + DAY, "-1 hour")
    booking = make_booking(db, listing=listing, start_time=start)
    if mode == "request":
        booking = accept_booking(db, booking)
    assert booking.status == "accepted"
    left = db.execute(
        select(person_busy.c.booking_id, person_busy.c.hold_id).where(person_busy.c.mentor_profile_id.is_not(None))
    ).all()
    assert [row.booking_id for row in left if row.booking_id] == [booking.id]
    assert len([row for row in left if row.hold_id]) == 1


def _book_and_accept(db: Connection, listing: Listing, start: datetime) -> Booking:
    return accept_booking(db, make_booking(db, listing=listing, start_time=start))


@pytest.mark.parametrize("mode", ["instant", "request"])
def test_a_hold_that_has_not_expired_keeps_the_time(db: Connection, mode: str) -> None:
    listing = make_listing(db, booking_mode=mode)
    start = datetime.now(UTC).replace(microsecond=0) + DAY
    hold(db, listing, start, "1 second")
    with pytest.raises(Conflict) as refused, db.begin_nested():
        _book_and_accept(db, listing, start)
    assert refused.value.code == "slot_taken"
    assert db.scalars(select(person_busy.c.booking_id)).all() == [None]
