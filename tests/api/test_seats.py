"""Seats of group sessions over HTTP: join, leave, and the waiting list."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.sessions import session_id_of
from tests import factories
from tests.api.conftest import Cast, refusal
from tests.application import ApiResponse, World, as_mentor, as_user
from tests.statements import before_statements
from workers.maintain import CHORES
from workflows.accounts.records import User
from workflows.bookings.records import Booking
from workflows.sessions.actions import create

Headers = dict[str, str]


def make_group(world: World, cast: Cast, *mentees: User, capacity: int | None = None, days: float = 3) -> Booking:
    with world.engine.begin() as db:
        start = factories.this_hour() + timedelta(days=days)
        return factories.make_group(db, mentees, listing=cast.listing, start_time=start, capacity=capacity)


def post(world: World, group: Booking | UUID, step: str, headers: Headers, **body: Any) -> ApiResponse:
    group_id = group.id if isinstance(group, Booking) else group
    return world.client.post(f"/group-sessions/{group_id}/{step}", headers=headers, json=body)


def test_who_joins_sees_their_seat(world: World, cast: Cast) -> None:
    group = make_group(world, cast, capacity=2)
    answer = post(world, group, "join", cast.as_mentee)
    assert answer.status_code == 200
    assert (answer.json["joined"], answer.json["seatsTaken"], answer.json["full"]) == (True, 1, False)
    seen = world.client.get(f"/group-sessions/{group.id}", headers=cast.as_mentee)
    assert (seen.json, seen.headers["ETag"]) == (answer.json, answer.headers["ETag"])


def test_an_individual_booking_is_not_a_group(world: World, cast: Cast, draft: Booking) -> None:
    for step in ("join", "leave", "waitlist", "waitlist/accept-offer"):
        assert refusal(post(world, draft, step, cast.as_mentee)) == (400, "not_a_group")
        assert refusal(post(world, uuid4(), step, cast.as_mentee)) == (404, "not_found")
    path = f"/group-sessions/{draft.id}/waitlist"
    assert refusal(world.client.delete(path, headers=cast.as_mentee)) == (400, "not_a_group")


@pytest.mark.parametrize("step", ["join", "leave", "waitlist/accept-offer"])
def test_if_match_holds_until_the_seats_have_moved(world: World, cast: Cast, step: str) -> None:
    mentees = [] if step == "join" else [cast.mentee]
    group, moved = make_group(world, cast, *mentees, capacity=2), list[Booking]()
    tag = world.client.get(f"/group-sessions/{group.id}", headers=cast.as_mentee).headers["ETag"]

    def move(statement: str) -> None:
        # Another request commits after the version was compared, and before the group is locked.
        if "FOR NO KEY UPDATE OF g" in statement and not moved:
            moved.append(group)
            with world.engine.begin() as db:
                db.exec_driver_sql("UPDATE group_sessions SET capacity = 3")

    with before_statements(world.engine, move):
        answer = post(world, group, step, cast.as_mentee | {"If-Match": tag})
    assert moved
    assert refusal(answer) == (412, "stale")


def test_an_inactive_mentors_group_takes_nobody_on_and_is_finished(world: World, cast: Cast) -> None:
    group, full = (make_group(world, cast, cast.mentee, capacity=4 - days, days=days) for days in (2, 3))
    assert post(world, full, "waitlist", cast.as_stranger).status_code == 201
    factories.deactivate(world.engine, cast.mentor)
    assert refusal(post(world, group, "join", cast.as_stranger)) == (409, "not_bookable")
    assert refusal(post(world, full, "waitlist", as_mentor(cast.other_mentor))) == (409, "not_bookable")
    # A seat that becomes free is offered to nobody.
    assert post(world, full, "leave", cast.as_mentee).status_code == 200
    seen = world.client.get(f"/group-sessions/{full.id}", headers=cast.as_stranger).json
    assert (seen["seatsOffered"], seen["waitlistPosition"]) == (0, 1)
    assert refusal(post(world, full, "waitlist/accept-offer", cast.as_stranger)) == (409, "not_bookable")
    for listed, count in (("true", 0), ("false", 2)):
        found = world.client.get(f"/group-sessions?open={listed}", headers=cast.as_stranger).json["items"]
        assert len(found) == count
    with world.engine.begin() as db:
        started = factories.start_session(db, create(db, booking_id=group.id))
        waiting = create(db, booking_id=full.id)
    for session, step, status in ((started, "complete", "completed"), (waiting, "cancel", "cancelled")):
        path = f"/sessions/{session.id}/{step}"
        answer = world.client.post(path, headers=cast.as_mentor, json={"reason": "Ill"} if step == "cancel" else {})
        assert (answer.status_code, answer.json["status"]) == (200, status)


def test_a_seat_left_meanwhile_is_offered_when_its_mentor_is_active_again(world: World, cast: Cast) -> None:
    full = make_group(world, cast, cast.mentee, capacity=1)
    assert post(world, full, "waitlist", cast.as_stranger).status_code == 201
    factories.deactivate(world.engine, cast.mentor)
    assert post(world, full, "leave", cast.as_mentee).status_code == 200
    answer = world.client.patch(
        f"/mentor-profiles/{cast.mentor.id}", headers=cast.as_operator | {"If-Match": "*"}, json={"active": True}
    )
    assert (answer.status_code, answer.json["active"]) == (200, True)
    with world.engine.begin() as db:
        CHORES["offer free seats"](db)
    seen = world.client.get(f"/group-sessions/{full.id}", headers=cast.as_stranger).json
    assert seen["seatsOffered"] == 1
    assert post(world, full, "waitlist/accept-offer", cast.as_stranger).status_code == 200


def test_a_full_group_is_not_joined(world: World, cast: Cast) -> None:
    group = make_group(world, cast, capacity=1)
    assert post(world, group, "join", cast.as_stranger).json["full"] is True
    answer = post(world, group, "join", cast.as_mentee)
    assert refusal(answer) == (409, "group_full")
    assert "waiting list" in answer.json["message"]


def test_a_group_is_not_joined_twice(world: World, cast: Cast) -> None:
    group = make_group(world, cast, capacity=2)
    key = cast.as_mentee | {"Idempotency-Key": "a click"}
    answers = [post(world, group, "join", key) for _ in range(2)]
    # The same request again is the same seat; another request is refused.
    assert [answer.status_code for answer in answers] == [200, 200]
    assert refusal(post(world, group, "join", cast.as_mentee)) == (409, "already_joined")
    assert post(world, group, "leave", cast.as_mentee).json["seatsTaken"] == 0


def test_an_unknown_student_is_not_found(world: World, cast: Cast) -> None:
    group = make_group(world, cast)
    for step in ("join", "leave"):
        assert refusal(post(world, group, step, cast.as_operator, studentId=str(uuid4()))) == (404, "not_found")


def test_operators_join_and_leave_for_others(world: World, cast: Cast) -> None:
    group = make_group(world, cast, days=0.5)
    student = {"studentId": str(cast.mentee.id)}
    joined = post(world, group, "join", cast.as_operator, **student)
    assert [person["userId"] for person in joined.json["participants"]] == [str(cast.mentee.id)]
    left = post(world, group, "leave", cast.as_operator, **student)
    assert left.json["participants"] == []
    # Late, but not at the participant's own request.
    assert left.json["cancellation"]["fee"]["amount"] == 0
    assert refusal(post(world, group, "join", cast.as_operator)) == (400, "invalid_request")
    assert refusal(post(world, group, "join", cast.as_stranger, **student)) == (403, "forbidden")
    assert post(world, group, "join", cast.as_mentee, **student).status_code == 200


def test_a_mentor_joins_others_groups_alone(world: World, cast: Cast) -> None:
    group = make_group(world, cast)
    assert refusal(post(world, group, "join", cast.as_mentor)) == (400, "invalid_request")
    assert post(world, group, "join", cast.as_other_mentor).status_code == 200


def test_a_late_participant_reads_the_fee(world: World, cast: Cast) -> None:
    group = make_group(world, cast, days=0.5)
    post(world, group, "join", cast.as_mentee)
    answer = post(world, group, "leave", cast.as_mentee, reason="Ill")
    assert (answer.status_code, answer.json["joined"]) == (200, False)
    assert answer.json["cancellation"] == {
        "late": True,
        "fee": {"amount": 2000, "currency": "USD"},
        "refund": {"amount": 2000, "currency": "USD"},
        "creditReturned": None,
        "creditValidTo": None,
        "policy": {"windowHours": 24, "lateFeePercent": 50},
    }
    assert refusal(post(world, group, "leave", cast.as_mentee)) == (404, "not_found")


def test_an_operator_waives_the_fee_of_a_late_seat(world: World, cast: Cast) -> None:
    group = make_group(world, cast, days=0.5)
    with world.engine.begin() as db:
        create(db, booking_id=group.id)
    path = f"/sessions/{session_id_of(group.id)}/waive-fee"

    def waive(headers: Headers = cast.as_operator, **body: Any) -> ApiResponse:
        return world.client.post(path, json={"reason": "Goodwill", **body}, headers=headers)

    ada = str(cast.mentee.id)
    post(world, group, "join", cast.as_mentee)
    assert refusal(waive(userId=ada)) == (404, "not_found")
    post(world, group, "leave", cast.as_mentee)
    assert refusal(waive()) == (400, "invalid_request")
    assert waive(cast.as_mentor, userId=ada).status_code == 403
    for _ in range(2):
        answer = waive(userId=ada)
        assert (answer.status_code, answer.json["status"]) == (200, "scheduled")
    (seat,) = world.client.get(f"/group-sessions/{group.id}", headers=cast.as_mentee).json["cancellations"]
    assert (seat["fee"]["amount"], seat["refund"]["amount"]) == (0, 4000)
    assert seat["waivedAt"] is not None
    found = f"/audit?subjectId={session_id_of(group.id)}&action=session.fee_waived&result=ok"
    _repeated, waived = world.client.get(found, headers=cast.as_operator).json["items"]
    assert waived["data"] == {"fee": {"amount": 2000, "currency": "USD"}, "userId": ada}


def test_a_bundle_of_the_course_pays_for_a_seat(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        course = factories.make_course(db)
        listing = factories.make_listing(db, cast.mentor, course_id=course.id)
        bundle = factories.make_bundle(db, course=course, mentee=cast.mentee, session_count=1)
        other = factories.make_bundle(db, mentee=cast.mentee)
        group = factories.make_group(db, [], listing=listing)
    wrong = post(world, group, "join", cast.as_mentee, bundlePurchaseId=str(other.id))
    assert refusal(wrong) == (409, "bundle_unusable")
    foreign = post(world, group, "join", cast.as_stranger, bundlePurchaseId=str(bundle.id))
    assert refusal(foreign) == (404, "not_found")
    paid = {"bundlePurchaseId": str(bundle.id)}
    assert post(world, group, "join", cast.as_mentee, **paid).status_code == 200
    assert post(world, group, "leave", cast.as_mentee).json["cancellation"]["creditReturned"] is True
    assert post(world, group, "join", cast.as_mentee, **paid).status_code == 200


def test_a_freed_seat_is_taken_from_the_waiting_list(world: World, cast: Cast) -> None:
    group = make_group(world, cast, capacity=1)
    assert refusal(post(world, group, "waitlist", cast.as_mentee)) == (409, "seats_free")
    post(world, group, "join", cast.as_stranger)
    answers = [post(world, group, "waitlist", cast.as_mentee) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert [answer.json for answer in answers] == [{"position": 1, "offer": None}] * 2
    assert refusal(post(world, group, "waitlist", cast.as_stranger)) == (409, "already_joined")
    assert refusal(post(world, group, "waitlist/accept-offer", cast.as_mentee)) == (409, "no_offer")
    post(world, group, "leave", cast.as_stranger)
    entry = post(world, group, "waitlist", cast.as_mentee).json
    assert entry["offer"]["expiresAt"].endswith("Z")
    seen = world.client.get(f"/group-sessions/{group.id}", headers=cast.as_mentee).json
    assert (seen["seatsOffered"], seen["full"], seen["waitlistPosition"]) == (1, True, 1)
    accepted = post(world, group, "waitlist/accept-offer", cast.as_mentee)
    assert (accepted.status_code, accepted.json["joined"], accepted.json["waitlistPosition"]) == (200, True, None)
    assert refusal(post(world, group, "waitlist/accept-offer", cast.as_mentee)) == (409, "already_joined")


def test_a_declined_seat_goes_to_the_next(world: World, cast: Cast) -> None:
    group = make_group(world, cast, capacity=1)
    with world.engine.begin() as db:
        lin = as_user(factories.make_user(db))
    post(world, group, "join", cast.as_stranger)
    assert [post(world, group, "waitlist", who).json["position"] for who in (cast.as_mentee, lin)] == [1, 2]
    post(world, group, "leave", cast.as_stranger)
    path = f"/group-sessions/{group.id}/waitlist"
    for _ in range(2):
        assert world.client.delete(path, headers=cast.as_mentee).status_code == 204
    assert post(world, group, "waitlist", lin).json["offer"] is not None
    assert post(world, group, "waitlist/accept-offer", lin).status_code == 200


def test_raised_capacity_is_offered_first(world: World, cast: Cast) -> None:
    group = make_group(world, cast, capacity=1)
    post(world, group, "join", cast.as_stranger)
    post(world, group, "waitlist", cast.as_mentee)
    path = f"/group-sessions/{group.id}"
    raised = world.client.patch(path, json={"capacity": 2}, headers=cast.as_mentor)
    assert (raised.status_code, raised.json["seatsOffered"], raised.json["full"]) == (200, 1, True)
    assert post(world, group, "waitlist", cast.as_mentee).json["offer"] is not None


def test_operators_wait_for_no_seat(world: World, cast: Cast) -> None:
    group = make_group(world, cast, capacity=1)
    assert post(world, group, "waitlist", cast.as_operator).status_code == 403
