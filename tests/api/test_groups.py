"""Group sessions over HTTP: the list of what can be joined, and a group as each caller sees it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, insert, update
from uuid_utils.compat import uuid7

from models.groups import group_sessions, waitlist_entries
from tests import factories
from tests.api.conftest import Cast
from tests.api.test_pages import walk
from tests.application import ApiResponse, World
from workflows.accounts.records import User
from workflows.bookings.records import Booking


def make_group(world: World, cast: Cast, *mentees: User, days: float = 3, **seats: Any) -> Booking:
    """A group of the cast's mentor with these participants, some days from now."""
    with world.engine.begin() as db:
        start = factories.this_hour() + timedelta(days=days)
        group = factories.make_group(db, mentees, listing=cast.listing, start_time=start)
        if seats:
            of_group = group_sessions.c.booking_id == group.id
            db.execute(update(group_sessions).where(of_group).values(**seats))
        return group


def wait_for_seat(engine: Engine, group: Booking, *people: User) -> None:
    with engine.begin() as db:
        for person in people:
            db.execute(insert(waitlist_entries).values(id=uuid7(), booking_id=group.id, user_id=person.id))


def get(world: World, group: Booking, headers: dict[str, str]) -> ApiResponse:
    return world.client.get(f"/group-sessions/{group.id}", headers=headers)


def listed(world: World, query: str, headers: dict[str, str]) -> list[str]:
    return [item["id"] for item in world.client.get(f"/group-sessions{query}", headers=headers).json["items"]]


def test_a_group_shows_its_booking_and_seats(world: World, cast: Cast) -> None:
    group = make_group(world, cast, cast.stranger)
    answer = get(world, group, cast.as_mentee)
    assert answer.status_code == 200
    shown = answer.json
    assert shown["id"] == str(group.id)
    assert (shown["kind"], shown["listingId"], shown["menteeUserId"]) == ("group", None, None)
    assert (shown["capacity"], shown["seatsTaken"], shown["seatsOffered"], shown["full"]) == (2, 1, 0, False)
    assert (shown["joined"], shown["waitlistPosition"], shown["participants"]) == (False, None, None)
    assert shown["sessionId"] == str(group.session_id)


def test_a_group_is_full_with_taken_and_offered_seats(world: World, cast: Cast) -> None:
    group = make_group(world, cast, cast.stranger, seats_offered=1)
    assert get(world, group, cast.as_mentee).json["full"] is True


def test_a_caller_sees_their_own_place_alone(world: World, cast: Cast) -> None:
    group = make_group(world, cast, cast.mentee)
    with world.engine.begin() as db:
        first = factories.make_user(db)
    wait_for_seat(world.engine, group, first, cast.stranger)
    assert get(world, group, cast.as_mentee).json["joined"] is True
    waiting = get(world, group, cast.as_stranger).json
    assert (waiting["joined"], waiting["waitlistPosition"]) == (False, 2)
    (item,) = world.client.get("/group-sessions", headers=cast.as_stranger).json["items"]
    assert (item["joined"], item["waitlistPosition"]) == (False, 2)


def test_mentor_and_operator_alone_see_the_participants(world: World, cast: Cast) -> None:
    group = make_group(world, cast, cast.mentee)
    expected: list[dict[str, Any]] = [
        {"userId": str(cast.mentee.id), "name": cast.mentee.name, "present": None, "answers": []}
    ]
    for headers in (cast.as_mentor, cast.as_operator):
        assert get(world, group, headers).json["participants"] == expected
    for headers in (cast.as_mentee, cast.as_stranger, cast.as_other_mentor):
        assert get(world, group, headers).json["participants"] is None


def test_a_groups_tag_follows_what_is_shown(world: World, cast: Cast) -> None:
    group = make_group(world, cast, cast.stranger)
    tag = get(world, group, cast.as_mentee).headers["ETag"]
    fresh = world.client.get(f"/group-sessions/{group.id}", headers=cast.as_mentee | {"If-None-Match": tag})
    assert fresh.status_code == 304
    wait_for_seat(world.engine, group, cast.mentee)
    stale = world.client.get(f"/group-sessions/{group.id}", headers=cast.as_mentee | {"If-None-Match": tag})
    assert stale.status_code == 200
    assert get(world, group, cast.as_stranger).headers["ETag"] != stale.headers["ETag"]


def test_an_individual_booking_is_no_group(world: World, cast: Cast, draft: Booking) -> None:
    refused = get(world, draft, cast.as_mentee)
    assert (refused.status_code, refused.json["code"]) == (400, "not_a_group")
    # To others, a booking that they may not see is as one that does not exist.
    for booking_id in (draft.id, uuid4()):
        missing = world.client.get(f"/group-sessions/{booking_id}", headers=cast.as_stranger)
        assert (missing.status_code, missing.json["code"]) == (404, "not_found")


def test_groups_to_come_are_listed_soonest_first(world: World, cast: Cast) -> None:
    groups = [make_group(world, cast, days=days) for days in (5, -1, 2, 9)]
    late, past, soon, last = (str(group.id) for group in groups)
    assert listed(world, "", cast.as_mentee) == [soon, late, last]
    assert listed(world, "?from=2000-01-01T00:00:00Z", cast.as_mentee) == [past, soon, late, last]
    assert listed(world, f"?to={groups[0].start_time:%Y-%m-%dT%H:%M:%SZ}", cast.as_mentee) == [past, soon]


def test_open_groups_are_those_that_can_be_joined(world: World, cast: Cast) -> None:
    opened = make_group(world, cast, days=1)
    full = make_group(world, cast, cast.stranger, days=2, capacity=1)
    offered = make_group(world, cast, days=3, seats_offered=1)
    cancelled = make_group(world, cast, days=4, cancelled_at=factories.this_hour())
    past = make_group(world, cast, days=-1)
    assert listed(world, "?open=true", cast.as_mentee) == [str(opened.id)]
    closed = listed(world, "?open=false&from=2000-01-01T00:00:00Z", cast.as_mentee)
    assert closed == [str(group.id) for group in (past, full, offered, cancelled)]


def test_groups_are_listed_by_course_and_mentor(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        course = factories.make_course(db)
        listing = factories.make_listing(db, cast.other_mentor, course_id=course.id)
        theirs = factories.make_group(db, [], listing=listing)
    ours = make_group(world, cast, days=30)
    assert listed(world, f"?courseId={course.id}", cast.as_mentee) == [str(theirs.id)]
    assert listed(world, f"?mentorProfileId={cast.mentor.id}", cast.as_mentee) == [str(ours.id)]
    assert listed(world, f"?mentorProfileId={cast.mentor.id}&courseId={course.id}", cast.as_mentee) == []
    assert listed(world, f"?courseId={uuid4()}", cast.as_mentee) == []


def test_a_walk_through_groups_has_no_gap_and_no_double(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        offers = [factories.make_listing(db) for _ in range(4)]
        # In fours of the same start, so that a page's edge falls between equals.
        start = factories.this_hour() + timedelta(days=3)
        made = [
            factories.make_group(db, [], listing=offer, start_time=start + timedelta(hours=2 * number))
            for number in range(6)
            for offer in offers
        ]
    expected = [str(group.id) for group in sorted(made, key=lambda group: (group.start_time, group.id))]
    assert walk(world, "/group-sessions?limit=5", cast.as_mentee) == expected


def test_a_bad_filter_of_groups_is_refused(world: World, cast: Cast) -> None:
    for query in ("open=yes", "courseId=x", "from=tomorrow", "limit=0", "seats=1"):
        answer = world.client.get(f"/group-sessions?{query}", headers=cast.as_mentee)
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_request"), query
