"""Tests of participants of a group: their lists, details and steps, and nothing of each other."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from models.calendar import person_busy
from models.events import events
from tests import factories
from tests.api.conftest import Cast
from tests.api.test_pages import walk
from tests.application import ApiResponse, World, as_user
from workflows.accounts.records import User
from workflows.sessions.actions import create
from workflows.sessions.records import Session, session_query


@pytest.fixture
def other(engine: Engine) -> User:
    with engine.begin() as db:
        return factories.make_user(db, name="Benedict Other")


@pytest.fixture
def session(engine: Engine, cast: Cast, other: User) -> Session:
    """The session of a group in which the mentee and another person take part; it may start in a few days."""
    with engine.begin() as db:
        return factories.make_group_session(db, [cast.mentee, other], listing=cast.listing)


def get(world: World, path: str, headers: dict[str, str]) -> ApiResponse:
    return world.client.get(path, headers=headers)


def step(world: World, session: Session, name: str, headers: dict[str, str], body: Any = None) -> ApiResponse:
    return world.client.patch(f"/sessions/{session.id}/{name}", json=body, headers=headers)


def test_participants_find_the_session_in_their_list(world: World, cast: Cast, session: Session, other: User) -> None:
    for headers in (cast.as_mentee, as_user(other)):
        (item,) = get(world, "/sessions/mentee/my-sessions", headers).json["items"]
        assert (item["id"], item["menteeUserId"]) == (str(session.id), None)
    assert get(world, "/sessions/mentee/my-sessions", cast.as_stranger).json["items"] == []
    (led,) = get(world, "/sessions/mentor/my-sessions", cast.as_mentor).json["items"]
    assert led["id"] == str(session.id)


def test_participants_find_the_booking_in_their_list(world: World, cast: Cast, session: Session, other: User) -> None:
    for headers in (cast.as_mentee, as_user(other)):
        for query in ("", "?role=mentee", "?status=accepted"):
            (item,) = get(world, f"/bookings{query}", headers).json["items"]
            assert (item["id"], item["kind"], item["menteeUserId"]) == (str(session.booking_id), "group", None)
        assert get(world, "/bookings?status=draft", headers).json["items"] == []
    assert get(world, "/bookings", cast.as_stranger).json["items"] == []


def test_filters_of_lists_hold_for_groups(world: World, cast: Cast, session: Session) -> None:
    path = "/sessions/mentee/my-sessions"
    after = (session.start_time + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert len(get(world, f"{path}?to={after}&status=scheduled", cast.as_mentee).json["items"]) == 1
    for query in (f"from={after}", "status=completed", "to=2020-01-01T00:00:00Z"):
        assert get(world, f"{path}?{query}", cast.as_mentee).json["items"] == []


def test_a_walk_through_groups_and_own_bookings_has_no_gap(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        offers = [factories.make_listing(db) for _ in range(3)]
        starts = [factories.next_slot() for _ in range(4)]
        expected = []
        for start in starts:
            groups = [
                factories.make_group(db, [cast.mentee], listing=each, start_time=start, may_overlap=True)
                for each in offers[:2]
            ]
            own = factories.make_booking(db, listing=offers[2], mentee=cast.mentee, start_time=start)
            expected += [*groups, own]
        sessions = [create(db, booking_id=booking.id) for booking in expected if booking.session_id]
    newest = sorted(expected, key=lambda each: each.id)
    newest = sorted(newest, key=lambda each: each.start_time, reverse=True)
    assert walk(world, "/bookings?limit=2", cast.as_mentee) == [str(each.id) for each in newest]
    meetings = sorted(sorted(sessions, key=lambda each: each.id), key=lambda each: each.start_time, reverse=True)
    assert walk(world, "/sessions/mentee/my-sessions?limit=3", cast.as_mentee) == [str(each.id) for each in meetings]


def test_a_mentors_own_list_holds_groups_of_both_roles_once(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        attended = factories.make_group(db, [User.of(db.execute(User.by_id(cast.mentor.user_id)).one())])
        led = factories.make_group(db, [cast.mentee], listing=cast.listing)
    ids = [item["id"] for item in get(world, "/bookings", cast.as_mentor).json["items"]]
    assert sorted(ids) == sorted([str(attended.id), str(led.id)])


def test_a_participant_sees_nothing_of_the_others(world: World, cast: Cast, session: Session, other: User) -> None:
    world.run_session_effects()
    paths = [
        f"/sessions/{session.id}",
        f"/sessions/mentee/{session.id}",
        f"/sessions/{session.id}/effects",
        f"/bookings/{session.booking_id}",
        f"/group-sessions/{session.booking_id}",
        "/group-sessions",
        "/bookings",
        "/sessions/mentee/my-sessions",
    ]
    for path in paths:
        answer = get(world, path, cast.as_mentee)
        assert answer.status_code == 200, path
        for private in (str(other.id), other.name, other.email):
            assert private not in answer.text, path


def test_strangers_see_neither_session_nor_booking(world: World, cast: Cast, session: Session) -> None:
    for path in (f"/sessions/{session.id}", f"/sessions/mentee/{session.id}", f"/bookings/{session.booking_id}"):
        assert get(world, path, cast.as_stranger).status_code == 403, path
        assert get(world, path, cast.as_other_mentor).status_code == 403, path


def test_a_groups_booking_shows_its_seats(world: World, cast: Cast, session: Session, scheduled: Session) -> None:
    for headers in (cast.as_mentee, cast.as_mentor, cast.as_operator):
        answer = get(world, f"/bookings/{session.booking_id}", headers)
        assert (answer.json["capacity"], answer.json["seatsTaken"], answer.json["full"]) == (3, 2, False)
    tag = answer.headers["ETag"]
    change = {"capacity": 2}
    world.client.patch(f"/group-sessions/{session.booking_id}", json=change, headers=cast.as_operator)
    again = get(world, f"/bookings/{session.booking_id}", cast.as_operator | {"If-None-Match": tag})
    assert (again.status_code, again.json["full"]) == (200, True)
    individual = get(world, f"/bookings/{scheduled.booking_id}", cast.as_mentee).json
    assert "capacity" not in individual


def test_lists_of_bookings_show_the_seats_of_groups(
    world: World, cast: Cast, session: Session, scheduled: Session
) -> None:
    for headers in (cast.as_mentee, cast.as_mentor):
        for order in ("asc", "desc"):
            items = get(world, f"/bookings?order={order}", headers).json["items"]
            by_id = {item["id"]: item for item in items}
            group, individual = by_id[str(session.booking_id)], by_id[str(scheduled.booking_id)]
            assert (group["capacity"], group["seatsTaken"], group["full"]) == (3, 2, False)
            assert not {"capacity", "seatsTaken", "full"} & individual.keys()
    world.client.patch(f"/group-sessions/{session.booking_id}", json={"capacity": 2}, headers=cast.as_operator)
    (item,) = get(world, "/bookings?kind=group", cast.as_mentee).json["items"]
    assert (item["capacity"], item["full"]) == (2, True)


def test_what_a_left_seat_cost_is_shown(world: World, cast: Cast, other: User) -> None:
    start = factories.this_hour() + timedelta(hours=3)
    with world.engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, price_amount=1500)
        group = factories.make_group(db, [cast.mentee, other], listing=listing, start_time=start)
    path = f"/group-sessions/{group.id}"
    assert get(world, path, cast.as_mentee).json["cancellations"] == []
    left = world.client.post(f"{path}/leave", json={"reason": "I am ill."}, headers=cast.as_mentee).json
    (own,) = get(world, path, cast.as_mentee).json["cancellations"]
    assert own == left["cancellations"][0]
    assert (own["userId"], own["name"], own["late"], own["reason"]) == (
        str(cast.mentee.id),
        cast.mentee.name,
        True,
        None,
    )
    assert (own["fee"]["amount"], own["refund"]["amount"], own["creditReturned"]) == (750, 750, None)
    for headers in (cast.as_mentor, cast.as_operator):
        assert get(world, path, headers).json["cancellations"] == [{**own, "reason": "I am ill."}]
    for headers in (cast.as_stranger, as_user(other), cast.as_other_mentor):
        assert get(world, path, headers).json["cancellations"] == []


def test_a_left_seat_shows_what_became_of_its_credit(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        course = factories.make_course(db)
        listing = factories.make_listing(db, cast.mentor, course_id=course.id)
        bundle = factories.make_bundle(db, course=course, mentee=cast.mentee, session_count=3)
        hours = {
            "late": factories.this_hour() + timedelta(hours=3),
            "in time": factories.this_hour() + timedelta(days=3),
        }
        groups = {
            name: factories.make_group(db, [], listing=listing, start_time=at, capacity=2).id
            for name, at in hours.items()
        }
    for name, returned in (("late", False), ("in time", True)):
        path = f"/group-sessions/{groups[name]}"
        paid = {"bundlePurchaseId": str(bundle.id)}
        assert world.client.post(f"{path}/join", json=paid, headers=cast.as_mentee).status_code == 200
        assert world.client.post(f"{path}/leave", headers=cast.as_mentee).status_code == 200
        (own,) = get(world, path, cast.as_mentee).json["cancellations"]
        assert (own["creditReturned"], own["fee"]["amount"]) == (returned, 0)


def test_a_pending_session_is_pending_to_participants(world: World, cast: Cast, other: User) -> None:
    with world.engine.begin() as db:
        group = factories.make_group(db, [cast.mentee], listing=cast.listing)
    path = f"/sessions/{group.session_id}"
    assert get(world, path, cast.as_mentee).json["code"] == "session_pending"
    assert get(world, path, as_user(other)).json["code"] == "not_found"


def test_a_participant_starts_the_session(world: World, cast: Cast, other: User) -> None:
    with world.engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, early_start_minutes=None)
        group = factories.make_group(db, [cast.mentee, other], listing=listing)
        created = create(db, booking_id=group.id)
        session = Session.of(db.execute(session_query(created.id)).one())
    assert step(world, session, "start", cast.as_stranger).status_code == 403
    started = step(world, session, "start", as_user(other))
    assert (started.status_code, started.json["status"]) == (200, "in_progress")
    assert step(world, session, "complete", cast.as_mentee).status_code == 403


def test_a_group_started_early_is_no_longer_open(world: World, cast: Cast, other: User) -> None:
    with world.engine.begin() as db:
        group = factories.make_group(db, [other], listing=cast.listing)
        created = create(db, booking_id=group.id)
        session = Session.of(db.execute(session_query(created.id)).one())
    path = f"/group-sessions/{group.id}"
    assert world.client.patch(path, json={"capacity": 3}, headers=cast.as_mentor).status_code == 200
    with world.engine.begin() as db:
        factories.start_session(db, session)
    refused = world.client.patch(path, json={"capacity": 4}, headers=cast.as_mentor)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_transition")
    lists = [world.client.get(f"/group-sessions?open={flag}", headers=cast.as_mentee) for flag in ("true", "false")]
    assert [[item["id"] for item in listed.json["items"]] for listed in lists] == [[], [str(group.id)]]


def test_a_participant_cannot_cancel_and_is_told_to_leave(world: World, cast: Cast, session: Session) -> None:
    refused = step(world, session, "cancel", cast.as_mentee, {"reason": "Ill"})
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert f"/group-sessions/{session.booking_id}/leave" in refused.json["message"]


def test_the_quote_of_a_group_is_what_its_seats_were_paid_with(world: World, cast: Cast, session: Session) -> None:
    quote = get(world, f"/sessions/{session.id}/cancellation-quote", cast.as_mentor).json
    assert quote["refund"] == {"amount": 2 * cast.listing.price_amount, "currency": "USD"}
    assert quote["fee"]["amount"] == 0


@pytest.mark.parametrize(("hours", "late"), [(72, False), (3, True)])
def test_a_participants_quote_is_what_leaving_costs(world: World, cast: Cast, hours: int, late: bool) -> None:
    start = factories.this_hour() + timedelta(hours=hours)
    with world.engine.begin() as db:
        group = factories.make_group(db, [cast.mentee, cast.stranger], listing=cast.listing, start_time=start)
        session = create(db, booking_id=group.id)
    quote = get(world, f"/sessions/{session.id}/cancellation-quote", cast.as_mentee).json
    left = world.client.post(f"/group-sessions/{group.id}/leave", headers=cast.as_mentee).json["cancellation"]
    price = cast.listing.price_amount
    assert quote["fee"]["amount"] == (price // 2 if late else 0)
    assert quote["fee"]["amount"] + quote["refund"]["amount"] == price
    assert {name: quote[name] for name in left if name != "creditReturned"} == {
        name: value for name, value in left.items() if name != "creditReturned"
    }
    assert (quote["allowed"], quote["cancelledBy"], quote["creditReturned"]) == (True, "mentee", None)
    assert datetime.fromisoformat(quote["freeUntil"]) == start - timedelta(hours=24)
    # Who has left is no party of the session.
    assert get(world, f"/sessions/{session.id}/cancellation-quote", cast.as_mentee).status_code == 403


def test_a_group_that_has_begun_cannot_be_left(world: World, cast: Cast, session: Session) -> None:
    with world.engine.begin() as db:
        factories.start_session(db, session)
    quote = get(world, f"/sessions/{session.id}/cancellation-quote", cast.as_mentee).json
    assert (quote["allowed"], quote["fee"]["amount"], quote["refund"]["amount"]) == (False, 0, 0)


def test_a_mentors_cancellation_refunds_all(world: World, cast: Cast, session: Session, other: User) -> None:
    cancelled = step(world, session, "cancel", cast.as_mentor, {"reason": "I am ill."})
    assert (cancelled.status_code, cancelled.json["status"]) == (200, "cancelled")
    assert cancelled.json["refund"] == {"amount": 2 * cast.listing.price_amount, "currency": "USD"}
    world.run_session_effects()
    with world.engine.connect() as db:
        refunds = db.execute(select(events.c.data).where(events.c.type == "seat.refunded")).scalars().all()
        assert {each["user_id"]: each["refund_amount"] for each in refunds} == {
            str(user.id): cast.listing.price_amount for user in (cast.mentee, other)
        }
        assert db.scalar(select(func.count()).select_from(person_busy)) == 0
    group = get(world, f"/group-sessions/{session.booking_id}", cast.as_mentee).json
    assert group["cancelledAt"] == cancelled.json["cancelledAt"]
    (item,) = get(world, "/sessions/mentee/my-sessions?status=cancelled", cast.as_mentee).json["items"]
    assert item["cancellation"]["reason"] == "I am ill."
    # What all paid together is for the mentor and operators.
    assert item["cancellation"]["refund"] is None
    assert get(world, f"/sessions/{session.id}", cast.as_mentee).json["cancellation"]["refund"] is None
    for headers in (cast.as_mentor, cast.as_operator):
        assert get(world, f"/sessions/{session.id}", headers).json["cancellation"]["refund"] == cancelled.json["refund"]
    again = step(world, session, "cancel", cast.as_mentor, {"reason": "Twice"})
    assert (again.status_code, again.json["code"]) == (400, "invalid_transition")


def test_an_operator_cancels_a_group(world: World, cast: Cast, session: Session) -> None:
    assert step(world, session, "cancel", cast.as_operator, {"reason": "Closed"}).status_code == 200
    joined = world.client.post(f"/group-sessions/{session.booking_id}/join", json={}, headers=cast.as_stranger)
    assert (joined.status_code, joined.json["code"]) == (400, "invalid_transition")


def test_a_group_is_in_its_participants_feed(world: World, cast: Cast, session: Session) -> None:
    secret = world.client.post("/calendar/secret", headers=cast.as_mentee).json
    feed = world.client.get(secret["url"].partition("/calendar/")[1] + secret["url"].partition("/calendar/")[2])
    assert f"UID:{session.booking_id}" in feed.text.replace("\r\n ", "")
