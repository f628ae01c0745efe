"""Seats that are paid before they are taken, over HTTP: kept, paid, lapsed, left and refunded."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from models.catalog import BookingMode, ProductKind
from models.payments import PaymentMode
from tests import factories
from tests.api.conftest import Cast
from tests.api.test_payments import PRICE, Till, make_listing
from tests.application import ApiResponse, World, as_mentor
from workflows.groups.place import read_group
from workflows.groups.seats import refund_all
from workflows.groups.waitlist import close_waitlist
from workflows.kernel.clock import rfc3339
from workflows.sessions.actions import create


@pytest.fixture
def till(world: World, cast: Cast, engine: Engine) -> Till:
    return Till(world, cast, engine, make_listing(engine, cast, booking_mode=BookingMode.INSTANT))


def scheduled(till: Till, capacity: int = 2, *, days: float = 3, **terms: Any) -> str:
    """The id of a group whose seats are paid before."""
    listing = make_listing(till.engine, till.cast, **terms) if terms else till.listing
    with till.engine.begin() as db:
        start = factories.this_hour() + timedelta(days=days)
        return str(factories.make_group(db, [], listing=listing, start_time=start, capacity=capacity).id)


def step(till: Till, group: str, name: str, headers: Any = None, **body: Any) -> ApiResponse:
    return till.post(f"/group-sessions/{group}/{name}", body, headers or till.cast.as_mentee)


def joined(till: Till, group: str, headers: Any = None) -> dict[str, Any]:
    answer = step(till, group, "join", headers)
    assert answer.status_code == 200, answer.json
    shown: dict[str, Any] = answer.json
    return shown


def place(till: Till, group: str, headers: Any = None) -> tuple[Any, ...]:
    seen = till.get(f"/group-sessions/{group}", headers or till.cast.as_mentee)
    payment = seen["payment"] and seen["payment"]["status"]
    return seen["joined"], payment, seen["seatsTaken"], seen["seatsOffered"]


def test_a_seat_is_kept_until_it_is_paid(till: Till) -> None:
    group = scheduled(till)
    seen = joined(till, group)
    payment = seen["payment"]
    assert (seen["joined"], seen["seatsTaken"], seen["seatsOffered"]) == (False, 0, 1)
    assert (payment["for"], payment["bookingId"], payment["amount"]) == ("seat", group, PRICE)
    assert till.get(f"/group-sessions/{group}") == seen
    (listed,) = till.get("/group-sessions")["items"]
    assert (listed["joined"], listed["payment"]) == (False, payment)
    assert till.get("/group-sessions", till.cast.as_stranger)["items"][0]["payment"] is None
    assert step(till, group, "join").json["code"] == "already_joined"
    assert step(till, group, "waitlist").json["code"] == "already_joined"
    assert till.blocks({"id": group}) == 2
    till.require_sound()
    assert till.confirm(payment).json["status"] == "paid"
    assert place(till, group) == (True, "paid", 1, 0)
    assert till.types(group)[-2:] == ["group_session.changed", "seat.joined"]
    assert step(till, group, "join").json["code"] == "already_joined"
    till.require_sound()


def test_what_is_kept_is_nobody_elses(till: Till) -> None:
    group = scheduled(till, capacity=1)
    assert joined(till, group)["full"]
    assert "group_session.full" in till.types(group)
    assert step(till, group, "join", till.cast.as_stranger).json["code"] == "group_full"
    lowered = till.world.client.patch(f"/group-sessions/{group}", json={"capacity": 1}, headers=till.cast.as_mentor)
    assert lowered.status_code == 200
    with till.engine.begin() as db:
        other = factories.make_listing(db, till.cast.other_mentor, booking_mode=BookingMode.INSTANT)
    # The time of the person is taken, too.
    start = till.get(f"/group-sessions/{group}")["startTime"]
    body = till.cast.body(listingId=str(other.id), startTime=start)
    assert till.post("/bookings", body, till.cast.as_mentee).json["code"] == "slot_taken"


def test_a_payment_that_lapses_gives_the_seat_to_the_next(till: Till) -> None:
    group = scheduled(till, capacity=1)
    payment = joined(till, group)["payment"]
    assert step(till, group, "waitlist", till.cast.as_stranger).status_code == 201
    till.lapse(payment)
    assert place(till, group) == (False, "lapsed", 0, 1)
    seen = till.get(f"/group-sessions/{group}", till.cast.as_stranger)
    assert seen["waitlistPosition"] == 1
    taken = step(till, group, "waitlist/accept-offer", till.cast.as_stranger)
    assert (taken.status_code, taken.json["joined"], taken.json["seatsOffered"]) == (200, False, 1)
    assert taken.json["payment"]["status"] == "awaiting"
    till.require_sound()
    # Its person pays all the same.
    late = till.confirm(payment)
    assert (late.json["status"], late.json["refundDue"]) == ("paid", PRICE)
    assert place(till, group)[0] is False
    assert till.confirm(taken.json["payment"], "pi_2").json["refundDue"]["amount"] == 0
    assert place(till, group, till.cast.as_stranger) == (True, "paid", 1, 0)
    till.require_sound()


def test_a_block_leaves_the_seat_that_is_kept(till: Till) -> None:
    group = scheduled(till)
    payment = joined(till, group)["payment"]
    block = till.post(f"/mentors/{till.cast.mentor.id}/blocks", {"userId": str(till.cast.mentee.id)})
    assert block.status_code == 201
    paid = till.confirm(payment)
    assert (paid.status_code, paid.json["refundDue"]["amount"]) == (200, 0), paid.json
    assert place(till, group) == (True, "paid", 1, 0)
    assert step(till, scheduled(till, days=4), "join").json["code"] == "not_bookable"
    till.require_sound()


def test_who_leaves_cancels_the_payment(till: Till) -> None:
    group = scheduled(till, cancellation_window_hours=None, late_fee_percent=0)
    payment = joined(till, group)["payment"]
    left = step(till, group, "leave")
    assert (left.status_code, left.json["cancellation"]["fee"]["amount"]) == (200, 0), left.json
    assert (left.json["payment"]["status"], left.json["seatsOffered"]) == ("cancelled", 0)
    assert till.blocks({"id": group}) == 1
    assert step(till, group, "leave").status_code == 404
    assert till.confirm(payment).json["refundDue"] == PRICE
    # A second one is a payment of its own.
    again = joined(till, group)["payment"]
    assert again["id"] != payment["id"]
    assert till.confirm(again, "pi_2").json["refundDue"]["amount"] == 0
    till.require_sound()


def test_the_fee_of_a_paid_seat_stays_until_it_is_waived(till: Till) -> None:
    group = scheduled(till, days=1, cancellation_window_hours=8760, late_fee_percent=25)
    payment = joined(till, group)["payment"]
    till.confirm(payment)
    with till.engine.begin() as db:
        session = create(db, booking_id=read_group(db, payment["bookingId"]).id)
    left = step(till, group, "leave")
    assert left.json["cancellation"]["refund"]["amount"] == 3000
    path = f"/payments/{payment['id']}"
    assert till.get(path)["refundDue"]["amount"] == 3000
    waived = {"reason": "Goodwill", "userId": str(till.cast.mentee.id)}
    assert till.post(f"/sessions/{session.id}/waive-fee", waived).status_code == 200
    assert till.get(path)["refundDue"]["amount"] == 4000
    till.require_sound()


def test_a_cancelled_group_refunds_each_seat_that_was_paid(till: Till) -> None:
    group = scheduled(till, capacity=3)
    paid, waiting = joined(till, group)["payment"], joined(till, group, till.cast.as_stranger)["payment"]
    waived = joined(till, group, as_mentor(till.cast.other_mentor))["payment"]
    till.confirm(paid)
    assert till.post(f"/payments/{waived['id']}/waive", {"reason": "A guest"}).json["status"] == "waived"
    with till.engine.begin() as db:
        session = create(db, booking_id=read_group(db, paid["bookingId"]).id)
    assert till.post(f"/sessions/{session.id}/cancel", {"reason": "Ill"}, till.cast.as_mentor).status_code == 200
    for _ in range(2):
        with till.engine.begin() as db:
            refund_all(db, group=read_group(db, session.booking_id), actor=factories.OPERATOR, now=session.start_time)
    found = {each["id"]: each for each in till.get("/payments", till.cast.as_operator)["items"]}
    assert [found[each["id"]]["status"] for each in (paid, waiting, waived)] == ["paid", "cancelled", "waived"]
    assert [found[each["id"]]["refundDue"]["amount"] for each in (paid, waiting, waived)] == [4000, 0, 0]
    assert till.confirm(waiting, "pi_2").json["refundDue"] == PRICE
    till.require_sound()


def test_what_has_begun_waits_no_more(till: Till) -> None:
    group = scheduled(till)
    payment = joined(till, group)["payment"]
    with till.engine.begin() as db:
        factories.start_session(db, create(db, booking_id=read_group(db, payment["bookingId"]).id))
    assert till.post(f"/payments/{payment['id']}/waive", {"reason": "A guest"}).status_code == 400
    with till.engine.begin() as db:
        close_waitlist(db, booking_id=read_group(db, payment["bookingId"]).id, now=factories.this_hour())
    assert till.get(f"/payments/{payment['id']}")["status"] == "lapsed"
    assert till.confirm(payment).json["refundDue"] == PRICE
    assert place(till, group) == (False, "paid", 0, 0)
    till.require_sound()


def test_money_after_the_session_was_started_goes_back(till: Till) -> None:
    group = scheduled(till)
    payment = joined(till, group)["payment"]
    with till.engine.begin() as db:
        factories.start_session(db, create(db, booking_id=read_group(db, payment["bookingId"]).id))
    assert till.confirm(payment).json["refundDue"] == PRICE
    assert place(till, group) == (False, "paid", 0, 0)
    till.require_sound()


def test_a_seat_that_an_operator_takes_shows_the_payment(till: Till) -> None:
    group = scheduled(till)
    taken = step(till, group, "join", till.cast.as_operator, studentId=str(till.cast.mentee.id))
    assert (taken.status_code, taken.json["payment"]["userId"]) == (200, str(till.cast.mentee.id))


def test_who_deletes_their_account_waits_no_more(till: Till) -> None:
    group = scheduled(till)
    payment = joined(till, group)["payment"]
    refused = till.world.client.delete("/me", headers=till.cast.as_mentee)
    assert (refused.status_code, refused.json["details"]["drafts"]) == (409, [group]), refused.json
    deleted = till.world.client.delete("/me?cancel=true", headers=till.cast.as_mentee)
    assert deleted.status_code in (200, 204), deleted.json
    assert till.get(f"/payments/{payment['id']}", till.cast.as_operator)["status"] == "cancelled"
    till.require_sound()


def test_a_template_is_paid_as_the_product_whose_price_it_has(till: Till) -> None:
    with till.engine.begin() as db:
        course = factories.make_course(db)
        factories.make_listing(db, till.cast.mentor, course_id=course.id)
        seat = factories.make_product(db, course, ProductKind.GROUP_SEAT, payment_mode=PaymentMode.BEFORE)
    body = {
        "courseId": str(course.id),
        "title": "Algebra",
        "weekday": 0,
        "startTime": "09:00",
        "timeZone": "UTC",
        "durationMinutes": 60,
        "capacity": 5,
    }
    made = till.post("/group-session-templates", body, till.cast.as_mentor)
    assert (made.status_code, made.json["payment"], made.json["productId"]) == (201, "before", str(seat.id)), made.json
    path = f"/group-session-templates/{made.json['id']}"
    for answer in (
        till.post("/group-session-templates", {**body, "payment": "none"}, till.cast.as_mentor),
        till.world.client.patch(path, json={"payment": "none"}, headers=till.cast.as_mentor | {"If-Match": "*"}),
    ):
        assert (answer.status_code, answer.json["details"]) == (400, {"payment": ["must be before, or left out"]})
    own = {"payment": "none", "price": PRICE}
    changed = till.world.client.patch(path, json=own, headers=till.cast.as_mentor | {"If-Match": "*"})
    assert (changed.status_code, changed.json["payment"], changed.json["productId"]) == (200, "none", None)


def test_who_pays_after_a_move_leaves_without_a_fee(till: Till) -> None:
    listing = make_listing(till.engine, till.cast, cancellation_window_hours=None)
    start = factories.this_hour() + timedelta(days=420)
    with till.engine.begin() as db:
        group = factories.make_group(db, [], listing=listing, start_time=start, capacity=2)
        session = create(db, booking_id=group.id)
    payment = joined(till, str(group.id))["payment"]
    assert (
        till.post(
            f"/sessions/{session.id}/reschedule",
            {"startTime": rfc3339(start + timedelta(days=1))},
            till.cast.as_operator,
        ).status_code
        == 200
    )
    paid = till.post(
        f"/payments/{payment['id']}/confirm",
        {"reference": "pi_1", "amount": payment["amount"]},
        till.cast.as_operator,
    )
    assert paid.status_code == 200
    left = step(till, str(group.id), "leave")
    assert left.status_code == 200, left.json
    till.require_sound()
